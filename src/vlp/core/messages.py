"""Messages for a model: text and images, by role."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Text:
    """A piece of text."""

    text: str


@dataclass(frozen=True)
class Image:
    """An RGB image, (height, width, 3) uint8."""

    rgb: NDArray[np.uint8]


@dataclass(frozen=True)
class Message:
    """One turn: who speaks, and the parts in order."""

    role: Role
    parts: tuple[Text | Image, ...]


def user(*parts: Text | Image) -> Message:
    """Return a user turn."""
    return Message("user", parts)


def assistant(text: str) -> Message:
    """Return a model turn."""
    return Message("assistant", (Text(text),))
