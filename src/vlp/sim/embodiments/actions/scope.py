"""What actions work with: motion, map, memory, a fresh look at the table; and the moves they share."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from vlp.core.observation import Located
from vlp.sim.embodiments.gripper import Gripper
from vlp.sim.embodiments.mechanics import Mechanics
from vlp.sim.embodiments.motion import Failed, Motion
from vlp.sim.heightmap import HeightMap
from vlp.sim.worlds.protocol import Station

SIDEWAYS_RAD = -math.pi / 2
"""Direction about z in the world in which the fingers close when nothing asks for another."""


@dataclass(frozen=True)
class Map:
    """What the robot knows of its surroundings without looking.

    Args:
        places: what there is, and where.
        stations: x, y, yaw of the base at each place.
    """

    places: Mapping[str, Station]
    stations: Mapping[str, tuple[float, float, float]]

    @property
    def home(self) -> str:
        """The place to work at: the first that things stand on, else the first of all."""
        return next((name for name, place in self.places.items() if place.takes == "on"), next(iter(self.places)))

    @property
    def table(self) -> Station:
        """The surface to work on."""
        place = self.places[self.home]
        if place.takes != "on":
            raise Failed("unreachable", "there is no surface here that things stand on.")
        return place

    @property
    def table_m(self) -> float:
        """Its height."""
        return self.table.middle[2]

    def takes(self, place: str) -> str:
        """Return "on", "in" or "": how things can be put at a place."""
        return self.places[place].takes if place in self.places else ""


@dataclass
class Held:
    """What is in the hand, as remembered from grasping it.

    Args:
        phrase: its name.
        size_m: length, width, height as it stood.
        below_tip_m: how far its bottom is below the finger tips.
        opening_m: distance of the tips that hold it.
        let_go_m: distance of the tips that sets it free without pushing its neighbours.
        taken_from: x, y where it was grasped.
        turn_rad: direction of its length, or of a mug's handle, from the direction in which the fingers closed.
    """

    phrase: str
    size_m: tuple[float, float, float]
    below_tip_m: float
    opening_m: float
    let_go_m: float
    taken_from: tuple[float, float]
    turn_rad: float = 0.0


@dataclass
class ActionMemory:
    """What the robot remembers between actions.

    Args:
        at: the place it stands at, "" between places.
        held: what it holds.
        binned: how many things it has put into the bin.
        blocked: the thing that could not be grasped or put down because the hand touched something, and how often in a row;
            the next try goes about it differently.
    """

    at: str = ""
    held: Held | None = None
    binned: int = 0
    blocked: tuple[str, int] = ("", 0)

    def to_json(self) -> dict[str, Any]:
        """Return the memory as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ActionMemory":
        """Return the memory that `to_json` wrote."""
        held = data["held"]
        if held:
            held = Held(**{**held, "size_m": tuple(held["size_m"]), "taken_from": tuple(held["taken_from"])})
        return cls(data["at"], held, int(data["binned"]), (str(data["blocked"][0]), int(data["blocked"][1])))


@dataclass
class Scope(ABC):
    """One robot in the midst of an action; each body adds how it reaches over the table and comes back.

    Args:
        motion: moves joints and hand.
        map: the world's places.
        memory: place and held thing; actions keep it true.
        look: takes a depth image and returns the height map of the table.
        travel_m: height of the finger tips at which the hand travels over the table, set by `survey`.
    """

    motion: Motion
    map: Map
    memory: ActionMemory
    look: Callable[[], HeightMap]
    travel_m: float = 0.0
    heights: HeightMap | None = field(default=None, repr=False)
    travel_most_m: ClassVar[float]
    """The highest that open finger tips can travel over the table."""

    @property
    def gripper(self) -> Gripper:
        """The sizes of hand and fingers."""
        return self.motion.mechanics.gripper

    def survey(self) -> HeightMap:
        """Look at the table from the station and choose a safe travelling height for hand and load."""
        self.heights = self.look()
        below = self.memory.held.below_tip_m if self.memory.held else 0.0
        self.travel_m = min(self.heights.highest_m + 0.05 + below, self.travel_most_m)
        return self.heights

    def is_home(self) -> bool:
        """Return whether arm and base are where every action leaves them."""
        if not self.memory.at:
            return False
        mechanics = self.motion.mechanics
        wanted = {**mechanics.home, **dict(zip(Mechanics.base_joints, self.map.stations[self.memory.at], strict=True))}
        return all(abs(self.motion.target[n] - value) < 0.02 for n, value in wanted.items() if n != mechanics.closer)

    def recover(self) -> None:
        """After a stop or a time-out midway: back to carry posture at the station, the working place's if between places."""
        self.travel_m = self.travel_most_m
        self.carry()
        self.memory.at = self.memory.at or self.map.home

    # Shared moves.

    def drive_to(self, place: str) -> None:
        """Drive to a named place in carry posture."""
        self.memory.at = ""
        self.motion.follow(dict(zip(Mechanics.base_joints, self.map.stations[place], strict=True)))
        self.memory.at = place

    @abstractmethod
    def carry(self) -> None:
        """From anywhere above the table: raise the hand, then bring base and arm back to the station in carry posture."""

    @abstractmethod
    def reach_over(self, x: float, y: float, closing_rad: float, opening_m: float) -> float:
        """From carry posture: bring the hand over a point of the table, pointing down, at travelling height.

        Returns:
            the closing direction taken, which may be turned by half a turn.

        Raises:
            Failed: "unreachable" when the point lies too far across the table.
        """

    @abstractmethod
    def let_go(self, opening_m: float) -> None:
        """Open the fingers with the tips kept at their height: by themselves they rise and could catch on a cap."""

    def lower_to(
        self,
        tip: tuple[float, float, float],
        closing_rad: float,
        opening_m: float,
        speed: float = 1.0,
        touch_n: float | None = None,
        most_n: float | None = None,
    ) -> bool:
        """Move the hand straight until the tips are at a point; returns True when what it felt stopped it before."""
        return self.motion.move_hand(self.gripper.downward(tip, closing_rad, opening_m), speed, touch_n, most_n)


def located(value: Any) -> Located:
    """Return the located thing in a step's arguments."""
    try:
        return Located.from_json(value)
    except (KeyError, TypeError, ValueError):
        raise Failed("bad-target", "the target is not a located thing; locate it first.") from None


def kind_of(phrase: str) -> str:
    """Return the last word of a phrase, which names the kind."""
    return phrase.split()[-1] if phrase.split() else ""


def is_round(phrase: str) -> bool:
    """Return whether a thing looks the same from all sides, so that its yaw does not matter."""
    return kind_of(phrase) in ("ball", "can", "bottle")
