"""A chunk of motion: relative moves of a hand in a named frame, and what each of their numbers is called."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

Gripper = Literal["keep", "open", "close"]
Three = tuple[float, float, float]


@dataclass(frozen=True)
class Axis:
    """One number of a move.

    Args:
        name: x, y, z, roll, pitch, yaw or wrist.
        unit: "cm" or "degrees", as sentences write it.
        positive, negative: what a person says, e.g. "move forward" and "move backward".
    """

    name: str
    unit: str
    positive: str
    negative: str

    @property
    def turns(self) -> bool:
        """Whether it is an angle."""
        return self.unit == "degrees"

    @property
    def small_unit(self) -> str:
        """What whole numbers count: "mm" or "degrees"."""
        return "degrees" if self.turns else "mm"

    def in_si(self, value: float) -> float:
        """Return millimetres in metres, or degrees in radians."""
        return math.radians(value) if self.turns else value / 1000

    def from_si(self, value: float) -> float:
        """Return metres in millimetres, or radians in degrees."""
        return math.degrees(value) if self.turns else value * 1000


@dataclass(frozen=True)
class Move:
    """One relative move, all parts of it at once.

    Args:
        translation_m: x, y, z along the frame's axes.
        rotation_rad: roll, pitch, yaw about the frame's axes.
        wrist_rad: about the direction in which the hand points.
        gripper: what the gripper does at the end of it.
    """

    translation_m: Three = (0.0, 0.0, 0.0)
    rotation_rad: Three = (0.0, 0.0, 0.0)
    wrist_rad: float = 0.0
    gripper: Gripper = "keep"

    @property
    def numbers(self) -> dict[str, float]:
        """Its numbers by the axes' names, in metres and radians."""
        return dict(zip(axes(), (*self.translation_m, *self.rotation_rad, self.wrist_rad), strict=True))

    @classmethod
    def of(cls, numbers: Mapping[str, float], gripper: Gripper = "keep") -> "Move":
        """Return the move with these numbers by axis, in metres and radians; those left out are 0."""
        x, y, z, roll, pitch, yaw, wrist = (numbers.get(name, 0.0) for name in axes())
        return cls((x, y, z), (roll, pitch, yaw), wrist, gripper)


@dataclass(frozen=True)
class Chunk:
    """Moves that are carried out one after the other without another look.

    Args:
        frame: whose axes they are along, e.g. "base".
        moves: at least one.
    """

    frame: str
    moves: tuple[Move, ...]

    @property
    def net_m(self) -> Three:
        """The sum of the translations."""
        x, y, z = (math.fsum(move.translation_m[i] for move in self.moves) for i in range(3))
        return x, y, z


@cache
def axes() -> dict[str, Axis]:
    """Return the axes by name, in the order in which they are written."""
    table = tomllib.loads(files("vlp.language_actions").joinpath("axes.toml").read_text())
    return {name: Axis(name, **row) for name, row in table.items()}


def gripper_words() -> dict[str, Gripper]:
    """Return what a gripper can be told, by the words for it."""
    return {f"{word} the gripper": word for word in get_args(Gripper) if word != "keep"}
