"""A small model that comes with the package, in numpy: torch and transformers need not be imported for it."""

import functools
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from vlp.core.images import ImageView
from vlp.models.batching import Cache, Mark, Segment
from vlp.models.chat import Chat, Pixels, Prompt
from vlp.models.decode import Feed
from vlp.models.folder import ModelFolder, check_folder, read_json
from vlp.models.grammar import Vocabulary
from vlp.models.in_process import InProcess
from vlp.models.numpy_parts import Array, Decoder, VisionTower, read_weights
from vlp.models.protocol import Capabilities
from vlp.models.text_checks import check_template
from vlp.models.turns import make_turns


@functools.cache
def opened(folder: Path) -> tuple[ModelFolder, Mapping[str, Array]]:
    """Return a folder whose hashes are recorded, checked and read once in this process, and its weights; raises UsageError."""
    checked = check_folder(folder)
    threadpool_limits(1, "blas")  # of this process: with two, the last digits of the numbers are others
    return checked, read_weights(checked.path / "model.safetensors")


@functools.cache
def tower_of(folder: Path) -> VisionTower:
    """Return the vision tower of such a folder, made once in this process; raises UsageError."""
    return VisionTower(opened(folder)[1], read_json(folder / "config.json")["vision_config"])


class NumpyModel(InProcess):
    """A model of the package, decoding greedily at full precision: the same prompt gives the same reply.

    Args:
        folder: one of `vlp.models.catalogue.FOLDERS`.
        profile: the wording of its prompts; "" for the one that the folder asks for.

    Raises:
        UsageError: the folder is not as it was recorded.
        MissingComponent: a package is not installed.
    """

    engine: Decoder

    def __init__(self, folder: Path, profile: str = "") -> None:
        checked, weights = opened(folder)
        config, asks = read_json(folder / "config.json"), read_json(folder / "tokenizer_config.json")
        self.name, self.profile = checked.name, profile or checked.profile
        self.turns = make_turns(checked.turns, self) if checked.turns else None
        template = (folder / "chat_template.jinja").read_text()
        check_template(template, checked.name)
        tokenizer = BareTokenizer(folder / "tokenizer.json", asks["eos_token"], template)
        self.chat = Chat(tokenizer, PatchCutter(read_json(folder / "preprocessor_config.json")), config["image_token_id"])
        self.tower, self.engine = tower_of(folder), Decoder(weights, config["text_config"])
        self.can = Capabilities(made_for=checked.made_for, view=self.chat.view())
        self.ends = frozenset({tokenizer.eos_token_id, read_json(folder / "generation_config.json")["eos_token_id"]})
        self.prepare(Vocabulary(tokenizer, len(self.engine.embedding), [*self.ends]), checked.drafts)
        self.most_tokens = config["text_config"]["max_position_embeddings"]

    def session(self, prompt: Prompt) -> "_Session":
        """Return a prompt, ready to be read."""
        return _Session(self, prompt)

    def features(self, pixels: Pixels) -> Array:
        """Return the image tokens (n, width) of one image; the last few images are remembered."""
        return self.tower.seen(pixels.digest, pixels.grid, pixels.cut)

    def forget_images(self) -> None:
        """Forget image tokens."""
        self.tower.recent.clear()


class _Session:
    """One prompt in a model."""

    def __init__(self, owner: NumpyModel, prompt: Prompt) -> None:
        self._embedding, self.marks = owner.engine.embedding, prompt.marks()
        embedded = self._embedding[prompt.ids]
        if prompt.images:
            embedded[np.array(prompt.is_image)] = np.concatenate([owner.features(image) for image in prompt.images])
        placed = positions(prompt, owner.chat.image_processor.merge_size)
        self._next_position = int(placed.max()) + 1
        self._unfed: tuple[Array, NDArray[np.int64], list[Mark]] = (embedded, placed, self.marks)

    def begin(self, cache: Cache) -> None:
        """Take a cache; what it holds of the prompt is not read again."""
        self._cache, known = cache, cache.keep(self.marks)
        embedded, placed, marks = self._unfed
        self._unfed = (embedded[known:], placed[:, known:], marks[known:])

    def segment(self, feed: Feed) -> Segment:
        """Return what the next pass takes, at first the prompt before the tokens."""
        self._cache.forget(feed.forget)
        tokens, first = [*feed.tokens, *feed.guess], self._next_position - feed.forget
        self._next_position = first + len(tokens)
        embedded, placed, marks = self._unfed
        after = np.arange(first, self._next_position) + np.zeros((3, 1), np.int64)
        embedded = np.concatenate([embedded, self._embedding[tokens]]) if tokens else embedded
        self._unfed = (embedded[:0], placed[:, :0], [])
        return Segment(self._cache, embedded, np.concatenate([placed, after], 1), [*marks, *tokens], len(feed.guess) + 1)


