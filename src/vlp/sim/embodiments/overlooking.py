"""How far before a surface a robot stands to see all of it."""

import math

from vlp.core.observation import Intrinsics
from vlp.sim.worlds.protocol import Pose2, Station


def front_of(place: Station) -> tuple[float, float]:
    """Return how far ahead of its stand a place begins, and half its width across, in metres."""
    x, y, yaw = place.stand
    c, s = math.cos(yaw), math.sin(yaw)
    corners = [(px - x, py - y) for px in (place.low[0], place.high[0]) for py in (place.low[1], place.high[1])]
    across = [c * dy - s * dx for dx, dy in corners]
    return min(c * dx + s * dy for dx, dy in corners), (max(across) - min(across)) / 2


def moved_back(stand: Pose2, back_m: float) -> Pose2:
    """Return a stand so much farther back."""
    x, y, yaw = stand
    return x - math.cos(yaw) * back_m, y - math.sin(yaw) * back_m, yaw


def seen_from_m(half_m: float, below_m: float, intrinsics: Intrinsics) -> float:
    """Return the level distance at which a camera sees an edge across its whole width.

    Args:
        half_m: half of the width.
        below_m: how far the edge is below the camera, which looks nearly at it.
        intrinsics: of the camera.
    """
    spare = 1.03  # the axis does not go right through the edge
    range_m = spare * half_m * intrinsics.fx / (intrinsics.width / 2)
    return math.sqrt(max(0.0, range_m**2 - below_m**2))
