"""How the things of the home are built: one or a few primitives that take contacts, and smooth shapes for the eye."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from vlp.sim.opengl import mujoco
from vlp.sim.worlds.home.catalogue import Rgb
from vlp.sim.worlds.home.meshes import add_capsule, add_ellipsoid, add_lathe, add_mesh_geom, add_rounded_box
from vlp.sim.worlds.home.scene import Thing
from vlp.sim.worlds.home.textures import add_texture, carton_faces, label_around, puzzle_faces

Geom = mujoco.mjtGeom
Vec = tuple[float, float, float]


@dataclass
class Maker:
    """Gives one thing its shapes; lengths in metres in the thing's own frame, whose origin is its middle.

    Args:
        spec, body: what is filled.
        thing: what is built.
        solids: geoms that take contacts, with their volumes, which share the mass.
    """

    spec: mujoco.MjSpec
    body: mujoco.MjsBody
    thing: Thing
    solids: list[tuple[mujoco.MjsGeom, float]] = field(default_factory=list)

    def paint(self, name: str, rgb: Rgb, gloss: float = 0.25) -> str:
        """Add a material of one colour and return its name."""
        made = f"{self.thing.name}/{name}"
        self.spec.add_material(name=made, rgba=(*rgb, 1), specular=gloss, shininess=0.4)
        return made

    def solid(
        self, kind: mujoco.mjtGeom, size: tuple[float, ...], at: Vec = (0, 0, 0), turn: Vec = (0, 0, 0), material: str = "",
        rolls: bool = False,
    ) -> None:  # fmt: skip
        """Add a shape that takes contacts; without a material nobody sees it."""
        geom = self.body.add_geom(
            type=kind, size=[*size, 0.0, 0.0][:3], pos=at, quat=quaternion(turn), group=2 if material else 3,
            condim=6 if rolls else 4, friction=(1.0, 0.01, 0.0012 if rolls else 0.0001), solref=(0.008, 1.0),
        )  # fmt: skip
        if material:
            geom.material = material
        self.solids.append((geom, volume_m3(kind, size)))

    def skin(self, kind: mujoco.mjtGeom, size: tuple[float, ...], at: Vec, material: str, turn: Vec = (0, 0, 0)) -> None:
        """Add a shape for the eye alone; round ones have fewer faces than MuJoCo's own."""
        if kind in (Geom.mjGEOM_CAPSULE, Geom.mjGEOM_SPHERE, Geom.mjGEOM_ELLIPSOID):
            radius, *rest = size
            capsule = kind == Geom.mjGEOM_CAPSULE
            mesh = add_capsule(self.spec, radius, *rest) if capsule else add_ellipsoid(self.spec, size if rest else size * 3)
            add_mesh_geom(self.body, mesh, material, pos=at, quat=quaternion(turn))
            return
        self.body.add_geom(
            type=kind, size=[*size, 0.0, 0.0][:3], pos=at, quat=quaternion(turn), material=material, group=2,
            mass=0.0, contype=0, conaffinity=0,
        )  # fmt: skip

    def turned(self, profile: list[tuple[float, float]], material: str, part: str = "body") -> None:
        """Add a turned profile for the eye."""
        add_mesh_geom(self.body, add_lathe(self.spec, f"{self.thing.name}/{part}", profile), material)

    def share_mass(self) -> None:
        """Give the solid shapes the thing's mass by their volumes."""
        whole = sum(volume for _, volume in self.solids)
        for geom, volume in self.solids:
            geom.mass = self.thing.product.mass_kg * volume / whole


def volume_m3(kind: mujoco.mjtGeom, size: tuple[float, ...]) -> float:
    """Return the volume of a box, sphere, cylinder or capsule by the sizes that MuJoCo takes."""
    if kind == Geom.mjGEOM_BOX:
        return 8 * math.prod(size)
    ball = 4 / 3 * math.pi * size[0] ** 3
    round_ = 2 * math.pi * size[0] ** 2 * size[1] if len(size) > 1 else 0.0
    return {Geom.mjGEOM_SPHERE: ball, Geom.mjGEOM_CYLINDER: round_, Geom.mjGEOM_CAPSULE: round_ + ball}[kind]


