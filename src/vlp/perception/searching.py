"""search: look from where the robot stands, then from one of its places after the other, until a thing is seen."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vlp.primitives.manifest import Argument, Manifest, Primitive

Act = tuple[str, dict[str, Any]]
"""A primitive and its arguments."""


def going(manifest: Manifest) -> tuple[str, str] | None:
    """Return the primitive with which a robot goes to a named place and the name of its argument, None where it has none."""
    for primitive in manifest.primitives.values():
        places = [argument.name for argument in primitive.arguments if argument.type == "place"]
        if primitive.kind == "action" and len(places) == 1 and f"at {places[0]}" in primitive.makes:
            return primitive.name, places[0]
    return None


def searching() -> Primitive:
    """Return the primitive that searches; its result is the located thing."""
    return Primitive(
        "search", "action", "Look for one thing from here and then from place after place, until it is seen; stay there.",
        (
            Argument("object", "phrase", "What to look for."),
            Argument("places", "list", "Where to look, the likeliest first; all that can be seen where none are given.",
                     required=False, items="place", max_items=16),
        ),
        result="object", timeout_s=600.0,
    )  # fmt: skip


def likely(manifest: Manifest, wanted: Sequence[str], here: str) -> list[str]:
    """Return where to look: here first, "" for a spot between places, then the wanted places in their order.

    Without wanted ones these are all places whose things are seen from where the robot stands before them.
    """
    named = list(wanted) or [name for name, place in manifest.places.items() if place.visible]
    return [here, *(name for name in dict.fromkeys(named) if name != here)]


def glances(primitives: Mapping[str, Primitive]) -> Iterator[Act]:
    """Yield the actions that turn the camera to both sides, for a robot that turns it without driving."""
    look = primitives.get("look")
    if look is not None and any(argument.name == "pan_rad" for argument in look.arguments):
        aside_rad = 0.6
        yield from (("look", {"pan_rad": side * aside_rad, "zoom": 1.0}) for side in (1, -1))
