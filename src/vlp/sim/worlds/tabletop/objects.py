"""The shape of each kind of object, composed of MuJoCo primitives; the origin is the middle of the body, z up."""

import colorsys
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vlp.sim.opengl import mujoco
from vlp.sim.worlds.tabletop.kinds import colours, kinds

Rgb = tuple[float, float, float]
Size = tuple[float, float, float]
Geom = mujoco.mjtGeom


@dataclass(frozen=True)
class SceneObject:
    """One object of a scene, as plain data.

    Args:
        colour, kind: words of `vlp.sim.worlds.tabletop.words`.
        size_m: length, width and height.
        rgb: its shade of the colour, 0 to 1.
        position_m: x, y, z of its middle in the world frame.
        yaw_rad: rotation about z.
        support, relation: what it rests on or in, e.g. ("table", "on") or ("green bowl", "in").
    """

    colour: str
    kind: str
    size_m: Size
    rgb: Rgb
    position_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    yaw_rad: float = 0.0
    support: str = "table"
    relation: str = "on"

    @property
    def phrase(self) -> str:
        """The object's name, e.g. "red cube"."""
        return f"{self.colour} {self.kind}"


@dataclass(frozen=True)
class Shape:
    """One primitive of a body: type, half sizes, position, colour, roll-pitch-yaw; `solid` ones take contacts."""

    type: mujoco.mjtGeom
    size: tuple[float, float, float]
    at: tuple[float, float, float]
    rgb: Rgb
    euler: tuple[float, float, float] = (0.0, 0.0, 0.0)
    solid: bool = True

    @property
    def volume(self) -> float:
        """A measure of the mass it carries; the exact value does not matter."""
        return float(np.prod([max(s, 0.002) for s in self.size])) if self.solid else 0.0


def sample_size(kind: str, rng: np.random.Generator) -> Size:
    """Return a random length, width and height in metres for a kind."""
    of = kinds()[kind]
    length = float(rng.uniform(*of.length_m))
    return length, length * float(rng.uniform(*of.width_share)), length * float(rng.uniform(*of.height_share))


def sample_rgb(colour: str, rng: np.random.Generator) -> Rgb:
    """Return a shade of a colour: its hue almost fixed, its brightness varied."""
    hue, saturation, value = colorsys.rgb_to_hsv(*colours()[colour])
    hue += float(rng.uniform(-0.008, 0.008))
    saturation *= float(rng.uniform(0.88, 1.0))
    value *= float(rng.uniform(0.88, 1.08))
    r, g, b = colorsys.hsv_to_rgb(hue % 1.0, min(saturation, 1.0), min(value, 0.97))
    return r, g, b


def shade(rgb: Rgb, factor: float) -> Rgb:
    """Return a lighter (factor > 1, towards white) or darker colour."""
    if factor <= 1:
        return rgb[0] * factor, rgb[1] * factor, rgb[2] * factor
    t = factor - 1
    return rgb[0] + (1 - rgb[0]) * t, rgb[1] + (1 - rgb[1]) * t, rgb[2] + (1 - rgb[2]) * t


def _ring(radius: float, height: float, z: float, tilt: float, thick: float, rgb: Rgb, n: int = 16) -> list[Shape]:
    """Return n plates in a ring about z, leaning outwards by `tilt`, whose middles lie at `radius` and `z`."""
    half_width = radius * math.tan(math.pi / n) * 1.07
    shapes = []
    for i in range(n):
        a = 2 * math.pi * i / n
        at = (radius * math.cos(a), radius * math.sin(a), z)
        shapes.append(
            Shape(Geom.mjGEOM_BOX, (thick / 2, half_width, height / 2), at, shade(rgb, 0.94 + 0.06 * (i % 2)), (0.0, tilt, a))
        )
    return shapes


def _cube(size: Size, rgb: Rgb) -> list[Shape]:
    length, width, height = size
    return [Shape(Geom.mjGEOM_BOX, (length / 2, width / 2, height / 2), (0, 0, 0), rgb)]


def _ball(size: Size, rgb: Rgb) -> list[Shape]:
    return [Shape(Geom.mjGEOM_SPHERE, (size[0] / 2, 0, 0), (0, 0, 0), rgb)]


