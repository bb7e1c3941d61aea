"""Grasp and place from the front: in under a board, past a drawer's wall, or at the side of what is tall."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlp.core.observation import Located
from vlp.sim.embodiments.actions.ahead import Ahead
from vlp.sim.embodiments.actions.approach import Approach, Room
from vlp.sim.embodiments.actions.scope import Held, Scope, is_open_vessel
from vlp.sim.embodiments.motion import Failed

Mask = NDArray[np.bool_]
TOUCH_N = 15.0
"""What the hand may push with on its way in before something must be in it."""


def grasp_ahead(scope: Scope, target: Located, way: Approach) -> dict[str, Any]:
    """Take hold of a thing, located in the frame, on a way from the front, and carry it back."""
    motion, gripper = scope.motion, scope.gripper
    hand = _hand(scope, way.tip, way.heading_rad, way.slant_rad, way.steep)
    bottom = target.position_in_world[2] - target.size_m[2] / 2
    if abs(bottom - scope.floor_m) < 0.02 or scope.surface.headroom_m < math.inf:
        # Under a board everything stands on its floor. A carton of which the lower part was out of view hung 7 cm lower than
        # believed, and was pressed against the edge of the next furniture.
        bottom = scope.floor_m
    hand.approach(way.before_m, hand.sideways, way.opening_m)
    try:
        met = hand.pushes(TOUCH_N)
        if hand.move(0.0, until=met) if way.steep else hand.walk(way.before_m, until=met):
            raise Failed("blocked", f"the hand touches something before the {target.phrase}.")
        found = motion.close()
        if found < gripper.empty_m:
            raise Failed("slipped", f"the fingers closed on nothing where the {target.phrase} should be.")
        x, y, _ = target.position_in_world
        closing = way.heading_rad - math.pi / 2
        scope.memory.held = Held(
            target.phrase, target.size_m, max(0.0, way.tip[2] - bottom), found, min(found + 0.02, gripper.widest_m),
            scope.in_world(x, y), target.yaw_rad - closing, way.slant_rad,
        )  # fmt: skip
        _rise(scope, hand, bottom + target.size_m[2], way.steep)
    except Failed:
        if scope.memory.held is None:
            motion.open_to(max(motion.opening(), way.opening_m))
        _out(hand, way.before_m, way.steep)
        hand.leave()
        raise
    _out(hand, way.before_m, way.steep)
    hand.leave()
    if motion.opening() < gripper.empty_m or not motion.squeezes():
        scope.memory.held = None
        raise Failed("slipped", f"the {target.phrase} slipped out of the fingers.")
    return {"opening_m": round(found, 4), "heading_rad": round(way.heading_rad, 3), "tip_m": round(way.tip[2], 4)}


def put_ahead(scope: Scope, held: Held, choose: Callable[[Mask], tuple[float, float, float]]) -> dict[str, Any]:
    """Put down what is held at a spot of the place where the robot stands, coming from the front.

    Args:
        scope: the robot in the midst of an action.
        held: what is in the hand.
        choose: takes the cells (of the height map) that the hand can come to, and returns x, y and the height there.
    """
    motion, room = scope.motion, Room()
    heights = scope.survey()
    slant, low_m = _slant(scope, held)
    wide = max(scope.gripper.knuckle_reach(held.let_go_m), max(held.size_m[:2]) / 2) + 0.01
    x, y, floor_m = choose(heights.way_in(wide) < scope.floor_m + 0.025)
    tip = x, y, floor_m + max(low_m, 0.0 if held.from_above else room.below_m)
    hand, over_m = _hand(scope, tip, 0.0, slant), 0.03
    before_m = x - scope.surface.low[0] + room.before_m + max(held.size_m[:2]) / 2
    hand.point = hand.point[0], hand.point[1], hand.point[2] + over_m
    hand.approach(before_m, hand.sideways, held.opening_m)
    try:
        if hand.walk(before_m, until=hand.pushes(TOUCH_N)):
            raise Failed("blocked", "the hand touches something before it is where it should let go.")
        touched = hand.rise(-over_m - 0.012, speed=0.16, touch_n=4.0)
        motion.open_to(held.let_go_m)
        motion.wait(0.2)
        scope.memory.held = None
    finally:
        if not motion.stop.is_set():
            hand.walk(-hand.walked_m())
            hand.leave()
    x, y = scope.in_world(x, y)
    return {"x_m": round(x, 3), "y_m": round(y, 3), "touched": touched}


def _hand(scope: Scope, tip: tuple[float, float, float], heading: float, slant: float, steep: bool = False) -> Ahead:
    """Return the hand that points at a point of the frame."""
    return Ahead(scope, (*scope.in_world(*tip[:2]), tip[2]), heading + scope.frame[2], slant, steep)


def _out(hand: Ahead, before_m: float, steep: bool) -> None:
    """Back out of where the hand came in."""
    if steep:
        hand.move(-before_m)
    else:
        hand.walk(-hand.walked_m())


def _rise(scope: Scope, hand: Ahead, top_m: float, steep: bool) -> None:
    """Raise what is held off what it stands on, slowly at first; put it back where it is too heavy.

    A steep hand, which may be under an edge, goes back along its own direction.
    """
    ceiling_m = scope.surface.floor_m + scope.surface.headroom_m
    up_m = min(0.03, max(0.01, ceiling_m - top_m - 0.01))
    most_n = 0.5 * 9.81 * scope.motion.mechanics.bounds.payload_kg
    slow, fast = {"speed": 0.05, "most_n": most_n}, {"speed": 0.25, "most_n": most_n}
    if steep:
        stuck = hand.move(-0.008, **slow) or hand.move(-0.03, **fast)
    else:
        stuck = hand.rise(0.008, **slow) or hand.rise(up_m - 0.008, **fast)
    if stuck:
        hand.rise(-0.008, speed=0.25)
        scope.motion.open_to(scope.memory.held.let_go_m if scope.memory.held else scope.gripper.widest_m)
        scope.memory.held = None
        raise Failed("too-heavy", "it is stuck, or heavier than the arm may carry.")
    if scope.motion.opening() < scope.gripper.empty_m:
        scope.memory.held = None
        raise Failed("slipped", "it slipped out of the fingers when they rose.")


def _slant(scope: Scope, held: Held) -> tuple[float, float]:
    """Return how far below level the hand points where it puts down, and how far below the tips the thing reaches then.

    What was taken from above is put down upright where there is room, else leaning as far as it still falls upright, else laid
    down; a vessel that may be full is not.

    Raises:
        Failed: "unreachable" where there is no room.
    """
    if not held.from_above:
        return held.slant_rad, held.below_tip_m
    height, deep = held.size_m[2], max(held.size_m[:2]) / 2
    steepest, wrist_m, over_m = 85, 0.045, 0.04
    falls_upright_rad = math.atan(0.85 * min(held.size_m[:2]) / height)
    most_rad = falls_upright_rad if is_open_vessel(held.phrase) else math.radians(75)
    for slant in (math.radians(degrees) for degrees in range(steepest, 14, -1)):
        lean = math.pi / 2 - slant
        low_m = held.below_tip_m * math.cos(lean) + deep * math.sin(lean)
        room_m = low_m + (scope.hand_m - wrist_m) * math.sin(slant) + wrist_m + over_m
        if lean < most_rad and room_m < scope.surface.headroom_m:
            return slant, low_m
    raise Failed("unreachable", f"under the board there is no room to put down the {held.phrase}, which was taken from above.")
