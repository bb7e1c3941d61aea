"""A home as plain data: what stands where, who is there, and how it looks; nothing of MuJoCo in it."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from vlp.sim.worlds.home.catalogue import Product, Rgb, Size, products


@dataclass(frozen=True)
class Thing:
    """One thing that may be moved.

    Args:
        name: a row of `things.toml`.
        position_m: x, y, z of its middle in the world frame.
        yaw_rad: rotation about z.
        support, relation: what it rests on or in, e.g. ("drawer", "in").
    """

    name: str
    position_m: tuple[float, float, float]
    yaw_rad: float
    support: str
    relation: str

    @property
    def product(self) -> Product:
        """What is the same for all of its name."""
        return products()[self.name]

    @property
    def phrase(self) -> str:
        """Its name."""
        return self.name

    @property
    def size_m(self) -> Size:
        """Length, width and height."""
        return self.product.size_m

    @property
    def rgb(self) -> Rgb:
        """Its main colour."""
        return self.product.rgb


@dataclass(frozen=True)
class Furniture:
    """One piece of furniture, upright on the floor; its front faces against its own x.

    Args:
        x_m, y_m: the middle of its footprint in the world frame.
        yaw_rad: direction from its front to its back; a multiple of a right angle.
        depth_m, width_m, height_m: along its own x and y, and up.
        before_m: from its front to the middle of a robot that stands before it.
    """

    x_m: float
    y_m: float
    yaw_rad: float
    depth_m: float
    width_m: float
    height_m: float
    before_m: float

    def point(self, along_m: float, across_m: float = 0.0) -> tuple[float, float]:
        """Return x, y in the world of a point in its own frame, whose origin is the middle of the footprint."""
        c, s = math.cos(self.yaw_rad), math.sin(self.yaw_rad)
        return self.x_m + c * along_m - s * across_m, self.y_m + s * along_m + c * across_m

    @property
    def stand(self) -> tuple[float, float, float]:
        """x, y and yaw of a robot before its front."""
        return (*self.point(-self.depth_m / 2 - self.before_m), self.yaw_rad)

    def corners(self, inset_m: float = 0.0) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the low and the high corner of its footprint, made smaller on every side."""
        across, along = self.width_m / 2 - inset_m, self.depth_m / 2 - inset_m
        (ax, ay), (bx, by) = self.point(-along, -across), self.point(along, across)
        return (min(ax, bx), min(ay, by)), (max(ax, bx), max(ay, by))


@dataclass(frozen=True)
class HomePerson:
    """A mannequin.

    Args:
        name: as on the name tag.
        spot: where, one of `vlp.sim.worlds.home.people.spots`.
        x_m, y_m, yaw_rad: where the feet are (the hips of one who sits or lies), and where the front faces.
        pose: "standing", "sitting" or "lying".
        gesture: one of `vlp.sim.worlds.home.people.gestures`, "" for none.
        shirt: the word for its colour.
        shirt_rgb, skin_rgb, hair_rgb, trousers_rgb: colours.
        holds: the name of the thing in the open hand, or "".
    """

    name: str
    spot: str
    x_m: float
    y_m: float
    yaw_rad: float
    pose: str
    gesture: str
    shirt: str
    shirt_rgb: Rgb
    skin_rgb: Rgb
    hair_rgb: Rgb
    trousers_rgb: Rgb
    holds: str = ""


@dataclass(frozen=True)
class Fixtures:
    """What can be opened, switched and read, as the scene begins.

    Args:
        drawer, door: how far open, 0 to 1.
        lamp_on: whether the lamp shines.
        needle: where the gauge's needle stands, 0 to 10.
        digits: what the display shows, one decimal.
        sign: what the sign says.
        balls: how many small balls lie in the cup.
        ball_cup: the cup that holds them, "" for none.
    """

    drawer: float
    door: float
    lamp_on: bool
    needle: float
    digits: float
    sign: str
    balls: int
    ball_cup: str


@dataclass(frozen=True)
class HomeLook:
    """Colours, light and small errors of the camera's mounting.

    Args:
        floor_rgb, wall_rgb, accent_rgb: of floor, walls and the kitchen's back wall.
        wood_rgb, front_rgb, sofa_rgb, rug_rgb: of tables and shelf, of the cabinet's fronts, of sofa and rug.
        light_position_m, light_strength, ambient: the ceiling light, its strength and the light from everywhere (0 to 1).
        camera_shift_m, camera_turn_rad: what the camera's true pose differs by from the one the robot believes.
    """

    floor_rgb: Rgb
    wall_rgb: Rgb
    accent_rgb: Rgb
    wood_rgb: Rgb
    front_rgb: Rgb
    sofa_rgb: Rgb
    rug_rgb: Rgb
    light_position_m: tuple[float, float, float]
    light_strength: float
    ambient: float
    camera_shift_m: tuple[float, float, float]
    camera_turn_rad: tuple[float, float, float]


@dataclass(frozen=True)
class HomeScene:
    """One home to be built: seed, furniture by name, things, persons, fixtures and look."""

    seed: int
    furniture: dict[str, Furniture]
    objects: tuple[Thing, ...]
    persons: tuple[HomePerson, ...]
    fixtures: Fixtures
    look: HomeLook

    def to_json(self) -> dict[str, Any]:
        """Return the scene as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "HomeScene":
        """Return the scene that `to_json` wrote; raises KeyError or TypeError on anything else."""
        return cls(
            seed=int(data["seed"]),
            furniture={name: Furniture(**row) for name, row in data["furniture"].items()},
            objects=tuple(Thing(**_tuples(row)) for row in data["objects"]),
            persons=tuple(HomePerson(**_tuples(row)) for row in data["persons"]),
            fixtures=Fixtures(**data["fixtures"]),
            look=HomeLook(**_tuples(data["look"])),
        )


def _tuples(data: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
