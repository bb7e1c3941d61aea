"""Grounders: an image and a phrase in, boxes out."""

import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from vlp.core.camera import Box
from vlp.core.errors import MissingComponent, lookup
from vlp.core.images import Rgb
from vlp.core.messages import Image, Text, user
from vlp.core.vocabulary import COLOURS, KINDS, THINGS
from vlp.models.protocol import Model

MAX_BOXES = 64
ANYTHING = "anything"
"""The phrase for everything in view, containers included."""


@dataclass(frozen=True)
class Detection:
    """One thing found in an image.

    Args:
        phrase: what it is, as precisely as the grounder knows, e.g. "red cube" although "cube" was asked for.
        box: where, in pixels of the image given.
        score: confidence, 0 to 1.
    """

    phrase: str
    box: Box
    score: float


class Grounder(Protocol):
    """Finds what a phrase names."""

    def ground(self, rgb: Rgb, phrase: str) -> list[Detection]:
        """Return everything in the image that matches, best first; empty when nothing does.

        Args:
            rgb: (height, width, 3) uint8.
            phrase: "red cube", a kind alone, a colour alone, "thing" for everything that can be grasped,
                or `ANYTHING`.
        """
        ...


@dataclass(frozen=True)
class Sources:
    """What grounders are made from; each takes what it needs.

    Args:
        boxes: the true visible boxes by phrase, from a simulator.
        detect: nano's detector, image -> (colour, kind, score, box) of everything it sees.
        model: any model that can be asked.
    """

    boxes: Callable[[], Mapping[str, Box]] | None = None
    detect: Callable[[Rgb], Sequence[tuple[str, str, float, Box]]] | None = None
    model: Model | None = None


GROUNDERS: dict[str, str] = {
    "nano": "vlp.perception.grounder:NanoGrounder",
    "model": "vlp.perception.grounder:ModelGrounder",
    "oracle": "vlp.perception.grounder:OracleGrounder",
}
"""Grounders by name; a class here has a class method `build(sources)`."""


def make_grounder(name: str, sources: Sources) -> Grounder:
    """Return the grounder of a row of `GROUNDERS`.

    Raises:
        UsageError: no such row.
        MissingComponent: `sources` lacks what that grounder needs.
    """
    module, _, attribute = lookup(name, GROUNDERS, "grounder").partition(":")
    return getattr(importlib.import_module(module), attribute).build(sources)


def matches(phrase: str, name: str) -> bool:
    """Return whether an object called `name` ("red cube") is one of those that `phrase` asks for."""
    words = name.split()
    if phrase == "thing":
        return words[-1] in THINGS
    return phrase in (ANYTHING, name) or (len(phrase.split()) == 1 and phrase in words)


class OracleGrounder:
    """Reads the simulator's true boxes instead of the image; for experts and ablations only."""

    def __init__(self, boxes: Callable[[], Mapping[str, Box]]) -> None:
        self._boxes = boxes

    @classmethod
    def build(cls, sources: Sources) -> "OracleGrounder":
        """Return the grounder; it needs `sources.boxes`."""
        if sources.boxes is None:
            raise MissingComponent("the oracle grounder needs a simulator.", "Use the grounder 'nano' or 'model'.")
        return cls(sources.boxes)

    def ground(self, rgb: Rgb, phrase: str) -> list[Detection]:
        """Return the true boxes of what matches; the image is not looked at."""
        return [Detection(name, box, 1.0) for name, box in self._boxes().items() if matches(phrase, name)]


