"""The named places of this world, and the surfaces that things stand on or lie in."""

import math
from dataclasses import dataclass
from typing import Literal

from vlp.primitives.manifest import Place
from vlp.sim.worlds.floor import Corner
from vlp.sim.worlds.home.rooms import Rooms
from vlp.sim.worlds.home.scene import Fixtures, Furniture, HomeScene
from vlp.sim.worlds.protocol import Pose2, Station


@dataclass(frozen=True)
class Cabinet:
    """Measures of the cabinet in metres: a drawer under its top, and below, on the left, a door.

    Args:
        board_m: how thick its boards are.
        drawer_m: height of the drawer's floor.
        drawer_high_m: height of the drawer's walls.
        travel_m: how far the drawer opens.
        cupboard_m: height of the floor behind the door.
        leaf_m: width of the door.
        leaf_rad: how far the door opens.
    """

    board_m: float = 0.02
    drawer_m: float = 0.575
    drawer_high_m: float = 0.12
    travel_m: float = 0.32
    cupboard_m: float = 0.10
    leaf_m: float = 0.385
    leaf_rad: float = 1.6


@dataclass(frozen=True)
class Surface:
    """Where things can be: corners in the world frame, height of the floor, and how high a thing may be there."""

    low: Corner
    high: Corner
    floor_m: float
    headroom_m: float
    relation: Literal["on", "in"]


UNDER_M = {"coffee table": math.inf, "kitchen table": math.inf, "cabinet": -0.035}
"""How far a low base can drive under a place, 0 for others: tables stand on legs, the cabinet's front juts out."""


def places() -> tuple[Place, ...]:
    """Return the places as a manifest tells them; the robot starts at the first."""
    on, inside, people = ("on",), ("in",), ("handover", "wait", "say", "follow", "guide", "locate_person")
    at_a_table = ("pour", "weigh", "count", "compare", "search")
    return (
        Place("start", doc="Where the robot starts, in the living room."),
        Place("coffee table", on, visible=True, clearable=True, doc="The low table in the living room.", affords=at_a_table),
        Place("kitchen table", on, visible=True, clearable=True, doc="The high table in the kitchen.", affords=at_a_table),
        Place("shelf", on, visible=True, doc="The shelf in the kitchen: any of its boards."),
        *(Place(f"shelf: {level}", on, visible=True, doc=f"The {level} board of the shelf.") for level in shelf_levels()),
        Place("cabinet", on, visible=True, doc="The top of the cabinet in the kitchen."),
        Place("drawer", inside, doc="The drawer of the cabinet; it must be open.", affords=("open", "close")),
        Place("cupboard", inside, doc="Behind the cabinet's door; it must be open."),
        Place("bin", inside, final=True, doc="The waste bin in the kitchen."),
        Place("basket", inside, doc="The basket in the living room."),
        Place("sofa", on, doc="The sofa in the living room."),
        Place("button", doc="The button on the wall that switches the lamp.", affords=("press",)),
        Place("gauges", doc="The gauge and the display on the kitchen's wall.", affords=("look",)),
        Place("door", doc="The opening between the rooms, on the living room's side."),
        Place("living room", affords=people),
        Place("kitchen", affords=people),
    )


def shelf_levels() -> dict[str, float]:
    """Return the height of each board of the shelf in metres, by its name."""
    return {"lower": 0.12, "middle": 0.50, "upper": 0.88}


def surfaces(furniture: dict[str, Furniture], fixtures: Fixtures) -> dict[str, Surface]:
    """Return where things can stand or lie, by place."""
    made: dict[str, Surface] = {}
    for name in ("coffee table", "kitchen table", "cabinet"):
        made[name] = Surface(*furniture[name].corners(), furniture[name].height_m, 1.0, "on")
    for level, height_m in shelf_levels().items():
        made[f"shelf: {level}"] = Surface(*furniture["shelf"].corners(0.02), height_m, 0.33, "on")
    piece, c = furniture["cabinet"], Cabinet()
    out_m = c.travel_m * fixtures.drawer
    front_m, covered_m = -piece.depth_m / 2 + 0.03 - out_m, 0.05  # under the top's edge when it is pulled out
    drawer = _part(piece, (front_m, front_m + c.travel_m - covered_m), piece.width_m / 2 - 0.07)
    made["drawer"] = Surface(*drawer, c.drawer_m, c.drawer_high_m - 0.02, "in")
    behind = _part(piece, (-piece.depth_m / 2 + 0.03, piece.depth_m / 2 - 0.03), piece.width_m / 4 - 0.04, piece.width_m / 4)
    made["cupboard"] = Surface(*behind, c.cupboard_m, 0.40, "in")
    for name in ("bin", "basket"):
        made[name] = Surface(*furniture[name].corners(0.015), 0.012, furniture[name].height_m, "in")
    sofa = furniture["sofa"]
    made["sofa"] = Surface(*_part(sofa, (-sofa.depth_m / 2, sofa.depth_m / 2 - 0.25), sofa.width_m / 2 - 0.2), 0.42, 1.0, "on")
    return made