def add_thing(spec: mujoco.MjSpec, thing: Thing) -> None:
    """Add a thing as a free body named by its phrase."""
    half = thing.yaw_rad / 2
    body = spec.worldbody.add_body(name=thing.phrase, pos=thing.position_m, quat=(math.cos(half), 0.0, 0.0, math.sin(half)))
    body.add_freejoint(name=thing.phrase)
    maker = Maker(spec, body, thing)
    shapes()[thing.product.shape](maker)
    maker.share_mass()


def quaternion(turn: Vec) -> tuple[float, float, float, float]:
    """Return the quaternion of a turn about x, then about the fixed y, then about the fixed z."""
    q = np.array([1.0, 0.0, 0.0, 0.0])
    for axis, angle in enumerate(turn):
        step, product = np.zeros(4), np.zeros(4)
        step[0], step[1 + axis] = math.cos(angle / 2), math.sin(angle / 2)
        mujoco.mju_mulQuat(product, step, q)
        q = product
    return float(q[0]), float(q[1]), float(q[2]), float(q[3])


def shapes() -> dict[str, Callable[[Maker], None]]:
    """Return what builds each shape of `things.toml`."""
    return {
        "carton": _carton, "can": _can, "bottle": _bottle, "spray": _spray, "sponge": _sponge, "ball": _ball, "apple": _apple,
        "lemon": _lemon, "pear": _pear, "banana": _banana, "mug": _mug, "bowl": _bowl, "plate": _plate, "cup": _cup,
        "puzzle": _puzzle, "car": _car, "brick": _brick, "bear": _bear,
    }  # fmt: skip


def _halves(m: Maker) -> Vec:
    length, width, height = m.thing.size_m
    return length / 2, width / 2, height / 2


def _label(m: Maker) -> str:
    return add_texture(m.spec, m.thing.name, label_around(m.thing.name))


def _carton(m: Maker) -> None:
    material = add_texture(m.spec, m.thing.name, carton_faces(m.thing.name), cube=True)
    m.solid(Geom.mjGEOM_BOX, _halves(m), material=material)


def _puzzle(m: Maker) -> None:
    m.solid(Geom.mjGEOM_BOX, _halves(m), material=add_texture(m.spec, m.thing.name, puzzle_faces(), cube=True))


def _sponge(m: Maker) -> None:
    x, y, z = _halves(m)
    m.solid(Geom.mjGEOM_BOX, (x, y, z))
    soft, rough = m.paint("soft", m.thing.product.rgb, 0.0), m.paint("rough", m.thing.product.rgb2, 0.0)
    for part, material, at, high in (("top", soft, 0.25 * z, 0.75 * z), ("bottom", rough, -0.75 * z, 0.25 * z)):
        add_mesh_geom(m.body, add_rounded_box(m.spec, f"{m.thing.name}/{part}", (x, y, high), 0.006), material, pos=(0, 0, at))


def _brick(m: Maker) -> None:
    x, y, z = _halves(m)
    stud = 0.008
    m.solid(Geom.mjGEOM_BOX, (x, y, z - stud / 2), (0, 0, -stud / 2), material=m.paint("plastic", m.thing.product.rgb, 0.5))
    for i in (-1.5, -0.5, 0.5, 1.5):
        for j in (-0.5, 0.5):
            m.skin(Geom.mjGEOM_CYLINDER, (0.0075, stud / 2), (i * x / 2, j * y, z - stud / 2), f"{m.thing.name}/plastic")


