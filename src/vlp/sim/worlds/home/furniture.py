"""Furniture and fixtures as bodies: tables, shelf, sofa, cabinet with drawer and door, bin, basket, button, lamp, gauges."""

import math
from dataclasses import dataclass

import numpy as np

from vlp.sim.opengl import mujoco
from vlp.sim.worlds.home.catalogue import Rgb
from vlp.sim.worlds.home.meshes import add_capsule, add_ellipsoid, add_lathe, add_mesh_geom, add_panel, add_rounded_box
from vlp.sim.worlds.home.places import Cabinet, hinge_of_door, shelf_levels
from vlp.sim.worlds.home.rooms import Rooms
from vlp.sim.worlds.home.scene import Furniture, HomeScene
from vlp.sim.worlds.home.textures import add_texture, dial_picture, digits_picture, needle_rad, sign_picture
from vlp.sim.worlds.home.things import Geom, Vec, quaternion

Turn = tuple[float, float, float, float]


@dataclass
class Joiner:
    """Adds parts to furniture.

    Furniture collides with things, robots and people's hands, never with furniture: it has no contact type of its own, and
    takes both that of things (1) and that of robots (2).

    Args:
        spec: the specification that is filled.
    """

    spec: mujoco.MjSpec

    def body(self, name: str, piece: Furniture) -> mujoco.MjsBody:
        """Add a fixed body in the frame of a piece: x from its front to its back, on the floor in its middle."""
        return self.spec.worldbody.add_body(name=name, pos=(piece.x_m, piece.y_m, 0.0), quat=yawed(piece.yaw_rad))

    def block(
        self, body: mujoco.MjsBody, half: Vec, at: Vec, material: str, round_m: float = 0.0, mass_kg: float = 0.0
    ) -> None:
        """Add a box that takes contacts, seen as it is or with round edges of a radius."""
        geom = body.add_geom(type=Geom.mjGEOM_BOX, size=half, pos=at, contype=0, conaffinity=3, condim=4, mass=mass_kg,
                             friction=(0.9, 0.01, 0.0005), group=3 if round_m else 2)  # fmt: skip
        if not round_m:
            geom.material = material
            return
        name = f"{body.name}/{len(self.spec.meshes)}"
        add_mesh_geom(body, add_rounded_box(self.spec, name, half, round_m, 2), material, pos=at)

    def rod(
        self,
        body: mujoco.MjsBody,
        ends: tuple[Vec, Vec],
        radius: float,
        material: str,
        solid: bool = True,
        mass_kg: float = 0.0,
    ) -> None:
        """Add a capsule from one point to another."""
        start, end = np.array(ends[0]), np.array(ends[1])
        long, turn = float(np.linalg.norm(end - start)), np.zeros(4)
        mujoco.mju_quatZ2Vec(turn, (end - start) / long)
        mesh = add_capsule(self.spec, radius, long / 2)
        add_mesh_geom(body, mesh, material, pos=(start + end) / 2, quat=turn)
        if solid:
            body.add_geom(type=Geom.mjGEOM_CAPSULE, size=(radius, 0, 0), fromto=[*start, *end], mass=mass_kg, group=3,
                          contype=0, conaffinity=3, condim=4, friction=(1.0, 0.01, 0.0001))  # fmt: skip

    def drum(self, body: mujoco.MjsBody, radius: float, half: float, at: Vec, material: str, solid: bool = True) -> None:
        """Add an upright cylinder."""
        body.add_geom(type=Geom.mjGEOM_CYLINDER, size=(radius, half, 0), pos=at, material=material, mass=0.0, group=2,
                      contype=0, conaffinity=3 if solid else 0)  # fmt: skip

    def colour(self, name: str, rgb: Rgb, gloss: float = 0.2, emission: float = 0.0) -> str:
        """Add a material of one colour and return its name."""
        self.spec.add_material(name=name, rgba=(*rgb, 1), specular=gloss, shininess=0.4, emission=emission)
        return name


def yawed(yaw_rad: float) -> Turn:
    """Return the quaternion of a turn about z."""
    return math.cos(yaw_rad / 2), 0.0, 0.0, math.sin(yaw_rad / 2)


def facing(yaw_rad: float) -> Turn:
    """Return the quaternion that stands a panel upright so that it faces a direction."""
    q = np.zeros(4)
    mujoco.mju_mulQuat(q, np.array(yawed(yaw_rad)), np.full(4, 0.5))
    return float(q[0]), float(q[1]), float(q[2]), float(q[3])


