"""Pinhole camera geometry: pixels, depth and points."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Box = tuple[float, float, float, float]
"""(x1, y1, x2, y2) in pixels of the image, right and bottom exclusive."""


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole camera without distortion; lengths in pixels."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    def to_json(self) -> dict[str, float]:
        """Return the fields as plain data."""
        return asdict(self)


def project(points_in_camera: Array, k: Intrinsics) -> Array:
    """Return the pixels (n, 2) of points (n, 3) in the optical frame (x right, y down, z forward), in metres."""
    p = np.atleast_2d(points_in_camera)
    return np.stack([k.fx * p[:, 0] / p[:, 2] + k.cx, k.fy * p[:, 1] / p[:, 2] + k.cy], axis=1)


def deproject(pixels: Array, depth_m: Array, k: Intrinsics) -> Array:
    """Return points (n, 3) in the optical frame for pixels (n, 2) and depths (n,) along the optical axis, in metres."""
    uv = np.atleast_2d(pixels)
    z = np.asarray(depth_m, dtype=np.float64)
    return np.stack([(uv[:, 0] - k.cx) / k.fx * z, (uv[:, 1] - k.cy) / k.fy * z, z], axis=1)


def transform(points: Array, a_in_b: Array) -> Array:
    """Return points (n, 3) given in frame a, expressed in frame b, for the 4x4 pose of a in b."""
    return np.atleast_2d(points) @ a_in_b[:3, :3].T + a_in_b[:3, 3]


def iou(a: Box, b: Box) -> float:
    """Return the intersection over union of two boxes, 0 when they do not meet."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)