def _can(m: Maker) -> None:
    r, _, h = _halves(m)
    m.solid(Geom.mjGEOM_CYLINDER, (r, h))
    m.turned([(r * 0.90, -h), (r, -h + 0.006), (r, h - 0.006), (r * 0.92, h)], _label(m))
    tin = m.paint("tin", (0.80, 0.80, 0.83), 0.8)
    m.turned([(r * 0.92, h - 0.0005), (r * 0.86, h - 0.0005), (r * 0.84, h - 0.005), (0, h - 0.005)], tin, "lid")
    m.turned([(0, -h + 0.0005), (r * 0.90, -h + 0.0005)], tin, "bottom")


def _bottle(m: Maker) -> None:
    r, _, h = _halves(m)
    m.solid(Geom.mjGEOM_CYLINDER, (r, 0.68 * h), (0, 0, -0.32 * h))
    m.solid(Geom.mjGEOM_CYLINDER, (0.42 * r, 0.32 * h), (0, 0, 0.68 * h))
    neck = [(r * 0.86, 0.42 * h), (r * 0.62, 0.56 * h), (r * 0.42, 0.68 * h), (r * 0.38, 0.80 * h), (r * 0.38, 0.9 * h)]
    base = [(0, -h + 0.004), (r * 0.80, -h), (r * 0.94, -h + 0.003)]
    m.turned([*base, (r, -h + 0.012), (r, 0.25 * h)], _label(m))
    m.turned([(r, 0.25 * h), (r * 0.97, 0.34 * h), *neck], m.paint("glass", m.thing.product.rgb, 0.6), "neck")
    cap = m.paint("cap", m.thing.product.rgb2, 0.4)
    m.turned([(r * 0.46, 0.80 * h), (r * 0.46, 0.98 * h), (r * 0.40, h), (0, h)], cap, "cap")


def _spray(m: Maker) -> None:
    r, _, h = _halves(m)
    m.solid(Geom.mjGEOM_CYLINDER, (r, 0.60 * h), (0, 0, -0.40 * h))
    white = m.paint("head", m.thing.product.rgb2, 0.4)
    m.solid(Geom.mjGEOM_BOX, (r * 0.75, r * 0.34, 0.16 * h), (0.1 * r, 0, 0.84 * h), material=white)
    m.turned([(0, -h), (r * 0.92, -h), (r, -h + 0.01), (r, 0.12 * h)], _label(m))
    m.turned([(r, 0.12 * h), (r * 0.7, 0.34 * h), (r * 0.36, 0.46 * h), (r * 0.36, 0.7 * h)], white, "neck")
    m.skin(
        Geom.mjGEOM_CAPSULE, (0.005, 0.014), (0.75 * r, 0, 0.60 * h), m.paint("lever", m.thing.product.rgb, 0.4), (0, 0.4, 0)
    )


def _ball(m: Maker) -> None:
    r = m.thing.size_m[0] / 2
    m.solid(Geom.mjGEOM_SPHERE, (r,), material=m.paint("skin", m.thing.product.rgb, 0.15), rolls=True)
    if m.thing.product.category == "toy":
        seam = m.paint("seam", m.thing.product.rgb2, 0.1)
        for side in (-1, 1):
            m.skin(Geom.mjGEOM_CYLINDER, (r * 0.905, 0.0015), (side * 0.45 * r, 0, 0), seam, (0, math.pi / 2, 0))
    else:
        m.skin(Geom.mjGEOM_SPHERE, (0.005,), (0, 0, r * 0.98), m.paint("stem", m.thing.product.rgb2, 0.1))


def _apple(m: Maker) -> None:
    r, _, h = _halves(m)
    m.solid(Geom.mjGEOM_SPHERE, (h,), rolls=True)
    profile = [(0, -0.86 * h), (0.30 * r, -h), (0.62 * r, -0.84 * h), (0.90 * r, -0.40 * h), (r, 0.10 * h)]
    profile += [(0.93 * r, 0.55 * h), (0.66 * r, 0.90 * h), (0.36 * r, h), (0.14 * r, 0.88 * h), (0, 0.72 * h)]
    m.turned(profile, m.paint("skin", m.thing.product.rgb, 0.4))
    m.skin(Geom.mjGEOM_CAPSULE, (0.002, 0.009), (0.002, 0, h * 0.98), m.paint("stem", m.thing.product.rgb2, 0.1), (0, 0.25, 0))


