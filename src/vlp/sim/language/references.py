"""References: short canonical strings for what an instruction speaks of, and what they stand for in a world.

"red cube", "cube" (the only one), "leftmost can", "nearest thing", "leftmost red thing", "biggest cube",
"can left_of blue bowl", "every can", "every red thing", "every thing", and the places "table" and "bin".
A "thing" is something that can be grasped.
"""

from vlp.sim.language.relations import DIRECTIONS, displacement_m
from vlp.sim.truth import TrueObject, Truth
from vlp.sim.worlds.tabletop.words import COLOURS, CONTAINERS, THINGS

ORDERS: dict[str, tuple[int, float]] = {
    "leftmost": (1, -1.0),
    "rightmost": (1, 1.0),
    "nearest": (0, 1.0),
    "farthest": (0, -1.0),
}
"""Axis and sign by which the word's object comes first when sorted upward."""

SIZES: dict[str, float] = {"biggest": -1.0, "smallest": 1.0}

CLEAR_LEAD_M = 0.05
"""How far the leftmost (nearest, ...) must lead the next one to be named so."""


class Unclear(Exception):
    """The reference fits several things equally well."""


def fits(item: TrueObject, description: str) -> bool:
    """Return whether an object is a "cube", "red cube", "red thing" or "thing"."""
    colour, _, kind = description.rpartition(" ")
    return colour in ("", item.colour) and (item.kind == kind or (kind == "thing" and item.kind in THINGS))


def matching(truth: Truth, description: str) -> list[str]:
    """Return what fits a description, held or in view, from left to right; what is held comes first."""
    found = [
        (item.support != "hand", -item.position_in_world[1], name)
        for name, item in truth.objects.items()
        if item.support not in ("bin", "floor") and fits(item, description)
    ]
    return [name for _, _, name in sorted(found)]


def resolve(truth: Truth, reference: str) -> list[str]:
    """Return the phrases that a reference stands for; empty when there is no such thing.

    Raises:
        Unclear: it fits several things equally well.
    """
    if is_place(reference):
        return [reference]
    first, _, rest = reference.partition(" ")
    if first == "every":
        return matching(truth, rest)
    if first in ORDERS or first in SIZES:
        return _first(truth, first, rest)
    words = reference.split()
    if len(words) == 4:
        return _only([n for n in matching(truth, words[0]) if _lies(truth, n, words[1], f"{words[2]} {words[3]}")])
    return _only(matching(truth, reference))


def described(reference: str) -> str:
    """Return the description inside a reference: "every can" -> "can", "leftmost red thing" -> "red thing"."""
    first, _, rest = reference.partition(" ")
    words = reference.split()
    if first == "every" or first in ORDERS or first in SIZES:
        return rest
    return words[0] if len(words) == 4 else reference


def candidates(truth: Truth, reference: str) -> list[str]:
    """Return what one has to look at to know what a reference stands for; nothing for places.

    "leftmost can" is one of the cans; "can left_of blue bowl" is one of the cans, beside the blue bowl.
    """
    if is_place(reference):
        return []
    words = reference.split()
    return matching(truth, described(reference)) + (matching(truth, " ".join(words[2:])) if len(words) == 4 else [])


def missing(reference: str) -> str:
    """Return the sentence that says that a reference stands for nothing."""
    words = reference.split()
    if len(words) == 4:
        return f"there is no {words[0]} {words[1].replace('_', ' ')} the {words[2]} {words[3]}"
    return f"there is no {described(reference)}"


def is_place(reference: str) -> bool:
    """Return whether a reference is a place, which no thing is."""
    return reference in ("table", "bin")


def is_container(phrase: str) -> bool:
    """Return whether a phrase names something that is not grasped."""
    return phrase.rpartition(" ")[2] in CONTAINERS


def is_colour(word: str) -> bool:
    """Return whether a word is a colour of the vocabulary."""
    return word in COLOURS


def _only(names: list[str]) -> list[str]:
    if len(names) > 1:
        raise Unclear(", ".join(names))
    return names


def _lies(truth: Truth, name: str, relation: str, other: str) -> bool:
    a, b = truth.objects[name], truth.objects.get(other)
    if b is None or relation not in DIRECTIONS or "hand" in (a.support, b.support):
        return False
    return displacement_m(a, b, relation) > CLEAR_LEAD_M


def _first(truth: Truth, superlative: str, description: str) -> list[str]:
    """Rank by position or size; what is held is the one meant when it fits, as it was picked for that reason."""
    names = matching(truth, description)
    if not names or truth.holding in names[:1]:
        return names[:1]
    items = {name: truth.objects[name] for name in names}
    if superlative in SIZES:
        volume = {n: i.size_m[0] * i.size_m[1] * i.size_m[2] for n, i in items.items()}
        ranked = sorted(names, key=lambda n: SIZES[superlative] * volume[n])
        clear = len(ranked) < 2 or truth.exact or _ratio(volume[ranked[0]], volume[ranked[1]]) >= 1.6
    else:
        axis, sign = ORDERS[superlative]
        ranked = sorted(names, key=lambda n: sign * items[n].position_in_world[axis])
        values = [items[n].position_in_world[axis] for n in ranked[:2]]
        clear = len(values) < 2 or truth.exact or abs(values[0] - values[1]) >= CLEAR_LEAD_M
    if not clear:
        raise Unclear(", ".join(ranked[:2]))
    return ranked[:1]


def _ratio(a: float, b: float) -> float:
    return max(a, b) / max(min(a, b), 1e-9)
