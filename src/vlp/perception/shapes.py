"""Fits of a thing's outline seen from above: circles and rectangles on a level plane, spheres in space."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vlp.core.observation import Array


@dataclass(frozen=True)
class Outline:
    """A thing seen from above.

    Args:
        centre: x, y in metres.
        length_m, width_m: extents along its own axes, length >= width; both the diameter of a circle.
        yaw_rad: direction of the length, in [-pi/2, pi/2), or of a mug's handle, in [-pi, pi]; 0 for a circle.
    """

    centre: tuple[float, float]
    length_m: float
    width_m: float
    yaw_rad: float = 0.0


def fit_circle(points: Array, rounds: int = 60) -> Outline:
    """Return the circle that most of the outermost points (n, 2) lie on; handles and neighbours do not pull it."""
    rim = points[outermost(points)]
    rng = np.random.default_rng(0)
    best, centre, radius = -1, points.mean(axis=0), 0.0
    for _ in range(rounds):
        found = _circle(rim[rng.choice(len(rim), 3, replace=False)])
        if found is None or found[1] > 0.3:
            continue
        near = np.abs(np.linalg.norm(rim - found[0], axis=1) - found[1]) < 0.003
        if near.sum() > best:
            best, centre, radius = int(near.sum()), *found
    for _ in range(3):
        near = np.abs(np.linalg.norm(rim - centre, axis=1) - radius) < 0.004
        found = _circle(rim[near]) if near.sum() >= 5 else None
        if found is not None:
            centre, radius = found
    return Outline((float(centre[0]), float(centre[1])), 2 * radius, 2 * radius)


def fit_rectangle(points: Array, trim: float = 0.01, hollow: bool = False) -> Outline:
    """Return the rectangle around points (n, 2), leaving a share `trim` outside at each side.

    Args:
        points: of the whole area, around which the rectangle is the smallest; or of some of its edges.
        trim: share of the points.
        hollow: whether they lie on edges. Around two sides of a square the smallest may be turned by 45 degrees; this one has
            the points near its edges (the closeness criterion of Zhang et al., L-shape fitting, IV 2017).
    """
    middle = points.mean(axis=0)
    centred = points - middle

    def extents(angle: float) -> tuple[float, float, float, float]:
        along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
        ends = [np.quantile(centred @ axis, [trim, 1 - trim]) for axis in (along, across)]
        return float(ends[0][0]), float(ends[0][1]), float(ends[1][0]), float(ends[1][1])

    few = centred[:: max(1, len(centred) // 500)]

    def area(angle: float) -> float:
        a, b, c, d = extents(angle)
        return (b - a) * (d - c)

    def away(angle: float) -> float:
        a, b, c, d = extents(angle)
        u, v = few @ np.array([np.cos(angle), np.sin(angle)]), few @ np.array([-np.sin(angle), np.cos(angle)])
        edges = np.minimum.reduce([abs(u - a), abs(u - b), abs(v - c), abs(v - d)])
        return -float((1 / np.maximum(edges, 0.003)).sum())

    cost = away if hollow else area
    coarse = np.deg2rad(np.arange(0.0, 90.0, 3.0))
    angle = float(min(coarse, key=cost))
    angle = float(min(angle + np.deg2rad(np.arange(-3.0, 3.1, 0.5)), key=cost))
    a, b, c, d = extents(angle)
    grow = 1.0 / (1.0 - 2 * trim)
    length, width = (b - a) * grow, (d - c) * grow
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    centre = middle + along * (a + b) / 2 + across * (c + d) / 2
    if width > length:
        length, width, angle = width, length, angle + np.pi / 2
    return Outline((float(centre[0]), float(centre[1])), length, width, half_turn(angle))


def fit_sphere(points: Array) -> tuple[Array, float]:
    """Return centre and radius of the sphere through points (n, 3), by least squares, the outliers left out twice."""
    kept = points
    centre, radius = points.mean(axis=0), 0.0
    for _ in range(3):
        rows = np.column_stack([2 * kept, np.ones(len(kept))])
        solution = np.linalg.lstsq(rows, (kept**2).sum(axis=1), rcond=None)[0]
        centre = solution[:3]
        radius = float(np.sqrt(max(solution[3] + centre @ centre, 1e-8)))
        miss = np.abs(np.linalg.norm(points - centre, axis=1) - radius)
        kept = points[miss <= max(float(np.quantile(miss, 0.9)), 1e-4)]
    return centre, radius


def outermost(points: Array, toward: Array | None = None) -> NDArray[np.intp]:
    """Return, for each of 180 compass directions, the index of the point (n, 2 or 3) that lies furthest that way.

    Args:
        toward: (x, y) to leave out the directions more than 70 degrees away from it.
    """
    angles = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    if toward is not None:
        angles = np.arctan2(toward[1], toward[0]) + np.linspace(-1.2, 1.2, 61)
    return (points[:, :2] @ np.stack([np.cos(angles), np.sin(angles)])).argmax(axis=0)


def half_turn(angle: float) -> float:
    """Return the same line's direction in [-pi/2, pi/2)."""
    return float((angle + np.pi / 2) % np.pi - np.pi / 2)


def _circle(points: Array) -> tuple[Array, float] | None:
    rows = np.column_stack([2 * points, np.ones(len(points))])
    try:
        solution, _, rank, _ = np.linalg.lstsq(rows, (points**2).sum(axis=1), rcond=None)
    except np.linalg.LinAlgError:
        return None
    square = solution[2] + solution[:2] @ solution[:2]
    return (solution[:2], float(np.sqrt(square))) if rank == 3 and square > 0 else None
