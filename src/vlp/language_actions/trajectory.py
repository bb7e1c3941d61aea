"""A hand's way through an episode, and the relative moves that it is made of."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from vlp.core.errors import UsageError
from vlp.core.observation import Array
from vlp.language_actions.move import Gripper, Move, Three, axes
from vlp.language_actions.space import MoveSpace


@dataclass(frozen=True)
class HandPose:
    """Where a hand is at one moment.

    Args:
        time_s: since the episode began.
        position_m: x, y, z in the frame of the trajectory.
        rotation_rad: roll, pitch, yaw, one after the other about the frame's axes.
        opening_m: between the finger tips, or any number that grows as the gripper opens; None without a gripper.
        contact: whether the hand, or what it holds, touches something.
        subtask: what is being done, where the episode says so; "" where it does not.
    """

    time_s: float
    position_m: Three
    rotation_rad: Three = (0.0, 0.0, 0.0)
    opening_m: float | None = None
    contact: bool = False
    subtask: str = ""


def gripper_events(poses: Sequence[HandPose], least: float = 0.01) -> dict[int, Gripper]:
    """Return at which poses the gripper has opened or closed: where it passes the middle of its range in this episode.

    Args:
        poses: of an episode.
        least: openings that differ by less are one and the same, in the unit of `opening_m`.
    """
    openings = [pose.opening_m for pose in poses if pose.opening_m is not None]
    if len(openings) < len(poses) or not openings or max(openings) - min(openings) < least:
        return {}
    low, span = min(openings), max(openings) - min(openings)
    events: dict[int, Gripper] = {}
    is_open = openings[0] > low + span / 2
    for i, opening in enumerate(openings):
        # Two thresholds: fingers that tremble about the middle tell nothing.
        if is_open and opening < low + 0.4 * span:
            events[i], is_open = "close", False
        elif not is_open and opening > low + 0.6 * span:
            events[i], is_open = "open", True
    return events


def moves_along(poses: Sequence[HandPose], events: dict[int, Gripper] | None = None) -> list[Move]:
    """Return the moves from each pose to the next one; a gripper's event belongs to the move that ends there.

    Args:
        poses: at least two.
        events: what `gripper_events` found; None looks for them.

    Raises:
        UsageError: fewer than two poses, or a number that is none.
    """
    if len(poses) < 2:
        raise UsageError(f"a trajectory of {len(poses)} poses has no moves.", "Give at least two.")
    wrong = next((i for i, p in enumerate(poses) if not np.isfinite([*p.position_m, *p.rotation_rad]).all()), None)
    if wrong is not None:
        raise UsageError(f"pose {wrong} of the trajectory is not finite: {poses[wrong].position_m}.", "Leave the episode out.")
    told = gripper_events(poses) if events is None else events
    found: list[Move] = []
    for i, (before, after) in enumerate(pairwise(poses), 1):
        x, y, z = (b - a for a, b in zip(before.position_m, after.position_m, strict=True))
        turn = (0.0, 0.0, 0.0)
        if before.rotation_rad != after.rotation_rad:
            turn = _angles(rotation(after.rotation_rad) @ rotation(before.rotation_rad).T)
        found.append(Move((x, y, z), turn, gripper=told.get(i, "keep")))
    return found


def paced(poses: Sequence[HandPose], rate_hz: float) -> list[int]:
    """Return the numbers of poses that are so far apart in time at least, the first and the last among them.

    Args:
        poses: of an episode, their times ascending.
        rate_hz: how many of them a second; those of a slower episode are all taken.
    """
    taken: list[int] = []
    for i, pose in enumerate(poses):
        if not taken or pose.time_s - poses[taken[-1]].time_s >= 1 / rate_hz - 1e-6:
            taken.append(i)
    return taken if not taken or taken[-1] == len(poses) - 1 else [*taken, len(poses) - 1]


def divided(moves: Sequence[Move], space: MoveSpace) -> list[Move]:
    """Return moves of which none goes farther than a space allows: those that do are made in equal parts.

    Raises:
        UsageError: a move along an axis that the space does not write.
    """
    found: list[Move] = []
    for move in moves:
        parts = 1
        for name, value in move.numbers.items():
            most = axes()[name].in_si(space.most.get(name, 0))
            if value and not most:
                raise UsageError(f"a move along {name}, which this space does not write.", f"Give {name} a bound.")
            parts = max(parts, math.ceil(abs(value) / most - 1e-9) if most else 1)
        part = Move.of({name: value / parts for name, value in move.numbers.items()})
        found += [*[part] * (parts - 1), replace(part, gripper=move.gripper)]
    return found


def rotation(rotation_rad: Three) -> Array:
    """Return the rotation matrix of roll, pitch and yaw about fixed axes."""
    (cr, cp, cy), (sr, sp, sy) = np.cos(rotation_rad), np.sin(rotation_rad)
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def _angles(matrix: Array) -> Three:
    """Return roll, pitch and yaw of a rotation matrix."""
    pitch = math.asin(max(-1.0, min(1.0, -float(matrix[2, 0]))))
    roll, yaw = math.atan2(matrix[2, 1], matrix[2, 2]), math.atan2(matrix[1, 0], matrix[0, 0])
    return roll, pitch, yaw
