"""Where a hand must go next for a subtask, from the true state: for the expert of motion only."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vlp.core.errors import UsageError, lookup
from vlp.language_actions.move import Gripper, Move
from vlp.language_actions.trajectory import rotation
from vlp.sim.embodiments.mechanics import Mechanics
from vlp.sim.embodiments.robot import SimRobot
from vlp.sim.truth import TrueObject

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Way:
    """The hand's way to the next corner, along the axes of the base.

    Args:
        move: all of it.
        gripper: what it does there.
    """

    move: Move = field(default_factory=Move)
    gripper: Gripper = "keep"


class HandWays:
    """Ways of one robot's hand in its simulation.

    Args:
        robot: with a hand that points down.
    """

    def __init__(self, robot: SimRobot) -> None:
        self._robot = robot
        self._began: dict[str, Point] = {}
        self._ordered: tuple[str, float] = ("", 0.0)

    def subtasks(self, instruction: str) -> list[str]:
        """Return the subtasks of an instruction in order; a subtask alone is its own. Raises UsageError for unknown words."""
        forms = {
            r"pick up (?:the )?(?P<x>.+)": ("grasp the {x}", "lift the {x}"),
            r"(?:put|place) (?:the )?(?P<x>.+?) (?P<how>in|on) (?:the )?(?P<y>.+)": (
                "grasp the {x}", "lift the {x}", "carry the {x} over the {y}", "set the {x} down {how} the {y}",
            ),
            r"push (?:the )?(?P<x>.+?) (?:to the )?(?P<to>left|right|forward|back)": (
                "go beside the {x} to push it {to}", "shove the {x} {to}",
            ),
            r"reach (?:the )?(?P<x>.+)": ("reach the {x}",),
        }  # fmt: skip
        said = instruction.strip().rstrip(".").lower()
        for form, parts in forms.items():
            if found := re.fullmatch(form, said):
                return [part.format(**found.groupdict()) for part in parts]
        self._read(said)
        return [said]

    def way(self, subtask: str) -> Way:
        """Return the way to the next corner of a subtask; raises UsageError for one that it does not know."""
        make, _, words = self._read(subtask)
        self._began.setdefault(subtask, self._places(words))
        return make(self, subtask, **words)

    def ordered(self, subtask: str) -> None:
        """Take note that the hand is told to go on: where it is then still at the same height, something is in its way."""
        self._ordered = (subtask, self._tip[2])

    def is_done(self, subtask: str) -> bool:
        """Return whether a subtask is done now; raises UsageError for one that it does not know."""
        _, done, words = self._read(subtask)
        return done(self, subtask, **words)

    def _read(self, subtask: str) -> tuple[Callable[..., Way], Callable[..., bool], dict[str, str]]:
        for form, (make, done) in _forms().items():
            if found := re.fullmatch(form, subtask):
                words = found.groupdict()
                for name in ("x", "y"):
                    if name in words:
                        lookup(words[name], self._things, "thing in the scene")
                return make, done, words
        raise UsageError(f"the expert of motion cannot {subtask[:80]!r}.", "It can reach, pick up, put and push things.")

    # What is so now.

    @property
    def _things(self) -> dict[str, TrueObject]:
        return self._robot.simulation.truth().objects

    @property
    def _hand(self) -> Any:
        return self._robot.motion.reach.hand(self._robot.motion.joints())

    @property
    def _tip(self) -> Point:
        hand = self._hand
        x, y, z = hand[:3, 3] + self._grip.tip_reach(self._robot.motion.opening()) * hand[:3, 2]
        return float(x), float(y), float(z)

    @property
    def _grip(self) -> Any:
        return self._robot.motion.mechanics.gripper

    @property
    def _travel_m(self) -> float:
        """How high finger tips pass over everything."""
        over_m = 0.05
        tops = [t.position_in_world[2] + t.size_m[2] / 2 for t in self._things.values() if t.support != "hand"]
        return max(tops) + over_m

    def _places(self, words: dict[str, str]) -> Point:
        """Return where the thing is that a subtask is about; its height is the hand's."""
        x, y, _ = self._things[words["x"]].position_in_world
        return x, y, self._tip[2]

    def _by(self, world: Any, turn_rad: float = 0.0, gripper: Gripper = "keep") -> Way:
        """Return the way that is so much in the world, the fingers turned about z."""
        heading = self._robot.motion.target[Mechanics.base_joints[2]]
        x, y, z = (float(v) for v in rotation((0.0, 0.0, heading)).T @ np.array(world))
        return Way(Move((x, y, z), wrist_rad=-turn_rad), gripper)

    def _to(self, tip: Point, closing_rad: float | None, opening_m: float, gripper: Gripper = "keep") -> Way:
        """Return the way to a place of the tips: up, across over everything, down.

        Args:
            tip: where the tips are once they are `opening_m` apart.
            closing_rad: direction in which the fingers close; None leaves it.
            opening_m: see above.
            gripper: what it does there.
        """
        hand = self._hand
        down_m = float(tip[2] + self._grip.tip_reach(opening_m) - hand[2, 3])
        dx, dy = float(tip[0] - hand[0, 3]), float(tip[1] - hand[1, 3])
        now = math.atan2(hand[1, 1], hand[0, 1])
        turn = 0.0 if closing_rad is None else math.remainder(closing_rad - now, math.pi)
        up_m = self._travel_m - self._tip[2]
        off_m, far_m, off_rad = math.hypot(dx, dy), 0.03, math.radians(4)
        if off_m > far_m or abs(turn) > off_rad:
            return self._by((0.0, 0.0, up_m)) if up_m > 0.015 else self._by((dx, dy, 0.0), turn)
        if off_m > 0.005:
            return self._by((dx, dy, 0.0))
        if abs(down_m) > 0.003:
            return self._by((dx, dy, down_m), gripper=gripper)
        return Way(gripper=gripper)

    # Ways, and when they are done.

    def _grasp(self, subtask: str, x: str) -> Way:
        del subtask
        thing, motion = self._things[x], self._robot.motion
        height_m, width_m = thing.size_m[2], thing.size_m[1]
        if motion.target[motion.mechanics.closer] <= self._grip.closed_rad + 0.01:  # closed on nothing, or on something else
            return Way(gripper="open")
        top_m, bottom_m = (thing.position_in_world[2] + side * height_m / 2 for side in (1, -1))
        deep_m = min(self._grip.deepest_m, height_m / 2 + self._grip.pad_m / 2)
        tip_m = max(top_m - deep_m, bottom_m + 0.008)
        return self._to((*thing.position_in_world[:2], tip_m), self._closing(x), width_m, "close")

    def _closing(self, x: str) -> float | None:
        """Return across what the fingers close: the width, or of what is as long as wide, the side with more room."""
        thing = self._things[x]
        length_m, width_m, _ = thing.size_m
        across = thing.yaw_rad + math.pi / 2
        choices = [across, across + math.pi / 2] if length_m < 1.15 * width_m else [across]
        now = math.atan2(self._hand[1, 1], self._hand[0, 1])
        choices = [now, *choices] if self._is_round(thing) else choices
        outer_m = width_m / 2 + 0.02

        def cost(closing: float) -> float:
            c, s = math.cos(closing), math.sin(closing)
            px, py, _ = thing.position_in_world
            fingers = [(px + side * outer_m * c, py + side * outer_m * s) for side in (1, -1)]
            others = [other for name, other in self._things.items() if name != x]
            rooms = [
                math.dist(finger, other.position_in_world[:2]) - math.hypot(*other.size_m[:2]) / 2
                for finger in fingers
                for other in others
            ]
            return 10 * max(0.0, 0.03 - min(rooms, default=1.0)) + 0.05 * abs(math.remainder(closing - now, math.pi))

        return min(choices, key=cost)

    def _is_round(self, thing: TrueObject) -> bool:
        return thing.kind in ("ball", "can", "bottle", "apple", "orange", "plum")

    def _is_held(self, subtask: str, x: str) -> bool:
        """Return whether the fingers press on a thing that is between them; it may still stand on something."""
        del subtask
        motion, thing = self._robot.motion, self._things[x]
        away_m = math.dist(self._tip, thing.position_in_world)
        return motion.opening() > self._grip.empty_m and motion.squeezes() and away_m < max(thing.size_m) / 2 + 0.01

    def _lift(self, subtask: str, x: str) -> Way:
        del x
        return self._by((0.0, 0.0, self._began[subtask][2] + 0.11 - self._tip[2]))

    def _is_lifted(self, subtask: str, x: str) -> bool:
        high_m = self._tip[2] - self._began.get(subtask, self._tip)[2]
        return self._is_held(subtask, x) and high_m > 0.08

    def _reach(self, subtask: str, x: str) -> Way:
        del subtask
        return self._to(self._above(x), None, self._robot.motion.opening())

    def _above(self, x: str) -> Point:
        (px, py, pz), high_m = self._things[x].position_in_world, 0.03
        return px, py, pz + self._things[x].size_m[2] / 2 + high_m

    def _is_reached(self, subtask: str, x: str) -> bool:
        del subtask
        return math.dist(self._tip, self._above(x)) < 0.01

    def _carry(self, subtask: str, x: str, y: str) -> Way:
        del subtask
        held, there = self._things[x], self._things[y]
        bottom_m = held.position_in_world[2] - held.size_m[2] / 2
        rise_m = self._top(y) + 0.04 - bottom_m
        if rise_m > 0.005:
            return self._by((0.0, 0.0, rise_m))
        dx, dy = (b - a for a, b in zip(held.position_in_world[:2], there.position_in_world[:2], strict=True))
        return self._by((dx, dy, 0.0))

    def _top(self, y: str) -> float:
        return self._things[y].position_in_world[2] + self._things[y].size_m[2] / 2

    def _is_over(self, subtask: str, x: str, y: str) -> bool:
        held, there = self._things[x].position_in_world, self._things[y].position_in_world
        return self._is_held(subtask, x) and math.dist(held[:2], there[:2]) < 0.012

    def _put(self, subtask: str, x: str, y: str, how: str) -> Way:
        """Go down until it nearly stands, or something is felt; let go; rise."""
        held, there = self._things[x], self._things[y]
        if not self._is_held(subtask, x):
            rise_m = held.position_in_world[2] + held.size_m[2] / 2 + 0.08 - self._tip[2]
            return self._by((0.0, 0.0, max(0.02, rise_m)))
        floor_m = self._top(y) if how == "on" else there.position_in_world[2] - there.size_m[2] / 2 + 0.015
        drop_m = held.position_in_world[2] - held.size_m[2] / 2 - floor_m - 0.004
        stuck = self._ordered[0] == subtask and abs(self._ordered[1] - self._tip[2]) < 0.002
        if drop_m < 0.004 or stuck:
            return Way(gripper="open")
        return self._by((0.0, 0.0, -drop_m))

    def _is_put(self, subtask: str, x: str, y: str, how: str) -> bool:
        del how
        clear_m = self._tip[2] - self._top(x)
        return not self._is_held(subtask, x) and self._things[x].support == y and clear_m > 0.03

    def _beside(self, subtask: str, x: str, to: str) -> Way:
        del subtask
        motion = self._robot.motion
        if motion.opening() > 0.02:
            return Way(gripper="close")
        dx, dy = _direction(to)
        return self._to(self._behind(x, to), math.atan2(dx, -dy), 0.0)

    def _behind(self, x: str, to: str) -> Point:
        (dx, dy), thing, before_m = _direction(to), self._things[x], 0.035
        out_m, (px, py, pz) = self._extent(x, to) + before_m, thing.position_in_world
        return px - dx * out_m, py - dy * out_m, pz - thing.size_m[2] / 2 + min(0.03, 0.4 * thing.size_m[2])

    def _extent(self, x: str, to: str) -> float:
        (dx, dy), thing = _direction(to), self._things[x]
        c, s = math.cos(thing.yaw_rad), math.sin(thing.yaw_rad)
        return abs(dx * c + dy * s) * thing.size_m[0] / 2 + abs(dy * c - dx * s) * thing.size_m[1] / 2

    def _is_beside(self, subtask: str, x: str, to: str) -> bool:
        del subtask
        return math.dist(self._tip, self._behind(x, to)) < 0.012

    def _shove(self, subtask: str, x: str, to: str) -> Way:
        (dx, dy), far_m = _direction(to), 0.08
        left_m = far_m - self._gone(subtask, x, to)
        tip, thing = self._tip, self._things[x].position_in_world
        gap_m = (thing[0] - tip[0]) * dx + (thing[1] - tip[1]) * dy - self._extent(x, to) - 0.012
        way_m = max(0.01, left_m + gap_m)
        return self._by((dx * way_m, dy * way_m, 0.0))

    def _gone(self, subtask: str, x: str, to: str) -> float:
        (dx, dy), now = _direction(to), self._things[x].position_in_world
        began = self._began.get(subtask, now)
        return (now[0] - began[0]) * dx + (now[1] - began[1]) * dy

    def _is_shoved(self, subtask: str, x: str, to: str) -> bool:
        return self._gone(subtask, x, to) > 0.06


def _direction(to: str) -> tuple[float, float]:
    return {"left": (0.0, 1.0), "right": (0.0, -1.0), "forward": (1.0, 0.0), "back": (-1.0, 0.0)}[to]


def _forms() -> dict[str, tuple[Callable[..., Way], Callable[..., bool]]]:
    """Return what makes the way of a subtask and tells whether it is done, by the form of its sentence."""
    ways, thing, to = HandWays, r"(?P<x>.+)", r"(?P<to>left|right|forward|back)"
    return {
        rf"grasp the {thing}": (ways._grasp, ways._is_held),
        rf"lift the {thing}": (ways._lift, ways._is_lifted),
        rf"reach the {thing}": (ways._reach, ways._is_reached),
        rf"carry the {thing} over the (?P<y>.+)": (ways._carry, ways._is_over),
        rf"set the {thing} down (?P<how>in|on) the (?P<y>.+)": (ways._put, ways._is_put),
        rf"go beside the {thing} to push it {to}": (ways._beside, ways._is_beside),
        rf"shove the {thing} {to}": (ways._shove, ways._is_shoved),
    }
