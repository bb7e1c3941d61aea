"""Loading a checked folder: weights, adapter, tokenizer and image processor."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from vlp.core.errors import MissingComponent, UsageError, lookup
from vlp.models.adapter import WEIGHTS, check_base, check_fit, weight_shapes
from vlp.models.chat import Chat
from vlp.models.folder import ModelFolder, check_adapter

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load_model(
    folder: ModelFolder, adapter: str | Path | None, device: torch.device, dtype: torch.dtype, merged: bool = True
) -> Any:
    """Return the model of a checked folder with its adapter, in evaluation mode on its device.

    Args:
        folder: the checked folder.
        adapter: folder of a LoRA adapter; None for none.
        device: where the model goes.
        dtype: of the weights.
        merged: add the adapter into the weights; False keeps it beside them, as the trainer has it.

    Raises:
        UsageError: weights that do not fit the configuration, or an adapter that does not fit the weights.
        MissingComponent: an adapter without peft.
    """
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    if adapter is not None:
        check_adapter(Path(adapter))
        check_base(Path(adapter), folder)
    try:
        config = Qwen2_5_VLConfig.from_pretrained(str(folder.path), local_files_only=True)
        with torch.device("meta"):  # the size it would have, without the memory
            wanted = sum(p.numel() for p in Qwen2_5_VLForConditionalGeneration(config).parameters())
        if not wanted * 0.99 <= folder.parameters <= wanted * 1.5:  # more: tied weights may be stored twice
            sizes = f"{wanted:,} parameters, but its weights have {folder.parameters:,}"
            raise UsageError(f"{folder.name!r} describes a model of {sizes}.")
        with quiet():
            loaded: Any = Qwen2_5_VLForConditionalGeneration.from_pretrained(
                str(folder.path), dtype=dtype, local_files_only=True, use_safetensors=True, trust_remote_code=False,
                output_loading_info=True,
            )  # fmt: skip
    except UsageError:
        raise
    except Exception as error:  # a configuration that does not fit together fails in many ways
        raise UsageError(f"{folder.name!r} cannot be loaded: {_line(error)}.") from None
    model, report = loaded
    absent = sorted(str(key) for key in (*report["missing_keys"], *report["mismatched_keys"]))
    if absent:  # transformers would go on with random numbers in their place
        raise UsageError(
            f"{folder.name!r} lacks {len(absent)} weights that its config.json asks for, e.g. {absent[0]!r}."
        )
    if adapter is not None:
        model = _with_adapter(model, Path(adapter), merged)
    return model.eval().to(device)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' progress bars, and what they tell each other about names that will change, from the terminal."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _with_adapter(model: Any, adapter: Path, merged: bool) -> Any:
    try:
        from peft import PeftModel, get_peft_model_state_dict
    except ImportError:
        raise MissingComponent("an adapter needs peft.", "Install it with: pip install 'vlp[train]'.") from None
    check_fit(adapter, model)
    try:
        with quiet():
            adapted: Any = PeftModel.from_pretrained(model, str(adapter))
            _all_placed(adapter, get_peft_model_state_dict(adapted, save_embedding_layers=False))
            return adapted.merge_and_unload() if merged else adapted.get_base_model()
    except (OSError, ValueError, RuntimeError, TypeError, KeyError) as error:
        raise UsageError(f"the adapter {adapter.name!r} does not fit the model: {_line(error)}.") from None


def _all_placed(adapter: Path, placed: dict[str, Any]) -> None:
    """Refuse an adapter whose configuration asks for other weights than its file has: peft passes over them."""
    odd = sorted(set(placed) ^ set(weight_shapes(adapter / WEIGHTS)))
    if odd:
        raise UsageError(f"adapter_config.json of {adapter.name!r} and its weights do not agree about {odd[0][:200]!r}.")


def load_chat(folder: ModelFolder, image_token: int) -> Chat:
    """Return tokenizer, chat template and image processor of a checked folder; raises UsageError when one is broken."""
    from transformers import PreTrainedTokenizerFast
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    try:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(str(folder.path), local_files_only=True)
        processor = Qwen2VLImageProcessorPil.from_pretrained(str(folder.path), local_files_only=True)
    except Exception as error:  # the tokenizers library raises bare Exception for a file it cannot read
        raise UsageError(f"the tokenizer or processor of {folder.name!r} cannot be loaded: {_line(error)}.") from None
    if not tokenizer.chat_template:
        raise UsageError(f"{folder.name!r} has no chat template.", "Add the chat_template.jinja of Qwen2.5-VL.")
    return Chat(tokenizer, processor, image_token)


def end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """Return the tokens that end the model's turn; raises UsageError when the folder names none."""
    listed = model.generation_config.eos_token_id
    ends = {tokenizer.eos_token_id, *(listed if isinstance(listed, list) else [listed])} - {None}
    if not ends:
        raise UsageError("the model folder names no token that ends a turn.", "Set eos_token in tokenizer_config.json.")
    return frozenset(ends)


def find_device(name: str | None) -> torch.device:
    """Return a device, a GPU where there is one when no name is given.

    Raises:
        UsageError: neither cpu nor cuda.
        MissingComponent: a GPU that is not there.
    """
    name = name or ("cuda" if torch.cuda.is_available() else "cpu")
    match = re.fullmatch(r"cpu|cuda(:(?P<number>[0-9]{1,3}))?", name)
    if not match:
        raise UsageError(f"unknown device {name[:80]!r}.", "Expected cpu, cuda, or cuda:N for GPU number N.")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name != "cpu" and int(match["number"] or 0) >= count:
        seen, others = (f"{count} GPUs", f", or cuda:0 to cuda:{count - 1}") if count else ("no GPU", "")
        raise MissingComponent(f"device {name!r} is not there: torch sees {seen}.", f"Use --device cpu{others}.")
    return torch.device(name)


def find_dtype(name: str | None, device: torch.device) -> torch.dtype:
    """Return the type of the weights; without a name float32 on a CPU and bfloat16 on a GPU."""
    return lookup(name or ("float32" if device.type == "cpu" else "bfloat16"), DTYPES, "dtype")


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
