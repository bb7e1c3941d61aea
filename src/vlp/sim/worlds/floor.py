"""The floor as a driving robot sees it: what stands on it, and paths that keep clear of that."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from vlp.core.errors import UsageError

Array = NDArray[np.float64]
Corner = tuple[float, float]


@dataclass(frozen=True)
class FloorPlan:
    """A floor with obstacles, in metres in the world frame.

    Args:
        low, high: corners of the floor.
        obstacles: low and high corner of each upright rectangle that nothing drives into, walls included.
        cell_m: width of the squares that paths are searched over.
    """

    low: Corner
    high: Corner
    obstacles: tuple[tuple[Corner, Corner], ...]
    cell_m: float = 0.05

    def clearance_m(self, points: Sequence[Corner] | Array) -> Array:
        """Return how far each point (n, 2) is from the nearest obstacle and from the floor's border; 0 or less within."""
        at = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        found = np.minimum(at - self.low, np.asarray(self.high) - at).min(axis=1)
        for low, high in self.obstacles:
            away = np.maximum(np.asarray(low) - at, at - np.asarray(high))
            outside = np.linalg.norm(np.maximum(away, 0.0), axis=1)
            np.minimum(found, np.where(outside > 0, outside, away.max(axis=1)), out=found)
        return found

    def path(self, start: Corner, goal: Corner, radius_m: float, least_m: float = math.inf) -> tuple[Corner, ...]:
        """Return the corners of a short path, start and goal included, on which a disc touches nothing.

        The search is Dijkstra's of scipy over squares with their eight neighbours: over the 17,000 squares of a flat it
        takes milliseconds, so that the guidance of A* would save nothing. Then every corner that can be cut is cut.

        Args:
            start, goal: x, y in metres.
            radius_m: of the disc that covers the robot, with the margin that it wants to keep.
            least_m: of what is kept near start and goal at least, where there is less room; `radius_m` by default.

        Raises:
            UsageError: start or goal is nearer than that to an obstacle, or no way leads from one to the other.
        """
        for name, point in (("start", start), ("goal", goal)):
            room_m = float(self.clearance_m([point])[0])
            if room_m < min(radius_m, least_m):
                x, y = point
                said = f"the {name} ({x:.2f}, {y:.2f}) has {max(room_m, 0):.2f} m to the nearest obstacle"
                raise UsageError(f"{said}, and the robot needs {min(radius_m, least_m):.2f} m.", "Drive away from it first.")
        ends = _Ends((start, goal), radius_m, min(radius_m, least_m))
        corners = [start, *self._cells(start, goal, ends), goal]
        return tuple(self._cut(corners, ends))

    def free(self, a: Corner, b: Corner, radius_m: float, least_m: float = math.inf) -> bool:
        """Return whether a disc can go straight from one point to another; see `path` for the arguments."""
        return self._goes(a, b, _Ends((a, b), radius_m, min(radius_m, least_m)))

    def _goes(self, a: Corner, b: Corner, room: "_Ends") -> bool:
        points = np.linspace(a, b, max(2, math.ceil(2 * math.dist(a, b) / self.cell_m) + 1))
        return bool((self.clearance_m(points) >= room.needed_m(points)).all())

    @cached_property
    def _grid(self) -> tuple[Array, Array]:
        """Centres of all squares (columns, rows, 2), and the clearance of each."""
        across = [np.arange(a + self.cell_m / 2, b, self.cell_m) for a, b in zip(self.low, self.high, strict=True)]
        centres = np.stack(np.meshgrid(*across, indexing="ij"), axis=-1)
        return centres, self.clearance_m(centres).reshape(centres.shape[:2])

    def _cells(self, start: Corner, goal: Corner, room: "_Ends") -> list[Corner]:
        centres, clearance = self._grid
        open_ = clearance >= room.needed_m(centres)
        graph = self._graph(open_)
        ends = [self._nearest(point, open_) for point in (start, goal)]
        _, before = csgraph.dijkstra(graph, directed=False, indices=ends[0], return_predecessors=True)
        if ends[1] != ends[0] and before[ends[1]] < 0:
            raise UsageError(f"no way {2 * room.radius_m:.2f} m wide leads from {start} to {goal}.", "Clear the floor first.")
        way = [ends[1]]
        while way[-1] != ends[0]:
            way.append(int(before[way[-1]]))
        flat = centres.reshape(-1, 2)
        return [(float(flat[i, 0]), float(flat[i, 1])) for i in reversed(way)]

    def _graph(self, open_: NDArray[np.bool_]) -> sparse.csr_array:
        clearance = self._grid[1]
        index = np.arange(clearance.size).reshape(clearance.shape)
        rows, columns, lengths = [], [], []
        for dx, dy in ((1, 0), (0, 1), (1, 1), (1, -1)):
            here = np.s_[: clearance.shape[0] - dx, max(0, -dy) : clearance.shape[1] - max(0, dy)]
            there = np.s_[dx:, max(0, dy) : clearance.shape[1] - max(0, -dy)]
            both = open_[here] & open_[there]
            rows.append(index[here][both])
            columns.append(index[there][both])
            lengths.append(np.full(int(both.sum()), math.hypot(dx, dy)))
        shape = clearance.size, clearance.size
        return sparse.csr_array((np.concatenate(lengths), (np.concatenate(rows), np.concatenate(columns))), shape=shape)

    def _nearest(self, point: Corner, open_: NDArray[np.bool_]) -> int:
        """Return the free square next to a free point."""
        far = np.linalg.norm(self._grid[0] - np.asarray(point), axis=-1)
        return int(np.argmin(np.where(open_, far, np.inf)))

    def _cut(self, corners: list[Corner], room: "_Ends") -> list[Corner]:
        kept, i = [corners[0]], 0
        while i < len(corners) - 1:
            # A centre next to a free point may itself lie a little off; the first step is always taken.
            i = next((j for j in range(len(corners) - 1, i + 1, -1) if self._goes(corners[i], corners[j], room)), i + 1)
            kept.append(corners[i])
        return kept


@dataclass(frozen=True)
class _Ends:
    """What a path keeps to everything: less near its ends, where a robot stands before something.

    Args:
        points: start and goal.
        radius_m, least_m: what is kept on the way, and within so much of the ends.
    """

    points: tuple[Corner, Corner]
    radius_m: float
    least_m: float

    def needed_m(self, at: Array) -> Array:
        """Return what is kept at points (…, 2)."""
        near_m = 0.6
        away = np.minimum(*(np.linalg.norm(at - np.asarray(end), axis=-1) for end in self.points))
        return np.where(away < near_m, self.least_m, self.radius_m)
