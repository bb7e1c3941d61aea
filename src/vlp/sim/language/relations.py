"""What the relations between objects mean, by support and by geometry in the world frame."""

from collections.abc import Iterable
from dataclasses import replace
from math import hypot

from vlp.sim.truth import TrueObject, Truth
from vlp.sim.worlds.tabletop.words import CONTAINERS, PUT_RELATION

DIRECTIONS: dict[str, tuple[int, float]] = {
    "left_of": (1, 1.0),
    "right_of": (1, -1.0),
    "behind": (0, 1.0),
    "in_front_of": (0, -1.0),
}
"""Axis (0 = x, 1 = y) and sign along which the subject lies from the object, as the robot sees it from its station."""

OUT_OF_SIGHT = ("bin", "floor", "hand")


def visible(truth: Truth) -> list[str]:
    """Return the phrases of what the camera can see, from left to right (largest y first)."""
    seen = [(-i.position_in_world[1], name) for name, i in truth.objects.items() if i.support not in OUT_OF_SIGHT]
    return [name for _, name in sorted(seen)]


def gap_m(a: TrueObject, b: TrueObject) -> float:
    """Return the distance in metres between the circles drawn around two outlines, seen from above."""
    (ax, ay, _), (bx, by, _) = a.position_in_world, b.position_in_world
    return hypot(ax - bx, ay - by) - (max(a.size_m[:2]) + max(b.size_m[:2])) / 2


def displacement_m(a: TrueObject, b: TrueObject, relation: str) -> float:
    """Return how far in metres `a` lies from `b` along the direction of a relation, e.g. positive when left of it."""
    axis, sign = DIRECTIONS[relation]
    return sign * (a.position_in_world[axis] - b.position_in_world[axis])


def lies(a: TrueObject, b: TrueObject, relation: str) -> bool:
    """Return whether `a` lies in a direction from `b`: further that way than aside, and by more than 2 cm."""
    along = displacement_m(a, b, relation)
    axis = 1 - DIRECTIONS[relation][0]
    aside = abs(a.position_in_world[axis] - b.position_in_world[axis])
    return along > 0.02 and along >= aside


def rests_on(truth: Truth, subject: str, target: str) -> bool:
    """Return whether the subject is in or on the target, directly or upon things that are."""
    seen = subject
    for _ in range(len(truth.objects) + 1):
        item = truth.objects.get(seen)
        if item is None:
            return False
        if item.support == target:
            return True
        seen = item.support
    return False


def holds(truth: Truth, relation: str, subject: str, target: str = "") -> bool:
    """Return whether a relation of the `check` primitive is true; False when a name is not in the world.

    Args:
        truth: the state.
        relation: holding, clear, in, on, next_to, left_of, right_of, behind or in_front_of.
        subject, target: phrases; the target may be "table" or "bin" for in and on.
    """
    if relation == "holding":
        return truth.holding == subject
    if relation == "clear" and subject == "table":
        return all(item.kind in CONTAINERS or item.support in OUT_OF_SIGHT for item in truth.objects.values())
    if subject not in truth.objects:
        return False
    if relation == "clear":
        return not truth.inside(subject)
    if relation in ("in", "on"):
        return _contained(truth, relation, subject, target)
    if target not in truth.objects or subject == target:
        return False
    a, b = truth.objects[subject], truth.objects[target]
    if a.support in OUT_OF_SIGHT or b.support in OUT_OF_SIGHT:
        return False
    if relation == "next_to":
        return a.support == b.support and gap_m(a, b) <= 0.12
    return relation in DIRECTIONS and lies(a, b, relation)


def _contained(truth: Truth, relation: str, subject: str, target: str) -> bool:
    item = truth.objects[subject]
    if target == "table":
        return item.support == target
    host = truth.objects.get(target)
    on_the_rim = host is not None and PUT_RELATION.get(host.kind) == "in" and item.support == target and item.relation != "in"
    return rests_on(truth, subject, target) and not (relation == "in" and on_the_rim)


def loose(truth: Truth, name: str) -> bool:
    """Return whether a thing stands on the table itself, with nothing in or on it."""
    return truth.objects[name].support == "table" and not truth.inside(name)


def elsewhere(truth: Truth, names: Iterable[str], away_m: float) -> Truth:
    """Return the state with things on the table, so far from where they are that no relation holds.

    Args:
        truth: the state.
        names: which things.
        away_m: how far to the right.
    """
    objects = dict(truth.objects)
    for name in names:
        x, y, z = objects[name].position_in_world
        objects[name] = replace(objects[name], support="table", position_in_world=(x, y - away_m, z))
    return replace(truth, objects=objects)
