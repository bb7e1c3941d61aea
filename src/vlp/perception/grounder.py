"""Grounders: an image and a phrase in, boxes out."""

import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from vlp.core.camera import Box
from vlp.core.errors import MissingComponent, lookup
from vlp.core.images import Rgb
from vlp.models.protocol import Model, NoReply
from vlp.perception.looks import noun_of, shape_of
from vlp.prompt.render import BOX_GRAMMAR, ground_messages, parse_box
from vlp.sim.worlds.tabletop.words import COLOURS, KINDS, THINGS

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
        model: any model that can be asked.
    """

    boxes: Callable[[], Mapping[str, Box]] | None = None
    model: Model | None = None


GROUNDERS: dict[str, str] = {
    "nano": "vlp.nano.grounder:DenseGrounder",
    "model": "vlp.perception.grounder:ModelGrounder",
    "oracle": "vlp.perception.grounder:OracleGrounder",
}
"""Grounders by name; a class here has a class method `build(sources)`."""

DEFAULT_GROUNDER = next(iter(GROUNDERS))
"""The one that is taken where nobody names one."""


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
        return bool(noun_of(name)) and not shape_of(name).container
    return phrase in (ANYTHING, name) or (len(phrase.split()) == 1 and phrase in words)


class OracleGrounder:
    """Reads the simulator's true boxes instead of the image; for experts and ablations only."""

    def __init__(self, boxes: Callable[[], Mapping[str, Box]]) -> None:
        self._boxes = boxes

    @classmethod
    def build(cls, sources: Sources) -> "OracleGrounder":
        """Return the grounder; it needs `sources.boxes`."""
        if sources.boxes is None:
            hint = f"Use the grounder {DEFAULT_GROUNDER!r} or 'model'."
            raise MissingComponent("the oracle grounder needs a simulator.", hint)
        return cls(sources.boxes)

    def ground(self, rgb: Rgb, phrase: str) -> list[Detection]:
        """Return the true boxes of what matches; the image is not looked at."""
        return [Detection(name, box, 1.0) for name, box in self._boxes().items() if matches(phrase, name)]


class ModelGrounder:
    """Asks a model for the box of one name at a time; every answer is checked."""

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
        """Return the box the model gives for a name; a kind or a colour alone is asked for name by name.

        Raises:
            NoReply: it wrote neither a box nor that the thing is not there.
        """
        return [d for d in (self._ask(rgb, name) for name in _names(phrase)) if d is not None]

    def _ask(self, rgb: Rgb, name: str) -> Detection | None:
        profile = str(getattr(self._model, "profile", "full"))
        reply = self._model.generate(
            ground_messages(rgb, name, profile), grammar=BOX_GRAMMAR, max_tokens=64, timeout_s=self._timeout_s
        )
        box = parse_box(reply.text)
        if box is None and not _says_numbers(reply.text):
            said = " ".join(reply.text.split())[:80]
            how = "was cut off at" if reply.finish == "length" else "wrote"
            raise NoReply(f"asked for the {name}, the model {how} {said!r} instead of a box.", "Ask for one thing by name.")
        if box is None:
            return None  # "[]", or numbers that span nothing
        height, width = rgb.shape[:2]
        seen_size: Callable[[int, int], tuple[int, int]] | None = getattr(self._model, "seen_size", None)
        seen_width, seen_height = seen_size(width, height) if seen_size else (width, height)
        sx, sy = width / seen_width, height / seen_height
        x1, y1, x2, y2 = clipped((box[0] * sx, box[1] * sy, box[2] * sx, box[3] * sy), rgb)
        return Detection(name, (x1, y1, x2, y2), 0.5) if x2 > x1 and y2 > y1 else None


def _says_numbers(text: str) -> bool:
    """Return whether a reply is of the shape that was asked for: a list of four numbers, or of none."""
    try:
        found = json.loads(text[:200])
    except (ValueError, RecursionError):
        return False
    return isinstance(found, list) and len(found) in (0, 4) and all(type(n) in (int, float) for n in found)


def _names(phrase: str) -> list[str]:
    """Return the full names to ask a model for one phrase: a model answers for one object better than for a group."""
    if phrase in COLOURS:
        return [f"{phrase} {kind}" for kind in KINDS]
    if phrase in KINDS:
        return [f"{colour} {phrase}" for colour in COLOURS]
    if phrase in ("thing", ANYTHING):
        return [f"{c} {k}" for c in COLOURS for k in (THINGS if phrase == "thing" else KINDS)]
    return [phrase]


def clipped(box: Box, rgb: Rgb) -> Box:
    """Return the part of a box that lies in the image."""
    height, width = rgb.shape[:2]
    x1, y1, x2, y2 = (float(v) for v in box)
    return (min(max(x1, 0.0), width), min(max(y1, 0.0), height), min(max(x2, 0.0), width), min(max(y2, 0.0), height))
