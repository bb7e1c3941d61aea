"""Where objects may stand: footprints, the free space between them, and what fits in or on what."""

import math

import numpy as np
from numpy.typing import NDArray

from vlp.sim.worlds.tabletop.kinds import kinds
from vlp.sim.worlds.tabletop.objects import SceneObject, cavity
from vlp.sim.worlds.tabletop.words import CONTAINERS, FLAT_TOPPED

Outline = NDArray[np.float64]


def footprint(thing: SceneObject) -> Outline:
    """Return the corners (n, 2) in the world frame of the convex outline an object covers."""
    length, width, _ = thing.size_m
    if kinds()[thing.kind].round:
        angles = np.arange(12) * (2 * math.pi / 12)
        points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * (width / 2 / math.cos(math.pi / 12))
        if thing.kind == "mug":
            reach = length - width / 2
            points = np.vstack([points, [[reach, 0.01], [reach, -0.01]]])
    else:
        points = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * [length / 2, width / 2]
    c, s = math.cos(thing.yaw_rad), math.sin(thing.yaw_rad)
    return points @ np.array([[c, s], [-s, c]]) + thing.position_m[:2]


def gap_m(a: Outline, b: Outline) -> float:
    """Return a lower bound of the distance between two convex outlines; negative when they overlap."""
    axes = np.vstack([_normals(a), _normals(b), [(b.mean(0) - a.mean(0))]])
    axes = axes / np.maximum(np.linalg.norm(axes, axis=1, keepdims=True), 1e-9)
    pa, pb = a @ axes.T, b @ axes.T
    return float(np.maximum(pb.min(0) - pa.max(0), pa.min(0) - pb.max(0)).max())


def _normals(outline: Outline) -> Outline:
    edges = np.roll(outline, -1, axis=0) - outline
    return np.stack([edges[:, 1], -edges[:, 0]], axis=1)


def fits(thing: SceneObject, host: SceneObject) -> bool:
    """Return whether a thing can lie in or on a host with its footprint on the host's inner floor or flat top."""
    length, width, _ = thing.size_m
    inner = cavity(host.kind, host.size_m)
    if host.kind in CONTAINERS:
        slack = 0.008 if host.kind in ("bowl", "box") else 0.0
        if inner.round:
            reach = width / 2 if kinds()[thing.kind].round and thing.kind != "mug" else math.hypot(length, width) / 2
            return reach + slack / 2 <= inner.half_length_m * (1.15 if host.kind == "bowl" else 1.0)
        return length + slack <= 2 * inner.half_length_m and width + slack <= 2 * inner.half_width_m
    if host.kind not in FLAT_TOPPED or thing.kind not in (*FLAT_TOPPED, "mug"):
        return False
    return width <= 2 * min(inner.half_length_m, inner.half_width_m) + 0.012 and length <= host.size_m[0] + 0.05


def rest_on(thing: SceneObject, host: SceneObject, rng: np.random.Generator, spread: float = 1.0) -> SceneObject:
    """Return the thing put in or on the host: aligned where it must be, somewhere on the floor else.

    Args:
        thing, host: a pair for which `fits` holds.
        rng: decides place and yaw.
        spread: how far from the middle it may lie, 0 to 1 (up to the wall).
    """
    inner = cavity(host.kind, host.size_m)
    length, width, height = thing.size_m
    turned = float(rng.uniform(-math.pi, math.pi))
    aligned = host.yaw_rad + float(rng.choice([0.0, math.pi])) + float(rng.normal(0, 0.03))
    free = host.kind in CONTAINERS and (inner.round or min(inner.half_length_m, inner.half_width_m) > length * 0.75)
    yaw = turned if free else aligned
    reach = math.hypot(length, width) / 2 if not kinds()[thing.kind].round else length / 2
    if host.kind not in CONTAINERS:
        dx, dy = rng.uniform(-0.004, 0.004, size=2)
    elif inner.round:
        spare, angle = max(0.0, inner.half_length_m - reach), float(rng.uniform(0, 2 * math.pi))
        dx, dy = spare * 0.9 * spread * math.cos(angle), spare * 0.9 * spread * math.sin(angle)
    else:
        half_x, half_y = (reach, reach) if free else (length / 2, width / 2)
        dx = spread * rng.uniform(-1, 1) * max(0.0, inner.half_length_m - half_x - 0.003)
        dy = spread * rng.uniform(-1, 1) * max(0.0, inner.half_width_m - half_y - 0.003)
    c, s = math.cos(host.yaw_rad), math.sin(host.yaw_rad)
    x, y = host.position_m[0] + c * dx - s * dy, host.position_m[1] + s * dx + c * dy
    z = host.position_m[2] - host.size_m[2] / 2 + inner.floor_m + height / 2 + 0.0005
    relation = "in" if host.kind in ("bowl", "box") else "on"
    return _moved(thing, (float(x), float(y), float(z)), yaw, host.phrase, relation)


def _moved(thing: SceneObject, at: tuple[float, float, float], yaw: float, support: str, relation: str) -> SceneObject:
    return SceneObject(thing.colour, thing.kind, thing.size_m, thing.rgb, at, yaw, support, relation)


def stand_at(thing: SceneObject, x: float, y: float, yaw: float, floor_m: float, support: str = "table") -> SceneObject:
    """Return the thing standing upright at a place, half a millimetre above the floor given."""
    return _moved(thing, (x, y, floor_m + thing.size_m[2] / 2 + 0.0005), yaw, support, "on")
