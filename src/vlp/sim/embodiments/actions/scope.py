"""What actions work with: motion, map, memory, a fresh look at the surface; and the moves they share."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vlp.core.observation import Located
from vlp.sim.embodiments.actions.map import Map, into, out_of, turned_to
from vlp.sim.embodiments.gripper import Gripper
from vlp.sim.embodiments.mechanics import Mechanics
from vlp.sim.embodiments.motion import Failed, Motion, Point
from vlp.sim.heightmap import HeightMap
from vlp.sim.worlds.protocol import Pose2, Station

SIDEWAYS_RAD = -math.pi / 2
"""Direction about z in the frame in which the fingers close when nothing asks for another."""


@dataclass
class Held:
    """What is in the hand, as remembered from grasping it.

    Args:
        phrase: its name.
        size_m: length, width, height as it stood.
        below_tip_m: how far its bottom is below the finger tips.
        opening_m: distance of the tips that hold it.
        let_go_m: distance of the tips that sets it free without pushing its neighbours.
        taken_from: x, y in the world where it was grasped.
        turn_rad: direction of its length, or of a mug's handle, from the direction in which the fingers closed.
        slant_rad: how far below level the hand points where the thing is upright; straight down for what was taken from above.
    """

    phrase: str
    size_m: tuple[float, float, float]
    below_tip_m: float
    opening_m: float
    let_go_m: float
    taken_from: tuple[float, float]
    turn_rad: float = 0.0
    slant_rad: float = math.pi / 2

    @property
    def from_above(self) -> bool:
        """Whether it was taken by a hand that pointed down."""
        return self.slant_rad > 1.5


@dataclass
class ActionMemory:
    """What the robot remembers between actions.

    Args:
        at: the place it stands at, "" between places.
        held: what it holds.
        binned: how many things it has put into the bin.
        pulled_m: by place, how far it has pulled a drawer out since the scene began.
        zoom: how much narrower than usual the camera's view is.
        blocked: the thing that could not be grasped or put down because the hand touched something, and how often in a row;
            the next try goes about it differently.
    """

    at: str = ""
    held: Held | None = None
    binned: int = 0
    blocked: tuple[str, int] = ("", 0)
    pulled_m: dict[str, float] = field(default_factory=dict)
    zoom: float = 1.0

    def to_json(self) -> dict[str, Any]:
        """Return the memory as plain data, without drawers where none was touched and without a zoom of 1."""
        usual = {"pulled_m": {}, "zoom": 1.0}
        return {name: value for name, value in asdict(self).items() if name not in usual or value != usual[name]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ActionMemory":
        """Return the memory that `to_json` wrote."""
        held = data["held"]
        if held:
            held = Held(**{**held, "size_m": tuple(held["size_m"]), "taken_from": tuple(held["taken_from"])})
        blocked = str(data["blocked"][0]), int(data["blocked"][1])
        pulled_m = {str(place): float(far) for place, far in dict(data.get("pulled_m", {})).items()}
        return cls(data["at"], held, int(data["binned"]), blocked, pulled_m, float(data.get("zoom", 1.0)))


@dataclass
class Scope(ABC):
    """One robot in the midst of an action; each body adds how it reaches over a surface and comes back.

    Actions think in the frame of the place that is worked at (x ahead, y to the left, see `Map.frame`): what `located`,
    `surface` and `survey` return and what `reach_over` and `lower_to` take is in that frame.

    Args:
        motion: moves joints and hand.
        map: the world's places.
        memory: place and held thing; actions keep it true.
        look: takes a depth image and returns the height map of a surface in a frame, turned about the camera.
        travel_m: height of the finger tips at which the hand travels over the table, set by `survey`.
    """

    motion: Motion
    map: Map
    memory: ActionMemory
    look: Callable[[Pose2, Station, float], HeightMap]
    travel_m: float = 0.0
    low_arm_m: ClassVar[float] = 0.0
    """How far behind the finger tips of a turned hand (see `turn_hand`) wrist and forearm are low."""
    arm_ahead_m: ClassVar[float] = 0.0
    """From the base's axis to the tips of a hand that points ahead; 0 leaves out whether the base has room behind it."""
    base_m: ClassVar[float] = 0.0
    """The base's radius, with a margin."""
    rim_m: ClassVar[float] = 0.0
    """How far the tips go down along a vessel at most, so that a ball passes between its rim and the palm."""
    leaning_m: ClassVar[float] = math.inf
    """What is wider is held no deeper either: fingers that lean out would meet it above their pads, and wedge at its rim."""
    deep_m: ClassVar[float] = 0.012
    """How far beyond where a bar is seen the tips go before they close on it: seen too near, it lies that much less deep."""
    yields_m_n: ClassVar[float] = 3e-6
    """By how much the arc on which a door is carried gives way to the hand's force in a control tick, see `doors`."""
    hands_over: ClassVar[float] = 0.15
    """The share of the base's highest speed at which what is held comes to a person, whose hand may be out already."""
    heights: HeightMap | None = field(default=None, repr=False)
    askew: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Where the camera is, x, y in the frame, and by how much what it shows must be turned so that the edge of the surface lies
    as the map has it, set by `survey`: a mounting that is off by 0.015 rad shows things 2 cm aside at 1.2 m."""

    @property
    def gripper(self) -> Gripper:
        """The sizes of hand and fingers."""
        return self.motion.mechanics.gripper

    @property
    def work(self) -> str:
        """The place that is worked at: where the robot stands, or the map's where that takes nothing."""
        return self.memory.at if self.map.takes(self.memory.at) else self.map.home

    @property
    def frame(self) -> Pose2:
        """The frame in which actions think."""
        return self.map.frame(self.memory.at)

    @property
    def surface(self) -> Station:
        """The surface or the container that is worked at, in the frame."""
        return self.map.seen_from(self.frame, self.work, self.memory.pulled_m.get(self.work, 0.0))

    @property
    def surface_m(self) -> float:
        """Its height, a container's rim."""
        return self.surface.middle[2]

    @property
    def floor_m(self) -> float:
        """Height of what things stand on there: the surface, or a container's floor."""
        return self.surface.floor_m if self.surface.takes == "in" else self.surface_m

    def folds_m(self, inside: bool) -> float:
        """Return how far back from what it did a hand that points ahead must be before the arm folds.

        Args:
            inside: whether it reached into the place, past a door that may stand open.
        """
        del inside
        return 0.12

    @property
    def over_m(self) -> float:
        """How far ahead in the frame a hand that points down comes to what it works on; infinity where nothing limits it."""
        return math.inf

    @property
    @abstractmethod
    def hand_m(self) -> float:
        """From the finger tips back to the end of the wrist, which goes where the hand goes."""

    @property
    @abstractmethod
    def travel_most_m(self) -> float:
        """The highest that open finger tips can travel over what is worked at."""

    def located(self, value: Any) -> Located:
        """Return the located thing in a step's arguments, in the frame; after `survey` without what the camera is askew by."""
        thing, (_, _, turn) = located(value), self.frame
        x, y = into(self.frame, *thing.position_in_world[:2])
        eye_x, eye_y, askew = self.askew
        if askew:
            c, s = math.cos(askew), math.sin(askew)
            x, y = eye_x + c * (x - eye_x) - s * (y - eye_y), eye_y + s * (x - eye_x) + c * (y - eye_y)
        turn -= askew
        yaw = math.remainder(thing.yaw_rad - turn, 2 * math.pi) if turn else thing.yaw_rad
        return replace(thing, position_in_world=(x, y, thing.position_in_world[2]), yaw_rad=yaw)

    def stands_free(self, tip: Point, heading_rad: float, before_m: float) -> bool:
        """Return whether the base has room behind a hand that points ahead; what is worked at is in its way, too, if solid.

        A hand that turns by 40 degrees to what lies deep on a cabinet had the base press the cabinet with 1,500 N.

        Args:
            tip: of the fingers in the end, in the frame.
            heading_rad: where the hand points, about z in the frame.
            before_m: how far before that it begins its way.
        """
        c, s, unfolds_m = math.cos(heading_rad), math.sin(heading_rad), 0.12
        ends = self.arm_ahead_m, self.arm_ahead_m + before_m + unfolds_m
        room_m = self.room_m([self.in_world(tip[0] - far * c, tip[1] - far * s) for far in ends], worked_at=True)
        return not self.arm_ahead_m or room_m > self.base_m

    def stands_over(self, x: float, y: float) -> bool:
        """Return whether the base has room where it stands to lower the hand at a point of the frame."""
        del x, y
        return True

    def room_m(self, points: Sequence[tuple[float, float]], worked_at: bool = False) -> float:
        """Return how far the nearest of some points in the world is from walls and other furniture than what is worked at.

        Args:
            points: on the floor.
            worked_at: whether that counts too, where it leaves no room below it for the base.
        """
        own, floor = self.map.places[self.work], self.map.floor
        around = [o for o in floor.obstacles if not all(a <= v <= b for a, v, b in zip(o[0], own.middle, o[1], strict=False))]
        if worked_at and own.under_m <= 0:  # what stands out from it, handles and a drawer, is over the base
            around.append((own.low, own.high))
        return float(replace(floor, obstacles=tuple(around)).clearance_m(points).min())

    def nearer(self, target: Located, closing_rad: float, opening_m: float) -> Located:
        """Return a thing, located in the frame, as another look shows it before the hand takes it from above.

        A body whose camera comes no nearer to it has nothing to add.

        Args:
            target: the thing.
            closing_rad, opening_m: as `reach_over` takes them.
        """
        del closing_rad, opening_m
        return target

    def in_world(self, x: float, y: float) -> tuple[float, float]:
        """Return a point of the frame in the world."""
        return out_of(self.frame, x, y)

    def see(self) -> HeightMap:
        """Return the heights over the surface as it is now."""
        return self.look(self.frame, self.surface, 0.0)

    def survey(self) -> HeightMap:
        """Look at the surface, or into the container, and choose a safe travelling height for hand and load."""
        there = self.surface
        (x, y, high_m), wall_m = there.middle, 0.0
        if there.takes == "in" and there.headroom_m == math.inf and not self.map.is_one_workspace:
            wall_m = 0.04  # the fingers must know of the walls
        low, high = (there.low[0] - wall_m, there.low[1] - wall_m), (there.high[0] + wall_m, there.high[1] + wall_m)
        there = replace(there, middle=(x, y, self.floor_m), low=low, high=high)
        if there.takes == "on" and not self.map.is_one_workspace:
            before_m, strip_m = 0.06, 0.12
            edge = (low[0] - before_m, low[1]), (low[0] + strip_m, high[1])
            strip = self.look(self.frame, replace(there, low=edge[0], high=edge[1]), 0.0)
            self.askew = float(strip.eye[0]), float(strip.eye[1]), strip.turn_of_edge()
        self.heights = self.look(self.frame, there, self.askew[2])
        below = self.memory.held.below_tip_m if self.memory.held else 0.0
        highest_m, over_m, least_m = self.heights.highest_m, 0.05, 0.0
        if wall_m:  # not the edge of the furniture, over a drawer's end; the arm is still unfolding as it comes over a wall
            half_x, half_y = ((b - a) / 2 - wall_m - 0.02 for a, b in zip(there.low, there.high, strict=True))
            highest_m, over_m, least_m = self.heights.highest_within(x, y, half_x, half_y, 0.0), 0.06, 0.50
        self.travel_m = min(max(max(highest_m, high_m) + over_m + below, least_m), self.travel_most_m)
        return self.heights

    def place_of(self, thing: Located) -> str:
        """Return the place where a thing, located in the world, lies or stands, "" where there is none."""
        inside = "" if self.map.is_one_workspace else self.map.inside(thing.position_in_world, self.memory.pulled_m)
        return inside or self.map.surface_under(thing.position_in_world, self.memory.at)

    def posture(self, place: str) -> dict[str, float]:
        """Return arm and head as they rest at a place, by joint, without the fingers."""
        del place
        return {name: value for name, value in self.motion.mechanics.home.items() if name != self.motion.mechanics.closer}

    def on_the_way(self) -> dict[str, float]:
        """Return arm and head as they are between places, by joint."""
        return self.posture("")

    def resting_fingers(self) -> dict[str, float]:
        """Return the joint of the fingers as it rests, none where they hold something.

        At a single workspace every action opens them itself: above a table and clear of walls.
        """
        if self.map.is_one_workspace or self.memory.held is not None or self.motion.squeezes():
            return {}
        return {self.motion.mechanics.closer: self.gripper.angle_for(self.gripper.resting_m)}

    def station(self) -> dict[str, float]:
        """Return the base's joints at the place where the robot stands; where it is now when on its way."""
        now = [self.motion.target[name] for name in Mechanics.base_joints]
        here = now[0], now[1], now[2]
        if self.memory.at or self.map.is_one_workspace:
            here = turned_to(self.map.stations[self.memory.at or self.map.home], here[2])
        return dict(zip(Mechanics.base_joints, here, strict=True))

    def is_home(self) -> bool:
        """Return whether arm and base are where every action leaves them, and empty fingers are not shut."""
        if not self.memory.at or any(self.motion.target[name] < rad - 0.02 for name, rad in self.resting_fingers().items()):
            return False
        wanted = {**self.posture(self.memory.at), **self.station()}
        return all(abs(self.motion.target[n] - value) < 0.02 for n, value in wanted.items())

    def recover(self) -> None:
        """After a stop or a time-out midway: back to carry posture at the station, the working place's if between places."""
        self.travel_m = self.travel_most_m
        self.carry()
        if fingers := self.resting_fingers():
            self.motion.follow(fingers)
        if not self.memory.at and not self.map.is_one_workspace:
            self.drive_to(self.map.home)
        self.memory.at = self.memory.at or self.map.home

    # Shared moves.

    def drive_to(self, place: str, speed: float = 1.0) -> None:
        """Drive to a named place in carry posture, around what stands on the floor, at a share of the highest speed.

        Raises:
            Failed: "no-way", before anything moves.
        """
        self._drive(self.map.stations[place], speed)
        self.memory.at = place
        self.motion.frame = self.frame
        turned = {name: value for name, value in self.posture(place).items() if self.motion.target[name] != value}
        if turned and not self.map.is_one_workspace:
            self.motion.follow(turned)

    def drive_up_to(self, pose: Pose2) -> None:
        """Drive to a pose between the named places; what the hand may do is told from there. Raises as `drive_to` does."""
        self._drive(pose)
        self.motion.frame = pose

    def _drive(self, goal: Pose2, speed: float = 1.0) -> None:
        x, y, yaw = (self.motion.target[name] for name in Mechanics.base_joints)
        way = self.map.way((x, y, yaw), goal, self.motion.mechanics.bounds.radius_m)
        self.memory.at = ""
        folded = {} if self.map.is_one_workspace else self.on_the_way()
        for pose in way:
            base = dict(zip(Mechanics.base_joints, turned_to(pose, self._yaw()), strict=True))
            self.motion.follow({**folded, **base}, speed)

    def work_at(self, place: str) -> None:
        """Drive to a place where the robot does not stand there already."""
        if self.memory.at != place:
            self.drive_to(place)

    def _yaw(self) -> float:
        return self.motion.target[Mechanics.base_joints[2]]

    @abstractmethod
    def bearing(self, point: Point) -> tuple[float, float]:
        """Return pan and tilt in radians at which the camera looks at a point of the world: to the left and up from level."""

    @abstractmethod
    def aim(self, pan_rad: float | None, tilt_rad: float | None) -> tuple[dict[str, float], dict[str, float]]:
        """Return what brings the camera nearest to a direction; None leaves pan or tilt as it is at rest.

        Returns:
            the joints, and the `pan_rad` and `tilt_rad` that they reach of those asked for.
        """

    @abstractmethod
    def carry(self) -> None:
        """From anywhere above the table: raise the hand, then bring base and arm back to the station in carry posture."""

    @abstractmethod
    def reach_over(self, tip: Point, closing_rad: float, opening_m: float) -> float:
        """From carry posture: bring the hand over a point, pointing down, at travelling height.

        Args:
            tip: the point, to which the finger tips will be lowered from there.
            closing_rad: direction about z along which the fingers close.
            opening_m: distance between the tips.

        Returns:
            the closing direction taken, which may be turned by half a turn.

        Raises:
            Failed: "unreachable" when the point lies too far across the surface, or behind walls that arm or body would touch.
        """

    @abstractmethod
    def turn_hand(self, tip: Point, tilt_rad: float, opening_m: float, speed: float = 1.0) -> None:
        """From carry posture or from such a call: bring the finger tips to a point, the hand turned from down towards ahead.

        Args:
            tip: the point between the tips, in the world.
            tilt_rad: how far it is turned.
            opening_m: distance between the tips.
            speed: share of the usual speed.
        """

    def tilted(self, tip: Point, tilt_rad: float, opening_m: float) -> NDArray[np.float64]:
        """Return the hand's 4x4 pose in the world with its tips at a point, turned from down towards ahead."""
        s, c, yaw = math.sin(tilt_rad), math.cos(tilt_rad), self.frame[2]
        sight = s * math.cos(yaw), s * math.sin(yaw), -c
        closing = math.cos(SIDEWAYS_RAD + yaw), math.sin(SIDEWAYS_RAD + yaw), 0.0
        return self.gripper.pointing(sight, tip, closing, opening_m)

    @abstractmethod
    def reach_ahead(self, tip: Point, closing: Point, opening_m: float, sight: Point | None = None) -> Point:
        """From carry posture: bring the finger tips to a point, the hand pointing straight ahead from the base or slanted.

        Args:
            tip: the point between the tips, in the world.
            closing: unit vector in the world along which the fingers close.
            opening_m: distance between the tips.
            sight: unit vector in the world along the fingers, no lower than 60 degrees; the base turns to it. Straight ahead
                from the base by default.

        Returns:
            the closing direction taken, which may be the opposite one.

        Raises:
            Failed: "unreachable" when no height of the arm brings the hand there.
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
        point = *self.in_world(*tip[:2]), tip[2]
        pose = self.gripper.downward(point, closing_rad + self.frame[2], opening_m)
        return self.motion.move_hand(pose, speed, touch_n, most_n)


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


def is_ball(phrase: str, size_m: tuple[float, float, float]) -> bool:
    """Return whether a thing is a ball or a round fruit, and about as high as wide: fingers slip off above its middle."""
    length, width, height = size_m
    kinds = ("ball", "apple", "orange", "plum")
    return kind_of(phrase) in kinds and 0.75 * length < min(width, height) and height < 1.25 * width


def is_open_vessel(phrase: str) -> bool:
    """Return whether a thing may hold loose things that would fall out on its side, so that it is carried upright."""
    return kind_of(phrase) in ("cup", "glass", "jug")