class NanoGrounder:
    """The dense head on nano's vision tower: every object of an image in one pass.

    Args:
        detect: image -> (colour, kind, score, box) of everything seen.
        least_score: detections below it are left out.
    """

    def __init__(
        self, detect: Callable[[Rgb], Sequence[tuple[str, str, float, Box]]], least_score: float = 0.25
    ) -> None:
        self._detect = detect
        self._least_score = least_score
        self._last: tuple[Rgb, list[Detection]] | None = None

    @classmethod
    def build(cls, sources: Sources) -> "NanoGrounder":
        """Return the grounder on `sources.detect`, or on the shipped nano when that is not given."""
        if sources.detect is not None:
            return cls(sources.detect)
        try:
            module = importlib.import_module("vlp.models.nano_vision")
        except ImportError as error:
            raise MissingComponent(f"nano's detector cannot be loaded: {error}.", "pip install 'vlp[models]'") from None
        return cls(module.detect)

    def ground(self, rgb: Rgb, phrase: str) -> list[Detection]:
        """Return what matches, best first; several phrases on one image cost one pass."""
        if self._last is None or self._last[0] is not rgb:
            found = [Detection(f"{c} {k}", _clip(b, rgb), float(s)) for c, k, s, b in self._detect(rgb)]
            self._last = (rgb, sorted(found, key=lambda d: -d.score))
        return [d for d in self._last[1] if d.score >= self._least_score and matches(phrase, d.phrase)]


class ModelGrounder:
    """Asks a model for a box as JSON; every answer is checked."""

    def __init__(self, model: Model, timeout_s: float = 60.0) -> None:
        self._model = model
        self._timeout_s = timeout_s

    @classmethod
    def build(cls, sources: Sources) -> "ModelGrounder":
        """Return the grounder; it needs `sources.model`."""
        if sources.model is None:
            raise MissingComponent("the grounder 'model' needs a model.", "Give one with --model.")
        return cls(sources.model)

    def ground(self, rgb: Rgb, phrase: str) -> list[Detection]:
        """Return the boxes the model gives; a kind or a colour alone is asked for word by word."""
        found = [d for name in _names(phrase) for d in self._ask(rgb, name)]
        return sorted(found, key=lambda d: -d.score)

    def _ask(self, rgb: Rgb, name: str) -> list[Detection]:
        height, width = rgb.shape[:2]
        question = (
            f'Find the {name}. Answer with JSON only: {{"boxes":[[x1,y1,x2,y2],...]}} in pixels of this '
            f"{width} x {height} image, best first, an empty list when there is none."
        )
        messages = [user(Image(rgb), Text(question))]
        reply = self._model.generate(messages, grammar=BOXES_SCHEMA, max_tokens=256, timeout_s=self._timeout_s)
        return [Detection(name, _clip(box, rgb), 0.5) for box in _boxes(reply.text)]


BOXES_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "boxes": {
            "type": "array",
            "maxItems": 8,
            "items": {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4},
        }
    },
    "required": ["boxes"],
    "additionalProperties": False,
}


def _names(phrase: str) -> list[str]:
    """Return the full names to ask a model for one phrase: a model answers for one object better than for a group."""
    if phrase in COLOURS:
        return [f"{phrase} {kind}" for kind in KINDS]
    if phrase in KINDS:
        return [f"{colour} {phrase}" for colour in COLOURS]
    if phrase in ("thing", ANYTHING):
        return [f"{c} {k}" for c in COLOURS for k in (THINGS if phrase == "thing" else KINDS)]
    return [phrase]


def _boxes(text: str) -> list[Box]:
    """Return the well-formed boxes of a reply; anything else in it is dropped."""
    try:
        items = json.loads(text[: 32 * 1024])["boxes"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    boxes: list[Box] = []
    for item in items[:MAX_BOXES] if isinstance(items, list) else []:
        if isinstance(item, list) and len(item) == 4 and all(isinstance(v, int | float) for v in item):
            x1, y1, x2, y2 = (float(v) for v in item)
            if np.isfinite([x1, y1, x2, y2]).all() and x2 > x1 and y2 > y1:
                boxes.append((x1, y1, x2, y2))
    return boxes


def _clip(box: Box, rgb: Rgb) -> Box:
    """Return the part of a box that lies in the image."""
    height, width = rgb.shape[:2]
    x1, y1, x2, y2 = (float(v) for v in box)
    return (min(max(x1, 0.0), width), min(max(y1, 0.0), height), min(max(x2, 0.0), width), min(max(y2, 0.0), height))
