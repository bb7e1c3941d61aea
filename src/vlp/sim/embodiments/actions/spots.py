"""Where to put things down: free spots on the table by relation, and places inside containers, from the height map."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from vlp.core.observation import Located
from vlp.sim.embodiments.actions.scope import kind_of
from vlp.sim.embodiments.motion import Failed
from vlp.sim.heightmap import CELL_M, HeightMap

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


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


@dataclass(frozen=True)
class Side:
    """A direction seen from the station: axis (0 is x, 1 is y) and sign."""

    axis: int
    sign: float


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
    ideal_m = own + radius_m + 0.045  # the gap left between them
    offset = heights.centres() - at
    distance = np.hypot(offset[..., 0], offset[..., 1])
    if relation == "next_to":
        near, far = distance < ideal_m + 0.03, distance < max(target.size_m[:2]) / 2 + radius_m + 0.09
        cost = np.abs(distance - ideal_m)
    else:
        sides = {"left_of": Side(1, 1.0), "right_of": Side(1, -1.0), "behind": Side(0, 1.0), "in_front_of": Side(0, -1.0)}
        side = sides[relation]
        along, across = side.sign * offset[..., side.axis], np.abs(offset[..., 1 - side.axis])
        # Within 45 degrees of the direction, else people would not call it so.
        near, far = (along > 0.05) & (across < 0.5 * along), (along > 0.05) & (across < 0.85 * along)
        cost = np.abs(along - ideal_m) + 0.7 * across
    failure = f"no free spot {relation.replace('_', ' ')} the {target.phrase}"
    return _best(heights, near, far, cost, radius_m, failure)


def free_spot(
    heights: HeightMap, radius_m: float, taken_from: tuple[float, float], allowed: Mask | None = None, deep: bool = False
) -> tuple[float, float]:
    """Return x, y of a free spot near the table's middle, away from where the thing was: that place may be wanted.

    Args:
        heights: the table as it is now.
        radius_m: half the diagonal of what is put down.
        taken_from: where it was.
        allowed: the cells that the hand can come to; None for all.
        deep: whether a spot farther back is better: what stands at the edge is in the way of all that comes from the front.

    Raises:
        Failed: "no-room".
    """
    centres = heights.centres()
    middle_m = (0.56 + _beyond(heights), 0.0)
    cost = np.hypot(*np.moveaxis(centres - middle_m, -1, 0))
    if deep:
        cost = 3.0 * (centres[..., 0].max() - centres[..., 0]) + np.abs(centres[..., 1])
    away = np.hypot(*np.moveaxis(centres - taken_from, -1, 0)) > 2 * radius_m + 0.08
    there = np.ones_like(away) if allowed is None else allowed
    return _best(heights, away & there, there, cost, radius_m, "no free spot on the table")


def _beyond(heights: HeightMap) -> float:
    """Return how much farther off than a table a surface begins; the robot drives so much nearer."""
    table_m = 0.42
    return max(0.0, float(heights.low[0]) - table_m)


def _best(heights: HeightMap, near: Mask, far: Mask, cost: Array, radius_m: float, failure: str) -> tuple[float, float]:
    centres = heights.centres()
    x, y = centres[..., 0], centres[..., 1]
    high = np.array(heights.low) + np.array(heights.heights.shape) * CELL_M
    edge = np.minimum.reduce([x - heights.low[0], high[0] - x, y - heights.low[1], high[1] - y]) - 0.01
    beyond_m = _beyond(heights)
    zone = (x > 0.38 + beyond_m) & (x < 0.77 + beyond_m) & (y > -0.38) & (y < 0.38) & (edge > radius_m)  # in reach and in view
    room = {seen: heights.clearance(seen=seen) for seen in (True, False)}
    wishes = (
        Wish(0.040, near=True, seen=True),
        Wish(0.028, near=True, seen=True),
        Wish(0.028, near=False, seen=True),
        Wish(0.028, near=True, seen=False),
        Wish(0.015, near=False, seen=True),
        Wish(0.015, near=False, seen=False),
    )
    for wish in wishes:
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


@dataclass(frozen=True)
class Interior:
    """The inside of a container, in a frame at its middle along its length.

    Args:
        target: the container.
        half_m: inner half extents; both the radius of a round one.
        round: whether the floor is a disc.
        floor_m: height of the floor.
        load: x, y of the square centimetres on which something lies already, (n, 2).
        heights_m: their heights.
    """

    target: Located
    half_m: tuple[float, float]
    round: bool
    floor_m: float
    load: Array
    heights_m: Array

    @classmethod
    def of(cls, heights: HeightMap, target: Located, bottom_m: float) -> "Interior":
        """Return the inside of a container as the height map shows it, without the cells that show its walls."""
        inside = INSIDES.get(kind_of(target.phrase), INSIDES["tray"])
        half = target.size_m[0] / 2 * inside.share, target.size_m[1] / 2 * inside.share
        c, s = math.cos(target.yaw_rad), math.sin(target.yaw_rad)
        away = heights.centres() - target.position_in_world[:2]
        u, v = away @ (c, s), away @ (-s, c)
        within = np.hypot(u, v) < half[0] - CELL_M if inside.round else (abs(u) < half[0]) & (abs(v) < half[1])
        if kind_of(target.phrase) == "box":
            within &= (abs(u) < half[0] - CELL_M) & (abs(v) < half[1] - CELL_M)
        floor = bottom_m + inside.floor_m
        high = within & (heights.heights > floor + 0.02)  # from there on something lies there
        return cls(target, half, inside.round, floor, np.stack([u[high], v[high]], axis=-1), heights.heights[high])

    def room(self, u: float, v: float, half_u: float, half_v: float, disc: bool) -> tuple[float, float]:
        """Return how far a rectangle or a disc is from the walls and from the load."""
        if self.round:
            wall = self.half_m[0] - half_u - math.hypot(u, v)
        else:
            wall = min(self.half_m[0] - half_u - abs(u), self.half_m[1] - half_v - abs(v))
        if not len(self.load):
            return wall, math.inf
        away = np.abs(self.load - (u, v))
        if disc:
            return wall, float(np.hypot(*away.T).min()) - half_u - CELL_M
        return wall, float(np.maximum(away[:, 0] - half_u, away[:, 1] - half_v).min()) - CELL_M

    def highest(self, u: float, v: float, half_u: float, half_v: float) -> float:
        """Return the height of what a rectangle would be put on."""
        under = (np.abs(self.load - (u, v)) < (half_u, half_v)).all(axis=-1)
        return float(self.heights_m[under].max(initial=self.floor_m))

    def world(self, u: float, v: float) -> tuple[float, float]:
        """Return the place in the world of one in here."""
        (x, y, _), yaw = self.target.position_in_world, self.target.yaw_rad
        return x + math.cos(yaw) * u - math.sin(yaw) * v, y + math.sin(yaw) * u + math.cos(yaw) * v

    def liked(self, half_u: float, half_v: float, disc: bool) -> tuple[float, float]:
        """Return where the first thing goes: in the middle, but as far aside as a second one of its size needs.

        Two bottles on a plate: with the first in the middle the second had no room and fell.
        """
        kind = kind_of(self.target.phrase)
        free = max(0.0, self.half_m[0] - half_u), max(0.0, self.half_m[1] - half_v)
        if disc and kind == "box":  # towards a corner it need not go so far
            ways = [(math.hypot(*free), half_u, free)]
        else:
            ways = [(free[0], half_u, (free[0], 0.0)), (free[1], half_v, (0.0, free[1]))]
        gap_m, most_aside = 0.02, 0.85  # room left to the next one where the container takes both; how far it goes at most
        shares = [((2 * half + gap_m) / far - 1, *end) for far, half, end in ways if far > half]
        share, u, v = min(shares, default=(0.0, 0.0, 0.0))
        share = 0.0 if kind == "bowl" else min(max(share, 0.0), most_aside)
        return share * u, share * v


def inner_spot(
    heights: HeightMap,
    target: Located,
    half_long_m: float,
    half_wide_m: float,
    bottom_m: float,
    disc: bool = False,
    fingers: tuple[float, float] = (0.0, 0.0),
    tip_m: float = math.inf,
) -> tuple[float, float, float, float]:
    """Return cost, x, y and height of the floor at the best place in a container.

    That is where the first of two things goes while it is empty, and where there is most room when it is not.

    Args:
        heights: the table as it is now.
        target: the container.
        half_long_m, half_wide_m: half extents of what is put in, along the container's length and width.
        bottom_m: height of the container's bottom.
        disc: whether it is round.
        fingers: half extents of the open fingers around it, likewise.
        tip_m: height of the finger tips above the floor; what is higher is in their way.
    """
    inside = Interior.of(heights, target, bottom_m)
    half_u, half_v = max(0.0, inside.half_m[0] - half_long_m), max(0.0, inside.half_m[1] - half_wide_m)
    u0, v0 = inside.liked(half_long_m, half_wide_m, disc)
    room_m = 0.015  # is liked around what is put in: boxes are seen up to 1 cm away from where they are
    wall_m = 0.005  # a wall counts as this much nearer: a load is believed too large, since poses are off by as much
    overlap_m = 0.010  # what is nearer than this to a load that is believed a centimetre too large stands on it

    def cost(place: tuple[float, float]) -> float:
        u, v = place
        wall, load = inside.room(u, v, half_long_m, half_wide_m, disc)
        aside = heights.highest_within(*inside.world(u, v), *fingers, target.yaw_rad) if any(fingers) else inside.floor_m
        loaded = len(inside.load) > 0
        tight = max(0.0, room_m - min(wall - wall_m, load)) if loaded else 0.0
        on_top = inside.highest(u, v, half_long_m, half_wide_m) - inside.floor_m if load < -overlap_m else 0.0
        in_the_way = 20 * max(0.0, aside - inside.floor_m - tip_m)
        return 100 * on_top + 3 * tight + in_the_way + (0.1 if loaded else 1.0) * math.hypot(u - u0, v - v0)

    places = [(u, v) for u in _steps(half_u) for v in _steps(half_v) if not inside.round or math.hypot(u, v) <= half_u + 1e-6]
    u, v = min([(u0, v0), *places], key=cost)
    _, load = inside.room(u, v, half_long_m, half_wide_m, disc)
    floor = inside.highest(u, v, half_long_m, half_wide_m) if load < -overlap_m else inside.floor_m
    return cost((u, v)), *inside.world(u, v), floor


def mug_spot(
    heights: HeightMap, target: Located, radius_m: float, bottom_m: float, handles_rad: Sequence[float]
) -> tuple[float, float, float]:
    """Return x, y of a mug's middle in a box and the direction of its handle, where both have most room.

    Args:
        heights: the table as it is now.
        target: the box.
        radius_m: of the mug without its handle.
        bottom_m: height of the box's bottom.
        handles_rad: directions in the world that the handle can be given.
    """
    inside = Interior.of(heights, target, bottom_m)
    half_u, half_v = (max(0.0, half - radius_m) for half in inside.half_m)
    mug = (0.0, 1.0), (1.30, 0.14), (1.75, 0.14)  # with its handle, as discs: how far from the middle and how large, in radii

    def room(place: tuple[float, float, float]) -> float:
        u, v, handle = place
        turn = handle - target.yaw_rad
        discs = [(a * math.cos(turn), a * math.sin(turn), r) for a, r in mug]
        return min(
            min(inside.room(u + a * radius_m, v + b * radius_m, r * radius_m, r * radius_m, disc=True)) for a, b, r in discs
        )

    u, v, handle = max(product(_steps(half_u), _steps(half_v), handles_rad), key=room)
    return *inside.world(u, v), handle


def _steps(half_m: float) -> list[float]:
    return [half_m * k / 6 for k in range(-6, 7)] if half_m > 0.004 else [0.0]
