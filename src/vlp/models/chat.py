"""Messages to token ids and pixels: the folder's own chat template, image placeholders repeated by hand.

`Qwen2_5_VLProcessor` does the same but needs torchvision for its video part, which does not install beside every torch.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlp.core.errors import UsageError
from vlp.core.images import ImageView
from vlp.core.messages import Message, Part


@dataclass(frozen=True)
class Prompt:
    """A conversation as the model takes it.

    Args:
        ids: token ids up to and including the opening of the model's turn.
        is_image: for each token whether it stands for a piece of an image.
        images: what the image processor made of each image.
    """

    ids: list[int]
    is_image: list[bool]
    images: list["Pixels"]

    def marks(self) -> list[int | str]:
        """Return for each token its id, or the image that it shows a piece of: equal marks, equal meaning."""
        marks: list[int | str] = list(self.ids)
        shown = -1
        for i, is_image in enumerate(self.is_image):
            if is_image:
                shown += 0 if i and self.is_image[i - 1] else 1
                marks[i] = self.images[shown].digest
        return marks


@dataclass(frozen=True)
class Pixels:
    """One image as patches, cut when they are asked for: whoever remembers what was made of an image needs none.

    Args:
        grid: frames, rows and columns of patches.
        digest: a hash of the image.
        cut: gives its patches.
    """

    grid: tuple[int, int, int]
    digest: str
    cut: Callable[[], NDArray[np.float32]]

    @property
    def values(self) -> NDArray[np.float32]:
        """Return the patches (patches, channels * frames * side * side)."""
        return self.cut()


class Chat:
    """Writes conversations for one model.

    Args:
        tokenizer: a Hugging Face fast tokenizer with a chat template.
        image_processor: `Qwen2VLImageProcessorPil` or alike.
        image_token: the id that stands for a piece of an image.
    """

    def __init__(self, tokenizer: Any, image_processor: Any, image_token: int) -> None:
        self.tokenizer = tokenizer
        self.image_processor = image_processor
        self.image_token = image_token
        self._pad = tokenizer.convert_ids_to_tokens(image_token)
        self._special = sorted({t.content for t in tokenizer.added_tokens_decoder.values() if t.special}, key=len)

    def prompt(self, messages: Sequence[Message]) -> Prompt:
        """Return a conversation, the model's turn open at its end.

        Raises:
            UsageError: too many images, or a template that loses one.
        """
        images = [self.pixels(part) for m in messages for part in m.parts if not isinstance(part, str)]
        if len(images) > 8:
            raise UsageError(f"{len(images)} images in one prompt; at most 8.")
        pieces = self.text(messages).split(self._pad)
        if len(pieces) != len(images) + 1:
            raise UsageError(
                f"the chat template wrote {len(pieces) - 1} image places for {len(images)} images.",
                "Use the chat template of a Qwen2.5-VL folder.",
            )
        counts = [int(np.prod(image.grid)) // self.image_processor.merge_size**2 for image in images]
        whole = "".join(piece + self._pad * count for piece, count in zip(pieces, [*counts, 0], strict=True))
        ids = list(self.tokenizer(whole, add_special_tokens=False)["input_ids"])
        return Prompt(ids, [i == self.image_token for i in ids], images)

    def text(self, messages: Sequence[Message]) -> str:
        """Return the conversation as text with one image place per image, as the folder's template writes it."""
        turns = [{"role": m.role, "content": [self._part(part) for part in m.parts]} for m in messages]
        return self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)

    def pixels(self, rgb: NDArray[np.uint8]) -> Pixels:
        """Return one image as patches."""
        side = self.image_processor.patch_size
        width, height = self.view().seen_size(rgb.shape[1], rgb.shape[0])
        return Pixels((1, height // side, width // side), digest_of(rgb), lambda: self._cut(rgb))

    def _cut(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        from PIL import Image as Pil

        return np.asarray(self.image_processor(Pil.fromarray(rgb), return_tensors="np")["pixel_values"], dtype=np.float32)

    def view(self) -> ImageView:
        """Return the sizes to which this folder's image processor resizes; boxes in the model's replies are in those pixels."""
        processor = self.image_processor
        least, most = processor.size["shortest_edge"], processor.size["longest_edge"]
        return ImageView(processor.patch_size * processor.merge_size, least, most)

    def target(self, text: str) -> list[int]:
        """Return the ids of a reply, with the token that ends the turn."""
        return [*self.tokenizer(text, add_special_tokens=False)["input_ids"], self.tokenizer.eos_token_id]

    def _part(self, part: Part) -> dict[str, str]:
        return {"type": "text", "text": self.inert(part)} if isinstance(part, str) else {"type": "image"}

    def inert(self, text: str) -> str:
        """Return text in which no special token of this tokenizer is spelled: text can open no turn."""
        for token in self._special:
            text = text.replace(token, f"{token[0]} {token[1:]}")
        return text


def digest_of(rgb: NDArray[np.uint8]) -> str:
    """Return a hash of all of an image."""
    return hashlib.sha256(rgb.tobytes() + repr(rgb.shape).encode()).hexdigest()