def add_furniture(spec: mujoco.MjSpec, scene: HomeScene) -> None:
    """Add all that stands in the flat and what hangs on its walls."""
    join, look = Joiner(spec), scene.look
    join.colour("metal", (0.70, 0.71, 0.73), 0.7)
    join.colour("dark", (0.16, 0.16, 0.17), 0.3)
    join.colour("front", look.front_rgb, 0.3)
    join.colour("carcass", _times(look.front_rgb, 0.82), 0.1)
    join.colour("leg", _times(look.wood_rgb, 0.55), 0.2)
    join.colour("leaf", (0.24, 0.46, 0.22), 0.2)
    join.colour("pot", (0.80, 0.72, 0.62), 0.2)
    for build in (_tables, _shelf, _sofa, _cabinet, _bin, _basket, _fridge, _plant, _button, _lamp, _gauges):
        build(join, scene)
    board = add_texture(spec, "sign", sign_picture(scene.fixtures.sign))
    hung = spec.worldbody.add_body(name="sign", pos=(Rooms().wall_x_m[0] - 0.002, 0.45, 1.30), quat=facing(math.pi))
    add_mesh_geom(hung, add_panel(spec, "sign", 0.20, 0.10), board)


def _times(rgb: Rgb, factor: float) -> Rgb:
    return min(1.0, rgb[0] * factor), min(1.0, rgb[1] * factor), min(1.0, rgb[2] * factor)


def _tables(join: Joiner, scene: HomeScene) -> None:
    thick = 0.015
    low = scene.furniture["coffee table"]
    body = join.body("coffee table", low)
    join.block(body, (low.depth_m / 2, low.width_m / 2, thick), (0, 0, low.height_m - thick), "wood", 0.010)
    # One column behind the middle: a robot's base drives under the near edge to reach across the table.
    column = 0.13 * low.depth_m, 0.0
    join.drum(body, 0.03, low.height_m / 2 - thick, (*column, low.height_m / 2 - thick), "metal")
    join.drum(body, 0.15, 0.006, (*column, 0.006), "metal", solid=False)
    high = scene.furniture["kitchen table"]
    body = join.body("kitchen table", high)
    join.block(body, (high.depth_m / 2, high.width_m / 2, thick), (0, 0, high.height_m - thick), "wood", 0.010)
    for i in (-1, 1):
        for j in (-1, 1):
            x, y = i * (high.depth_m / 2 - 0.06), j * (high.width_m / 2 - 0.06)
            join.rod(body, ((x, y, high.height_m - 0.04), (1.08 * x, 1.04 * y, 0.02)), 0.022, "leg")


def _shelf(join: Joiner, scene: HomeScene) -> None:
    piece, thick = scene.furniture["shelf"], 0.012
    d, w = piece.depth_m / 2, piece.width_m / 2
    frame = join.body("shelf", piece)
    for j in (-1, 1):
        join.block(frame, (d, thick, piece.height_m / 2), (0, j * (w - thick), piece.height_m / 2), "wood")
    join.block(frame, (0.004, w - 2 * thick, piece.height_m / 2 - 0.05), (d - 0.004, 0, piece.height_m / 2 + 0.05), "carcass")
    join.block(frame, (d, w - 2 * thick, thick), (0, 0, piece.height_m - thick), "wood")
    for level, height_m in shelf_levels().items():
        board = join.body(f"shelf: {level}", piece)
        join.block(board, (d - 0.005, w - 2 * thick, thick), (-0.005, 0, height_m - thick), "wood")


def _sofa(join: Joiner, scene: HomeScene) -> None:
    piece = scene.furniture["sofa"]
    body, d, w = join.body("sofa", piece), piece.depth_m / 2, piece.width_m / 2
    join.block(body, (d - 0.02, w - 0.10, 0.13), (0.0, 0, 0.20), "sofa", 0.03)
    for j in (-0.5, 0.5):
        join.block(body, (d - 0.11, w / 2 - 0.065, 0.075), (-0.10, 2 * j * (w / 2 - 0.06), 0.345), "sofa", 0.05)
        join.block(body, (0.085, w / 2 - 0.07, 0.19), (d - 0.19, 2 * j * (w / 2 - 0.06), 0.58), "sofa", 0.06)
    join.block(body, (0.09, w - 0.02, 0.32), (d - 0.09, 0, 0.42), "sofa", 0.06)
    for j in (-1, 1):
        join.block(body, (d - 0.02, 0.06, 0.24), (-0.01, j * (w - 0.06), 0.34), "sofa", 0.05)
        for i in (-1, 1):
            join.drum(body, 0.02, 0.04, (i * (d - 0.1), j * (w - 0.12), 0.04), "leg", solid=False)


