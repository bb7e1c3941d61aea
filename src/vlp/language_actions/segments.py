"""A trajectory in parts: subtasks between events, and in each the stretches in which the hand goes one way."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from vlp.core.observation import Array
from vlp.language_actions.move import Gripper
from vlp.language_actions.plans import plan_sentence, subtask_sentence
from vlp.language_actions.trajectory import HandPose, gripper_events, moves_along


@dataclass(frozen=True)
class Stretch:
    """Poses between which the hand goes one way.

    Args:
        first, last: numbers of poses; the next stretch begins where this one ends.
        plan: the motion in words, e.g. "move down and slightly right".
    """

    first: int
    last: int
    plan: str


@dataclass(frozen=True)
class SubtaskPart:
    """Poses in which one subtask is done.

    Args:
        sentence: e.g. "grasp the lid".
        stretches: at least one, without gaps.
    """

    sentence: str
    stretches: tuple[Stretch, ...]

    @property
    def first(self) -> int:
        """The pose at which it begins."""
        return self.stretches[0].first

    @property
    def last(self) -> int:
        """The pose at which it is done."""
        return self.stretches[-1].last


def parts_of(poses: Sequence[HandPose], thing: str = "", corner_m: float = 0.015, least_m: float = 0.005) -> list[SubtaskPart]:
    """Return the subtasks of an episode: those that it names, else from one event to the next, named by rules.

    Args:
        poses: at least two.
        thing: what it is about, e.g. "red cube"; "" says "object".
        corner_m: a way that strays less from a straight line is one stretch.
        least_m: displacements below are no motion.
    """
    grips = gripper_events(poses)
    parts: list[SubtaskPart] = []
    for first, last in pairwise(_cuts(poses, grips)):
        sentence = poses[last - 1].subtask or subtask_sentence(
            grips.get(last, "keep"), _told_before(grips, first), poses[first].contact, poses[last].contact, thing
        )
        positions = np.array([pose.position_m for pose in poses[first : last + 1]])
        turns = {first + i for i in _corners(positions, corner_m)} | {i for i in grips if first < i < last}
        parts.append(SubtaskPart(sentence, tuple(_joined(poses, grips, sorted(turns), least_m))))
    return parts


def _cuts(poses: Sequence[HandPose], grips: dict[int, Gripper]) -> list[int]:
    """Return the poses at which another subtask begins, ends included: where the gripper or a contact changes.

    Where an episode names its subtasks, they alone count: a grasp in the midst of "pick up the cube" does not end it.
    """
    ends, changes = {0, len(poses) - 1}, range(1, len(poses))
    if any(pose.subtask for pose in poses):
        return sorted(ends | {i for i in changes if poses[i].subtask != poses[i - 1].subtask})
    touches = {i for i in changes if poses[i].contact != poses[i - 1].contact}
    # A grasp touches, and a release lets go: the gripper's own event stands for both.
    return sorted(ends | set(grips) | {i for i in touches if not any(abs(i - event) <= 5 for event in grips)})


def _told_before(grips: dict[int, Gripper], pose: int) -> Gripper:
    """Return what the gripper was told last, up to a pose."""
    last = max((i for i in grips if i <= pose), default=-1)
    return grips.get(last, "keep")


def _corners(positions: Array, tolerance_m: float) -> list[int]:
    """Return where a way turns (Ramer, Douglas and Peucker), its ends included."""
    kept, open_ = {0, len(positions) - 1}, [(0, len(positions) - 1)]
    while open_:
        first, last = open_.pop()
        if last - first < 2:
            continue
        line, inner = positions[last] - positions[first], positions[first + 1 : last] - positions[first]
        along = inner @ line / max(float(line @ line), 1e-12)
        off = np.linalg.norm(inner - np.clip(along, 0.0, 1.0)[:, None] * line, axis=1)
        if off.max() > tolerance_m:
            middle = first + 1 + int(off.argmax())
            kept.add(middle)
            open_ += [(first, middle), (middle, last)]
    return sorted(kept)


def _joined(poses: Sequence[HandPose], grips: dict[int, Gripper], corners: list[int], least_m: float) -> list[Stretch]:
    """Return stretches between corners; neighbours of one plan become one, and a hand that stays has none of its own."""
    found: list[Stretch] = []
    for first, last in pairwise(corners):
        gone = np.subtract(poses[last].position_m, poses[first].position_m)
        if found and found[-1].last not in grips and np.abs(gone).max() < least_m:
            first = found.pop().first
        plan = plan_sentence(moves_along(poses[first : last + 1], {}), grips.get(last, "keep"), least_m)
        if found and found[-1].plan == plan:
            first = found.pop().first
        found.append(Stretch(first, last, plan))
    return found
