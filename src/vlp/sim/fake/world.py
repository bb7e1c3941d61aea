"""The tiny symbolic world behind the fake robot: objects with supports and places on a table, no physics."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vlp.core.observation import Array, Box, Intrinsics, Located, project, transform
from vlp.primitives.manifest import Limits, Place
from vlp.sim.worlds.tabletop.words import CONTAINERS, FLAT_TOPPED, PUT_RELATION, THINGS

Xyz = tuple[float, float, float]
Arguments = dict[str, Any]

TABLE_TOP_M = 0.42


class StepRefused(Exception):
    """A primitive that could not be carried out.

    Args:
        code: stable word for the failure.
        message: one sentence.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass
class Item:
    """One object: where it is, in metres in the world frame, and what carries it ("hand" when held)."""

    position: Xyz
    support: str = "table"

    def to_json(self) -> list[Any]:
        """Return the fields as plain data."""
        return [list(self.position), self.support]


def size_of(phrase: str) -> Xyz:
    """Return length, width and height in metres of an object by its kind."""
    return (0.12, 0.12, 0.05) if phrase.split()[-1] in CONTAINERS else (0.05, 0.05, 0.05)


def relation_to(support: str) -> str:
    """Return "in" or "on": how a thing rests with respect to its support."""
    return "in" if support == "bin" else PUT_RELATION.get(support.split()[-1], "on")