def _lemon(m: Maker) -> None:
    x, _, r = _halves(m)
    m.solid(Geom.mjGEOM_CAPSULE, (r, x - r), turn=(0, math.pi / 2, 0), rolls=True)
    skin = m.paint("skin", m.thing.product.rgb, 0.3)
    m.skin(Geom.mjGEOM_ELLIPSOID, (x * 0.94, r, r), (0, 0, 0), skin)
    for side in (-1, 1):
        m.skin(Geom.mjGEOM_SPHERE, (r * 0.26,), (side * x * 0.9, 0, 0), skin)


def _pear(m: Maker) -> None:
    r, _, h = _halves(m)
    m.solid(Geom.mjGEOM_CYLINDER, (0.72 * r, 0.5 * h), (0, 0, -0.5 * h))
    m.solid(Geom.mjGEOM_SPHERE, (0.95 * r,), (0, 0, -h + 0.97 * r))
    profile = [(0, -0.94 * h), (0.40 * r, -h), (0.80 * r, -0.80 * h), (r, -0.40 * h), (0.92 * r, -0.05 * h)]
    profile += [(0.66 * r, 0.30 * h), (0.50 * r, 0.60 * h), (0.40 * r, 0.84 * h), (0.20 * r, 0.97 * h), (0, h)]
    m.turned(profile, m.paint("skin", m.thing.product.rgb, 0.3))
    m.skin(Geom.mjGEOM_CAPSULE, (0.002, 0.008), (0, 0, h), m.paint("stem", m.thing.product.rgb2, 0.1), (0, 0.3, 0))


def _banana(m: Maker) -> None:
    x, y, r = _halves(m)
    skin, tip = m.paint("skin", m.thing.product.rgb, 0.2), m.paint("tip", m.thing.product.rgb2, 0.1)
    bend, reach = 0.36, 0.36 * x
    arm = reach * 0.92
    m.solid(Geom.mjGEOM_CAPSULE, (r, reach * 0.9), (0, y - r, 0), (0, math.pi / 2, 0))
    m.skin(Geom.mjGEOM_CAPSULE, (r, reach * 0.9), (0, y - r, 0), skin, (0, math.pi / 2, 0))
    for side in (-1, 1):
        at = side * (reach * 0.9 + arm * math.cos(bend)), y - r - arm * math.sin(bend), 0.0
        turn = (0.0, math.pi / 2, -side * bend)
        m.solid(Geom.mjGEOM_CAPSULE, (r * 0.92, arm), at, turn)
        m.skin(Geom.mjGEOM_CAPSULE, (r * 0.92, arm), at, skin, turn)
        end = side * (x - 0.004), at[1] - arm * math.sin(bend) - 0.006, 0.0
        m.skin(Geom.mjGEOM_SPHERE, (r * 0.5,), end, tip)


def _mug(m: Maker) -> None:
    length, d, height = m.thing.size_m
    r, h, reach = d / 2, height / 2, length - d
    m.solid(Geom.mjGEOM_CYLINDER, (r, h))
    ware = _label(m) if m.thing.product.pattern else m.paint("ware", m.thing.product.rgb, 0.5)
    m.turned([(0, -h + 0.002), (r * 0.80, -h), (r * 0.95, -h + 0.004), (r, -h + 0.014), (r, h - 0.002)], ware)
    inside = m.paint("inside", m.thing.product.rgb2, 0.4)
    m.turned([(r, h - 0.002), (r - 0.002, h), (r * 0.88, h - 0.002), (r * 0.86, -h + 0.012), (0, -h + 0.008)], inside, "inside")
    ear = m.paint("ear", m.thing.product.rgb, 0.5)
    edge = r + reach - 0.005
    m.solid(Geom.mjGEOM_CAPSULE, (0.0055, h * 0.36), (edge, 0, 0), material=ear)
    for side in (1, -1):
        at, turn = (r + reach / 2 + 0.001, 0.0, side * h * 0.45), (0.0, math.pi / 2 + side * 0.2, 0.0)
        m.skin(Geom.mjGEOM_CAPSULE, (0.0055, reach / 2 - 0.003), at, ear, turn)


