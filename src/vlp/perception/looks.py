"""What things look like, by their names: the shape of a noun, the hue of a colour, and which names a phrase asks for."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlp.core.images import Rgb
from vlp.perception.grounder import ANYTHING

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class NounShape:
    """The shape of the things that a noun names; see `nouns.toml` for the fields."""

    fit: str = ""
    round: bool = True
    container: bool = False
    shallow: bool = False
    flat_top: bool = False
    capped: bool = False
    fixed: bool = False
    plain: bool = True


def noun_of(phrase: str) -> str:
    """Return the noun that a phrase ends with, "" when its shape is not known."""
    last = phrase.rpartition(" ")[2]
    return last if last in _nouns() else ""


def colour_of(phrase: str) -> str:
    """Return the colour that stands right before the last word of a phrase, "" when there is none."""
    before = phrase.split()[-2:-1]
    return before[0] if before and is_colour(before[0]) else ""


def shape_of(phrase: str) -> NounShape:
    """Return the shape of what a phrase names; a round, unknown one for a noun that is not listed."""
    return _nouns().get(noun_of(phrase), NounShape())


def matches(phrase: str, name: str) -> bool:
    """Return whether an object called `name` ("red cube") is one of those that `phrase` asks for."""
    words = name.split()
    if phrase == "thing":
        shape = shape_of(name)
        return bool(noun_of(name)) and not (shape.container or shape.fixed)
    return phrase in (ANYTHING, name) or (len(phrase.split()) == 1 and phrase in words)


def is_colour(word: str) -> bool:
    """Return whether a word is a colour that can be told from pixels."""
    return word in _table()["hues_deg"] or word in _table()["greys"]


def has_colour(rgb: Rgb, colour: str) -> Mask:
    """Return the pixels that a person would call `colour`, whatever the shading.

    Args:
        rgb: (..., 3) uint8.
        colour: a word for which `is_colour` holds.
    """
    values = rgb.astype(np.float64) / 255.0
    top, low = values.max(axis=-1), values.min(axis=-1)
    chroma = top - low
    saturation = chroma / np.maximum(top, 1e-6)
    grey = _table()["greys"].get(colour)
    if grey is not None:
        dark = (top < grey.get("brightest", 2.0)) & (top > grey.get("darkest", -1.0))
        return dark & (chroma < grey.get("most_chroma", 2.0)) & (saturation < grey.get("most_saturation", 2.0))
    r, g, b = values[..., 0], values[..., 1], values[..., 2]
    safe = np.maximum(chroma, 1e-6)
    hue = np.where(top == r, (g - b) / safe % 6, np.where(top == g, (b - r) / safe + 2, (r - g) / safe + 4)) * 60
    first, last = _table()["hues_deg"][colour]
    return (saturation > 0.25) & (chroma > 0.06) & ((hue - first) % 360 < last - first)


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads((files("vlp.perception") / "nouns.toml").read_text("utf-8"))


@cache
def _nouns() -> dict[str, NounShape]:
    return {noun: NounShape(**{"round": False, **row}) for noun, row in _table()["nouns"].items()}