def _can(size: Size, rgb: Rgb) -> list[Shape]:
    r, h, pale = size[0] / 2, size[2], (0.80, 0.80, 0.82)
    return [
        Shape(Geom.mjGEOM_CYLINDER, (r, h / 2, 0), (0, 0, 0), rgb),
        Shape(Geom.mjGEOM_CYLINDER, (r * 1.01, 0.004, 0), (0, 0, h / 2 - 0.0035), pale, solid=False),
        Shape(Geom.mjGEOM_CYLINDER, (r * 0.80, 0.004, 0), (0, 0, h / 2 - 0.0030), shade(pale, 0.72), solid=False),
        Shape(Geom.mjGEOM_CYLINDER, (r * 1.01, 0.003, 0), (0, 0, -h / 2 + 0.0035), pale, solid=False),
    ]


def _bottle(size: Size, rgb: Rgb) -> list[Shape]:
    r, h = size[0] / 2, size[2]
    body, neck, cap = 0.62 * h, 0.27 * h, 0.11 * h
    light = sum(rgb) > 2.4
    return [
        Shape(Geom.mjGEOM_CYLINDER, (r, body / 2, 0), (0, 0, -h / 2 + body / 2), rgb),
        Shape(Geom.mjGEOM_SPHERE, (r * 0.97, 0, 0), (0, 0, -h / 2 + body - r * 0.18), rgb, solid=False),
        Shape(Geom.mjGEOM_CYLINDER, (r * 0.42, neck / 2, 0), (0, 0, -h / 2 + body + neck / 2), rgb),
        Shape(
            Geom.mjGEOM_CYLINDER,
            (r * 0.52, cap / 2, 0),
            (0, 0, h / 2 - cap / 2),
            (0.10, 0.09, 0.09) if light else (0.93, 0.93, 0.90),
        ),
    ]


def _mug(size: Size, rgb: Rgb) -> list[Shape]:
    length, d, h = size
    r, reach = d / 2, length - d
    edge = r + reach - 0.005
    inside = shade(rgb, 0.25) if sum(rgb) > 0.4 else (0.42, 0.40, 0.38)
    return [
        Shape(Geom.mjGEOM_CYLINDER, (r, h / 2, 0), (0, 0, 0), rgb),
        Shape(Geom.mjGEOM_CYLINDER, (r * 0.84, 0.003, 0), (0, 0, h / 2 - 0.0025), inside, solid=False),
        Shape(Geom.mjGEOM_CAPSULE, (0.005, h * 0.22, 0), (edge, 0, 0), rgb),
        Shape(Geom.mjGEOM_CAPSULE, (0.005, reach / 2, 0), (r + reach / 2 - 0.005, 0, h * 0.22), rgb, (0, math.pi / 2, 0)),
        Shape(Geom.mjGEOM_CAPSULE, (0.005, reach / 2, 0), (r + reach / 2 - 0.005, 0, -h * 0.22), rgb, (0, math.pi / 2, 0)),
    ]


def _bowl(size: Size, rgb: Rgb) -> list[Shape]:
    outer, h = size[0] / 2, size[2]
    low, thick = outer * 0.66, 0.007
    tilt = math.atan2(outer - low, h)
    slant = math.hypot(outer - low, h)
    return [
        Shape(Geom.mjGEOM_CYLINDER, (low, thick / 2, 0), (0, 0, -h / 2 + thick / 2), shade(rgb, 0.72)),
        *_ring((outer + low) / 2 - thick / 2, slant, 0.0, tilt, thick, rgb),
    ]


def _plate(size: Size, rgb: Rgb) -> list[Shape]:
    outer, h = size[0] / 2, size[2]
    low, thick = outer * 0.70, 0.007
    tilt = math.atan2(outer - low, h - thick)
    slant = math.hypot(outer - low, h - thick)
    return [
        Shape(Geom.mjGEOM_CYLINDER, (low * 1.01, thick / 2, 0), (0, 0, -h / 2 + thick / 2), shade(rgb, 0.80)),
        *_ring((outer + low) / 2, slant, thick * 0.4, tilt, 0.005, rgb),
    ]


