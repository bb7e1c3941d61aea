"""Qwen2.5-VL in process: any folder of that architecture, on a CPU or a GPU, with or without an adapter."""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vlp.core.errors import MissingComponent, UsageError
from vlp.core.messages import Message
from vlp.models.chat import Chat, Pixels, Prompt
from vlp.models.decode import decode
from vlp.models.folder import ModelFolder, check_adapter, check_folder
from vlp.models.grammar import Grammars, Vocabulary
from vlp.models.protocol import Reply

SMALL_MODEL_PARAMETERS = 50_000_000
CACHED_IMAGES = 4
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class TransformersModel:
    """A Qwen2.5-VL folder, decoding greedily: the same prompt gives the same reply.

    Args:
        folder: a local folder in Hugging Face layout; checked before anything is loaded.
        adapter: folder of a LoRA adapter in safetensors, merged into the weights; None for none.
        device: "cpu", "cuda", "cuda:1", ...; None takes a GPU where there is one.
        dtype: "float32", "bfloat16" or "float16"; None is float32 on a CPU, bfloat16 on a GPU.

    Attributes:
        name: from the folder.
        profile: the wording of prompts it was made for.

    Raises:
        UsageError: the folder cannot be trusted or is of another kind.
        MissingComponent: the device is not there, or a package is not installed.
    """

    def __init__(
        self,
        folder: str | Path,
        adapter: str | Path | None = None,
        device: str | None = None,
        dtype: str | None = None,
    ) -> None:
        checked = check_folder(Path(folder))
        self.name, self.profile = checked.name, checked.profile
        self.device = _device(device)
        self.model = _load(checked, adapter, self.device, _dtype(dtype, self.device))
        self.chat = _chat(checked, self.model.config.image_token_id)
        self.ends = _ends(self.model, self.chat.tokenizer)
        self.vocabulary = Vocabulary(self.chat.tokenizer, self.model.get_output_embeddings().out_features, [*self.ends])
        self._grammars = Grammars(self.vocabulary)
        self._features: OrderedDict[bytes, torch.Tensor] = OrderedDict()
        self._lock = threading.Lock()
        small = sum(p.numel() for p in self.model.parameters()) <= SMALL_MODEL_PARAMETERS
        self._one_thread = small and self.device.type == "cpu"

    def generate(
        self,
        messages: Sequence[Message],
        *,
        grammar: dict[str, Any] | None = None,
        draft: str | None = None,
        max_tokens: int = 1024,
        timeout_s: float = 60.0,
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """Return the reply (see `vlp.models.protocol.Model.generate`); one at a time per model."""
        started = time.monotonic()
        deadline_s = started + timeout_s
        if not self._lock.acquire(timeout=timeout_s):
            raise MissingComponent(f"the model was busy with another request for {timeout_s:.1f} s.")
        try:
            with self._threads(), torch.inference_mode():
                prompt = self.chat.prompt(messages)
                self._fits(len(prompt.ids))
                room = min(max_tokens, self._limit() - len(prompt.ids))
                matcher = self._grammars.matcher(grammar) if grammar is not None else None
                wanted = self.vocabulary.encode(draft) if draft else []
                session = _Session(self, prompt)
                prepared = time.monotonic()
                stream = _Stream(self.chat.tokenizer, on_text) if on_text else None
                done = decode(session, matcher, wanted, self.ends, room, deadline_s, stream)
                text = _text(self.chat.tokenizer, done.tokens)
                if stream:
                    stream.close(text)
        finally:
            self._lock.release()
        ended = time.monotonic()
        timings = {"prompt": prepared - started, "prefill": done.prefill_s, "total": ended - started}
        timings["decode"] = max(0.0, ended - prepared - done.prefill_s)
        counts = {"prompt": len(prompt.ids), "reply": len(done.tokens), "forced": done.forced, "drafted": done.drafted}
        return Reply(text, timings, {**counts, "forwards": done.forwards}, done.finish)

    def seen_size(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height in pixels of an image as the model sees it; boxes in its replies are in these pixels."""
        return self.chat.seen_size(width, height)

    def image_tokens(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return what the vision tower makes of an image: (rows, columns, width), one vector per image token."""
        with self._lock, self._threads(), torch.inference_mode():
            pixels = self.chat.pixels(rgb)
            merge = self.chat.image_processor.merge_size
            tokens = self.features(pixels).float().cpu().numpy()
            return tokens.reshape(pixels.grid[1] // merge, pixels.grid[2] // merge, -1)

    def features(self, pixels: Pixels) -> torch.Tensor:
        """Return the image tokens (n, width) of one image; the last few images are remembered."""
        key = hashlib.sha256(pixels.values.tobytes() + repr(pixels.grid).encode()).digest()
        if key not in self._features:
            values = torch.from_numpy(pixels.values).to(self.device, self.model.dtype)
            grid = torch.tensor([pixels.grid], device=self.device)
            found = self.model.model.get_image_features(values, grid, return_dict=True)
            self._features[key] = torch.cat(tuple(found.pooler_output), dim=0)
            while len(self._features) > CACHED_IMAGES:
                self._features.popitem(last=False)
        self._features.move_to_end(key)
        return self._features[key]

    def _fits(self, length: int) -> None:
        if length >= self._limit():
            raise UsageError(f"the prompt has {length:,} tokens; {self.name!r} takes {self._limit():,}.", "Shorten it.")

    def _limit(self) -> int:
        return int(self.model.config.text_config.max_position_embeddings)

    @contextmanager
    def _threads(self) -> Iterator[None]:
        """Run small matrices on one thread: handing them out costs more than it saves."""
        before = torch.get_num_threads()
        if self._one_thread:
            torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)


class _Session:
    """One prompt in a model, with the keys and values of everything fed so far."""

    def __init__(self, owner: TransformersModel, prompt: Prompt) -> None:
        from transformers import DynamicCache

        self._owner = owner
        self._inner = owner.model.model
        self._cache: Any = DynamicCache(config=owner.model.config.text_config)
        self._fed = 0
        ids = torch.tensor([prompt.ids], device=owner.device)
        kinds = torch.tensor([prompt.is_image], device=owner.device).int()
        grids = torch.tensor([image.grid for image in prompt.images], device=owner.device) if prompt.images else None
        self._positions, delta = self._inner.get_rope_index(ids, kinds, grids)
        self._delta = int(delta)
        self._embedded = self._embed(prompt.ids)
        if prompt.images:
            found = torch.cat([owner.features(image) for image in prompt.images])
            self._embedded[0, kinds[0].bool()] = found.to(self._embedded.dtype)

    def forward(self, tokens: Sequence[int], keep: int) -> NDArray[np.float32]:
        """Feed the prompt on the first call, and tokens; return the logits of the last `keep`."""
        length = len(tokens) + (0 if self._fed else self._embedded.shape[1])
        start = self._fed or self._embedded.shape[1]
        positions = torch.arange(start, start + len(tokens), device=self._owner.device) + self._delta
        positions = positions.view(1, 1, -1).expand(3, 1, -1)
        embedded = self._embed(tokens)
        if not self._fed:
            embedded = torch.cat([self._embedded, embedded], dim=1)
            positions = torch.cat([self._positions, positions], dim=2)
        out = self._inner.language_model(
            input_ids=None,
            inputs_embeds=embedded,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
        )
        self._fed += length
        return self._owner.model.lm_head(out.last_hidden_state[0, -keep:]).float().cpu().numpy()

    def rewind(self, count: int) -> None:
        """Forget the last `count` tokens."""
        if count:
            self._fed -= count
            self._cache.crop(-count)

    def _embed(self, tokens: Sequence[int]) -> torch.Tensor:
        ids = torch.tensor([list(tokens)], dtype=torch.long, device=self._owner.device)
        return self._inner.get_input_embeddings()(ids)


class _Stream:
    """Hands on the reply's text piece by piece, never half a character."""

    def __init__(self, tokenizer: Any, on_text: Callable[[str], None]) -> None:
        self._tokenizer, self._on_text, self._sent = tokenizer, on_text, ""

    def __call__(self, tokens: list[int]) -> None:
        text = _text(self._tokenizer, tokens)
        if not text.endswith("\ufffd"):
            self.close(text)

    def close(self, text: str) -> None:
        """Hand on what is left."""
        if len(text) > len(self._sent):
            self._on_text(text[len(self._sent) :])
            self._sent = text


def _text(tokenizer: Any, tokens: Sequence[int]) -> str:
    return tokenizer.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False)


def _load(folder: ModelFolder, adapter: str | Path | None, device: torch.device, dtype: torch.dtype) -> Any:
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    if adapter is not None:
        check_adapter(Path(adapter))
    try:
        config = Qwen2_5_VLConfig.from_pretrained(str(folder.path), local_files_only=True)
        with torch.device("meta"):  # the size it would have, without the memory
            wanted = sum(p.numel() for p in Qwen2_5_VLForConditionalGeneration(config).parameters())
        if not wanted * 0.99 <= folder.parameters <= wanted * 1.5:  # more: tied weights may be stored twice
            raise UsageError(
                f"{folder.name!r} describes a model of {wanted:,} parameters, but its weights have {folder.parameters:,}."
            )
        with _quiet():
            model, report = Qwen2_5_VLForConditionalGeneration.from_pretrained(
                str(folder.path), dtype=dtype, local_files_only=True, use_safetensors=True, trust_remote_code=False,
                output_loading_info=True,
            )  # fmt: skip
    except (OSError, ValueError, RuntimeError, TypeError, KeyError, AttributeError, AssertionError) as error:
        raise UsageError(f"{folder.name!r} cannot be loaded: {_line(error)}.") from None
    absent = sorted(str(key) for key in (*report["missing_keys"], *report["mismatched_keys"]))
    if absent:  # transformers would go on with random numbers in their place
        raise UsageError(
            f"{folder.name!r} lacks {len(absent)} weights that its config.json asks for, e.g. {absent[0]!r}."
        )
    if adapter is not None:
        model = _with_adapter(model, Path(adapter))
    return model.eval().to(device)


@contextmanager
def _quiet() -> Iterator[None]:
    """Load without progress bars on the person's terminal."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _with_adapter(model: Any, adapter: Path) -> Any:
    try:
        from peft import PeftModel
    except ImportError:
        raise MissingComponent("an adapter needs peft.", "Install it with: pip install 'vlp[train]'.") from None
    try:
        return PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()  # type: ignore[operator]
    except (OSError, ValueError, RuntimeError, TypeError, KeyError) as error:
        raise UsageError(f"the adapter {adapter.name!r} does not fit the model: {_line(error)}.") from None


def _chat(folder: ModelFolder, image_token: int) -> Chat:
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


def _ends(model: Any, tokenizer: Any) -> frozenset[int]:
    listed = model.generation_config.eos_token_id
    ends = {tokenizer.eos_token_id, *(listed if isinstance(listed, list) else [listed])} - {None}
    if not ends:
        raise UsageError("the model folder names no token that ends a turn.", "Set eos_token in tokenizer_config.json.")
    return frozenset(ends)


def _device(name: str | None) -> torch.device:
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError as error:
        raise UsageError(f"unknown device {str(name)[:80]!r}: {_line(error)}.", "Expected cpu or cuda.") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise MissingComponent(f"device {name!r} is not there: torch sees no GPU.", "Use --device cpu.")
    return device


def _dtype(name: str | None, device: torch.device) -> torch.dtype:
    from vlp.core.errors import lookup

    return lookup(name or ("float32" if device.type == "cpu" else "bfloat16"), DTYPES, "dtype")


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