def _part(piece: Furniture, along: tuple[float, float], half_m: float, across_m: float = 0.0) -> tuple[Corner, Corner]:
    """Return the corners in the world of a part of a piece: along its own x, and around a line across it."""
    (ax, ay), (bx, by) = piece.point(along[0], across_m - half_m), piece.point(along[1], across_m + half_m)
    return (min(ax, bx), min(ay, by)), (max(ax, bx), max(ay, by))


def hinge_of_door(cabinet: Furniture) -> tuple[float, float]:
    """Return x, y of the upright axis on which the cabinet's door turns."""
    return cabinet.point(-cabinet.depth_m / 2 - 0.010, cabinet.width_m / 2 - 0.003)


def stations(scene: HomeScene) -> dict[str, Station]:
    """Return where the places of a scene are, one for each of `places`.

    No two stands are nearer than 0.18 m, so that where a robot stands tells its place.
    """
    furniture, made = scene.furniture, {}
    tops = surfaces(furniture, scene.fixtures)
    tops["shelf"] = tops["shelf: middle"]
    shelf, cabinet = furniture["shelf"], furniture["cabinet"]
    stands: dict[str, Pose2] = {
        **{name: piece.stand for name, piece in furniture.items()},
        "shelf: lower": _beside(shelf, -0.20, 0.0),
        "shelf: middle": _beside(shelf, 0.0, 0.20),
        "shelf: upper": _beside(shelf, 0.0, -0.20),
        "drawer": _beside(cabinet, -0.20, 0.0),
        "cupboard": _beside(cabinet, 0.0, cabinet.width_m / 4),
        "start": (-0.2, 0.0, 0.0),
        "living room": (-0.5, -1.3, 0.0),
        "kitchen": (3.5, -0.6, 0.0),
        "door": (Rooms().wall_x_m[0] - 0.5, sum(Rooms().door_y_m) / 2, 0.0),
    }
    rims_m = {name: furniture[name].height_m for name in ("bin", "basket")}
    rims_m["drawer"] = Cabinet().drawer_m + Cabinet().drawer_high_m
    for place in places():
        stand, top = stands[place.name], tops.get(place.name)
        if top is not None:
            x, y = (top.low[0] + top.high[0]) / 2, (top.low[1] + top.high[1]) / 2
            wall_m = 0.02 if place.name == "cupboard" else 0.0  # things stand a finger's width from its walls
            made[place.name] = Station(
                stand,
                middle=(x, y, rims_m.get(place.name, top.floor_m)),
                takes=top.relation,
                low=(top.low[0] - wall_m, top.low[1] - wall_m),
                high=(top.high[0] + wall_m, top.high[1] + wall_m),
                floor_m=top.floor_m,
                under_m=UNDER_M.get(place.name, 0.0),
                headroom_m=top.headroom_m if place.name.startswith(("shelf", "cupboard")) else math.inf,
                out_m=Cabinet().travel_m * scene.fixtures.drawer if place.name == "drawer" else None,
                hinge=hinge_of_door(cabinet) if place.name in ("cupboard", "cabinet") else None,
            )
        elif place.name in furniture:
            piece = furniture[place.name]
            made[place.name] = Station(stand, (piece.x_m, piece.y_m, piece.height_m))
        else:
            made[place.name] = Station(stand, (stand[0], stand[1], 0.0))
    return made


def _beside(piece: Furniture, along_m: float, across_m: float) -> Pose2:
    """Return the stand before a piece, moved along its own axes."""
    return (*piece.point(-piece.depth_m / 2 - piece.before_m + along_m, across_m), piece.yaw_rad)