def _cabinet(join: Joiner, scene: HomeScene) -> None:
    piece, c = scene.furniture["cabinet"], Cabinet()
    d, w, top = piece.depth_m / 2, piece.width_m / 2, piece.height_m
    b = c.board_m / 2
    body = join.body("cabinet", piece)
    join.block(body, (d + 0.01, w + 0.01, 0.015), (-0.01, 0, top - 0.015), "wood", 0.008)
    for j in (-1, 1):
        join.block(body, (d, b, (top - 0.03) / 2), (0, j * (w - b), (top - 0.03) / 2), "carcass")
    join.block(body, (b, w, (top - 0.03) / 2), (d - b, 0, (top - 0.03) / 2), "carcass")
    join.block(body, (d, b, 0.22), (0, 0, 0.32), "carcass")
    join.block(body, (d, w - 2 * b, b), (0, 0, c.drawer_m - 0.03), "carcass")
    join.block(body, (d - 0.03, w - 0.02, 0.04), (0.02, 0, 0.04), "dark")
    # The right half is closed: two false drawers.
    for z, half in ((0.205, 0.11), (0.43, 0.11)):
        join.block(body, (0.010, w / 2 - 0.006, half), (-d - 0.010, -w / 2, z), "front", 0.006)
        join.rod(body, ((-d - 0.028, -w / 2 - 0.05, z), (-d - 0.028, -w / 2 + 0.05, z)), 0.006, "metal")
    inside = join.body("cupboard", piece)
    join.block(inside, (d - b, w / 2 - b, 0.01), (-b, w / 2, c.cupboard_m - 0.01), "carcass")
    _drawer(join, scene, piece, c)
    _leaf(join, scene, piece, c)


def _drawer(join: Joiner, scene: HomeScene, piece: Furniture, c: Cabinet) -> None:
    d, w, out_m = piece.depth_m / 2, piece.width_m / 2 - 0.03, c.travel_m * scene.fixtures.drawer
    (x, y), high = piece.point(-out_m), c.drawer_high_m / 2
    body = join.spec.worldbody.add_body(name="drawer", pos=(x, y, c.drawer_m), quat=yawed(piece.yaw_rad), gravcomp=1)
    body.add_joint(name="drawer", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=(-1, 0, 0), range=(0, c.travel_m), ref=out_m,
                   limited=True, damping=[20, 0, 0], frictionloss=3.0, armature=0.1)  # fmt: skip
    wall = 0.006
    join.block(body, (d - 0.04, w, 0.005), (-0.02, 0, -0.005), "carcass", mass_kg=0.8)
    for j in (-1, 1):
        join.block(body, (d - 0.04, wall, high), (-0.02, j * (w - wall), high), "carcass", mass_kg=0.2)
    join.block(body, (wall, w - 2 * wall, high), (d - 0.06 - wall, 0, high), "carcass", mass_kg=0.2)
    half = (piece.height_m - 0.034 - (c.drawer_m - 0.02)) / 2
    front_z = -0.02 + half
    join.block(body, (0.010, piece.width_m / 2 - 0.003, half), (-d - 0.010, 0, front_z), "front", 0.006, mass_kg=0.8)
    handle(join, body, ((-d - 0.055, -0.07, front_z), (-d - 0.055, 0.07, front_z)))


def _leaf(join: Joiner, scene: HomeScene, piece: Furniture, c: Cabinet) -> None:
    open_rad = c.leaf_rad * scene.fixtures.door
    low, high = 0.095, c.drawer_m - 0.026
    x, y = hinge_of_door(piece)
    body = join.spec.worldbody.add_body(
        name="cabinet door", pos=(x, y, (low + high) / 2), quat=yawed(piece.yaw_rad - open_rad), gravcomp=1
    )
    body.add_joint(name="cabinet door", type=mujoco.mjtJoint.mjJNT_HINGE, axis=(0, 0, -1), range=(0, c.leaf_rad), ref=open_rad,
                   limited=True, damping=[0.5, 0, 0], frictionloss=0.12, armature=0.02)  # fmt: skip
    join.block(body, (0.010, c.leaf_m / 2, (high - low) / 2), (0, -c.leaf_m / 2, 0), "front", 0.006, mass_kg=1.2)
    y = -c.leaf_m + 0.04
    handle(join, body, ((-0.045, y, 0.03), (-0.045, y, 0.17)))


