"""The fixed plan of the flat: two rooms side by side along x, a wall with a door opening between them."""

from dataclasses import dataclass

from vlp.sim.worlds.floor import Corner, FloorPlan
from vlp.sim.worlds.home.scene import HomeScene


@dataclass(frozen=True)
class Rooms:
    """Walls of the flat in metres in the world frame; the origin is the stand before the coffee table.

    Args:
        low, high: corners of the floor of both rooms together.
        wall_x_m: from where to where the wall between the rooms goes along x.
        door_y_m: the opening in it along y.
        height_m: of the walls.
    """

    low: Corner = (-2.2, -2.3)
    high: Corner = (7.1, 2.3)
    wall_x_m: tuple[float, float] = (2.40, 2.50)
    door_y_m: tuple[float, float] = (-1.45, -0.35)
    height_m: float = 2.4

    def room_of(self, x_m: float, y_m: float) -> str:
        """Return the room that a point lies in, "" when outside."""
        inside = all(a <= p <= b for a, p, b in zip(self.low, (x_m, y_m), self.high, strict=True))
        return ("living room" if x_m < self.wall_x_m[0] else "kitchen") if inside else ""

    def walls(self) -> list[tuple[Corner, Corner]]:
        """Return the corners of the two pieces of the wall between the rooms."""
        (x1, x2), (y1, y2) = self.wall_x_m, self.door_y_m
        return [((x1, self.low[1]), (x2, y1)), ((x1, y2), (x2, self.high[1]))]


def floor_plan(scene: HomeScene) -> FloorPlan:
    """Return walls, furniture and persons as they stand on the floor; an open drawer and an open door count too."""
    rooms = Rooms()
    taken = rooms.walls()
    taken += [piece.corners() for name, piece in scene.furniture.items() if name not in ("button", "gauges")]
    cabinet, (low, high) = scene.furniture["cabinet"], scene.furniture["cabinet"].corners()
    out_m = max(0.05, 0.32 * scene.fixtures.drawer + 0.05, 0.40 * scene.fixtures.door)  # handles, drawer, door leaf
    taken.append(((low[0], cabinet.y_m - cabinet.depth_m / 2 - out_m), (high[0], high[1])))
    half_m = 0.25
    taken += [
        ((p.x_m - half_m, p.y_m - half_m), (p.x_m + half_m, p.y_m + half_m)) for p in scene.persons if p.pose == "standing"
    ]
    return FloorPlan(rooms.low, rooms.high, tuple(taken))
