"""Qwen2.5-VL in process: any folder of that architecture, on a CPU or a GPU, with or without an adapter."""

import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from vlp.models.batching import BatchLimits, Cache, Segment
from vlp.models.chat import Pixels, Prompt
from vlp.models.decode import Feed
from vlp.models.engine import Engine
from vlp.models.folder import check_folder, read_json
from vlp.models.grammar import Vocabulary
from vlp.models.in_process import InProcess
from vlp.models.loading import end_tokens, find_device, find_dtype, load_chat, load_model
from vlp.models.protocol import Capabilities
from vlp.models.recent import Recent
from vlp.models.sight import VisionEngine
from vlp.models.turns import make_turns

# Newer releases call the argument `cache`; 5.20, which is admitted too, knows this name only.
warnings.filterwarnings("ignore", message="`past_key_values` is deprecated", category=FutureWarning)

SMALL_MODEL_PARAMETERS = 50_000_000


class TransformersModel(InProcess):
    """A Qwen2.5-VL folder, decoding greedily: the same prompt gives the same reply.

    Args:
        folder: a local folder in Hugging Face layout; checked before anything is loaded.
        adapter: folder of a LoRA adapter in safetensors; None for none.
        device: "cpu", "cuda", "cuda:1", ...; None takes a GPU where there is one.
        dtype: "float32", "bfloat16" or "float16"; None is float32 on a CPU, bfloat16 on a GPU.
        merged: add the adapter into the weights, which is faster; False computes it beside them, as the trainer does.
        profile: the wording of its prompts; "" for the one that the folder asks for.

    Raises:
        UsageError: the folder cannot be trusted or is of another kind.
        MissingComponent: the device is not there, or a package is not installed.
    """

    engine: Engine

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
        self.turns = make_turns(checked.turns, self) if checked.turns else None
        self.device = find_device(device)
        usual_token = 151_655  # of an image, where transformers finds none in config.json
        token = read_json(checked.path / "config.json").get("image_token_id", usual_token)
        self.chat = load_chat(checked, token)  # before the weights: what its template or tokenizer could do is cheap to refuse
        self.model = load_model(checked, adapter, self.device, find_dtype(dtype, self.device), merged)
        self.can = Capabilities(made_for=checked.made_for if adapter is None else {}, view=self.chat.view())
        self.ends = end_tokens(self.model, self.chat.tokenizer)
        self.most_tokens = int(self.model.config.text_config.max_position_embeddings)
        small = sum(p.numel() for p in self.model.parameters()) <= SMALL_MODEL_PARAMETERS
        self.engine = Engine(self.model, joined=small, padded=self.device.type != "cpu")
        self.sight = VisionEngine(self.model.model.visual, joined=small)
        self._one_thread, self._usual_threads = small and self.device.type == "cpu", torch.get_num_threads()
        self._lock, self._inside = threading.Lock(), 0
        size = self.model.get_output_embeddings().out_features
        # A GPU reads its weights once a pass: some hundred tokens more cost it little.
        limits = BatchLimits() if self.device.type == "cpu" else BatchLimits(draft_tokens=512)
        self.prepare(Vocabulary(self.chat.tokenizer, size, [*self.ends]), checked.drafts, limits)
        self._features: Recent[torch.Tensor] = Recent(2 * self.batch.limits.requests)

    def session(self, prompt: Prompt) -> "_Session":
        """Return a prompt, ready to be read."""
        with self.computing():
            return _Session(self, prompt)

    def features(self, pixels: Pixels) -> torch.Tensor:
        """Return the image tokens (n, width) of one image; the last few images are remembered."""

        def read() -> torch.Tensor:
            with torch.inference_mode():  # of this thread
                return self.sight.read(torch.from_numpy(pixels.values).to(self.device, self.model.dtype), pixels.grid)

        return self._features.get(pixels.digest, read)

    def forget_images(self) -> None:
        """Forget image tokens."""
        self._features.clear()

    def positions(self, prompt: Prompt) -> torch.Tensor:
        """Return where the tokens of a prompt stand: (3, n) in time, height and width."""
        kinds = torch.tensor([prompt.is_image], device=self.device).int()
        grids = torch.tensor([image.grid for image in prompt.images], device=self.device) if prompt.images else None
        return self.model.model.get_rope_index(torch.tensor([prompt.ids], device=self.device), kinds, grids)[0][:, 0]

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Run small matrices on one thread: handing them out costs more than it saves."""
        with self._lock:
            if not self._inside:  # whoever comes next meets the one thread
                self._usual_threads = torch.get_num_threads()
            self._inside += 1
        if self._one_thread:
            torch.set_num_threads(1)
        try:
            with torch.inference_mode():
                yield
        finally:
            torch.set_num_threads(self._usual_threads)
            with self._lock:
                self._inside -= 1

    def _numbers(self, values: torch.Tensor) -> NDArray[np.float32]:
        return values.float().cpu().numpy()

    def _best(self, rows: torch.Tensor) -> list[int]:
        return torch.where(torch.isfinite(rows).all(1), rows.argmax(1), -1).tolist()


class _Session:
    """One prompt in a model."""

    def __init__(self, owner: TransformersModel, prompt: Prompt) -> None:
        self._owner, self.marks = owner, prompt.marks()
        embedded = self._embed(prompt.ids)
        if prompt.images:
            seen = torch.cat([owner.features(image) for image in prompt.images])
            embedded[torch.tensor(prompt.is_image, device=owner.device)] = seen.to(embedded.dtype)
        positions = owner.positions(prompt)
        self._next_position = int(positions.max()) + 1
        self._unfed = (embedded, positions, self.marks)

    def begin(self, cache: Cache) -> None:
        """Take a cache; what it holds of the prompt is not read again."""
        self._cache, known = cache, cache.keep(self.marks)
        embedded, positions, marks = self._unfed
        self._unfed = (embedded[known:], positions[:, known:], marks[known:])

    def segment(self, feed: Feed) -> Segment:
        """Return what the next pass takes, at first the prompt before the tokens."""
        self._cache.forget(feed.forget)
        tokens, first = [*feed.tokens, *feed.guess], self._next_position - feed.forget
        self._next_position = first + len(tokens)
        embedded, positions, marks = self._unfed
        if tokens:
            after = torch.arange(first, self._next_position, device=self._owner.device).expand(3, -1)
            embedded, positions = torch.cat([embedded, self._embed(tokens)]), torch.cat([positions, after], dim=1)
        self._unfed = (embedded[:0], positions[:, :0], [])
        return Segment(self._cache, embedded, positions, [*marks, *tokens], len(feed.guess) + 1)

    def _embed(self, tokens: Sequence[int]) -> torch.Tensor:
        return self._owner.model.model.get_input_embeddings()(torch.tensor(tokens, dtype=torch.long, device=self._owner.device))