def handle(join: Joiner, front: mujoco.MjsBody, ends: tuple[Vec, Vec]) -> None:
    """Add a bar before a front, with two posts that hold it: a body of its own, which can be told apart in a picture."""
    body = front.add_body(name=f"{front.name} handle", gravcomp=1)
    join.rod(body, ends, 0.007, "metal", mass_kg=0.05)
    for x, y, z in ends:
        join.rod(body, ((x, y, z), (x + 0.035, y, z)), 0.006, "metal", mass_kg=0.02)


def _bin(join: Joiner, scene: HomeScene) -> None:
    piece = scene.furniture["bin"]
    body = join.body("bin", piece)
    _open_box(join, body, piece, join.colour("bin", (0.34, 0.38, 0.42), 0.3), 0.008)


def _basket(join: Joiner, scene: HomeScene) -> None:
    piece = scene.furniture["basket"]
    body = join.body("basket", piece)
    _open_box(join, body, piece, "basket", 0.009)
    for j in (-1, 1):
        x, y, z = 0.08, j * (piece.width_m / 2 + 0.004), piece.height_m
        join.rod(body, ((-x, y, z + 0.02), (x, y, z + 0.02)), 0.009, "basket")


def _open_box(join: Joiner, body: mujoco.MjsBody, piece: Furniture, material: str, thick: float) -> None:
    x, y, h = piece.depth_m / 2, piece.width_m / 2, piece.height_m / 2
    join.block(body, (x, y, 0.006), (0, 0, 0.006), material)
    for i in (-1, 1):
        join.block(body, (thick / 2, y, h), (i * (x - thick / 2), 0, h), material)
        join.block(body, (x, thick / 2, h), (0, i * (y - thick / 2), h), material)
        join.rod(body, ((i * x, -y, 2 * h), (i * x, y, 2 * h)), 0.009, material, solid=False)
        join.rod(body, ((-x, i * y, 2 * h), (x, i * y, 2 * h)), 0.009, material, solid=False)


def _fridge(join: Joiner, scene: HomeScene) -> None:
    piece = scene.furniture["fridge"]
    body, d, w, h = join.body("fridge", piece), piece.depth_m / 2, piece.width_m / 2, piece.height_m
    steel = join.colour("steel", (0.80, 0.82, 0.84), 0.6)
    join.block(body, (d - 0.03, w, h / 2), (0.03, 0, h / 2), steel, 0.02)
    for low, high in ((0.05, 0.58), (0.60, h - 0.01)):
        join.block(body, (0.03, w, (high - low) / 2), (-d + 0.03, 0, (low + high) / 2), steel, 0.02)
        join.rod(body, ((-d - 0.03, w - 0.06, low + 0.12), (-d - 0.03, w - 0.06, high - 0.12)), 0.010, "metal")


def _plant(join: Joiner, scene: HomeScene) -> None:
    body = join.body("plant", scene.furniture["plant"])
    pot = [(0, 0), (0.10, 0), (0.15, 0.26), (0.155, 0.28), (0.14, 0.28), (0.13, 0.25), (0, 0.25)]
    add_mesh_geom(body, add_lathe(join.spec, "pot", pot), "pot")
    join.drum(body, 0.15, 0.14, (0, 0, 0.14), "pot")
    for i in range(9):
        a, lean, long = 2.4 * i, 0.25 + 0.07 * i, 0.30 - 0.012 * i
        tip = math.cos(a) * math.sin(lean), math.sin(a) * math.sin(lean), math.cos(lean)
        middle = tip[0] * long, tip[1] * long, 0.26 + tip[2] * long
        add_mesh_geom(body, add_ellipsoid(join.spec, (0.012, 0.055, long)), "leaf", pos=middle, quat=quaternion((0, lean, a)))


