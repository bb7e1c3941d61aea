"""locate_person: where somebody is who is told by name or by looks."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vlp.core.observation import Located
from vlp.perception.grounder import Detection
from vlp.perception.points import Cloud
from vlp.primitives.manifest import Argument, Primitive


def meeting() -> Primitive:
    """Return the perception that finds a person."""
    who = Argument(
        "person", "phrase", 'A name or looks, e.g. "Jane", "person waving", "person sitting", "person in red shirt".'
    )
    doc = "Find one person in the camera image, and their place from depth; fails if not in view."
    return Primitive("locate_person", "perception", doc, (who,), result="object", timeout_s=30.0)


def locate_person(scene: Cloud, detection: Detection, stamp_s: float) -> Located | None:
    """Return where a person stands, sits or lies, None where depth shows nothing.

    The middle is that of the trunk; yaw is where the front faces, towards the camera where the grounder does not know.

    Args:
        scene: the points of the image that was grounded.
        detection: with the person's box.
        stamp_s: the image's time.
    """
    x1, y1, x2, y2 = (int(side) for side in detection.box)
    within = np.zeros_like(scene.valid)
    within[y1:y2, x1:x2] = True
    upper = within.copy()
    whole_in_view = y2 < len(within) - 1
    if whole_in_view:  # else its upper half is but the head of somebody near
        upper[(y1 + y2) // 2 :] = False
    body, least, half_depth_m = scene.points(upper), 12, 0.10
    if len(body) < least:
        return None
    pixel = float(np.linalg.norm(scene.rays[0, 1] - scene.rays[0, 0]))
    whole = scene.points(within)
    area_m2, column = (pixel * scene.depth_m[upper & scene.valid]) ** 2, np.nonzero(upper & scene.valid)[1]
    below = within & ~upper & scene.valid
    legs, under = scene.points(below)[:, :2], np.nonzero(below)[1]

    def stands(trunk: NDArray[np.int64]) -> bool:
        """Return whether what is in view below a trunk is about where it is itself: legs, or what somebody sits on."""
        near_m, least = 0.45, 0.3  # of what is below it, as a share
        there = np.isin(under, column[trunk])
        away_m = np.linalg.norm(legs[there] - np.median(body[trunk, :2], axis=0), axis=1)
        return not there.any() or bool((away_m < near_m).mean() > least)

    body = body[_trunk(body[:, :2], scene.eye[:2], area_m2, stands)]
    whole = whole[np.linalg.norm(whole[:, :2] - np.median(body[:, :2], axis=0), axis=1) < 0.7]
    x, y = np.median(body[:, :2], axis=0)
    ahead = math.atan2(y - scene.eye[1], x - scene.eye[0])
    x, y = x + half_depth_m * math.cos(ahead), y + half_depth_m * math.sin(ahead)
    facing = detection.facing_rad if detection.facing_rad is not None else math.remainder(ahead + math.pi, 2 * math.pi)
    low_m, high_m = (float(v) for v in np.quantile(whole[:, 2], (0.02, 0.98)))
    across = body[:, :2] @ np.array([-math.sin(ahead), math.cos(ahead)])
    wide_m = float(np.quantile(across, 0.98) - np.quantile(across, 0.02))
    return Located(
        phrase=detection.phrase,
        box=detection.box,
        position_in_world=(float(x), float(y), (low_m + high_m) / 2),
        size_m=(wide_m, 2 * half_depth_m, high_m),
        yaw_rad=facing,
        score=detection.score,
        stamp_s=stamp_s,
    )


def _trunk(
    points: NDArray[np.float64],
    eye: NDArray[np.float64],
    area_m2: NDArray[np.float64],
    stands: Callable[[NDArray[np.int64]], bool],
) -> NDArray[np.int64]:
    """Return the points of a box that belong to a person's trunk: beside a raised arm, or one that points, most of it is wall.

    The search begins with the nearest points of which there is so much that it is a person, and goes to where most is in view
    around it (mean shift): an arm that is held out is nearer. What nothing stands below is passed over: an arm that points,
    with the shade of a lamp behind it.

    Args:
        points: (n, 2) on the floor.
        eye: the camera's place.
        area_m2: what a pixel covers at each point.
        stands: tells whether something stands below some of the points.
    """
    least_m2, least = 0.03, 0.12  # more than what somebody may hold before them, and than a pole; a share of the points
    most = 0.5  # share of the points that need be no area: a face close by
    deep_m, around_m = 0.35, 0.30
    away = np.linalg.norm(points - eye, axis=1)
    order, first = np.argsort(away), np.zeros(0, dtype=np.int64)
    while len(order):
        ordered, seen_m2 = away[order], np.concatenate([[0.0], np.cumsum(area_m2[order])])
        end = np.searchsorted(ordered, ordered + deep_m)
        area, number = seen_m2[end] - seen_m2[:-1], end - np.arange(len(end))
        enough = (area >= least_m2) & (number >= least * len(away)) | (number >= min(most * len(away), number.max()))
        begin = int(np.argmax(enough))
        trunk = order[begin : end[begin]]
        for _ in range(4):
            middle = np.average(points[trunk], axis=0, weights=area_m2[trunk])
            trunk = np.flatnonzero(np.linalg.norm(points - middle, axis=1) < around_m)
        first = first if len(first) else trunk
        if stands(trunk):
            return trunk
        order = order[~np.isin(order, [*trunk, order[begin]])]
    return first
