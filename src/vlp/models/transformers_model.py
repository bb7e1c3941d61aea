"""Qwen2.5-VL in process: any folder of that architecture, on a CPU or a GPU, with or without an adapter."""

import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vlp.core.errors import MissingComponent, UsageError
from vlp.core.messages import Message
from vlp.models.chat import Pixels, Prompt
from vlp.models.decode import TOO_SLOW, Draft, Texts, decode
from vlp.models.engine import Engine
from vlp.models.folder import check_folder, read_json
from vlp.models.grammar import Grammars, Vocabulary
from vlp.models.loading import end_tokens, find_device, find_dtype, load_chat, load_model
from vlp.models.protocol import TOP, Capabilities, Reply, Trace
from vlp.models.recent import Recent
from vlp.models.sight import Sight
from vlp.models.turns import Turns, make_turns

# Newer releases call the argument `cache`; 5.20, which is admitted too, knows this name only.
warnings.filterwarnings("ignore", message="`past_key_values` is deprecated", category=FutureWarning)

SMALL_MODEL_PARAMETERS = 50_000_000


class TransformersModel:
    """A Qwen2.5-VL folder, decoding greedily: the same prompt gives the same reply.

    Args:
        folder: a local folder in Hugging Face layout; checked before anything is loaded.
        adapter: folder of a LoRA adapter in safetensors; None for none.
        device: "cpu", "cuda", "cuda:1", ...; None takes a GPU where there is one.
        dtype: "float32", "bfloat16" or "float16"; None is float32 on a CPU, bfloat16 on a GPU.
        merged: add the adapter into the weights, which is faster; False computes it beside them, as the trainer does.
        profile: the wording of its prompts; "" for the one that the folder asks for.

    Attributes:
        name: from the folder.
        profile: the wording of prompts it was made for.
        turns: what it says before its reply, read with its own tower (see `vlp.models.turns.ModelWithTurns`); None for nothing.
        can: what it can do; the only robot that it writes policies for is the folder's.

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
        merged: bool = True,
        profile: str = "",
    ) -> None:
        checked = check_folder(Path(folder))
        self.name, self.profile = checked.name, profile or checked.profile
        self.turns: Turns | None = make_turns(checked.turns, self) if checked.turns else None
        self.device = find_device(device)
        usual_token = 151_655  # of an image, where transformers finds none in config.json
        token = read_json(checked.path / "config.json").get("image_token_id", usual_token)
        self.chat = load_chat(checked, token)  # before the weights: what its template or tokenizer could do is cheap to refuse
        self.model = load_model(checked, adapter, self.device, find_dtype(dtype, self.device), merged)
        self.can = Capabilities(made_for=checked.made_for if adapter is None else {}, view=self.chat.view())
        self.ends = end_tokens(self.model, self.chat.tokenizer)
        self.vocabulary = Vocabulary(self.chat.tokenizer, self.model.get_output_embeddings().out_features, [*self.ends])
        self._grammars = Grammars(self.vocabulary)
        self._drafts = [self.vocabulary.encode(text) for text in checked.drafts]
        self._written = Texts()
        self._features: Recent[torch.Tensor] = Recent()
        self._lock = threading.Lock()
        small = sum(p.numel() for p in self.model.parameters()) <= SMALL_MODEL_PARAMETERS
        self.engine = Engine(self.model, joined=small)
        self.sight = Sight(self.model.model.visual, joined=small)
        self._one_thread = small and self.device.type == "cpu"

        self.forget()

    def forget(self) -> None:
        """Forget what was read and written, as if just opened; replies stay the same, the next one takes longer."""
        self.engine.keep([0])
        self._features.clear()
        self.chat.forget()
        self._written = Texts(most=20_000)
        for draft in self._drafts:
            self._written.add(draft)

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
        if not self._lock.acquire(timeout=timeout_s):
            raise MissingComponent(f"the model was busy with another request for {timeout_s:.1f} s.")
        try:
            with self._threads(), torch.inference_mode():
                prompt = self.chat.prompt(messages)
                self._fits(len(prompt.ids))
                room = min(max_tokens, self._limit() - len(prompt.ids))
                matcher = self._grammars.matcher(grammar) if grammar is not None else None
                lead, said = prompt.ids[-4:], Texts()
                said.add(prompt.ids)
                wanted = Draft(self.vocabulary.encode(draft) if draft else [], lead, (said, self._written))
                prepared = time.monotonic()
                session = _Session(self, prompt)
                read_s = time.monotonic() - prepared
                stream = _Stream(self.chat.tokenizer, on_text) if on_text else None
                done = decode(session, matcher, wanted, self.ends, room, timeout_s, stream, started)
                self._written.add([*lead, *done.tokens])
                text = _text(self.chat.tokenizer, done.tokens)
                if stream:
                    stream.close(text)
        finally:
            self._lock.release()
        ended = time.monotonic()
        prefill_s = read_s + done.prefill_s
        timings = {"prompt": prepared - started, "prefill": prefill_s, "decode": ended - prepared - prefill_s}
        timings["total"] = ended - started
        counts = {"prompt": len(prompt.ids), "reply": len(done.tokens), "forced": done.forced, "drafted": done.drafted}
        return Reply(text, timings, {**counts, "forwards": done.forwards}, done.finish)

    def trace(self, messages: Sequence[Message], *, max_tokens: int = 256, timeout_s: float = 120.0) -> Trace:
        """Return the greedy reply with log-probabilities (see `vlp.models.protocol.Traceable.trace`)."""
        deadline_s = time.monotonic() + timeout_s
        with self._lock, self._threads(), torch.inference_mode():
            prompt = self.chat.prompt(messages)
            self._fits(len(prompt.ids))
            session, tokens, tops = _Session(self, prompt), list[int](), list[dict[int, float]]()
            room = min(max_tokens, self._limit() - len(prompt.ids))
            while len(tokens) < room and not (tokens and tokens[-1] in self.ends):
                if time.monotonic() > deadline_s:
                    raise MissingComponent(f"the model did not finish within {timeout_s:.1f} s.", TOO_SLOW)
                row = session.forward(tokens[-1:], 1)[0].astype(np.float64)
                row -= row.max()
                row -= np.log(np.exp(row).sum())
                best = np.argsort(-row, kind="stable")[:TOP]
                tokens.append(int(best[0]))
                tops.append({int(token): float(row[token]) for token in best})
        return Trace(len(prompt.ids), tuple(tokens), tuple(tops), bool(tokens) and tokens[-1] in self.ends)

    def image_tokens(self, images: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        """Return what the vision tower makes of images, each on a thread of its own: (rows, columns, width) for each."""
        merge = self.chat.image_processor.merge_size

        def look(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
            with torch.inference_mode():
                pixels = self.chat.pixels(rgb)
                tokens = self.features(pixels).float().cpu().numpy()
            return tokens.reshape(pixels.grid[1] // merge, pixels.grid[2] // merge, -1)

        with self._lock, self._threads(), ThreadPoolExecutor(len(images)) as pool:
            return list(pool.map(look, images))

    def features(self, pixels: Pixels) -> torch.Tensor:
        """Return the image tokens (n, width) of one image; the last few images are remembered."""

        def read() -> torch.Tensor:
            values = torch.from_numpy(pixels.values).to(self.device, self.model.dtype)
            return self.sight.read(values, pixels.grid)

        return self._features.get(pixels.digest, read)

    def positions(self, prompt: Prompt) -> torch.Tensor:
        """Return where the tokens of a prompt stand: (3, n) in time, height and width."""
        kinds = torch.tensor([prompt.is_image], device=self.device).int()
        grids = torch.tensor([image.grid for image in prompt.images], device=self.device) if prompt.images else None
        return self.model.model.get_rope_index(torch.tensor([prompt.ids], device=self.device), kinds, grids)[0][:, 0]

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
    """One prompt in a model. What it has in common with the last one is not read again, be it images or text."""

    def __init__(self, owner: TransformersModel, prompt: Prompt) -> None:
        self._owner = owner
        marks = prompt.marks()
        known = owner.engine.keep(marks)
        embedded, is_image = self._embed(prompt.ids[known:]), torch.tensor(prompt.is_image, device=owner.device)
        if any(prompt.is_image[known:]):
            seen = torch.cat([owner.features(image) for image in prompt.images])
            embedded[is_image[known:]] = seen[int(is_image[:known].sum()) :].to(embedded.dtype)
        positions = owner.positions(prompt)
        self._next_position = int(positions.max()) + 1
        self._unfed = (embedded, positions[:, known:], marks[known:])

    def forward(self, tokens: Sequence[int], keep: int) -> NDArray[np.float32]:
        """Feed tokens, before the first of them the prompt; return the logits of the last `keep`."""
        embedded, positions, marks = self._unfed
        first, engine = self._next_position, self._owner.engine
        if tokens:
            after = torch.arange(first, first + len(tokens), device=self._owner.device).expand(3, -1)
            embedded, positions = torch.cat([embedded, self._embed(tokens)]), torch.cat([positions, after], dim=1)
        rows = engine.feed(embedded, positions, [*marks, *tokens], keep).float().cpu().numpy()
        self._next_position += len(tokens)
        self._unfed = (embedded[:0], positions[:, :0], [])
        return rows

    def rewind(self, count: int) -> None:
        """Forget the last `count` tokens."""
        self._next_position -= count
        self._owner.engine.forget(count)

    def _embed(self, tokens: Sequence[int]) -> torch.Tensor:
        return self._owner.model.model.get_input_embeddings()(torch.tensor(tokens, dtype=torch.long, device=self._owner.device))


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
