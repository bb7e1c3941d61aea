"""press, open and close: what is fixed before the robot, touched with the hand pointing straight ahead.

All three stop by what a force sensor in the wrist feels.
"""

import math
from collections.abc import Callable
from typing import Any

from vlp.sim.embodiments.actions.scope import Scope, located
from vlp.sim.embodiments.mechanics import Mechanics
from vlp.sim.embodiments.motion import Failed

Point = tuple[float, float, float]


def press(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Push at `target` (a located thing or a named place) until it gives way no further.

    Raises:
        Failed: "missed" where nothing is met.
    """
    target = arguments["target"]
    point = scope.map.places[target].middle if isinstance(target, str) else located(target).position_in_world
    hand = _Ahead(scope, point)
    hand.approach(before_m=0.12, closing=hand.sideways, opening_m=0.0)
    hard_n = 10.0  # buttons give way to less
    # At 4 cm/s the first touch knocked a button in, and it sprang back before it was pushed: it was pressed twice.
    met = hand.move(-0.06, speed=0.5, until=hand.pushes(hard_n)) or hand.move(0.03, speed=0.1, until=hand.pushes(hard_n))
    force_n = hand.force_n()
    hand.leave()
    if not met:
        raise Failed("missed", "the fingers met nothing there that could be pressed.")
    return {"force_n": round(force_n, 1)}


def open_drawer(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Take the handle between the fingers and move backwards by `distance_m`, clipped to the limits, or to the drawer's end.

    Raises:
        Failed: "slipped" when the fingers hold nothing, "stuck" when it does not give way.
    """
    handle = located(arguments["target"])
    hand = _Ahead(scope, handle.position_in_world)
    upright = handle.size_m[2] > handle.size_m[0]
    hand.approach(before_m=0.10, closing=hand.sideways if upright else (0.0, 0.0, 1.0), opening_m=0.07)
    hand.move(0.012, speed=0.5)
    scope.motion.close()
    try:
        bar_m = min(handle.size_m[1:])
        if scope.motion.opening() < 0.5 * bar_m:
            raise Failed("slipped", f"the fingers closed on nothing where the {handle.phrase} should be.")
        # A drawer runs with 7 N, and the weaker grip holds 26 N by friction.
        stuck_n, distance_m = 14.0, min(max(float(arguments["distance_m"]), 0.05), 0.40)
        hand.begin()
        stuck, least_m = hand.walk(-distance_m, until=hand.pushes(-stuck_n)), 0.03
        distance_m = hand.walked_m() if stuck else distance_m
        if distance_m < least_m:
            raise Failed("stuck", f"the {handle.phrase} does not give way.")
        if scope.motion.opening() < 0.5 * bar_m:
            raise Failed("slipped", f"the {handle.phrase} slipped out of the fingers.")
    except Failed:
        hand.let_go()
        raise
    hand.let_go()
    if place := scope.map.drawer_behind(handle.position_in_world):
        scope.memory.pulled_m[place] = scope.memory.pulled_m.get(place, 0.0) + distance_m
    return {"distance_m": round(distance_m, 3)}


def close_drawer(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Push the handle with the closed fingers, moving forwards, until it gives way no further.

    Raises:
        Failed: "missed" when it never meets resistance.
    """
    handle = located(arguments["target"])
    hand = _Ahead(scope, handle.position_in_world)
    hand.approach(before_m=0.06, closing=hand.sideways, opening_m=0.0)
    shut_n, farthest_m = 12.0, 0.45
    shut = hand.walk(farthest_m, speed=0.08, until=hand.pushes(shut_n))  # twice as fast, a drawer hit its end with 250 N
    walked_m = hand.walked_m()
    hand.leave()
    if not shut:
        raise Failed("missed", f"the {handle.phrase} was pushed {farthest_m * 100:.0f} cm and met no end.")
    if place := scope.map.drawer_behind(handle.position_in_world):
        scope.memory.pulled_m[place] = 0.0 - (scope.map.places[place].out_m or 0.0)
    return {"distance_m": round(walked_m, 3)}


class _Ahead:
    """The hand pointing straight ahead at a point, from where the robot stands at its station's yaw.

    Args:
        scope: the robot in the midst of an action.
        point: in the world.
    """

    def __init__(self, scope: Scope, point: Point) -> None:
        if scope.memory.held is not None:
            raise Failed("hand-full", f"the hand holds the {scope.memory.held.phrase}; put it down first.")
        self.scope, self.motion, self.point = scope, scope.motion, point
        yaw = self.motion.target[Mechanics.base_joints[2]]
        self.sight: Point = (math.cos(yaw), math.sin(yaw), 0.0)
        self.sideways: Point = (math.sin(yaw), -math.cos(yaw), 0.0)

    def approach(self, before_m: float, closing: Point, opening_m: float) -> None:
        """Move until the point lies straight ahead at arm's length, and bring the tips so far before it."""
        x, y, z = (p - before_m * s for p, s in zip(self.point, self.sight, strict=True))
        self._closing, self._opening_m = self.scope.reach_ahead((x, y, z), closing, opening_m), opening_m
        self.begin()
        self._still_n = self.motion.push_force(self.sight)

    def move(self, beyond_m: float, speed: float = 1.0, **until: Any) -> bool:
        """Move the tips in a straight line to so far beyond the point; returns whether `until` stopped it."""
        tip = [p + beyond_m * s for p, s in zip(self.point, self.sight, strict=True)]
        pose = self.scope.gripper.pointing(self.sight, (tip[0], tip[1], tip[2]), self._closing, self._opening_m)
        return self.motion.move_hand(pose, speed, **until)

    def walk(self, ahead_m: float, speed: float = 0.15, **until: Any) -> bool:
        """Move straight ahead, or backwards, with the arm held still; returns whether `until` stopped it."""
        x, y = (self.motion.target[name] for name in Mechanics.base_joints[:2])
        base = {"base_x": x + ahead_m * self.sight[0], "base_y": y + ahead_m * self.sight[1]}
        return self.motion.follow(base, speed=speed, **until)

    def begin(self) -> None:
        """Measure from here how far the base moves."""
        self._base = [self.motion.target[name] for name in Mechanics.base_joints[:2]]

    def walked_m(self) -> float:
        """Return how far the base has moved since `begin`."""
        return math.dist([self.motion.target[name] for name in Mechanics.base_joints[:2]], self._base)

    def force_n(self) -> float:
        """Return the force in newtons with which the hand pushes ahead, against that before it touched anything."""
        return self.motion.push_force(self.sight) - self._still_n

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

    def let_go(self) -> None:
        """Open the fingers and leave."""
        self.motion.open_to(self._opening_m)
        self.leave()

    def leave(self) -> None:
        """Move back a step, fold the arm there, then to the station, which may lie ahead."""
        self.walk(-0.12)
        self.motion.follow(self.scope.posture(self.scope.memory.at))
        self.scope.travel_m = 0.0  # straight back from here: nothing lies below the hand
        self.scope.carry()
