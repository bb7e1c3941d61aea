"""What fits in or on what: the geometry that keeps sampled tasks feasible for a gripper and gravity."""

from math import hypot, pi

from vlp.core.vocabulary import FLAT_TOPPED
from vlp.sim.truth import TrueObject

STACKABLE = (*FLAT_TOPPED, "mug")
"""What stands safely on a flat top."""

CAPACITY: dict[str, int] = {"bowl": 2, "plate": 2, "box": 2, "tray": 3}
"""How many things a container takes at most."""

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


def _inner_area(host: TrueObject) -> float:
    length, width, _ = host.size_m
    if host.kind in ("tray", "box"):
        return (length - 0.015) * (width - 0.015)
    return pi * (length * (0.42 if host.kind == "bowl" else 0.38)) ** 2


def _reach(thing: TrueObject) -> float:
    length, width, _ = thing.size_m
    return hypot(length, width) / 2 if thing.kind in ("cube", "block", "mug") else width / 2
