"""move_hand and ready: the hand is moved from outside, a little at a time, under the limits that every motion keeps."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlp.language_actions.hand import as_move, move_hand, ready
from vlp.language_actions.move import Move
from vlp.language_actions.trajectory import rotation
from vlp.primitives.manifest import Primitive
from vlp.sim.embodiments.actions.scope import SIDEWAYS_RAD, Held, Scope
from vlp.sim.embodiments.mechanics import Mechanics
from vlp.sim.embodiments.motion import Failed

HAND_ACTIONS: dict[str, str] = {
    "ready": "vlp.sim.embodiments.actions.hand:hold_out",
    "move_hand": "vlp.sim.embodiments.actions.hand:move",
}
"""The functions that carry them out."""


def hand_primitives() -> list[Primitive]:
    """Return their declarations; turns that a body cannot make fail as unreachable."""
    return [ready(), move_hand()]


def hold_out(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Bring the hand over the near half of what is worked at, pointing down; where it points down already it stays."""
    del arguments
    motion, points_down = scope.motion, -0.5
    if scope.is_home() or motion.reach.hand(motion.target)[2, 2] > points_down:
        if not scope.is_home():
            scope.recover()
        scope.survey()
        (near_m, right_m), (far_m, left_m) = scope.surface.low, scope.surface.high
        tip = (near_m + 0.3 * (far_m - near_m), (right_m + left_m) / 2, scope.travel_m)
        scope.reach_over(tip, SIDEWAYS_RAD, _open_m(scope))
    x, y, z = motion.reach.hand(motion.target)[:3, 3].tolist()
    return {"hand_in_world": [round(x, 4), round(y, 4), round(z, 4)]}


def move(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Move the hand straight by what is asked for, then open or close the gripper; stops where it feels something.

    Raises:
        Failed: "not-ready" in carry posture, in which a straight way leads nowhere; "blocked" where the hand touched something;
            and what `Motion.move_hand` raises.
    """
    if scope.is_home():
        raise Failed("not-ready", "the arm is folded; `ready` holds the hand out.")
    asked, motion = as_move(arguments), scope.motion
    before = motion.reach.hand(motion.target)
    touched = any(asked.numbers.values()) and _go(scope, before, asked)
    way = motion.reach.hand(motion.joints())[:3, 3] - before[:3, 3]
    if touched:
        gone_cm = 100 * float(np.linalg.norm(way))
        stuck = "what it holds is stuck or too heavy, or the hand touches something,"
        what = stuck if scope.memory.held else "the hand touches something"
        raise Failed("blocked", f"{what} after {gone_cm:.1f} cm.")
    if asked.gripper == "close":
        _close(scope)
    elif asked.gripper == "open":
        scope.memory.held = None
        motion.open_to(_open_m(scope))
    dx, dy, dz = (round(float(value), 4) for value in way)
    return {"moved_in_world_m": [dx, dy, dz], "opening_m": round(motion.opening(), 4)}


def _go(scope: Scope, hand: NDArray[np.float64], asked: Move) -> bool:
    """Move the hand; return whether it was stopped by what it felt. What it holds is raised slowly at first: see `grasp`."""
    motion, held = scope.motion, scope.memory.held
    pose, speed = _moved(hand, asked, motion.target[Mechanics.base_joints[2]]), _speed(scope, hand, asked)
    start_n, most_push_n = motion.wrist_force(), 15.0

    def pushes() -> bool:
        return math.dist(motion.wrist_force(), start_n) > most_push_n

    if held is None:
        return motion.move_hand(pose, speed, touch_n=20.0, until=pushes)
    most_n, slow_m, up_m = 0.5 * 9.81 * motion.mechanics.bounds.payload_kg, 0.008, asked.translation_m[2]
    tip_m = float(hand[2, 3] + scope.gripper.tip_reach(motion.opening()) * hand[2, 2])
    if up_m > slow_m and tip_m - held.below_tip_m < scope.floor_m + slow_m:
        first = hand.copy()
        first[2, 3] += slow_m
        if motion.move_hand(first, 0.05, most_n=most_n):
            return True
    return motion.move_hand(pose, 0.5 * speed, touch_n=20.0, most_n=most_n, until=pushes)


def _speed(scope: Scope, hand: NDArray[np.float64], asked: Move) -> float:
    """Return the share of the usual speed at which the base keeps up even where it must turn about the hand.

    A wrist at the end of its range lets the base do the turning, half a metre away: at the usual speed it was driven as fast as
    it goes from one tick to the next, and its servos overshot its limit by 8 %.
    """
    motion, usual = scope.motion, scope.motion.mechanics.solving
    lever_m = math.dist(hand[:2, 3], [motion.target[name] for name in Mechanics.base_joints[:2]])
    way_m, turn_rad = math.hypot(*asked.translation_m), math.hypot(*asked.rotation_rad) + abs(asked.wrist_rad)
    if not turn_rad:
        return 1.0
    usual_s = max(way_m / usual.usual_m_s, turn_rad / usual.usual_rad_s)
    return min(1.0, usual_s * 0.7 * motion.mechanics.bounds.base_m_s / (way_m + lever_m * turn_rad))


def _open_m(scope: Scope) -> float:
    """Return how wide the gripper is opened: what the hand comes down on must not push the fingers apart beyond their limit."""
    return 0.9 * scope.gripper.widest_m


def _moved(hand: NDArray[np.float64], asked: Move, heading_rad: float) -> NDArray[np.float64]:
    """Return the hand's pose after a move along and about the axes of a base that heads like this."""
    base, pose = rotation((0.0, 0.0, heading_rad)), hand.copy()
    pose[:3, 3] += base @ np.array(asked.translation_m)
    wrist = rotation((0.0, 0.0, asked.wrist_rad))  # about the hand's own z, along the fingers
    pose[:3, :3] = base @ rotation(asked.rotation_rad) @ base.T @ hand[:3, :3] @ wrist
    return pose


def _close(scope: Scope) -> None:
    """Close the fingers, and remember what is between them as well as they can tell."""
    opening_m = scope.motion.close()
    if opening_m < scope.gripper.empty_m or not scope.motion.squeezes():
        scope.memory.held = None
        return
    hand = scope.motion.reach.hand(scope.motion.joints())
    tip = hand[:3, 3] + scope.gripper.tip_reach(opening_m) * hand[:3, 2]
    below_m = min(max(0.0, float(tip[2]) - scope.floor_m), 0.10)  # it stands on what is worked at, as far as one knows
    size_m = (max(opening_m, 0.04), opening_m, below_m + scope.gripper.pad_m)
    let_go_m = min(opening_m + 0.02, _open_m(scope))
    taken = float(tip[0]), float(tip[1])
    slant_rad = math.asin(min(1.0, max(-1.0, -float(hand[2, 2]))))
    scope.memory.held = Held("something", size_m, below_m, opening_m, let_go_m, taken, slant_rad=slant_rad)