def _ring(m: Maker, low: float, high: float, z: tuple[float, float], thick: float, n: int) -> None:
    """Add n plates that take contacts and nobody sees: a wall from one radius and height to another.

    It begins above the bottom: plates that stood on the table as well would take 20 contacts instead of 4.
    """
    rise, run = z[1] - z[0], high - low
    tilt, slant, middle = math.atan2(run, rise), math.hypot(rise, run), (low + high) / 2 - thick / 2
    half = (high + thick) * math.tan(math.pi / n)
    for i in range(n):
        a = 2 * math.pi * i / n
        at = middle * math.cos(a), middle * math.sin(a), (z[0] + z[1]) / 2
        m.solid(Geom.mjGEOM_BOX, (thick / 2, half, slant / 2), at, (0.0, tilt, a))


def _bowl(m: Maker) -> None:
    r, _, h = _halves(m)
    low = 0.62 * r
    m.solid(Geom.mjGEOM_CYLINDER, (low, 0.0035), (0, 0, -h + 0.0035))
    _ring(m, low + 0.006, r, (-h + 0.006, h), 0.007, 10)
    ware = _label(m) if m.thing.product.pattern else m.paint("ware", m.thing.product.rgb, 0.5)
    outside = [
        (0, -h + 0.003),
        (0.50 * r, -h + 0.003),
        (0.52 * r, -h),
        (low, -h + 0.004),
        (0.80 * r, -0.45 * h),
        (0.93 * r, 0.2 * h),
    ]
    m.turned([*outside, (r, h - 0.002)], ware)
    rim = [(r, h - 0.002), (r - 0.002, h), (r - 0.006, h - 0.002), (0.88 * r, 0.2 * h), (0.74 * r, -0.40 * h)]
    m.turned([*rim, (0.50 * r, -h + 0.009), (0, -h + 0.007)], m.paint("inside", m.thing.product.rgb2, 0.5), "inside")


def _plate(m: Maker) -> None:
    r, _, h = _halves(m)
    m.solid(Geom.mjGEOM_CYLINDER, (0.70 * r, 0.0035), (0, 0, -h + 0.0035))
    _ring(m, 0.70 * r, r, (-h + 0.0065, h), 0.006, 10)
    ware = m.paint("ware", m.thing.product.rgb, 0.5)
    m.turned([(0, -h), (0.62 * r, -h), (0.70 * r, -h + 0.003), (0.94 * r, h - 0.006), (r, h - 0.002)], ware)
    top = [(r, h - 0.002), (r - 0.003, h), (0.92 * r, h - 0.002), (0.70 * r, -h + 0.009), (0.64 * r, -h + 0.007)]
    m.turned([*top, (0, -h + 0.007)], ware, "top")


def _cup(m: Maker) -> None:
    r, _, h = _halves(m)
    low = 0.76 * r
    m.solid(Geom.mjGEOM_CYLINDER, (low, 0.003), (0, 0, -h + 0.003))
    _ring(m, low, r, (-h + 0.005, h), 0.005, 8)
    ware, inside = m.paint("ware", m.thing.product.rgb, 0.4), m.paint("inside", m.thing.product.rgb2, 0.3)
    m.turned([(0, -h + 0.002), (low * 0.94, -h), (low, -h + 0.003), (r, h - 0.002), (r + 0.001, h - 0.001)], ware)
    m.turned(
        [(r + 0.001, h - 0.001), (r - 0.001, h), (r - 0.004, h - 0.002), (low - 0.004, -h + 0.008), (0, -h + 0.006)],
        inside,
        "inside",
    )


