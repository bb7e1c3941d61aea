"""Grounders: an image and a phrase in, boxes out."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from vlp.core.errors import lookup
from vlp.core.images import Rgb
from vlp.core.messages import Names
from vlp.core.observation import Box, Described
from vlp.models.protocol import Model

ANYTHING = "anything"
"""The phrase for everything in view, containers included."""


@dataclass(frozen=True)
class Detection:
    """One thing found in an image.

    Args:
        phrase: what it is, as precisely as the grounder knows, e.g. "red cube" although "cube" was asked for.
        box: where, in pixels of the image given.
        score: confidence, 0 to 1.
        facing_rad: where a person faces in the world; None for a thing, and where the grounder does not know.
    """

    phrase: str
    box: Box
    score: float
    facing_rad: float | None = None

    @property
    def is_person(self) -> bool:
        """Whether it is a person: by what the grounder knows, or by the phrase."""
        return self.facing_rad is not None or self.phrase.split()[:1] == ["person"]


class Grounder(Protocol):
    """Finds what a phrase names."""

    @property
    def names(self) -> Names | None:
        """The only things that it can be asked for; None for whatever can be named."""
        ...

    @property
    def looks(self) -> int:
        """How many images are tried before a thing counts as not in view."""
        ...

    def ground(self, rgb: Rgb, phrase: str, also: Sequence[str] = ()) -> list[Detection]:
        """Return everything in the image that matches, best first; empty when nothing does.

        Args:
            rgb: (height, width, 3) uint8.
            phrase: "red cube", a kind alone, a colour alone, "thing" for everything that can be grasped,
                or `ANYTHING`.
            also: phrases that will be asked for in this image next: who pays for each request may look for all at once.
        """
        ...


@dataclass(frozen=True)
class Sources:
    """What grounders are made from; each takes what it needs.

    Args:
        boxes: the true visible boxes by phrase, from a simulator.
        described: what else it knows of those things and persons, by the same phrases.
        model: any model that can be asked.
    """

    boxes: Callable[[], Mapping[str, Box]] | None = None
    described: Callable[[], Mapping[str, Described]] = dict
    model: Model | None = None


GROUNDERS: dict[str, str] = {
    "nano": "vlp.nano.grounder:DenseGrounder",
    "model": "vlp.perception.model_grounder:ModelGrounder",
    "oracle": "vlp.perception.oracle_grounder:OracleGrounder",
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


def clipped(box: Box, rgb: Rgb) -> Box:
    """Return the part of a box that lies in the image."""
    height, width = rgb.shape[:2]
    x1, y1, x2, y2 = (float(v) for v in box)
    return (min(max(x1, 0.0), width), min(max(y1, 0.0), height), min(max(x2, 0.0), width), min(max(y2, 0.0), height))
