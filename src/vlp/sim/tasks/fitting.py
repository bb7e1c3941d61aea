"""What fits in or on what: the geometry that keeps sampled tasks feasible for a gripper and gravity."""

from math import atan2, cos, hypot, pi, sin

from vlp.core.vocabulary import FLAT_TOPPED
from vlp.sim.tasks.relations import DIRECTIONS
from vlp.sim.truth import TrueObject, Truth

STACKABLE = (*FLAT_TOPPED, "mug")
"""What stands safely on a flat top."""

CAPACITY: dict[str, int] = {"bowl": 2, "plate": 2, "box": 2, "tray": 3}
"""How many things a container takes at most."""

NEAREST_EDGE_M, FARTHEST_M, ASIDE_M = 0.40, 0.77, 0.38
"""The table's near edge where it is farthest from the robot, and how far ahead and aside the arm puts things down."""

SPOT_GAP_M = 0.03
"""Room around a spot that something can be put down at beside its neighbours."""

FILL = 0.8
"""The share of a container's inner area that things may cover."""


def fits(thing: TrueObject, host: TrueObject) -> bool:
    """Return whether a thing alone would stay in or on a host, its outline within the inner floor or the flat top."""
    length, width, _ = thing.size_m
    host_length, host_width, _ = host.size_m
    if host.kind == "bowl":
        return _reach(thing) + 0.004 <= host_length / 2 * 0.66 * 1.15
    if host.kind == "plate":
        return thing.kind != "ball" and _reach(thing) <= host_length / 2 * 0.72
    if host.kind in ("tray", "box"):
        rim = 0.018 if host.kind == "tray" else 0.020
        return length + rim <= host_length and width + rim <= host_width
    if host.kind not in FLAT_TOPPED or thing.kind not in STACKABLE:
        return False
    return width <= min(host_length, host_width) + 0.012 and length <= host_length + 0.05


def has_room(host: TrueObject, load: list[TrueObject], more: list[TrueObject]) -> bool:
    """Return whether further things fit beside what a host carries already."""
    if not all(fits(thing, host) for thing in more):
        return False
    if host.kind not in CAPACITY:
        return not load and len(more) == 1
    covered = sum(thing.size_m[0] * thing.size_m[1] for thing in (*load, *more))
    return len(load) + len(more) <= CAPACITY[host.kind] and covered <= FILL * _inner_area(host)


def has_spot(truth: Truth, item: TrueObject, host: TrueObject, relation: str) -> bool:
    """Return whether there is room on the table, in reach, to put a thing next to, left of, ... another."""
    reach, (hx, hy, _) = hypot(*item.size_m[:2]) / 2, host.position_in_world
    others = [o for o in truth.objects.values() if o.support == "table" and o is not item]
    if relation in DIRECTIONS:
        axis, sign = DIRECTIONS[relation]
        main = atan2(sign, 0.0) if axis else atan2(0.0, sign)
        turns = [main + turn * pi / 12 for turn in (-1, 0, 1)]
    else:
        turns = [turn * pi / 12 for turn in range(24)]
    for turn in turns:
        for more in (SPOT_GAP_M, SPOT_GAP_M + 0.02, SPOT_GAP_M + 0.04):
            away = max(host.size_m[:2]) / 2 + reach + more
            x, y = hx + away * cos(turn), hy + away * sin(turn)
            in_reach = NEAREST_EDGE_M + reach + 0.01 <= x <= FARTHEST_M and abs(y) <= ASIDE_M
            if in_reach and all(_gap(x, y, reach, o) >= SPOT_GAP_M - 0.001 for o in others):
                return True
    return False


def _gap(x: float, y: float, reach: float, other: TrueObject) -> float:
    ox, oy, _ = other.position_in_world
    return hypot(x - ox, y - oy) - reach - max(other.size_m[:2]) / 2


def _inner_area(host: TrueObject) -> float:
    length, width, _ = host.size_m
    if host.kind in ("tray", "box"):
        return (length - 0.015) * (width - 0.015)
    return pi * (length * (0.42 if host.kind == "bowl" else 0.38)) ** 2


def _reach(thing: TrueObject) -> float:
    length, width, _ = thing.size_m
    return hypot(length, width) / 2 if thing.kind in ("cube", "block", "mug") else width / 2
