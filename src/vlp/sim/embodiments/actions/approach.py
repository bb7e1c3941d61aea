"""How the hand comes to a thing from the front: level or slanted, past what stands around it."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from vlp.core.observation import Located
from vlp.sim.embodiments.actions.scope import is_round, kind_of
from vlp.sim.heightmap import HeightMap
from vlp.sim.worlds.protocol import Station

Point = tuple[float, float, float]


class Hand(Protocol):
    """The sizes of a hand that ways from the front depend on, see `Gripper`."""

    @property
    def widest_m(self) -> float:
        """Between the tips when it is open."""
        ...

    @property
    def thick_m(self) -> float:
        """Of one finger."""
        ...

    def knuckle_reach(self, opening_m: float) -> float:
        """Return how far the knuckles stand out to each side."""
        ...

    def tip_reach(self, opening_m: float) -> float:
        """Return how far the tips stand out beyond the palm."""
        ...


@dataclass(frozen=True)
class Room:
    """What a hand that points ahead needs around it, in metres and radians.

    Args:
        level_rad: how far it points below level where it comes in level: the palm must not touch what the thing stands on.
        steep_rad: how far where it comes in along its own direction, over the wall of a drawer.
        below_m: from the tips down to the lowest of a hand that points so nearly level.
        half_m: half of the hand's thickness.
        beside_m: between a finger and the thing; the others where neighbours are close.
        widest_rad: how far it turns from straight ahead.
        away_rad: how far it turns where a door stands open beside it, so that the body is away from that.
        before_m: from the edge of what things stand on to the tips before they come in.
        over_m: how far the tips go beyond the thing's middle.
        under_m: how far under what covers a drawer's inner end the fingers reach.
        slack_m: how much of the way may be taken by things, not by walls: depth shows things too large by as much.
        own_m: what is so near the thing, and no higher, is the thing itself: nobody's edges are seen where they are.
        held_at: share of a thing's height at which it is held from the front, by kind, "" for all others.
    """

    level_rad: float = math.radians(20)
    steep_rad: float = math.radians(50)
    below_m: float = 0.026
    half_m: float = 0.050
    beside_m: tuple[float, float, float] = (0.024, 0.012, 0.007)
    widest_rad: float = math.radians(50)
    away_rad: float = math.radians(10)
    before_m: float = 0.06
    over_m: float = 0.012
    under_m: float = 0.035
    slack_m: float = 0.012
    own_m: float = 0.020
    held_at: Mapping[str, float] = field(default_factory=lambda: {"": 0.42, "bear": 0.78})


@dataclass(frozen=True)
class Approach:
    """A way to a thing, in the frame of the place.

    Args:
        tip: the point between the finger tips where they close.
        heading_rad: direction about z in which the hand points.
        slant_rad: how far it points below level.
        steep: whether it comes along its own direction; else level.
        before_m: how far before `tip` the way begins.
        opening_m: of the fingers on the way.
        extent_m: of the thing between them.
    """

    tip: Point
    heading_rad: float
    slant_rad: float
    steep: bool
    before_m: float
    opening_m: float
    extent_m: float


STANDING_M = 0.085
"""Things lower than that may be put down on any side of theirs."""


def is_tall(target: Located) -> bool:
    """Return whether a thing is better taken at its side than from above: it could not be put under a board else."""
    _, width, height = target.size_m
    slender = 1.2
    return height > STANDING_M and (height > slender * width or kind_of(target.phrase) == "mug")


def choose_approach(
    gripper: Hand,
    target: Located,
    heights: HeightMap,
    surface: Station,
    floor_m: float,
    stands: Callable[[Approach], bool] = lambda way: True,
) -> Approach | str:
    """Return the best way to a thing from the front, or in words why there is none.

    Args:
        gripper: of the hand.
        target: the thing, in the frame of the place.
        heights: what stands there, in the same frame.
        surface: the place, in the same frame.
        floor_m: height of what the thing stands on there.
        stands: tells whether the body has room on the floor behind a way.
    """
    found: list[tuple[float, Approach]] = []
    heights = _without_itself(target, heights)
    # Square before an open cupboard, the HSR's base pressed the end of its door with 104 N; turned to it, with 1,415 N.
    liked = math.copysign(Room().away_rad, surface.hinge[1] - surface.middle[1]) if surface.hinge else 0.0
    turning = 3.0 if surface.hinge else 1.0  # matters more there than room for the fingers
    turned = narrow = False
    for heading, extent, off in _headings(target):
        turned = turned or abs(heading) <= Room().widest_rad
        if abs(heading) > Room().widest_rad or extent + 2 * 0.006 > gripper.widest_m:
            continue
        narrow = True
        for beside_m in Room().beside_m:
            opening, palm_m = min(extent + 2 * beside_m, gripper.widest_m), _half_depth(target, heading) + Room().over_m + 0.008
            if beside_m > Room().beside_m[-1] and gripper.tip_reach(opening) < palm_m:
                continue  # opened wider, fingers are shorter: the palm met a coffee tin before they were around it
            for steep in (False, True):
                way = _way(target, heading, extent, opening, steep, surface, floor_m)
                taken_m = _taken(gripper, target, heights, surface, way)
                if taken_m < Room().slack_m and stands(way):
                    cost = (
                        turning * abs(heading - liked)
                        + 1.5 * abs(off)
                        + 20 * (Room().beside_m[0] - beside_m)
                        + 40 * max(0.0, taken_m)
                        + (0.5 if steep else 0.0)
                        + (2.0 if _beside_door(surface, heading) else 0.0)
                    )
                    found.append((cost, way))
    if found:
        return min(found, key=lambda choice: choice[0])[1]
    if not narrow:
        return f"from the front, the {target.phrase} is wider than the hand opens{'' if turned else ', as it is turned'}"
    return f"from the front, something stands in the hand's way to the {target.phrase}"


def _without_itself(target: Located, heights: HeightMap) -> HeightMap:
    """Return what stands there without the thing, and without the handle of a mug, which no seen width counts."""
    (x, y, z), (length, width, height), own_m = target.position_in_world, target.size_m, Room().own_m
    top_m, yaw = z + height / 2 + own_m, target.yaw_rad
    if kind_of(target.phrase) == "mug":
        out_m, half_m = width / 2 + 0.02, 0.02 + own_m
        handle = x + out_m * math.cos(yaw), y + out_m * math.sin(yaw)
        heights = heights.without(*handle, half_m, half_m, yaw, top_m)
    return heights.without(x, y, length / 2 + own_m, width / 2 + own_m, yaw, top_m)


def _headings(target: Located) -> Iterator[tuple[float, float, float]]:
    """Yield the directions in which the hand could point, how wide the thing is across each, and how far from square to it."""
    length, width, _ = target.size_m
    kind, step = kind_of(target.phrase), math.radians(10)
    if kind == "mug":  # round but for its handle: behind it or between the fingers, which come past its near side
        for handle, most, dislike in ((target.yaw_rad, 6, 0.0), (target.yaw_rad + math.pi, 2, 0.3)):
            yield from ((math.remainder(handle + k * step, 2 * math.pi), width, dislike) for k in range(-most, most + 1))
        return
    if is_round(target.phrase) or length == width:  # fitted with a circle; across its corners a square carton is wider
        yield from ((k * step, max(length, width) if length < 1.25 * width else width, 0.0) for k in range(-5, 6))
        if is_round(target.phrase):
            return
    for axis, extent, other in ((target.yaw_rad, width, length), (target.yaw_rad + math.pi / 2, length, width)):
        aligned = math.remainder(axis, math.pi)
        for off in (0.0, step, -step):  # at 20 degrees fingers closed on two corners, and a box turned out of them
            yield aligned + off, extent * math.cos(off) + abs(math.sin(off)) * min(other, extent), off


def _way(
    target: Located, heading: float, extent: float, opening: float, steep: bool, surface: Station, floor_m: float
) -> Approach:
    """Return the way in one direction, without regard to what stands there."""
    (x, y, z), (_, _, height) = target.position_in_world, target.size_m
    bottom = z - height / 2
    bottom = floor_m if abs(bottom - floor_m) < 0.02 else bottom
    slant = Room().steep_rad if steep else Room().level_rad
    least_m = 0.016 if steep else 0.022  # of the tips over what the thing stands on: half a finger
    # Below the middle, where pears do not taper yet; a bear by its head, which is round: between the two both slipped out.
    held_at = Room().held_at.get(kind_of(target.phrase), Room().held_at[""])
    tip_z = bottom + max(least_m, min(held_at * height, height - 0.02))
    c, s = math.cos(heading), math.sin(heading)
    handle_before = kind_of(target.phrase) == "mug" and math.cos(target.yaw_rad - heading) < 0
    over = 0.0 if handle_before else min(Room().over_m, extent / 4)  # the handle must not meet the palm
    tip = x + c * over, y + s * over, tip_z
    if steep:
        rim_m = max(surface.middle[2], bottom + height) + 0.09
        before = max(0.10, (rim_m - tip_z) / math.sin(slant))
    else:
        before = max(0.10, (tip[0] - surface.low[0] + Room().before_m + 0.5 * max(target.size_m[:2])) / max(c, 0.5))
    return Approach(tip, heading, slant, steep, before, opening, extent)


def _taken(gripper: Hand, target: Located, heights: HeightMap, surface: Station, way: Approach) -> float:
    """Return by how much what stands there would reach into the hand on its way, in metres."""
    (x, y, tip_z), c, s = way.tip, math.cos(way.heading_rad), math.sin(way.heading_rad)
    wide = gripper.knuckle_reach(way.opening_m)
    taken = -1.0
    if surface.headroom_m < math.inf or surface.takes == "in":
        sides = _sides(gripper, surface, way)
        taken = max(taken, surface.low[1] - min(sides) + Room().slack_m, max(sides) - surface.high[1] + Room().slack_m)
    if way.steep and (surface.takes == "on" or surface.headroom_m < math.inf):
        return 1.0  # without a wall to come over, its palm meets the top of what is tall
    if _beside_door(surface, way.heading_rad) and surface.headroom_m < math.inf:
        return 1.0  # below the top of the furniture it may well be shut
    if way.steep and surface.takes == "in":
        back_m = (surface.middle[2] + 0.035 + Room().half_m - tip_z) / math.tan(way.slant_rad)  # the wall before the thing
        taken = max(taken, back_m - (x - surface.low[0]))
        taken = max(taken, x - surface.high[0] - Room().under_m)
    elif surface.takes == "in" and surface.headroom_m == math.inf:
        return 1.0  # level, the walls are in the way

    def highest(x: float, y: float, half_x: float, half_y: float, yaw_rad: float) -> float:
        seen_m, noise_m = heights.highest_within(x, y, half_x, half_y, yaw_rad), 0.015
        return seen_m if seen_m > heights.floor_m + noise_m else -math.inf

    closing, half = way.heading_rad + math.pi / 2, way.extent_m / 2
    inner, outer = half + 0.010, max(wide, way.opening_m / 2 + gripper.thick_m)
    for side in (1.0, -1.0):  # fingers and knuckles beside the thing, to 5 cm behind the tips
        m = side * (inner + outer) / 2
        ax, ay = x - 0.025 * c + m * math.cos(closing), y - 0.025 * s + m * math.sin(closing)
        there = highest(ax, ay, max(0.005, (outer - inner) / 2), 0.025, closing)
        taken = max(taken, there - tip_z + (0.0 if way.steep else Room().below_m))
    front = _half_depth(target, way.heading_rad) + 0.02
    for k in range(12):  # the hand before the thing, by 4 cm
        far = front + 0.02 + 0.04 * k
        px, py = x - far * c, y - far * s
        if px < heights.low[0] - 0.02:
            break
        lowest = tip_z + far * math.tan(way.slant_rad) - Room().half_m if way.steep else tip_z - Room().below_m
        taken = max(taken, highest(px, py, 0.02, wide, way.heading_rad) - lowest)
    return taken


def _beside_door(surface: Station, heading_rad: float) -> bool:
    """Return whether a body behind a hand that points so stands on the side on which a door of the furniture opens."""
    return surface.hinge is not None and (surface.hinge[1] - surface.middle[1]) * heading_rad < -1e-3


def _sides(gripper: Hand, surface: Station, way: Approach) -> list[float]:
    """Return how far the hand reaches to both sides on its way: with its finger tips, its knuckles, and where it comes in.

    Turned towards a wall it comes closer to it: the fingers then stand out across by less, and the knuckles are farther back.
    """
    (x, y, _), c, s = way.tip, math.cos(way.heading_rad), math.sin(way.heading_rad)
    wide, knuckle_m = gripper.knuckle_reach(way.opening_m), 0.065  # the second: behind the tips
    parts = [(y, (way.opening_m / 2 + gripper.thick_m) * c), (y - knuckle_m * s, wide * c)]
    if surface.headroom_m < math.inf:
        parts.append((y - max(0.0, x - surface.low[0]) * s / max(c, 0.1), wide / max(c, 0.1)))
    return [at + sign * half for at, half in parts for sign in (1.0, -1.0)]


def _half_depth(target: Located, heading: float) -> float:
    """Return how far a thing reaches from its middle along a direction."""
    length, width, _ = target.size_m
    if is_round(target.phrase):
        return max(length, width) / 2
    turn = heading - target.yaw_rad
    return abs(math.cos(turn)) * length / 2 + abs(math.sin(turn)) * width / 2