def _button(join: Joiner, scene: HomeScene) -> None:
    piece = scene.furniture["button"]
    plate = join.body("button plate", piece)
    join.block(plate, (0.012, 0.06, 0.06), (-0.012, 0, piece.height_m), "front", 0.010)
    x, y = piece.point(-0.036)
    body = join.spec.worldbody.add_body(name="button", pos=(x, y, piece.height_m), quat=yawed(piece.yaw_rad), gravcomp=1)
    body.add_joint(name="button", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=(1, 0, 0), range=(0, 0.012), limited=True,
                   stiffness=[250, 0, 0], springref=-0.004, damping=[4, 0, 0], armature=0.02)  # fmt: skip
    body.add_geom(type=Geom.mjGEOM_CYLINDER, size=(0.035, 0.012, 0), quat=quaternion((0, math.pi / 2, 0)), mass=0.03, group=2,
                  material=join.colour("button", (0.82, 0.14, 0.12), 0.5), contype=0, conaffinity=3, condim=4)  # fmt: skip


def _lamp(join: Joiner, scene: HomeScene) -> None:
    piece = scene.furniture["lamp"]
    body, h = join.body("lamp", piece), piece.height_m
    add_mesh_geom(
        body,
        add_lathe(join.spec, "lamp foot", [(0, 0), (0.14, 0), (0.14, 0.015), (0.02, 0.035), (0.012, 0.05), (0, 0.05)]),
        "dark",
    )
    join.drum(body, 0.012, h / 2 - 0.05, (0, 0, h / 2 - 0.02), "dark")
    shade = add_lathe(join.spec, "lamp shade", [(0.17, h - 0.24), (0.12, h), (0.118, h), (0.168, h - 0.24)])
    join.colour("lamp", (0.95, 0.90, 0.78), 0.0)
    add_mesh_geom(body, shade, "lamp", name="lamp shade")
    # A spot that shines all around: MuJoCo's renderer does not draw point lights.
    body.add_light(
        name="lamp", type=mujoco.mjtLightType.mjLIGHT_SPOT, cutoff=180, exponent=0, pos=(0, 0, h - 0.10), castshadow=False,
        attenuation=(1.0, 0.0, 0.30), diffuse=(0, 0, 0), specular=(0.1, 0.1, 0.1),
    )  # fmt: skip


def _gauges(join: Joiner, scene: HomeScene) -> None:
    piece = scene.furniture["gauges"]
    mount = join.body("gauges", piece)
    body = mount.add_body(name="gauge")
    h, left = piece.height_m, 0.16
    case = quaternion((0, math.pi / 2, 0))
    for radius, half, material in ((0.115, 0.018, "metal"), (0.108, 0.0185, "dark")):
        body.add_geom(type=Geom.mjGEOM_CYLINDER, size=(radius, half, 0), pos=(-half, left, h), quat=case, material=material,
                      contype=0, conaffinity=0, mass=0.0, group=2)  # fmt: skip
    disc = add_lathe(join.spec, "dial", [(0.104, 0.0), (0.0, 0.0001)])
    vertices = np.array(join.spec.mesh(disc).uservert).reshape(-1, 3)
    join.spec.mesh(disc).usertexcoord = (
        np.column_stack([0.5 + vertices[:, 0] / 0.212, 0.5 - vertices[:, 1] / 0.212]).ravel().tolist()
    )
    face = add_texture(join.spec, "dial", dial_picture())
    add_mesh_geom(body, disc, face, pos=(-0.038, left, h), quat=facing(math.pi))
    angle = needle_rad(scene.fixtures.needle)
    tip = 0.078
    ends = [(-0.042, left - r * math.cos(angle), h + r * math.sin(angle)) for r in (-0.02, tip)]
    join.rod(body, (ends[0], ends[1]), 0.0035, join.colour("needle", (0.80, 0.10, 0.10), 0.2), solid=False)
    hub = -0.042, left, h
    body.add_geom(
        type=Geom.mjGEOM_SPHERE, size=(0.009, 0, 0), pos=hub, material="dark", contype=0, conaffinity=0, mass=0.0, group=2
    )
    join.block(mount, (0.016, 0.14, 0.065), (-0.016, -0.16, h), "dark", 0.008)
    shown = add_texture(join.spec, "digits", digits_picture(scene.fixtures.digits))
    join.spec.material(shown).emission = 0.6
    x, y = piece.point(-0.0325, -0.16)
    screen = join.spec.worldbody.add_body(name="display", pos=(x, y, h), quat=facing(math.pi))
    add_mesh_geom(screen, add_panel(join.spec, "digits", 0.12, 0.045), shown)
