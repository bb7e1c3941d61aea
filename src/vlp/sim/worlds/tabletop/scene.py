"""A scene as plain data: what stands where and how it looks; nothing of MuJoCo in it."""

from dataclasses import asdict, dataclass
from typing import Any

from vlp.sim.worlds.tabletop.objects import Rgb, SceneObject


@dataclass(frozen=True)
class Look:
    """Colours, patterns, light and small errors of the camera's mounting.

    Args:
        table_rgb, table_rgb2, table_pattern: the two colours of the table top and "flat", "checker" or "gradient".
        floor_rgb, wall_rgb: colours of floor and wall.
        light_position_m, light_strength, ambient: the lamp, its strength and the light from everywhere (0 to 1).
        camera_shift_m, camera_turn_rad: what the camera's true pose differs by from the one the robot believes.
    """

    table_rgb: Rgb
    table_rgb2: Rgb
    table_pattern: str
    floor_rgb: Rgb
    wall_rgb: Rgb
    light_position_m: tuple[float, float, float]
    light_strength: float
    ambient: float
    camera_shift_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    camera_turn_rad: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Table:
    """The table: distance of its near edge from the station, depth (x), width (y) and height of its top, in metres."""

    near_m: float
    depth_m: float
    width_m: float
    height_m: float


@dataclass(frozen=True)
class Scene:
    """One world to be built: seed, objects, table and look."""

    seed: int
    objects: tuple[SceneObject, ...]
    table: Table
    look: Look

    def to_json(self) -> dict[str, Any]:
        """Return the scene as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Scene":
        """Return the scene that `to_json` wrote; raises KeyError or TypeError on anything else."""
        return cls(
            seed=int(data["seed"]),
            objects=tuple(SceneObject(**_tuples(o)) for o in data["objects"]),
            table=Table(**data["table"]),
            look=Look(**_tuples(data["look"])),
        )


def _tuples(data: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}


def brighter(rgb: Rgb, factor: float) -> Rgb:
    """Return a colour with each part multiplied, at most 1."""
    return min(1.0, rgb[0] * factor), min(1.0, rgb[1] * factor), min(1.0, rgb[2] * factor)
