"""count and compare: how many of a kind are in view, and which of several things is the biggest, thinnest or heaviest."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vlp.core.observation import Located
from vlp.primitives.manifest import Argument, Primitive


@dataclass(frozen=True)
class Respect:
    """In what things are compared.

    Args:
        greatest: whether the most of it is looked for, or the least.
        measure: of a located thing, in powers of metres; None for its weight, which only lifting tells.
    """

    greatest: bool
    measure: Callable[[Located], float] | None = None


def _volume_m3(thing: Located) -> float:
    length, width, height = thing.size_m
    return length * width * height


def _thickness_m(thing: Located) -> float:
    return min(thing.size_m)


def respects() -> dict[str, Respect]:
    """Return what things can be compared by, in the words of a policy."""
    return {
        "biggest": Respect(True, _volume_m3),
        "smallest": Respect(False, _volume_m3),
        "thinnest": Respect(False, _thickness_m),
        "heaviest": Respect(True),
        "lightest": Respect(False),
    }


def weighing(thing: Located) -> dict[str, dict[str, Any]]:
    """Return what a robot does to tell a thing's weight and to put it back: primitives with their arguments, in order."""
    target = {"target": thing.to_json()}
    return {"grasp": target, "weigh": {}, "place": {**target, "relation": "at"}}


def counting() -> Primitive:
    """Return the perception that counts; its result type, of the same name, has the field "count"."""
    what = Argument("object", "phrase", 'A phrase, a kind alone, or "thing".')
    return Primitive("count", "perception", "Count the things in the camera image that fit a phrase.", (what,), result="count")


def comparing(primitives: Mapping[str, Primitive]) -> Primitive:
    """Return the primitive that compares; by weight only where the robot's own primitives lift and weigh."""
    lifts = {"grasp", "weigh", "place"} <= set(primitives)
    by = tuple(name for name, respect in respects().items() if respect.measure is not None or lifts)
    said = "Find which of several things in the camera image is the biggest, smallest or thinnest by its measured size"
    return Primitive(
        "compare", "action" if lifts else "perception",
        f"{said}{', or the heaviest or lightest by lifting each.' if lifts else '.'}",
        (
            Argument("objects", "list", "Phrases of what is compared; one may fit several.", items="phrase", max_items=8),
            Argument("by", "choice", "In what.", choices=by),
        ),
        result="object", timeout_s=600.0 if lifts else 30.0, interruptible=not lifts,
    )  # fmt: skip


def first_of(values: Sequence[float], by: str) -> int:
    """Return which of several measured values has most, or least, of what is compared."""
    return max(range(len(values)), key=lambda i: values[i] if respects()[by].greatest else -values[i])
