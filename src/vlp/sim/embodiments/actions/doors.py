"""open and close for a door on a hinge: the hand keeps its direction, and the base carries it along an arc."""

import math
from typing import Any

from vlp.core.observation import Located
from vlp.sim.embodiments.actions.ahead import Ahead
from vlp.sim.embodiments.actions.scope import Scope
from vlp.sim.embodiments.motion import Failed
from vlp.sim.worlds.protocol import Station

BAR_M = 0.345, 0.045
"""Where a door's handle is, along the leaf from its hinge and out before it."""


def open_door(scope: Scope, handle: Located, door: Station) -> dict[str, Any]:
    """Take the handle and pull it along its arc until the door is wide open.

    Raises:
        Failed: "slipped" when the fingers hold nothing, "stuck" when it takes more than 25 N.
    """
    wide_rad, enough_rad = 1.62, 1.45  # of the line from hinge to handle, which stands out from the door
    hand = Ahead(scope, handle.position_in_world)
    arc = _Arc(hand, door)
    if arc.angle_rad > enough_rad:
        return {"angle_rad": round(arc.angle_rad, 3)}
    hand.approach(before_m=0.10, closing=hand.sideways, opening_m=0.07)
    bar_m = min(handle.size_m)
    try:
        hand.take_bar(bar_m, handle.phrase)
        arc = _Arc(hand, door)
        hand.give_way()
        if arc.turn(wide_rad) and arc.angle_rad < enough_rad:
            raise Failed("stuck", f"the {handle.phrase} does not give way.")
        if scope.motion.opening() < 0.5 * bar_m:
            raise Failed("slipped", f"the {handle.phrase} slipped out of the fingers.")
    finally:
        if not scope.motion.stop.is_set():
            hand.let_go()
    return {"angle_rad": round(arc.angle_rad, 3)}


def close_door(scope: Scope, handle: Located, door: Station) -> dict[str, Any]:
    """Push a door shut with the closed fingers: at the side of its handle while it is wide open, then on its front.

    Raises:
        Failed: "stuck" when it takes more than 25 N on the way, "missed" when it never meets resistance.
    """
    hand = Ahead(scope, handle.position_in_world)
    arc = _Arc(hand, door)
    if arc.shows_the_end():
        hand.point = arc.bar()
        arc = _Arc(hand, door)
    half_rad, shut_n = 0.60, 12.0
    beside_m, touching_m, along_m = 0.06, 0.03, 0.012  # to the handle's side and ahead of it
    inwards_m, before_m, free_m = 0.08, 0.05, 0.02  # of the handle, on the front; to the side of it before the hand goes back
    wide = arc.angle_rad > half_rad + 0.1
    hand.point = arc.beside(beside_m if wide else inwards_m, along_m if wide else -before_m)
    try:
        hand.approach(before_m=0.12, closing=hand.sideways, opening_m=0.0)
        stuck = hand.walk(0.12, until=hand.pushes(shut_n))
        if wide and not stuck:
            arc.shift(touching_m - beside_m)
            stuck = arc.turn(half_rad)
            arc.shift(free_m)  # moved straight back, the rubber took the handle with it and pressed it with 800 N
            hand.walk(-along_m - before_m)
            arc.shift(inwards_m - touching_m - free_m)
        if stuck:
            raise Failed("stuck", f"the {handle.phrase} does not give way.")
        shut = hand.walk_to_the_end(0.35, before_m + arc.to_shut_m(inwards_m), 0.15, hand.pushes(shut_n))
    finally:
        if not scope.motion.stop.is_set():
            hand.leave()
    if not shut:
        raise Failed("missed", f"the {handle.phrase} was pushed along its way and met no end.")
    return {"angle_rad": 0.0}


