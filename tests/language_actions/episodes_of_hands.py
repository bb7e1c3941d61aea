"""Episodes made by hand: a way given by its corners, walked at a steady speed, with a gripper that closes and opens."""

import itertools
from collections.abc import Sequence

import numpy as np

from vlp.language_actions.trajectory import HandPose


def walked(corners: Sequence[tuple[float, float, float]], step_m: float = 0.01, noise_m: float = 0.0) -> list[HandPose]:
    """Return poses along straight lines, ten a second, the gripper open."""
    rng = np.random.default_rng(0)
    places = [np.array(corners[0])]
    for begin, end in itertools.pairwise(corners):
        way = np.subtract(end, begin)
        count = max(1, round(float(np.linalg.norm(way)) / step_m))
        places += [np.array(begin) + way * i / count for i in range(1, count + 1)]
    shaken = [place + rng.normal(0, noise_m, 3) if 0 < i < len(places) - 1 else place for i, place in enumerate(places)]
    return [HandPose(i / 10, (float(x), float(y), float(z)), opening_m=0.08) for i, (x, y, z) in enumerate(shaken)]


def gripped(poses: Sequence[HandPose], opening_m: float) -> list[HandPose]:
    """Return the last pose of others, over and over, while the gripper moves from its opening to another."""
    last = poses[-1]
    begin = last.opening_m or 0.0
    return [HandPose(last.time_s + i / 10, last.position_m, opening_m=begin + (opening_m - begin) * i / 5) for i in range(1, 6)]


def onwards(poses: list[HandPose], corners: Sequence[tuple[float, float, float]]) -> list[HandPose]:
    """Return poses and a way that begins where they end, with the gripper as it is."""
    last = poses[-1]
    more = walked([last.position_m, *corners])[1:]
    return poses + [HandPose(last.time_s + p.time_s, p.position_m, opening_m=last.opening_m) for p in more]


def pick_and_place() -> list[HandPose]:
    """Return: forward, down, close; up, left, down, open; up."""
    poses = walked([(0.3, 0.0, 0.3), (0.5, 0.0, 0.3), (0.5, 0.0, 0.1)])
    poses += gripped(poses, 0.03)
    poses = onwards(poses, [(0.5, 0.0, 0.25), (0.5, 0.2, 0.25), (0.5, 0.2, 0.12)])
    poses += gripped(poses, 0.08)
    return onwards(poses, [(0.5, 0.2, 0.3)])