def _walls(size: Size, thick: float, rgb: Rgb, inside: Rgb) -> list[Shape]:
    length, width, h = size
    x, y = length / 2 - thick / 2, width / 2 - thick / 2
    return [
        Shape(Geom.mjGEOM_BOX, (length / 2 - thick / 2, width / 2 - thick / 2, thick / 2), (0, 0, -h / 2 + thick / 2), inside),
        Shape(Geom.mjGEOM_BOX, (thick / 2, width / 2, h / 2), (x, 0, 0), rgb),
        Shape(Geom.mjGEOM_BOX, (thick / 2, width / 2, h / 2), (-x, 0, 0), rgb),
        Shape(Geom.mjGEOM_BOX, (length / 2 - thick, thick / 2, h / 2), (0, y, 0), rgb),
        Shape(Geom.mjGEOM_BOX, (length / 2 - thick, thick / 2, h / 2), (0, -y, 0), rgb),
    ]


def _tray(size: Size, rgb: Rgb) -> list[Shape]:
    return _walls(size, kinds()["tray"].wall_m, rgb, shade(rgb, 0.82))


def _box(size: Size, rgb: Rgb) -> list[Shape]:
    return _walls(size, kinds()["box"].wall_m, rgb, shade(rgb, 0.62))


SHAPES: dict[str, Callable[[Size, Rgb], list[Shape]]] = {
    "cube": _cube, "block": _cube, "ball": _ball, "can": _can, "bottle": _bottle, "mug": _mug,
    "bowl": _bowl, "plate": _plate, "tray": _tray, "box": _box,
}  # fmt: skip


@dataclass(frozen=True)
class Cavity:
    """Where things go in or on a container.

    Args:
        floor_m: height of the inner floor above the container's bottom.
        half_length_m, half_width_m: inner half extents at the floor (equal for round ones).
        round: whether the floor is a disc.
    """

    floor_m: float
    half_length_m: float
    half_width_m: float
    round: bool


def cavity(kind: str, size: Size) -> Cavity:
    """Return the place inside a container (or the top of a flat-topped thing, where "inside" begins at the top)."""
    if kind == "bowl":
        return Cavity(0.007, size[0] / 2 * 0.66, size[0] / 2 * 0.66, True)
    if kind == "plate":
        return Cavity(0.007, size[0] / 2 * 0.72, size[0] / 2 * 0.72, True)
    if kind in ("tray", "box"):
        wall = kinds()[kind].wall_m
        return Cavity(wall, size[0] / 2 - wall, size[1] / 2 - wall, False)
    return Cavity(size[2], size[0] / 2, size[1] / 2, kinds()[kind].round)


def add_object(parent: mujoco.MjsBody, thing: SceneObject, *, solref_s: float = 0.008) -> mujoco.MjsBody:
    """Add an object as a free body named by its phrase and return the body.

    Args:
        parent: usually the world body.
        thing: what to build; its pose becomes the initial one.
        solref_s: time constant of its contacts.
    """
    half = thing.yaw_rad / 2
    body = parent.add_body(name=thing.phrase, pos=thing.position_m, quat=(math.cos(half), 0.0, 0.0, math.sin(half)))
    body.add_freejoint(name=thing.phrase)
    shapes = SHAPES[thing.kind](thing.size_m, thing.rgb)
    volume = sum(s.volume for s in shapes)
    rolls = thing.kind in ("ball", "can", "bottle", "mug")
    for i, s in enumerate(shapes):
        solid = 1 if s.solid else 0
        body.add_geom(
            name=f"{thing.phrase}/{i}", type=s.type, size=s.size, pos=s.at, quat=quaternion(s.euler), rgba=(*s.rgb, 1),
            mass=kinds()[thing.kind].mass_kg * s.volume / volume, contype=solid, conaffinity=solid,
            condim=6 if rolls else 4, friction=(1.0, 0.01, 0.0008 if rolls else 0.0001), solref=(solref_s, 1.0),
        )  # fmt: skip
    return body


def quaternion(euler: tuple[float, float, float]) -> tuple[float, float, float, float]:
    """Return the quaternion of a turn about x, then about the fixed y, then about the fixed z."""
    q = np.array([1.0, 0.0, 0.0, 0.0])
    for axis, angle in enumerate(euler):
        turn, product = np.zeros(4), np.zeros(4)
        turn[0], turn[1 + axis] = math.cos(angle / 2), math.sin(angle / 2)
        mujoco.mju_mulQuat(product, turn, q)
        q = product
    return float(q[0]), float(q[1]), float(q[2]), float(q[3])