def positions(prompt: Prompt, merge: int) -> NDArray[np.int64]:
    """Return where the tokens of a prompt stand: (3, n) in time, height and width; those of an image are in its rows."""
    parts: list[NDArray[np.int64]] = []
    first, images = 0, iter(prompt.images)
    for is_image, run in itertools.groupby(prompt.is_image):
        if is_image:
            rows, columns = (n // merge for n in next(images).grid[1:])
            parts.append(first + np.stack(np.meshgrid([0], np.arange(rows), np.arange(columns), indexing="ij")).reshape(3, -1))
            first += max(rows, columns)
        else:
            n = len(list(run))
            parts.append(np.tile(np.arange(first, first + n), (3, 1)))
            first += n
    return np.concatenate(parts, 1)


class BareTokenizer:
    """What `Chat`, `Vocabulary` and decoding need of transformers' fast tokenizer, over the same library.

    Args:
        file: tokenizer.json.
        end: the token that ends a turn.
        template: a checked chat template.
    """

    def __init__(self, file: Path, end: str, template: str) -> None:
        import jinja2.sandbox
        from tokenizers import Tokenizer as Backend

        self.backend_tokenizer: Any = Backend.from_file(str(file))
        self.eos_token, self.eos_token_id = end, self.backend_tokenizer.token_to_id(end)
        self.added_tokens_decoder = self.backend_tokenizer.get_added_tokens_decoder()
        sandbox = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        self._template = sandbox.from_string(template)

    def __call__(self, text: str, add_special_tokens: bool = False) -> dict[str, list[int]]:
        """Return the ids of a text."""
        return {"input_ids": self.backend_tokenizer.encode(text, add_special_tokens=add_special_tokens).ids}

    def convert_ids_to_tokens(self, token: int) -> str:
        """Return how a token is spelled."""
        return self.backend_tokenizer.id_to_token(token)

    def apply_chat_template(self, turns: Sequence[Mapping[str, Any]], tokenize: bool, add_generation_prompt: bool) -> str:
        """Return a conversation as text."""
        del tokenize
        return self._template.render(messages=turns, add_generation_prompt=add_generation_prompt)

    def decode(self, tokens: Sequence[int], skip_special_tokens: bool, clean_up_tokenization_spaces: bool) -> str:
        """Return the text of tokens."""
        del clean_up_tokenization_spaces
        return self.backend_tokenizer.decode(tokens, skip_special_tokens=skip_special_tokens)


class PatchCutter:
    """Images as patches, as `Qwen2VLImageProcessorPil` makes them, but for its frames: a picture's are the same, one is made.

    Args:
        config: preprocessor_config.json.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.size, self.patch_size, self.merge_size = config["size"], config["patch_size"], config["merge_size"]
        self._view = ImageView(self.patch_size * self.merge_size, self.size["shortest_edge"], self.size["longest_edge"])
        self._resample = config["resample"]
        scaled = (np.arange(256) * config["rescale_factor"]).astype(np.float32)
        mean, std = (np.array(config[f"image_{name}"], np.float32)[:, None] for name in ("mean", "std"))
        self._levels = (scaled - mean) / std  # of each channel, what stands for each of its 256 levels

    def __call__(self, image: Any, return_tensors: str) -> dict[str, Any]:
        """Return the patches of a picture of Pillow."""
        del return_tensors
        return {"pixel_values": self.cut(image.resize(self._view.seen_size(*image.size), self._resample))}

    def cut(self, small: Any) -> Array:
        """Return the patches (n, channels * side * side) of a picture of Pillow that has its size already."""
        width, height = small.size
        rows, columns, merge, side = height // self.patch_size, width // self.patch_size, self.merge_size, self.patch_size
        x = np.asarray(small).reshape(rows // merge, merge, side, columns // merge, merge, side, 3)
        x = x.transpose(0, 3, 1, 4, 6, 2, 5).reshape(rows * columns, 3, side * side)
        values = np.stack([levels[x[:, i]] for i, levels in enumerate(self._levels)], axis=1)
        return values.reshape(rows * columns, -1)