class _Arc:
    """The way of a handle around its hinge, told by the angle of the line between them from the shut door's.

    Args:
        hand: pointing at the handle, square to the front that the door closes.
        door: the place behind it.

    Attributes:
        at_m: where the point is that follows the arc: along the shut door from the hinge, and out before it.
    """

    def __init__(self, hand: Ahead, door: Station) -> None:
        assert door.hinge is not None
        self.hand, self._hinge = hand, door.hinge
        (sx, sy, _) = hand.sideways
        inwards = sx * (door.middle[0] - door.hinge[0]) + sy * (door.middle[1] - door.hinge[1])
        self._side = math.copysign(1.0, inwards)  # to which side of the hinge the shut door reaches
        dx, dy = (p - h for p, h in zip(hand.point[:2], door.hinge, strict=True))
        (hx, hy, _) = hand.heading
        self.at_m = self._side * (sx * dx + sy * dy), -(hx * dx + hy * dy)

    @property
    def angle_rad(self) -> float:
        """The angle now."""
        return math.atan2(self.at_m[1], self.at_m[0])

    def to_shut_m(self, inwards_m: float) -> float:
        """Return how far the door's front is from where it is when shut, so far to the hinge's side of the handle."""
        stands_out_m, radius_m = 0.045, math.hypot(*self.at_m)
        return max(0.0, self.at_m[1] - stands_out_m) * (1 - inwards_m / radius_m)

    def beside(self, aside_m: float, ahead_m: float) -> tuple[float, float, float]:
        """Return a point so far to the hinge's side of the handle, and so far ahead of it."""
        x, y, z = self.hand.point
        (hx, hy, _), (sx, sy, _) = self.hand.heading, self.hand.sideways
        return x + ahead_m * hx - self._side * aside_m * sx, y + ahead_m * hy - self._side * aside_m * sy, z

    def shows_the_end(self) -> bool:
        """Return whether what was seen is the end of the leaf, which is farther from the hinge than its handle."""
        beyond_m = 0.020
        return math.hypot(*self.at_m) > math.hypot(*BAR_M) + beyond_m

    def bar(self) -> tuple[float, float, float]:
        """Return where the handle is of a leaf whose end was seen."""
        angle, radius_m = self.angle_rad + math.atan2(BAR_M[1], BAR_M[0]), math.hypot(*BAR_M)
        aside_m, out_m = radius_m * math.cos(angle) - self.at_m[0], radius_m * math.sin(angle) - self.at_m[1]
        return self.beside(-aside_m, -out_m)

    def shift(self, aside_m: float) -> None:
        """Move the base so far to the hinge's side."""
        motion, (sx, sy, _) = self.hand.motion, self.hand.sideways
        x, y = motion.target["base_x"], motion.target["base_y"]
        motion.follow({"base_x": x - self._side * aside_m * sx, "base_y": y - self._side * aside_m * sy}, speed=0.3)

    def turn(self, end_rad: float) -> bool:
        """Carry the hand along the arc to an angle; returns whether it took too much force before it was there.

        The handle is seen a few millimetres off, and the base is stiff: so the radius follows what pulls the hand to the hinge
        or from it. At 5e-6 m/N a tick the HSR's base swung; at 0.15 rad/s 2e-6 were too few, and a bar seen 5 mm off took 25 N.
        ANYmal needs 6e-6: with 3e-6 a bar seen 10 mm too near took 25 N.
        """
        motion, most_n, rad_s, yields_m_n, smooth = self.hand.motion, 25.0, 0.10, self.hand.scope.yields_m_n, 0.5
        begin, start = self.angle_rad, (motion.target["base_x"], motion.target["base_y"])
        radius_m, first, felt, ticks = math.hypot(*self.at_m), self.at_m, [0.0, 0.0], 0
        (hx, hy, _), (sx, sy, _) = self.hand.heading, self.hand.sideways

        def way(share: float) -> dict[str, float]:
            nonlocal radius_m
            angle = begin + share * (end_rad - begin)
            for i, force in enumerate(self.hand.felt()[:2]):
                felt[i] += smooth * (force - felt[i])
            along, out = self._side * math.cos(angle), math.sin(angle)
            radius_m -= yields_m_n * (felt[0] * (along * sx - out * hx) + felt[1] * (along * sy - out * hy))
            self.at_m = radius_m * math.cos(angle), radius_m * math.sin(angle)
            aside, back = self._side * (self.at_m[0] - first[0]), self.at_m[1] - first[1]
            return {"base_x": start[0] + aside * sx - back * hx, "base_y": start[1] + aside * sy - back * hy}

        def heavy() -> bool:
            nonlocal ticks
            ticks = ticks + 1 if math.hypot(*felt) > most_n else 0
            return ticks >= 3

        return motion.trace(way, abs(end_rad - begin) / rad_s, until=heavy)
