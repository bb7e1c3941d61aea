"""Loading a checked folder: weights, adapter, tokenizer and image processor."""

import math
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from vlp.core.errors import MissingComponent, Note, UsageError, lookup
from vlp.models.adapter import PREFIX, WEIGHTS, Fit, check_adapter, check_base, check_fit
from vlp.models.chat import Chat
from vlp.models.folder import ModelFolder, folder_name, folder_record
from vlp.models.text_checks import check_template

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
        UsageError: weights that do not fit the configuration or are no finite numbers, or an adapter that does not fit them.
        MissingComponent: an adapter without peft.
    """
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    if adapter is not None:
        told = check_adapter(Path(adapter)).base
        check_base(Path(adapter), folder)
        _say_other_base(Path(adapter), told, folder)
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
        raise UsageError(f"{folder.name!r} lacks {len(absent)} weights that its config.json asks for, e.g. {absent[0]!r}.")
    check_finite(model.named_parameters(), f"the weights of {folder.name!r}")
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


def check_finite(tensors: Iterable[tuple[str, torch.Tensor]], what: str) -> None:
    """Raise UsageError for the first tensor that holds NaN or infinity, by its name; `what` says whose it is."""
    for name, tensor in tensors:
        # The sum is one pass without a copy; where it is no number, it may only have been too large.
        if not math.isfinite(tensor.sum(dtype=torch.float32).item()) and not torch.isfinite(tensor).all():
            count = int((~torch.isfinite(tensor)).sum())
            raise UsageError(f"{what}: {name[:200]!r} has {count:,} of {tensor.numel():,} values that are NaN or infinite.")


def _say_other_base(adapter: Path, told: str, base: ModelFolder) -> None:
    """Tell when an adapter without a record of ours says that it was trained on something of another name."""
    names = {base.name, folder_name(base.path), f"vlp-{told}", str(base.path)}
    if told and not folder_record(adapter).get("base") and not {told, told.rstrip("/").rpartition("/")[2]} & names:
        said = f"the adapter {adapter.name!r} says that it was trained on {told[:200]!r}; it is added to {base.name!r}."
        warnings.warn(Note(said), stacklevel=2)


def _with_adapter(model: Any, adapter: Path, merged: bool) -> Any:
    try:
        from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
    except ImportError:
        raise MissingComponent("an adapter needs peft.", "Install it with: pip install 'vlp[train]'.") from None
    from safetensors.torch import load_file

    fit = check_fit(adapter, model)
    unknown = sorted(fit.config.given - set(LoraConfig.__dataclass_fields__))
    odd = f"adapter_config.json of {adapter.name!r} has {', '.join(unknown[:5])}, which is not known here and was passed over."
    for note in (fit.note, odd if unknown else ""):
        if note:
            warnings.warn(Note(note), stacklevel=2)
    loaded = load_file(adapter / WEIGHTS)
    check_finite(loaded.items(), f"the adapter {adapter.name!r}")
    _take_over(model, fit, loaded)
    if not fit.layers:
        return model
    tensors = {f"{PREFIX}{module}.{part}": loaded[key] for key, (module, part) in fit.tensors.items()}
    try:
        with quiet():
            adapted: Any = get_peft_model(model, LoraConfig(**_lora_settings(fit)))
            if lost := set_peft_model_state_dict(adapted, tensors).unexpected_keys:
                raise UsageError(f"peft has no place for {lost[0][:200]!r} of the adapter {adapter.name!r}.")
            return adapted.merge_and_unload() if merged else adapted.get_base_model()
    except (OSError, ValueError, RuntimeError, TypeError, KeyError) as error:
        raise UsageError(f"the adapter {adapter.name!r} does not fit the model: {_line(error)}.") from None


def _lora_settings(fit: Fit) -> dict[str, Any]:
    """Return what PEFT is told: the layers by their whole names, never an expression of the adapter's own."""
    usual = Counter(fit.layers.values()).most_common(1)[0][0]
    others = {f"^{re.escape(name)}": layer for name, layer in fit.layers.items() if layer != usual}
    return {
        "r": usual.rank,
        "lora_alpha": usual.alpha,
        "target_modules": list(fit.layers),
        "rank_pattern": {name: layer.rank for name, layer in others.items()},
        "alpha_pattern": {name: layer.alpha for name, layer in others.items()},
        "use_rslora": fit.config.rslora,
        "use_dora": fit.config.dora,
        "lora_bias": fit.config.lora_bias,
        "init_lora_weights": False,  # every value is written over
    }


def _take_over(model: Any, fit: Fit, loaded: dict[str, torch.Tensor]) -> None:
    """Put parameters that were trained whole in the place of the base's; those that the base ties must stay alike."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    with torch.no_grad():
        for key, name in fit.whole.items():
            parameter, new = parameters[name], loaded[key].to(parameters[name].dtype)
            tied = [other for other, p in parameters.items() if p is parameter and other != name]
            twin = next((loaded[k] for k, other in fit.whole.items() if other in tied), None)
            alike = torch.equal(new, parameter) or (twin is not None and torch.equal(twin.to(new.dtype), new))
            if tied and not alike and not fit.config.tied:
                raise UsageError(
                    f"the adapter {fit.config.name!r} trained {name!r} apart from {tied[0]!r}, which this base ties to it."
                )
            parameter.copy_(new)


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
    check_template(tokenizer.chat_template, folder.name)
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
