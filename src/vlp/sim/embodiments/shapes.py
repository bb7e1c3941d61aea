"""What a body looks like: primitive shapes on its links."""

from collections.abc import Iterable
from dataclasses import dataclass

from vlp.sim.embodiments.kinematics import quaternion
from vlp.sim.opengl import mujoco

Vec = tuple[float, float, float]


@dataclass(frozen=True)
class BodyShape:
    """One primitive shape on a link.

    Args:
        link: the link's name.
        type: the MuJoCo geom type.
        size: half extents; radius and half length; or radii, in metres.
        pos: centre in the link's frame, in metres.
        rgba: colour.
        rpy_rad: orientation in the link's frame.
        name: given to shapes that touch things; the others are for the eye only.
    """

    link: str
    type: mujoco.mjtGeom
    size: tuple[float, ...]
    pos: Vec
    rgba: tuple[float, float, float, float]
    rpy_rad: Vec = (0.0, 0.0, 0.0)
    name: str = ""


def add_shapes(spec: mujoco.MjSpec, shapes: Iterable[BodyShape]) -> None:
    """Give the links of the specification their shapes; only named ones touch things, and never one another."""
    for shape in shapes:
        touches = bool(shape.name)
        spec.body(shape.link).add_geom(
            name=shape.name,
            type=shape.type,
            size=[*shape.size, 0.0, 0.0][:3],
            pos=shape.pos,
            quat=quaternion(shape.rpy_rad),
            rgba=shape.rgba,
            mass=0.0,
            contype=2 if touches else 0,
            conaffinity=1 if touches else 0,
            group=2,
        )
