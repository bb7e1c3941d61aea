"""The hand pointing ahead, level or slanted, at a point before the robot: how it comes there, what it feels, how it leaves."""

import math
from collections.abc import Callable
from typing import Any

from vlp.sim.embodiments.actions.scope import Scope
from vlp.sim.embodiments.mechanics import Mechanics
from vlp.sim.embodiments.motion import Failed, Point


class Ahead:
    """The hand pointing ahead at a point, from where the robot stands.

    Args:
        scope: the robot in the midst of an action.
        point: in the world.
        heading_rad: direction about z in the world in which the hand points; the station's yaw by default.
        slant_rad: how far below level it points.
        steep: whether it comes to the point along its own direction; else level, as the base drives.
    """

    def __init__(
        self, scope: Scope, point: Point, heading_rad: float | None = None, slant_rad: float = 0.0, steep: bool = False
    ) -> None:
        self.scope, self.motion, self.point = scope, scope.motion, point
        yaw = self.motion.target[Mechanics.base_joints[2]] if heading_rad is None else heading_rad
        c, s, level = math.cos(yaw), math.sin(yaw), math.cos(slant_rad)
        self.heading: Point = (c, s, 0.0)
        self.sight: Point = (level * c, level * s, -math.sin(slant_rad))
        self.sideways: Point = (s, -c, 0.0)
        self._turned = heading_rad is not None
        self._way = self.sight if steep else self.heading

    def approach(self, before_m: float, closing: Point, opening_m: float) -> None:
        """Move until the point lies ahead at arm's length, and bring the tips so far before it."""
        tip = self._at(-before_m)
        sight = self.sight if self._turned else None
        self._closing, self._opening_m = self.scope.reach_ahead(tip, closing, opening_m, sight), opening_m
        self.begin()
        self._still = self.motion.wrist_force()

    def take_bar(self, bar_m: float, phrase: str) -> None:
        """Close the open fingers on a bar at the point, before which the hand is.

        A bar may be seen 3 cm too near: where the fingers close on nothing they go on until they feel the front behind it.

        Args:
            bar_m: how thick it is.
            phrase: its name.

        Raises:
            Failed: "slipped" when the fingers hold nothing.
        """
        motion, least_m, front_n, off_m = self.motion, 0.5 * bar_m, 6.0, 0.010
        self.move(self.scope.deep_m, speed=0.5, until=self.pushes(front_n))  # a door that stands ajar was pressed with 108 N
        if motion.close() >= least_m:
            return
        was = motion.reach.palm(motion.target)
        motion.open_to(self._opening_m)
        if self.move(0.06, speed=0.3, until=self.pushes(front_n)):
            self.walk(-off_m)
        if motion.close() < least_m:
            raise Failed("slipped", f"the fingers closed on nothing where the {phrase} should be.")
        x, y, z = (p + now - before for p, now, before in zip(self.point, motion.reach.palm(motion.target), was, strict=True))
        self.point = x, y, z

    def move(self, beyond_m: float, speed: float = 1.0, **until: Any) -> bool:
        """Move the tips in a straight line to so far beyond the point; returns whether what was felt stopped it."""
        pose = self.scope.gripper.pointing(self.sight, self._at(beyond_m), self._closing, self._opening_m)
        return self.motion.move_hand(pose, speed, **until)

    def rise(self, up_m: float, speed: float = 1.0, **until: Any) -> bool:
        """Move the hand straight up from where it is; returns whether what was felt stopped it."""
        pose = self.motion.reach.hand(self.motion.target)
        pose[2, 3] += up_m
        return self.motion.move_hand(pose, speed, **until)

    def walk(self, ahead_m: float, speed: float = 0.15, **until: Any) -> bool:
        """Move straight ahead, or backwards, with the arm held still; returns whether `until` stopped it."""
        x, y = (self.motion.target[name] for name in Mechanics.base_joints[:2])
        base = {"base_x": x + ahead_m * self.heading[0], "base_y": y + ahead_m * self.heading[1]}
        return self.motion.follow(base, speed=speed, **until)

    def walk_to_the_end(self, far_m: float, end_m: float, speed: float, met: Callable[[], bool]) -> bool:
        """Walk with a drawer or a door at the hand, slowly where its end is expected; returns whether an end was met.

        At 6 cm/s a drawer that came to its end pulled at the hand with 72 N, and a door was pressed with 220 N, before the
        robot had felt it and stopped.

        Args:
            far_m: how far to walk at most; backwards where negative.
            end_m: how far it is until the end.
            speed: until then, as a share of the base's.
            met: asked each tick whether the end has been met.
        """
        near_m, slow = 0.03, 0.03
        first_m = min(abs(far_m), max(0.0, end_m - near_m))
        if first_m and self.walk(math.copysign(first_m, far_m), speed, until=met):
            return True
        return self.walk(math.copysign(abs(far_m) - first_m, far_m), slow, until=met) if first_m < abs(far_m) else False

    def begin(self) -> None:
        """Measure from here how far the base moves."""
        self._base = [self.motion.target[name] for name in Mechanics.base_joints[:2]]

    def walked_m(self) -> float:
        """Return how far the base has moved since `begin`."""
        return math.dist([self.motion.target[name] for name in Mechanics.base_joints[:2]], self._base)

    def felt(self) -> Point:
        """Return the force in newtons with which the hand pushes, in the world, against that before it touched anything."""
        x, y, z = (now - still for now, still in zip(self.motion.wrist_force(), self._still, strict=True))
        return x, y, z

    def force_n(self) -> float:
        """Return the part of that force that pushes ahead."""
        return sum(force * share for force, share in zip(self.felt(), self.heading, strict=True))

    def pushes(self, force_n: float) -> Callable[[], bool]:
        """Return a function that tells, asked each tick, whether the hand has pushed so hard for two ticks.

        One is the knock of the first touch. A negative force is a pull.
        """
        ticks = 0

        def holds() -> bool:
            nonlocal ticks
            ticks = ticks + 1 if self.force_n() * math.copysign(1.0, force_n) > abs(force_n) else 0
            return ticks >= 2

        return holds

    def give_way(self) -> None:
        """Let the base move aside until nothing pushes the closed hand sideways.

        A bar that is seen a few millimetres off is met by one finger, which presses it with 26 N: more than a door may take.
        """
        motion, (sx, sy, _), yields_m_n, least_n, longest_s = self.motion, self.sideways, 1e-5, 3.0, 1.5
        x, y = (motion.target[name] for name in Mechanics.base_joints[:2])

        def aside_n() -> float:
            return sum(force * share for force, share in zip(self.felt(), self.sideways, strict=True))

        def way(share: float) -> dict[str, float]:
            nonlocal x, y
            del share
            moved_m = -yields_m_n * aside_n()
            x, y = x + moved_m * sx, y + moved_m * sy
            return {"base_x": x, "base_y": y}

        motion.trace(way, longest_s, until=lambda: abs(aside_n()) < least_n)

    def let_go(self) -> None:
        """Open the fingers and leave."""
        self.motion.open_to(self._opening_m)
        self.leave()

    def leave(self) -> None:
        """Move back a step, fold the arm and open empty fingers there, then to the station, which may lie ahead."""
        self.walk(-self.scope.folds_m(self._turned))
        self.motion.follow({**self.scope.posture(self.scope.memory.at), **self.scope.resting_fingers()})
        self.scope.travel_m = 0.0  # straight back from here: nothing lies below the hand
        self.scope.carry()

    def _at(self, beyond_m: float) -> Point:
        x, y, z = (p + beyond_m * s for p, s in zip(self.point, self._way, strict=True))
        return x, y, z
