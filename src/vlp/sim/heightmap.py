"""What the depth image says about the table: the highest point over each square centimetre."""

import math
from collections.abc import Sequence
from copy import copy
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

from vlp.core.observation import Observation, deproject, transform

Array = NDArray[np.float64]
CELL_M = 0.01
Pose2 = tuple[float, float, float]
Size = tuple[float, float, float]


class HeightMap:
    """Heights over a rectangle of the table; cells that the camera does not see are unknown.

    Args:
        observation: taken with the arm out of view.
        low, high: corners (x, y) of the rectangle, in metres.
        floor_m: height of the table top.
        frame: x, y, yaw of the frame in the world in which low, high and all heights are; the world's by default.
        headroom_m: what is higher than this over the floor is left out: the board above.
        turn_rad: by how much what the camera shows is turned about it, where its mounting is known to be off by that.

    Attributes:
        edge: x of the nearest point of the surface that is seen in each column, infinity where none is. A cell is too coarse
            for it: fitted to cells, the turn of an edge 0.85 m wide was off by up to 0.01 rad.
    """

    def __init__(
        self,
        observation: Observation,
        low: tuple[float, float],
        high: tuple[float, float],
        floor_m: float,
        frame: tuple[float, float, float] = (0.0, 0.0, 0.0),
        headroom_m: float = np.inf,
        turn_rad: float = 0.0,
    ) -> None:
        self.low, self.floor_m = np.array(low), floor_m
        shape = np.ceil((np.array(high) - self.low) / CELL_M).astype(int)
        depth_m, intrinsics, camera_in_base = observation.geometry()
        rows, columns = np.mgrid[0 : depth_m.shape[0] : 2, 0 : depth_m.shape[1] : 2]
        depth = depth_m[rows, columns].astype(np.float64)
        seen = depth > 0
        pixels = np.stack([columns[seen] + 0.5, rows[seen] + 0.5], axis=1)
        points = transform(deproject(pixels, depth[seen], intrinsics), camera_in_base)
        to_frame = np.linalg.inv(_pose(frame)) @ _pose(observation.state.base_in_world)
        self.eye: Array = transform(camera_in_base[None, :3, 3], to_frame)[0, :2]
        points = transform(points, to_frame)
        if turn_rad:
            points[:, :2] = self.eye + turned(points[:, :2] - self.eye, turn_rad)
        cells = np.floor((points[:, :2] - self.low) / CELL_M).astype(int)
        inside = ((cells >= 0) & (cells < shape)).all(axis=1) & (points[:, 2] > floor_m - 0.05)
        inside &= points[:, 2] < floor_m + headroom_m
        self.points: Array = points[inside]
        heights = np.full(tuple(shape), -np.inf)
        np.maximum.at(heights, (cells[inside, 0], cells[inside, 1]), points[inside, 2])
        self.known: NDArray[np.bool_] = np.asarray(ndimage.binary_closing(np.isfinite(heights)), dtype=bool)
        self.heights: Array = np.where(np.isfinite(heights), heights, floor_m)
        flat_m = 0.015
        flat = inside & (np.abs(points[:, 2] - floor_m) < flat_m)
        self.edge: Array = np.full(shape[1], np.inf)
        np.minimum.at(self.edge, cells[flat, 1], points[flat, 0])

    @classmethod
    def of_boxes(
        cls, low: tuple[float, float], high: tuple[float, float], floor_m: float, boxes: Sequence[tuple[Pose2, Size]] = ()
    ) -> Self:
        """Return the heights over a rectangle on which upright boxes stand, all of it known.

        Args:
            low, high, floor_m: as above.
            boxes: x, y, yaw and length, width, height of each.
        """
        made = object.__new__(cls)
        made.low, made.floor_m, made.eye, made.points = np.array(low), floor_m, np.zeros(2), np.empty((0, 3))
        shape = tuple(np.ceil((np.array(high) - made.low) / CELL_M).astype(int))
        made.edge = np.full(shape[1], made.low[0])
        made.heights, made.known = np.full(shape, floor_m), np.ones(shape, dtype=bool)
        for (x, y, yaw), (length, width, height) in boxes:
            away, (c, s) = made.centres() - (x, y), (np.cos(yaw), np.sin(yaw))
            under = (np.abs(away @ (c, s)) <= length / 2) & (np.abs(away @ (-s, c)) <= width / 2)
            made.heights[under] = np.maximum(made.heights[under], floor_m + height)
        return made

    @property
    def highest_m(self) -> float:
        """Height of the highest thing on the table."""
        return float(max(self.heights.max(), self.floor_m))

    def centres(self) -> Array:
        """Return x, y of every cell's centre, (rows, columns, 2)."""
        i, j = np.indices(self.heights.shape)
        return np.asarray(np.stack([i, j], axis=-1) * CELL_M + self.low + CELL_M / 2, dtype=np.float64)

    def highest_within(self, x: float, y: float, half_x: float, half_y: float, yaw_rad: float) -> float:
        """Return the greatest height within a rectangle turned by yaw; the table's where nothing is known."""
        inside = self._within(x, y, half_x, half_y, yaw_rad)
        return float(self.heights[inside].max()) if inside.any() else self.floor_m

    def highest_around(self, half_x: float, half_y: float) -> Array:
        """Return, for every cell, the greatest height within an upright rectangle around it."""
        size = 2 * round(half_x / CELL_M) + 1, 2 * round(half_y / CELL_M) + 1
        return np.asarray(ndimage.maximum_filter(self.heights, size, mode="nearest"), dtype=np.float64)

    def seen_within(self, x: float, y: float, half_x: float, half_y: float) -> float:
        """Return the share of a rectangle that the camera sees, 0 to 1."""
        inside = self._within(x, y, half_x, half_y, 0.0)
        return float(self.known[inside].mean()) if inside.any() else 0.0

    def _within(self, x: float, y: float, half_x: float, half_y: float, yaw_rad: float) -> NDArray[np.bool_]:
        offset = self.centres() - (x, y)
        c, s = np.cos(yaw_rad), np.sin(yaw_rad)
        along, across = offset @ (c, s), offset @ (-s, c)
        return (np.abs(along) <= half_x) & (np.abs(across) <= half_y)

    def turn_of_edge(self) -> float:
        """Return by how much the near edge of the surface is turned from straight across, 0 where little of it is seen."""
        least_m = 0.30
        seen = np.isfinite(self.edge)
        x, y = self.edge[seen], np.flatnonzero(seen) * CELL_M
        slope, at = 0.0, float(np.median(x)) if len(x) else 0.0
        for off_m in (0.020, 0.008, 0.008):  # without the columns in which something hides or lengthens it
            near = np.abs(x - slope * y - at) < off_m
            x, y = x[near], y[near]
            if len(y) * CELL_M < least_m:
                return 0.0
            slope, at = np.polyfit(y, x, 1)
        return float(np.arctan(slope))

    def middle_of(
        self, x: float, y: float, half_m: tuple[float, float], yaw_rad: float, above_m: float, disc: bool
    ) -> tuple[float, float] | None:
        """Return where a thing stands of which it is known about where, finer than by cells; None where that does not show.

        Its outline is moved to where most of what is seen above a height is in it; to the middle of such places.

        Args:
            x, y: where it is thought to be.
            half_m, yaw_rad: half its length and width, and how it is turned.
            above_m: the height, above what stands around it where possible.
            disc: whether its outline is round, as wide as its width.
        """
        fine_m, far_m, least = 0.002, 0.030, 40
        points = self.points[self.points[:, 2] > above_m][:, :2] - (x, y)
        reach = math.ceil((math.hypot(*half_m) + far_m) / fine_m)
        cells = np.round(points / fine_m).astype(int) + reach
        seen = np.zeros((2 * reach + 1, 2 * reach + 1))
        seen[tuple(cells[((cells >= 0) & (cells <= 2 * reach)).all(axis=1)].T)] = 1.0
        shift = np.arange(-round(far_m / fine_m), round(far_m / fine_m) + 1)
        offset = np.stack(np.meshgrid(*2 * [(np.arange(2 * reach + 1) - reach) * fine_m], indexing="ij"), axis=-1)
        c, s = math.cos(yaw_rad), math.sin(yaw_rad)
        along, across = offset @ (c, s), offset @ (-s, c)
        outline = np.hypot(along, across) <= half_m[1] if disc else (np.abs(along) <= half_m[0]) & (np.abs(across) <= half_m[1])
        fits = signal.fftconvolve(seen, outline[::-1, ::-1].astype(float), mode="same")
        middle = slice(reach + shift[0], reach + shift[-1] + 1)
        fits = fits[middle, middle]
        if fits.max() < least:
            return None
        best = np.argwhere(fits > 0.99 * fits.max() - 0.5).mean(axis=0)
        dx, dy = (best + shift[0]) * fine_m
        return x + float(dx), y + float(dy)

    def without(self, x: float, y: float, half_x: float, half_y: float, yaw_rad: float, up_to_m: float) -> Self:
        """Return the map without what is within a turned rectangle and no higher than that."""
        made = copy(self)
        gone = self._within(x, y, half_x, half_y, yaw_rad) & (self.heights < up_to_m)
        made.heights = np.where(gone, self.floor_m, self.heights)
        return made

    def way_in(self, half_m: float) -> Array:
        """Return, for every cell, the greatest height between the near edge and it, so far to both sides."""
        wide = ndimage.maximum_filter1d(self.heights, 2 * round(half_m / CELL_M) + 1, axis=1, mode="nearest")
        return np.asarray(np.maximum.accumulate(wide, axis=0), dtype=np.float64)

    def clearance(self, above_m: float = 0.015, seen: bool = True) -> Array:
        """Return, for every cell, the distance in metres to the nearest cell that is occupied.

        The border of the map does not count: whoever puts things down keeps off the edge by itself.

        Args:
            above_m: height over the table from which a cell counts as occupied.
            seen: whether cells out of view count as occupied too.
        """
        free = self.heights < self.floor_m + above_m
        if seen:
            free &= self.known
        distance = np.asarray(ndimage.distance_transform_edt(np.pad(free, 20, constant_values=True)), dtype=np.float64)
        return distance[20:-20, 20:-20] * CELL_M


def turned(points: Array, turn_rad: float) -> Array:
    """Return points (n, 2) turned about the origin."""
    c, s = np.cos(turn_rad), np.sin(turn_rad)
    return np.asarray(points @ np.array([[c, s], [-s, c]]), dtype=np.float64)


def _pose(flat: tuple[float, float, float]) -> Array:
    x, y, yaw = flat
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    pose[:2, 3] = x, y
    return pose
