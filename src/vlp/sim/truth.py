"""The true state of a simulated world: for experts, the oracle grounder and success tests only."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self


@dataclass(frozen=True)
class TrueObject:
    """One object as it really is.

    Args:
        colour, kind: the two words of its name.
        position_in_world: x, y, z of its centre in metres. The world frame's x points from the robot's station across the
            table, y to the robot's left; the station of the table is the origin.
        size_m: extents along its own axes.
        yaw_rad: rotation about z.
        support: what it rests on or in: another object's phrase, a place of the world, "floor", or "hand" when held.
        relation: "in" or "on" the support.
        upright: False when it has fallen over.
    """

    colour: str
    kind: str
    position_in_world: tuple[float, float, float]
    size_m: tuple[float, float, float]
    yaw_rad: float = 0.0
    support: str = "table"
    relation: str = "on"
    upright: bool = True

    @property
    def phrase(self) -> str:
        """The object's name, e.g. "red cube"."""
        return f"{self.colour} {self.kind}"


def alike(one: TrueObject, other: TrueObject) -> bool:
    """Return whether two things are nearly of one size, so that each has room where the other stands."""
    near_m = 0.02
    sizes = ([*sorted(item.size_m[:2]), item.size_m[2]] for item in (one, other))
    return all(abs(a - b) <= near_m for a, b in zip(*sizes, strict=True))


@dataclass(frozen=True)
class Truth:
    """Every object by phrase, what is held ("" for nothing) and the place the robot stands at."""

    objects: dict[str, TrueObject] = field(default_factory=dict)
    holding: str = ""
    at: str = "table"
    exact: ClassVar[bool] = False
    """Whether the smallest lead makes a thing the leftmost or the biggest; in a picture it takes a clear one."""

    def inside(self, phrase: str) -> list[str]:
        """Return the phrases of what rests in or on an object or place."""
        return [name for name, item in self.objects.items() if item.support == phrase]

    def rebased(self, now: "Truth", touched: Collection[str]) -> Self:
        """Return this state with what a person touched as it is now: the state to judge success from after that."""
        kept = {name: item for name, item in self.objects.items() if name not in touched}
        moved = {name: item for name, item in now.objects.items() if name in touched}
        return replace(self, objects={**kept, **moved})


class ToldTruth(Truth):
    """The true state of a scene that is told in words, with its order and sizes."""

    exact: ClassVar[bool] = True
