"""What a robot knows of its surroundings without looking: places, surfaces, the floor, and which names mean containers."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from vlp.core.errors import UsageError
from vlp.sim.embodiments.motion import Failed
from vlp.sim.worlds.floor import FloorPlan
from vlp.sim.worlds.protocol import Pose2, Station

Point = tuple[float, float, float]
COVERED_M = 0.05
"""How much of a drawer that is pulled out wide stays under the edge of its furniture's top."""


@dataclass(frozen=True)
class Map:
    """What the robot knows of its surroundings without looking.

    Args:
        places: what there is, and where.
        stations: x, y, yaw of the base at each place.
        floor: with what stands on it, people where the scanner shows them.
        is_container: whether a thing of a name is a vessel that things are put into, see `World.is_container`.
        pressed: the places that can be pressed.
    """

    places: Mapping[str, Station]
    stations: Mapping[str, Pose2]
    floor: FloorPlan
    is_container: Callable[[str], bool]
    pressed: frozenset[str] = frozenset()

    def with_floor(self, floor: FloorPlan) -> "Map":
        """Return the map with another floor; with the same one, the map itself with all that it has worked out."""
        return self if floor == self.floor else replace(self, floor=floor)

    @property
    def surfaces(self) -> list[str]:
        """The places that things stand on."""
        return [name for name, place in self.places.items() if place.takes == "on"]

    @property
    def home(self) -> str:
        """The place to work at: the first that things stand on, else the first of all."""
        return next(iter([*self.surfaces, *self.places]))

    @property
    def is_one_workspace(self) -> bool:
        """Whether all places lie in the workspace of one surface, which the robot comes back to."""
        return len(self.surfaces) < 2

    def takes(self, place: str) -> str:
        """Return "on", "in" or "": how things can be put at a place."""
        return self.places[place].takes if place in self.places else ""

    def frame(self, place: str) -> Pose2:
        """Return the pose in the world from which the workspace, and what lies at a place, is told: x ahead, y to the left."""
        return self.places[self.home if self.is_one_workspace or not place else place].stand

    def surface_under(self, point: Point, at: str) -> str:
        """Return the highest surface that a point lies over, "" where there is none; of equal ones the place `at`."""
        x, y, z = point
        found = [
            name
            for name in self.surfaces
            if (p := self.places[name]).low[0] < x < p.high[0] and p.low[1] < y < p.high[1] and z > p.middle[2] - 0.02
        ]
        return max(found, key=lambda name: (self.places[name].middle[2], name == at), default="")

    def inside(self, point: Point, pulled_m: Mapping[str, float]) -> str:
        """Return the container that a point lies in, "" where there is none.

        Args:
            point: in the world.
            pulled_m: by place, how far a drawer has been pulled out since the scene began.
        """
        for name, place in self.places.items():
            if place.takes != "in":
                continue
            there = self.seen_from(place.stand, name, pulled_m.get(name, 0.0))
            x, y = into(place.stand, *point[:2])
            # Of a drawer more can be seen than lies open, and what stands on the furniture over it is higher.
            beyond_m, over_m = (0.0, 0.25) if place.out_m is None else (0.10, 0.15)
            top_m = place.floor_m + min(place.headroom_m, max(place.middle[2] - place.floor_m, over_m))
            within = there.low[0] < x < there.high[0] + beyond_m and there.low[1] < y < there.high[1]
            if within and place.floor_m - 0.02 < point[2] < top_m:
                return name
        return ""

    def drawer_behind(self, handle: Point) -> str:
        """Return the drawer nearest to its handle, "" where there is none."""
        near = {name: math.dist(place.middle[:2], handle[:2]) for name, place in self.places.items() if place.out_m is not None}
        return min(near, key=near.__getitem__, default="")

    def left_to_pull_m(self, drawer: str, pulled_m: float) -> float:
        """Return how much farther a drawer can be pulled out.

        Args:
            drawer: the place.
            pulled_m: how far it has been pulled out since the scene began.
        """
        there = self.places[drawer]
        (x, y), (_, _, yaw) = (b - a for a, b in zip(there.low, there.high, strict=True)), there.stand
        travel_m = abs(math.cos(yaw)) * x + abs(math.sin(yaw)) * y + COVERED_M
        return travel_m - (there.out_m or 0.0) - pulled_m

    def door_of(self, handle: Point) -> Station | None:
        """Return the place behind the door on a hinge that a handle belongs to, None where it belongs to none."""
        longest_m, frame_m = 0.55, 0.05
        for place in self.places.values():
            high_m = place.floor_m + place.headroom_m + frame_m
            if place.hinge and math.dist(place.hinge, handle[:2]) < longest_m and place.floor_m < handle[2] < high_m:
                return place
        return None

    def surfaces_in_words(self) -> str:
        """Return the surfaces as a sentence names them."""
        return f"on the {self.home}" if self.is_one_workspace else f"on any of {', '.join(self.surfaces)}"

    def seen_from(self, frame: Pose2, place: str, out_m: float = 0.0) -> Station:
        """Return a place with its rectangle and middle in a frame that is turned by a multiple of a right angle.

        Of a drawer it is the part that lies open.

        Args:
            frame: see `frame`.
            place: which.
            out_m: how far it has been pulled out towards who stands before it, since the scene began.
        """
        there = self.places[place]
        corners = [into(frame, *corner) for corner in (there.low, there.high)]
        (ax, bx), (ay, by) = (sorted(values) for values in zip(*corners, strict=True))
        x, y = into(frame, *there.middle[:2])
        if there.out_m is not None:
            ax -= out_m
            bx = ax + max(0.0, there.out_m + out_m - COVERED_M)
            x = (ax + bx) / 2
        hinge = into(frame, *there.hinge) if there.hinge else None
        return replace(there, low=(ax, ay), high=(bx, by), middle=(x, y, there.middle[2]), hinge=hinge)

    def way(self, start: Pose2, goal: Pose2, radius_m: float) -> list[Pose2]:
        """Return the base poses that lead from one to another; straight where that is free.

        A robot leaves what it stands before backwards and comes to it forwards; on its way it looks where it drives.

        Args:
            start, goal: of the base.
            radius_m: of the disc that covers the robot.

        Raises:
            Failed: "no-way" with what stands in it.
        """
        wide_m = 1.25 * radius_m  # an arm in carry posture, and what it holds, reach farther than a body that turns
        if self.floor.free(start[:2], goal[:2], wide_m, radius_m):
            return [goal]
        why, least = "", 0.75  # of the radius: straight ahead, a body is narrower than where it turns
        for share in (1.5, 1.25, 1.0):  # as far from everything as there is room: what is held may stand out beyond the radius
            out, before = (self._stepped_back(pose, share * radius_m) for pose in (start, goal))
            ends_m = min(float(room) for room in self.floor.clearance_m([out[:2], before[:2]]))
            if ends_m < least * radius_m:
                raise Failed(
                    "no-way", f"there is {max(ends_m, 0.0):.2f} m of room where the robot needs {radius_m:.2f} m to turn."
                )
            try:
                room_m = share * radius_m if share > 1 else min(ends_m, radius_m)
                corners = self.floor.path(out[:2], before[:2], room_m, ends_m)
                break
            except UsageError as error:
                why = error.message
        else:
            raise Failed("no-way", why)
        poses = [out]
        for corner in corners[1:]:
            x, y, _ = poses[-1]
            heading = math.atan2(corner[1] - y, corner[0] - x)
            poses += [(x, y, heading), (*corner, heading)]
        return [*poses, before, goal]

    def _stepped_back(self, pose: Pose2, radius_m: float) -> Pose2:
        """Return the nearest pose behind one at which the robot can turn, or the one with most room."""
        x, y, yaw = pose
        farthest_m, step_m = 1.2, 0.05
        behind = [k * step_m for k in range(round(farthest_m / step_m) + 1)]
        points = [(x - math.cos(yaw) * far, y - math.sin(yaw) * far) for far in behind]
        rooms = self.floor.clearance_m(points).tolist()
        best, nearer_m = 0, 0.10
        for i, room_m in enumerate(rooms):
            if rooms[best] >= radius_m or room_m < rooms[best] - nearer_m:  # something comes near from behind
                break
            best = i if room_m > rooms[best] else best
        return (*points[best], yaw)


def into(frame: Pose2, x: float, y: float) -> tuple[float, float]:
    """Return a point of the world in a frame."""
    c, s = math.cos(frame[2]), math.sin(frame[2])
    dx, dy = x - frame[0], y - frame[1]
    return c * dx + s * dy, c * dy - s * dx


def out_of(frame: Pose2, x: float, y: float) -> tuple[float, float]:
    """Return a point of a frame in the world."""
    c, s = math.cos(frame[2]), math.sin(frame[2])
    return frame[0] + c * x - s * y, frame[1] + s * x + c * y


def turned_to(pose: Pose2, yaw_rad: float) -> Pose2:
    """Return a pose with whole turns added to its yaw, so that it is the nearest to another."""
    x, y, yaw = pose
    return x, y, yaw + 2 * math.pi * round((yaw_rad - yaw) / (2 * math.pi))
