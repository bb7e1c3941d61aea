"""What fits in or on what: the geometry that keeps sampled tasks feasible for a gripper and gravity."""

from math import atan2, cos, hypot, pi, sin

from vlp.sim.language.relations import DIRECTIONS
from vlp.sim.truth import TrueObject, Truth
from vlp.sim.worlds.tabletop.kinds import kinds
from vlp.sim.worlds.tabletop.words import FLAT_TOPPED


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
    if host.kind not in FLAT_TOPPED or thing.kind not in (*FLAT_TOPPED, "mug"):
        return False
    return width <= min(host_length, host_width) + 0.012 and length <= host_length + 0.05


def has_room(host: TrueObject, load: list[TrueObject], more: list[TrueObject]) -> bool:
    """Return whether further things fit beside what a host carries already, where that stands now.

    By area alone a bottle was asked for beside a cube in the middle of a plate, and fell: 9 of 200 tasks.
    """
    if not all(fits(thing, host) for thing in more):
        return False
    most = {"bowl": 2, "plate": 2, "box": 2, "tray": 3}
    if host.kind not in most:
        return not load and len(more) == 1
    if len(load) + len(more) > most[host.kind]:
        return False
    if not load and len(more) == 1:
        return True
    taken = [disc for thing in load for disc in _discs(thing, *_seen_from(host, thing))]
    for thing in sorted(more, key=lambda item: -max(item.size_m[:2])):
        places = [p for p in _places(host, thing) if all(_apart(a, b) for a in _discs(thing, *p) for b in taken)]
        if not places:
            return False
        taken += _discs(thing, *max(places, key=lambda place: hypot(place[0], place[1])))
    return True


Disc = tuple[float, float, float]
"""x, y and radius in metres."""


def _places(host: TrueObject, thing: TrueObject) -> list[tuple[float, float, float]]:
    """Return x, y and turn of a thing within the walls of a host, in the host's frame: along its length, or a handle's."""
    inner = [half - kinds()[host.kind].wall_m for half in (host.size_m[0] / 2, host.size_m[1] / 2)]
    # The share of a round container's radius that takes things; what stands in a bowl may reach over its slope.
    share = {"bowl": 0.66 * 1.15, "plate": 0.72}.get(host.kind)
    turns = [k * pi / 4 for k in range(8)] if thing.kind == "mug" else [0.0]
    places: list[tuple[float, float, float]] = []
    for i in range(-8, 9):
        for j in range(-8, 9):
            x, y = inner[0] * i / 8, inner[1] * j / 8
            for turn in turns:
                discs = _discs(thing, x, y, turn)
                if share:
                    inside = all(hypot(dx, dy) + r <= inner[0] * share for dx, dy, r in discs)
                else:
                    inside = all(abs(dx) + r <= inner[0] and abs(dy) + r <= inner[1] for dx, dy, r in discs)
                if inside:
                    places.append((x, y, turn))
    return places


def _discs(thing: TrueObject, x: float, y: float, turn: float) -> list[Disc]:
    """Return discs that cover an outline: one for most things, a row of them for a block, two for a mug."""
    length, width, _ = thing.size_m
    end = (length - width) / 2
    handle_m = 0.010  # half its width
    rows = {
        "block": [(-end, width / 2), (0.0, width / 2), (end, width / 2)],
        "mug": [(0.0, width / 2), (length - width / 2 - handle_m, handle_m)],
        "cube": [(0.0, 0.6 * width)],
    }
    return [(x + d * cos(turn), y + d * sin(turn), r) for d, r in rows.get(thing.kind, [(0.0, width / 2)])]


def _seen_from(host: TrueObject, thing: TrueObject) -> tuple[float, float, float]:
    """Return x, y and turn of a thing in the frame of its host."""
    dx, dy = (thing.position_in_world[k] - host.position_in_world[k] for k in (0, 1))
    c, s = cos(host.yaw_rad), sin(host.yaw_rad)
    return c * dx + s * dy, -s * dx + c * dy, thing.yaw_rad - host.yaw_rad


def _apart(a: Disc, b: Disc) -> bool:
    """Return whether there are 6 mm between two discs: a hand puts things down a few millimetres from where they should go."""
    return hypot(a[0] - b[0], a[1] - b[1]) >= a[2] + b[2] + 0.006


def has_spot(truth: Truth, item: TrueObject, host: TrueObject, relation: str) -> bool:
    """Return whether there is room on the table, in reach, to put a thing next to, left of, ... another."""
    gap_m = 0.03  # around the spot
    reach, (hx, hy, _) = hypot(*item.size_m[:2]) / 2, host.position_in_world
    others = [o for o in truth.objects.values() if o.support == "table" and o is not item]
    if relation in DIRECTIONS:
        axis, sign = DIRECTIONS[relation]
        main = atan2(sign, 0.0) if axis else atan2(0.0, sign)
        turns = [main + turn * pi / 12 for turn in (-1, 0, 1)]
    else:
        turns = [turn * pi / 12 for turn in range(24)]
    for turn in turns:
        for more in (gap_m, gap_m + 0.02, gap_m + 0.04):
            away = max(host.size_m[:2]) / 2 + reach + more
            x, y = hx + away * cos(turn), hy + away * sin(turn)
            # From the table's near edge, where that is farthest from the robot, to where the arm puts things down.
            in_reach = 0.40 + reach + 0.01 <= x <= 0.77 and abs(y) <= 0.38
            if in_reach and all(_gap(x, y, reach, o) >= gap_m - 0.001 for o in others):
                return True
    return False


def _gap(x: float, y: float, reach: float, other: TrueObject) -> float:
    ox, oy, _ = other.position_in_world
    return hypot(x - ox, y - oy) - reach - max(other.size_m[:2]) / 2


def _reach(thing: TrueObject) -> float:
    length, width, _ = thing.size_m
    return hypot(length, width) / 2 if thing.kind in ("cube", "block", "mug") else width / 2
