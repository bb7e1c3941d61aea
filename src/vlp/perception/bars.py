"""A bar that stands out before a front, as a handle does: nothing bears it, so heights above a support do not find it."""

import math

import numpy as np

from vlp.core.observation import Box, Located, Observation
from vlp.perception.grounder import Detection
from vlp.perception.points import Cloud


def locate_bar(observation: Observation, detection: Detection, scene: Cloud) -> Located | None:
    """Return the bar in a detection's box: of what is seen there, what is nearest along the level direction of sight.

    Args:
        observation: the image that was grounded, with its depth.
        detection: phrase and box.
        scene: the observation's cloud.

    Returns:
        the bar, upright or level and across the direction of sight; None where too little of it has depth.
    """
    points = _points_in(scene, detection.box)
    floor_m, least, thick_m = 0.05, 25, 0.02
    points = points[points[:, 2] > floor_m]
    if len(points) < least:
        return None
    sight = scene.rays[scene.rays.shape[0] // 2, scene.rays.shape[1] // 2, :2]
    ahead = sight / np.linalg.norm(sight)
    along = points[:, :2] @ ahead
    near_m = float(np.quantile(along, 0.02))
    bar = points[along < near_m + thick_m]
    sides, heights = (np.quantile(values, [0.02, 0.98]) for values in (bar[:, :2] @ (-ahead[1], ahead[0]), bar[:, 2]))
    wide_m, high_m = float(sides[1] - sides[0]), float(heights[1] - heights[0])
    round_m, level = min(wide_m, high_m), wide_m > high_m
    x, y = (near_m + round_m / 2) * ahead + sides.mean() * np.array((-ahead[1], ahead[0]))
    yaw = math.remainder(math.atan2(ahead[0], -ahead[1]), math.pi)
    return Located(
        phrase=detection.phrase,
        box=detection.box,
        position_in_world=(float(x), float(y), float(heights.mean())),
        size_m=(wide_m, round_m, round_m) if level else (round_m, round_m, high_m),
        yaw_rad=yaw if level else 0.0,
        score=detection.score,
        stamp_s=observation.stamp_s,
    )


def _points_in(scene: Cloud, box: Box) -> np.ndarray:
    x1, y1, x2, y2 = (round(side) for side in box)
    mask = np.zeros_like(scene.valid)
    mask[max(y1, 0) : y2, max(x1, 0) : x2] = True
    return scene.points(mask)
