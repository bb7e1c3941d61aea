"""Where to put things down: free spots on the table by relation, and places inside containers, from the height map."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vlp.core.located import Located
from vlp.sim.actions.scope import kind_of
from vlp.sim.heightmap import CELL_M, HeightMap
from vlp.sim.motion import Failed

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
ZONE_X_M, ZONE_Y_M = (0.38, 0.77), (-0.38, 0.38)
"""Where the middle of a thing may be put on the table: in reach and in view."""
MIDDLE_M = (0.56, 0.0)
NEXT_M = 0.045
"""Gap left to the thing that something is put beside."""
EDGE_M = 0.01


@dataclass(frozen=True)
class Wish:
    """How choosy a search is; searches go down the list until one finds a spot.

    Args:
        gap_m: room wanted around what is put down.
        near: whether the spot must lie straight in the direction of the relation, close to the target.
        seen: whether the spot must be in view; what hides behind tall things is seldom occupied.
    """

    gap_m: float
    near: bool
    seen: bool


WISHES = (
    Wish(0.040, near=True, seen=True),
    Wish(0.028, near=True, seen=True),
    Wish(0.028, near=False, seen=True),
    Wish(0.028, near=True, seen=False),
    Wish(0.015, near=False, seen=True),
    Wish(0.015, near=False, seen=False),
)


@dataclass(frozen=True)
class Side:
    """A direction seen from the station: axis (0 is x, 1 is y) and sign."""

    axis: int
    sign: float


SIDES = {"left_of": Side(1, 1.0), "right_of": Side(1, -1.0), "behind": Side(0, 1.0), "in_front_of": Side(0, -1.0)}


def beside_spot(heights: HeightMap, relation: str, target: Located, radius_m: float) -> tuple[float, float]:
    """Return x, y of a free spot in a relation to a thing on the table.

    Args:
        heights: the table as it is now.
        relation: next_to, left_of, right_of, behind or in_front_of.
        target: the thing.
        radius_m: half the diagonal of what is put down.

    Raises:
        Failed: "no-room".
    """
    at = np.array(target.position_in_world[:2])
    own = math.hypot(*target.size_m[:2]) / 2
    ideal_m = own + radius_m + NEXT_M
    offset = heights.centres() - at
    distance = np.hypot(offset[..., 0], offset[..., 1])
    if relation == "next_to":
        near, far = distance < ideal_m + 0.03, distance < max(target.size_m[:2]) / 2 + radius_m + 0.09
        cost = np.abs(distance - ideal_m)
    else:
        side = SIDES[relation]
        along, across = side.sign * offset[..., side.axis], np.abs(offset[..., 1 - side.axis])
        # Within 45 degrees of the direction, else people would not call it so.
        near, far = (along > 0.05) & (across < 0.5 * along), (along > 0.05) & (across < 0.85 * along)
        cost = np.abs(along - ideal_m) + 0.7 * across
    failure = f"no free spot {relation.replace('_', ' ')} the {target.phrase}"
    return _best(heights, near, far, cost, radius_m, failure)


def free_spot(heights: HeightMap, radius_m: float, taken_from: tuple[float, float]) -> tuple[float, float]:
    """Return x, y of a free spot near the table's middle, away from where the thing was: that place may be wanted.

    Raises:
        Failed: "no-room".
    """
    centres = heights.centres()
    cost = np.hypot(*np.moveaxis(centres - MIDDLE_M, -1, 0))
    away = np.hypot(*np.moveaxis(centres - taken_from, -1, 0)) > 2 * radius_m + 0.08
    return _best(heights, away, np.ones_like(away), cost, radius_m, "no free spot on the table")


def _best(heights: HeightMap, near: Mask, far: Mask, cost: Array, radius_m: float, failure: str) -> tuple[float, float]:
    centres = heights.centres()
    x, y = centres[..., 0], centres[..., 1]
    high = np.array(heights.low) + np.array(heights.heights.shape) * CELL_M
    edge = np.minimum.reduce([x - heights.low[0], high[0] - x, y - heights.low[1], high[1] - y]) - EDGE_M
    zone = (x > ZONE_X_M[0]) & (x < ZONE_X_M[1]) & (y > ZONE_Y_M[0]) & (y < ZONE_Y_M[1]) & (edge > radius_m)
    room = {seen: heights.clearance(seen=seen) for seen in (True, False)}
    for wish in WISHES:
        fits = (near if wish.near else far) & zone & (room[wish.seen] > radius_m + wish.gap_m)
        if fits.any():
            i, j = np.unravel_index(np.argmin(np.where(fits, cost, np.inf)), cost.shape)
            return float(x[i, j]), float(y[i, j])
    raise Failed("no-room", f"{failure}.")


@dataclass(frozen=True)
class Inside:
    """Where a container takes things: the share of its half extents, and its floor's height above its bottom."""

    share: float
    round: bool
    floor_m: float


