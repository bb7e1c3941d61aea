"""Reading a round dial: where its needle points among its numbers."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vlp.core.images import Rgb

Array = NDArray[np.float64]
Numbered = tuple[float, tuple[float, float]]
"""A number and where its middle is, in pixels."""


def dial_value(rgb: Rgb, numbers: Sequence[Numbered]) -> float | None:
    """Return the value that a needle points at, None when the image shows no dial.

    The middle of the circle through the numbers is the needle's axis. Seen from there, values grow with the angle; the
    needle is where the ring between axis and numbers looks least like the rest of it, over most of its width. Between two
    numbers the value is interpolated; beyond the last that could be read the scale goes on, since a needle may hide a number.

    Args:
        rgb: the dial from the front, (height, width, 3) uint8.
        numbers: the numbers read on it. At least three that lie on a circle and grow around it are needed.
    """
    placed = sorted(set(numbers))
    circle = _circle(np.array([at for _, at in placed], dtype=np.float64)) if len(placed) >= 3 else None
    if circle is None:
        return None
    (x, y), radius = circle
    values = np.array([value for value, _ in placed])
    angles = np.array([np.arctan2(at[0] - x, y - at[1]) for _, at in placed])  # clockwise from above
    angles = np.unwrap(angles)
    turned = np.diff(angles)
    if not (turned > 0).all() or angles[-1] - angles[0] > 2 * np.pi:
        return None
    needle = _needle(rgb, (x, y), radius)
    if needle is None:
        return None
    # The needle's angle on the turn of the numbers; the gap between the last and the first is divided among both ends.
    middle = (angles[0] + angles[-1]) / 2
    needle = middle + (needle - middle + np.pi) % (2 * np.pi) - np.pi
    at = int(np.clip(np.searchsorted(angles, needle), 1, len(angles) - 1))
    per_rad = (values[at] - values[at - 1]) / (angles[at] - angles[at - 1])
    return float(values[at] + (needle - angles[at]) * per_rad)


def _circle(points: Array, off: float = 0.12) -> tuple[tuple[float, float], float] | None:
    """Return middle and radius of the circle through points by least squares; None where one lies farther off than a part."""
    system = np.column_stack([2 * points, np.ones(len(points))])
    (x, y, rest), _, rank, _ = np.linalg.lstsq(system, (points**2).sum(1), rcond=None)
    if rank < 3 or rest + x * x + y * y <= 0:
        return None
    radius = float(np.sqrt(rest + x * x + y * y))
    misses = np.abs(np.hypot(*(points - (x, y)).T) - radius)
    return ((float(x), float(y)), radius) if misses.max() <= off * radius else None


def _needle(rgb: Rgb, axis: tuple[float, float], radius: float) -> float | None:
    """Return the angle of the needle, clockwise from above, None when nothing stands out."""
    around = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    out = np.linspace(0.25, 0.7, 48)[:, None] * radius
    columns = np.rint(axis[0] + out * np.sin(around)).astype(int)
    rows = np.rint(axis[1] - out * np.cos(around)).astype(int)
    height, width, _ = rgb.shape
    if columns.min() < 0 or rows.min() < 0 or columns.max() >= width or rows.max() >= height:
        return None
    ring = rgb[rows, columns].astype(np.float64)
    unlike = np.linalg.norm(ring - np.median(ring, axis=1, keepdims=True), axis=2)  # against the same distance from the axis
    ray = np.sort(unlike, axis=0)[: int(0.75 * len(unlike))].mean(0)  # most of the width: a short tail does not count
    smooth = np.convolve(np.concatenate([ray[-3:], ray, ray[:3]]), np.ones(7) / 7, mode="valid")
    best = int(smooth.argmax())
    if smooth[best] < 25.0 or smooth[best] < 3 * np.median(smooth):
        return None
    near = (best + np.arange(-12, 13)) % len(around)
    weight = np.maximum(smooth[near] - 0.5 * smooth[best], 0.0)
    return float(around[best] + (weight * np.arange(-12, 13)).sum() / weight.sum() * (around[1] - around[0]))