def _car(m: Maker) -> None:
    x, y, z = _halves(m)
    paint, tyre = m.paint("paint", m.thing.product.rgb, 0.6), m.paint("tyre", m.thing.product.rgb2, 0.1)
    glass = m.paint("glass", (0.20, 0.30, 0.38), 0.8)
    m.solid(Geom.mjGEOM_BOX, (x, y, 0.55 * z), (0, 0, -0.45 * z))
    m.solid(Geom.mjGEOM_BOX, (0.5 * x, 0.8 * y, 0.45 * z), (-0.1 * x, 0, 0.55 * z))
    hull = add_rounded_box(m.spec, f"{m.thing.name}/hull", (x, 0.92 * y, 0.42 * z), 0.010)
    add_mesh_geom(m.body, hull, paint, pos=(0, 0, -0.25 * z))
    cabin = add_rounded_box(m.spec, f"{m.thing.name}/cabin", (0.5 * x, 0.8 * y, 0.5 * z), 0.012)
    add_mesh_geom(m.body, cabin, glass, pos=(-0.1 * x, 0, 0.46 * z))
    roof = add_rounded_box(m.spec, f"{m.thing.name}/roof", (0.42 * x, 0.74 * y, 0.12 * z), 0.004)
    add_mesh_geom(m.body, roof, paint, pos=(-0.1 * x, 0, 0.88 * z))
    for i in (-1, 1):
        for j in (-1, 1):
            m.skin(
                Geom.mjGEOM_CYLINDER, (0.42 * z, 0.006), (i * 0.62 * x, j * (y - 0.006), -0.58 * z), tyre, (math.pi / 2, 0, 0)
            )


def _bear(m: Maker) -> None:
    x, y, z = _halves(m)
    fur, pale = m.paint("fur", m.thing.product.rgb, 0.0), m.paint("pale", m.thing.product.rgb2, 0.0)
    dark = m.paint("eyes", (0.05, 0.04, 0.04), 0.6)
    m.solid(Geom.mjGEOM_BOX, (0.62 * x, 0.75 * y, 0.52 * z), (0, 0, -0.48 * z))
    m.solid(Geom.mjGEOM_SPHERE, (0.42 * z,), (0.06 * x, 0, 0.56 * z))
    m.skin(Geom.mjGEOM_ELLIPSOID, (0.60 * x, 0.62 * y, 0.58 * z), (0, 0, -0.42 * z), fur)
    m.skin(Geom.mjGEOM_ELLIPSOID, (0.40 * x, 0.42 * y, 0.40 * z), (0.26 * x, 0, -0.40 * z), pale)
    m.skin(Geom.mjGEOM_SPHERE, (0.44 * z,), (0.06 * x, 0, 0.54 * z), fur)
    m.skin(Geom.mjGEOM_ELLIPSOID, (0.22 * z, 0.22 * z, 0.17 * z), (0.62 * x, 0, 0.46 * z), pale)
    m.skin(Geom.mjGEOM_SPHERE, (0.06 * z,), (0.92 * x, 0, 0.52 * z), dark)
    for j in (-1, 1):
        m.skin(Geom.mjGEOM_SPHERE, (0.15 * z,), (0, j * 0.42 * y, 0.88 * z), fur)
        m.skin(Geom.mjGEOM_SPHERE, (0.045 * z,), (0.62 * x, j * 0.16 * z, 0.66 * z), dark)
        m.skin(Geom.mjGEOM_CAPSULE, (0.15 * z, 0.13 * z), (0.22 * x, j * 0.72 * y, -0.22 * z), fur, (0.5 * j, 0.5, 0))
        m.skin(Geom.mjGEOM_CAPSULE, (0.17 * z, 0.14 * z), (0.55 * x, j * 0.50 * y, -0.80 * z), fur, (0, math.pi / 2, j * 0.35))