INSIDES = {
    "bowl": Inside(0.66, True, 0.008),
    "plate": Inside(0.72, True, 0.007),
    "tray": Inside(0.90, False, 0.009),
    "box": Inside(0.90, False, 0.006),
}


ROOM_M = 0.01
"""Room that is liked around what is put on a tray beside other things."""
FINGERS_M, FINGERS_HALF_WIDE_M = 0.035, 0.015
"""How far the opening fingers reach beyond what they hold, and half their own width."""


def inner_spot(
    heights: HeightMap,
    target: Located,
    half_long_m: float,
    half_wide_m: float,
    bottom_m: float,
    fingers: tuple[float, float] = (0.0, 0.0),
    tip_m: float = math.inf,
) -> tuple[float, float, float, float]:
    """Return cost, x, y and height of the floor at the best place in a container.

    That is its middle; in a box half-way to a corner, since two things of which one stands in the middle seldom fit; and
    wherever there is most room when something is there already.

    Args:
        heights: the table as it is now.
        target: the container.
        half_long_m, half_wide_m: half extents of what is put in, along the container's length and width.
        bottom_m: height of the container's bottom.
        fingers: half extents of the open fingers around it, likewise.
        tip_m: height of the finger tips above the floor; what is higher is in their way.
    """
    inside = INSIDES.get(kind_of(target.phrase), INSIDES["tray"])
    half_x = max(0.0, target.size_m[0] / 2 * inside.share - half_long_m)
    half_y = max(0.0, target.size_m[1] / 2 * inside.share - half_wide_m)
    c, s = math.cos(target.yaw_rad), math.sin(target.yaw_rad)
    floor = bottom_m + inside.floor_m
    walled = inside.round or kind_of(target.phrase) == "box"
    u0, v0 = (half_x / 2, half_y / 2) if kind_of(target.phrase) == "box" else (0.0, 0.0)
    best: tuple[float, float, float, float] | None = None
    for u in np.linspace(-half_x, half_x, 7) if half_x > 0.004 else (0.0,):
        for v in np.linspace(-half_y, half_y, 7) if half_y > 0.004 else (0.0,):
            if inside.round and (u / max(half_x, 1e-6)) ** 2 + (v / max(half_y, 1e-6)) ** 2 > 1.01:
                continue
            x, y = target.position_in_world[0] + c * u - s * v, target.position_in_world[1] + s * u + c * v
            top = heights.highest_within(
                x, y, max(0.01, half_long_m - 0.004), max(0.01, half_wide_m - 0.004), target.yaw_rad
            )
            filled = max(0.0, top - floor - 0.02)
            around = heights.highest_within(x, y, half_long_m + ROOM_M, half_wide_m + ROOM_M, target.yaw_rad)
            crowded = 0.0 if walled else max(0.0, around - floor - 0.02)
            aside = heights.highest_within(x, y, *fingers, target.yaw_rad) if any(fingers) else floor
            cost = 100 * filled + crowded + 20 * max(0.0, aside - floor - tip_m) + math.hypot(u - u0, v - v0)
            if best is None or cost < best[0]:
                best = (cost, x, y, floor if filled == 0 else top)
    assert best is not None
    return best
