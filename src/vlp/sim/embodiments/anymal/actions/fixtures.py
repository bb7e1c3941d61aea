"""press, open and close: what is fixed before the robot, touched with the hand pointing straight ahead."""

import math
from collections.abc import Callable
from typing import Any

from vlp.sim.embodiments.actions.scope import Scope, located
from vlp.sim.embodiments.anymal.motion import AnymalMotion
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
    met = hand.move(0.03, speed=0.25, until=hand.pushes(hard_n))
    force_n = hand.force_n()
    hand.leave()
    if not met:
        raise Failed("missed", "the fingers met nothing there that could be pressed.")
    return {"force_n": round(force_n, 1)}


def open_drawer(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Take the handle between the fingers and walk backwards by `distance_m`, clipped to the limits.

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
        stuck_n, distance_m = 25.0, min(max(float(arguments["distance_m"]), 0.05), 0.40)  # the grip holds 30 N by friction
        if hand.walk(-distance_m, until=hand.pushes(-stuck_n)):
            raise Failed("stuck", f"the {handle.phrase} does not give way.")
        if scope.motion.opening() < 0.5 * bar_m:
            raise Failed("slipped", f"the {handle.phrase} slipped out of the fingers.")
    except Failed:
        hand.let_go()
        raise
    hand.let_go()
    return {"distance_m": round(distance_m, 3)}


def close_drawer(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Push the handle with the closed fingers, walking forwards, until it gives way no further.

    Raises:
        Failed: "missed" when it never meets resistance.
    """
    handle = located(arguments["target"])
    hand = _Ahead(scope, handle.position_in_world)
    hand.approach(before_m=0.06, closing=hand.sideways, opening_m=0.0)
    shut_n, farthest_m = 12.0, 0.45
    shut = hand.walk(farthest_m, until=hand.pushes(shut_n))
    walked_m = hand.walked_m()
    hand.leave()
    if not shut:
        raise Failed("missed", f"the {handle.phrase} was pushed {farthest_m * 100:.0f} cm and met no end.")
    return {"distance_m": round(walked_m, 3)}


class _Ahead:
    """The hand pointing straight ahead at a point, from where the robot stands at its station's yaw.

    Args:
        scope: the robot in the midst of an action.
        point: in the world.
    """

    def __init__(self, scope: Scope, point: Point) -> None:
        assert isinstance(scope.motion, AnymalMotion)
        if scope.memory.held is not None:
            raise Failed("hand-full", f"the hand holds the {scope.memory.held.phrase}; put it down first.")
        self.scope, self.motion, self.point = scope, scope.motion, point
        yaw = self.motion.target[Mechanics.base_joints[2]]
        self.sight: Point = (math.cos(yaw), math.sin(yaw), 0.0)
        self.sideways: Point = (math.sin(yaw), -math.cos(yaw), 0.0)

    def approach(self, before_m: float, closing: Point, opening_m: float) -> None:
        """Walk until the point lies straight ahead at arm's length, and bring the tips so far before it."""
        tips_m = 0.92  # from the base's axis: the arm half stretched
        x, y = (p - (tips_m + before_m) * s for p, s in zip(self.point[:2], self.sight[:2], strict=True))
        self.motion.follow({"base_x": x, "base_y": y, self.motion.mechanics.closer: self.scope.gripper.angle_for(opening_m)})
        self._closing, self._opening_m, self._base = closing, opening_m, (x, y)
        self.move(-before_m)
        self._still_n = self.motion.push_force(self.sight)

    def move(self, beyond_m: float, speed: float = 1.0, **until: Any) -> bool:
        """Move the tips in a straight line to so far beyond the point; returns whether `until` stopped it."""
        tip = [p + beyond_m * s for p, s in zip(self.point, self.sight, strict=True)]
        pose = self.scope.gripper.pointing(self.sight, (tip[0], tip[1], tip[2]), self._closing, self._opening_m)
        return self.motion.move_hand(pose, speed, **until)

    def walk(self, ahead_m: float, **until: Any) -> bool:
        """Walk straight ahead, or backwards, with the arm held still; returns whether `until` stopped it."""
        x, y = (self.motion.target[name] for name in Mechanics.base_joints[:2])
        base = {"base_x": x + ahead_m * self.sight[0], "base_y": y + ahead_m * self.sight[1]}
        return self.motion.follow(base, speed=0.15, **until)

    def walked_m(self) -> float:
        """Return how far the base has walked since the approach."""
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
        """Walk back a step, then to the station in carry posture."""
        self.walk(-0.12)
        self.scope.travel_m = 0.0  # straight back from here: nothing lies below the hand
        self.scope.carry()