@dataclass
class FakeWorld:
    """Objects by phrase, what the hand holds and where the robot stands.

    Args:
        objects: by phrase.
        limits: bounds of the body; heights and pushes are clipped to them.
        places: what can be put where.
        holding: phrase of the held object, "" for none.
        at: the place the robot stands at.
        answers: what the person says to a question; "yes" to any other.
    """

    limits: Limits
    places: dict[str, Place]
    objects: dict[str, Item] = field(default_factory=dict)
    holding: str = ""
    at: str = "table"
    answers: dict[str, str] = field(default_factory=dict)

    def put(self, phrase: str, support: str = "table", position: Xyz | None = None) -> None:
        """Put an object onto or into a support, at a position or at the next free spot."""
        self.objects.pop(phrase, None)
        if position is None and support == "table":
            position = self.free_spot(phrase)
        elif position is None and support == "bin":
            position = (0.45, -0.85, 0.05)
        elif position is None:
            x, y, z = self.objects[support].position
            half = size_of(support)[2] / 2
            position = (x, y, z + (half if relation_to(support) == "on" else -half + 0.005) + size_of(phrase)[2] / 2)
        self.objects[phrase] = Item(position, support)

    def free_spot(self, phrase: str) -> Xyz:
        """Return a position on the table that is clear of every object, or raise StepRefused."""
        z = TABLE_TOP_M + size_of(phrase)[2] / 2
        for x, y in itertools.product((0.50, 0.66), (0.30, 0.15, 0.0, -0.15, -0.30)):
            if all(self._gap((x, y, z), item.position) > 0.1 for item in self.objects.values()):
                return (x, y, z)
        raise StepRefused("no-free-space", "there is no free spot on the table.")

    def inside(self, support: str) -> list[str]:
        """Return the phrases of what rests in or on a support."""
        return [phrase for phrase, item in self.objects.items() if item.support == support]

    def in_view(self, phrase: str) -> bool:
        """Return whether the camera at the table sees the object."""
        return phrase in self.objects and self._root(phrase) == "table" and self.at == "table"

    def _root(self, phrase: str) -> str:
        support = self.objects[phrase].support
        return self._root(support) if support in self.objects else support

    @staticmethod
    def _gap(a: Xyz, b: Xyz) -> float:
        return ((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5

    def _seen_target(self, target: Arguments) -> str:
        """Return the phrase of a located object, or raise StepRefused when it is not where it was seen."""
        located = Located.from_json(target)
        if not self.in_view(located.phrase):
            raise StepRefused("not-found", f"the {located.phrase} is not where it was seen.")
        if self._gap(located.position_in_world, self.objects[located.phrase].position) > 0.05:
            raise StepRefused("moved", f"the {located.phrase} has moved since it was located.")
        return located.phrase

    def _shift(self, phrase: str, dx: float, dy: float) -> None:
        x, y, z = self.objects[phrase].position
        self.objects[phrase].position = (x + dx, y + dy, z)
        for carried in self.inside(phrase):
            self._shift(carried, dx, dy)

    # Actions: each takes checked arguments, returns what was done and raises StepRefused.

    def go_to(self, a: Arguments) -> Arguments:
        """Stand at a named place."""
        self.at = a["place"]
        return dict(a)

    def look_at(self, a: Arguments) -> Arguments:
        """Turn the head; nothing changes."""
        return dict(a)

    def home(self, a: Arguments) -> Arguments:
        """Take the home posture; nothing changes."""
        return dict(a)

    def grasp(self, a: Arguments) -> Arguments:
        """Take a located object into the hand."""
        if self.holding:
            raise StepRefused("hand-full", f"the hand holds the {self.holding}.")
        phrase = self._seen_target(a["target"])
        if phrase.split()[-1] not in THINGS:
            raise StepRefused("not-graspable", f"the {phrase} is not a thing the gripper can take.")
        if self.inside(phrase):
            raise StepRefused("blocked", f"the {self.inside(phrase)[0]} is on the {phrase}.")
        self.objects[phrase].support = "hand"
        self.holding = phrase
        return dict(a)

    def lift(self, a: Arguments) -> Arguments:
        """Raise the held object; the height is clipped to the workspace."""
        if not self.holding:
            raise StepRefused("not-holding", "the hand is empty.")
        highest = self.limits.workspace[1][2] - TABLE_TOP_M if self.limits.workspace else a["height_m"]
        return {"height_m": min(a["height_m"], highest)}

    def place(self, a: Arguments) -> Arguments:
        """Put the held object down in the given relation to the target."""
        if not self.holding:
            raise StepRefused("not-holding", "the hand is empty.")
        held, relation, target = self.holding, a["relation"], a["target"]
        z = TABLE_TOP_M + size_of(held)[2] / 2
        beside = {
            "next_to": (0.0, 0.09),
            "left_of": (0.0, 0.09),
            "right_of": (0.0, -0.09),
            "behind": (0.09, 0.0),
            "in_front_of": (-0.09, 0.0),
        }
        if isinstance(target, str):
            if relation not in self.places[target].relations:
                raise StepRefused("bad-relation", f"nothing can be put {relation} the {target}.")
            self.put(held, target)
        elif relation == "at":
            x, y, _ = Located.from_json(target).position_in_world
            self._put_down(held, (x, y, z))
        elif relation in beside:
            x, y, _ = self.objects[self._seen_target(target)].position
            dx, dy = beside[relation]
            self._put_down(held, (x + dx, y + dy, z))
        else:
            self._put_on(held, self._seen_target(target), relation)
        self.holding = ""
        return dict(a)

    def _put_down(self, held: str, position: Xyz) -> None:
        near = [p for p, item in self.objects.items() if p != held and self._gap(item.position, position) < 0.06]
        if near:
            raise StepRefused("blocked", f"the {near[0]} is in the way.")
        self.put(held, "table", position)

    def _put_on(self, held: str, support: str, relation: str) -> None:
        kind = support.split()[-1]
        if relation != PUT_RELATION.get(kind):
            raise StepRefused("bad-relation", f"nothing can be put {relation} the {support}.")
        if kind in FLAT_TOPPED and self.inside(support):
            raise StepRefused("blocked", f"the {self.inside(support)[0]} is on the {support}.")
        self.put(held, support)

    def release(self, a: Arguments) -> Arguments:
        """Open the hand above the table."""
        if not self.holding:
            raise StepRefused("not-holding", "the hand is empty.")
        self.put(self.holding, "table")
        self.holding = ""
        return dict(a)

    def push(self, a: Arguments) -> Arguments:
        """Shift a located object; the distance is clipped to the workspace."""
        if self.holding:
            raise StepRefused("hand-full", f"the hand holds the {self.holding}.")
        phrase = self._seen_target(a["target"])
        directions = {"left": (0.0, 1.0), "right": (0.0, -1.0), "forward": (1.0, 0.0), "back": (-1.0, 0.0)}
        dx, dy = directions[a["direction"]]
        axis = 0 if dx else 1
        low, high = (corner[axis] for corner in self.limits.workspace or ((-9.0, -9.0, 0.0), (9.0, 9.0, 9.0)))
        start = self.objects[phrase].position[axis]
        room = max(0.0, (high - start) if dx + dy > 0 else (start - low))
        distance = min(a["distance_m"], room)
        self._shift(phrase, dx * distance, dy * distance)
        return {**a, "distance_m": distance}

    # Geometry of what is seen.

    def located(self, phrase: str, stamp_s: float, k: Intrinsics, camera_in_world: Array) -> Located:
        """Return the object as a perfect grounder would see it."""
        item, size = self.objects[phrase], size_of(phrase)
        world_in_camera: Array = np.linalg.inv(camera_in_world).astype(np.float64)
        signs = np.array(list(itertools.product((-0.5, 0.5), repeat=3)))
        pixels = project(transform(item.position + signs * size, world_in_camera), k)
        (x1, y1), (x2, y2) = pixels.min(axis=0), pixels.max(axis=0)
        box: Box = (
            max(0.0, float(x1)),
            max(0.0, float(y1)),
            min(float(k.width), float(x2)),
            min(float(k.height), float(y2)),
        )
        return Located(phrase, box, item.position, size, 0.0, 1.0, stamp_s)

    def matching(self, phrase: str) -> list[str]:
        """Return the objects in view that a phrase means: colour and kind, either alone, or "thing"."""
        return [name for name in self.objects if self.in_view(name) and _means(phrase, name)]

    def holds(self, relation: str, subject: str, other: str) -> bool:
        """Return whether a relation is true now."""
        return RELATIONS[relation](self, subject, other)


def _means(phrase: str, name: str) -> bool:
    words = phrase.lower().split()
    generic = {"thing": THINGS, "things": THINGS, "object": THINGS + CONTAINERS}
    return all(w in name.split() or name.split()[-1] in generic.get(w, ()) for w in words)


def _beside(dx: int, dy: int) -> Callable[[FakeWorld, str, str], bool]:
    def holds(world: FakeWorld, subject: str, other: str) -> bool:
        if subject not in world.objects or other not in world.objects:
            return False
        a, b = world.objects[subject].position, world.objects[other].position
        return (a[0] - b[0]) * dx + (a[1] - b[1]) * dy > 0.02

    return holds


def _rests(relation: str) -> Callable[[FakeWorld, str, str], bool]:
    def holds(world: FakeWorld, subject: str, other: str) -> bool:
        return subject in world.inside(other) and relation_to(other) == relation

    return holds


def _near(world: FakeWorld, subject: str, other: str) -> bool:
    if subject not in world.objects or other not in world.objects or world.holding in (subject, other):
        return False
    gap = world._gap(world.objects[subject].position, world.objects[other].position)
    return 0.03 < gap < 0.13


RELATIONS: dict[str, Callable[[FakeWorld, str, str], bool]] = {
    "holding": lambda world, subject, other: world.holding == subject,
    "clear": lambda world, subject, other: not world.inside(subject),
    "in": _rests("in"),
    "on": _rests("on"),
    "next_to": _near,
    "left_of": _beside(0, 1),
    "right_of": _beside(0, -1),
    "behind": _beside(1, 0),
    "in_front_of": _beside(-1, 0),
}
