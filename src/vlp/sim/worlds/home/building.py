"""From a home's plain data to physics: rooms, light, furniture, people and things around a robot."""

import math

import numpy as np

from vlp.sim.opengl import mujoco
from vlp.sim.worlds.aiming import looking
from vlp.sim.worlds.home.furniture import Joiner, add_furniture, facing
from vlp.sim.worlds.home.mannequins import add_person
from vlp.sim.worlds.home.meshes import add_mesh_geom, add_panel
from vlp.sim.worlds.home.reacting import n_remembered, show_lamp
from vlp.sim.worlds.home.rooms import Rooms
from vlp.sim.worlds.home.scene import HomeLook, HomeScene
from vlp.sim.worlds.home.taking import add_grip
from vlp.sim.worlds.home.textures import add_texture, painting_picture, rug_picture, tiles, weave, window_picture, wood
from vlp.sim.worlds.home.things import Geom, Vec, add_thing, quaternion


def build(scene: HomeScene, robot: mujoco.MjSpec, audience: str) -> mujoco.MjModel:
    """Return the compiled model of a robot in a home; bodies of things bear their names.

    Args:
        scene: what `sample_home` returned, or an edited one.
        robot: a robot standing alone at the origin; the home is built around it.
        audience: name of the camera for films.
    """
    spec, look = robot, scene.look
    spec.modelname = "home"
    spec.nuserdata = n_remembered(scene)
    spec.option.enableflags |= mujoco.mjtEnableBit.mjENBL_SLEEP  # a time step takes 0.08 ms instead of 0.27 where all rest
    spec.option.impratio = 100.0  # at 10 a bear crept 4 cm through the fingers in 40 s of driving, and jammed there
    quality = spec.visual.quality
    quality.offsamples, quality.shadowsize, quality.numslices, quality.numstacks = 0, 1280, 18, 6
    spec.visual.map.shadowscale = 0.66
    spec.visual.global_.offwidth, spec.visual.global_.offheight = 2560, 1440  # films are drawn large and shrunk
    spec.visual.headlight.ambient = [look.ambient] * 3
    spec.visual.headlight.diffuse = [0.20] * 3
    spec.visual.headlight.specular = [0.0] * 3
    for camera in spec.cameras:  # mounted a little off: kinematics, and so the robot, knows nothing of it
        turned = np.zeros(4)
        mujoco.mju_mulQuat(turned, np.array(quaternion(look.camera_turn_rad)), np.array(camera.quat))
        camera.pos, camera.quat = np.array(camera.pos) + look.camera_shift_m, turned
    _add_light(spec, look)
    _add_materials(spec, look)
    _add_rooms(spec)
    eye, aim = np.array([2.45, -8.4, 5.6]), np.array([2.45, 0.0, 0.78])
    spec.worldbody.add_camera(name=audience, pos=eye, quat=looking(eye, aim), fovy=36)
    add_furniture(spec, scene)
    for person in scene.persons:
        add_person(spec, person)
    for thing in scene.objects:
        add_thing(spec, thing)
    for person in scene.persons:
        add_grip(spec, person, scene)
    _add_balls(spec, scene)
    model = spec.compile()
    show_lamp(model, scene.fixtures.lamp_on)
    return model


def _add_light(spec: mujoco.MjSpec, look: HomeLook) -> None:
    x, y, z = look.light_position_m
    aim = np.array([2.45 - x, -y, -z])
    # High above the open rooms, so that no wall throws its shadow into them.
    spec.worldbody.add_light(
        name="ceiling", pos=(x, y, z), dir=aim / np.linalg.norm(aim), diffuse=[look.light_strength] * 3, specular=[0.25] * 3,
        castshadow=True, cutoff=58, exponent=0,
    )  # fmt: skip
    for name, side in (("left fill", 0.6), ("right fill", -0.6)):  # so that walls of every side are lit
        spec.worldbody.add_light(
            name=name, type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, pos=(2, -6, 4), dir=(side, 0.55, -0.45), castshadow=False,
            diffuse=[0.19, 0.19, 0.20], specular=[0.0] * 3,
        )  # fmt: skip
    spec.add_texture(
        name="sky", type=mujoco.mjtTexture.mjTEXTURE_SKYBOX, builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT, width=64, height=384,
        rgb1=(0.93, 0.93, 0.92), rgb2=(0.70, 0.73, 0.77),
    )  # fmt: skip


def _add_materials(spec: mujoco.MjSpec, look: HomeLook) -> None:
    for name, picture, rgb, gloss in (
        ("floor", wood(3, 8), look.floor_rgb, 0.15),
        ("tiles", tiles(), tuple(0.45 + c / 2.2 for c in look.wall_rgb), 0.2),
        ("wood", wood(4), look.wood_rgb, 0.2),
        ("basket", weave(), (0.78, 0.60, 0.38), 0.0),
        ("rug", rug_picture(), look.rug_rgb, 0.0),
    ):
        add_texture(spec, name, picture)
        spec.material(name).rgba, spec.material(name).specular = (*rgb, 1), gloss
    spec.material("floor").texrepeat = [5.2, 2.6]
    spec.material("basket").texrepeat = [3, 3]
    join = Joiner(spec)
    join.colour("wall", look.wall_rgb, 0.0)
    join.colour("accent", look.accent_rgb, 0.0)
    join.colour("sofa", look.sofa_rgb, 0.0)
    join.colour("trim", (0.95, 0.95, 0.94), 0.1)


def _add_rooms(spec: mujoco.MjSpec) -> None:
    rooms, world, join = Rooms(), spec.worldbody, Joiner(spec)
    (x1, y1), (x2, y2), h = rooms.low, rooms.high, rooms.height_m / 2
    middle = (x1 + x2) / 2
    world.add_geom(name="floor", type=Geom.mjGEOM_PLANE, size=[(x2 - x1) / 2, (y2 - y1) / 2, 0.1], pos=(middle, 0, 0),
                   material="floor", contype=0, conaffinity=3, condim=4)  # fmt: skip
    wall_x = rooms.wall_x_m[1]
    flat = add_panel(spec, "tiles", (x2 - wall_x) / 2, (y2 - y1) / 2, 1.0)
    add_mesh_geom(world, flat, "tiles", pos=((x2 + wall_x) / 2, 0, 0.001))
    spec.material("tiles").texrepeat = [1.4, 1.4]
    up = math.pi / 2
    for name, half, at, yaw, material in (
        ("back wall", (wall_x - x1) / 2, ((wall_x + x1) / 2, y2), -up, "wall"),
        ("kitchen wall", (x2 - wall_x) / 2, ((wall_x + x2) / 2, y2), -up, "accent"),
        ("front wall", (x2 - x1) / 2, (middle, y1), up, "wall"),
        ("left wall", (y2 - y1) / 2, (x1, 0.0), 0.0, "wall"),
        ("right wall", (y2 - y1) / 2, (x2, 0.0), 2 * up, "wall"),
    ):
        add_mesh_geom(world, add_panel(spec, name, half, h), material, pos=(*at, h), quat=facing(yaw))
    for at, half in (
        ((middle, y2 + 0.05), ((x2 - x1) / 2, 0.05)),
        ((middle, y1 - 0.05), ((x2 - x1) / 2, 0.05)),
        ((x1 - 0.05, 0.0), (0.05, (y2 - y1) / 2)),
        ((x2 + 0.05, 0.0), (0.05, (y2 - y1) / 2)),
    ):  # what the panels only look like
        world.add_geom(type=Geom.mjGEOM_BOX, size=(*half, h), pos=(*at, h), group=3, contype=0, conaffinity=3)
    for (ax, ay), (bx, by) in rooms.walls():
        half_y, y = (by - ay) / 2, (ay + by) / 2
        join.block(world, ((bx - ax) / 2, half_y, h), ((ax + bx) / 2, y, h), "wall")
        _trim(world, ((bx - ax) / 2 + 0.008, half_y, 0.04), ((ax + bx) / 2, y, 0.04))
    for y in rooms.door_y_m:
        _trim(world, (0.062, 0.03, 1.03), (sum(rooms.wall_x_m) / 2, y, 1.03))
    _trim(world, ((x2 - x1) / 2, 0.008, 0.04), (middle, y2 - 0.008, 0.04))
    _add_pictures(spec)


def _trim(world: mujoco.MjsBody, half: Vec, at: Vec) -> None:
    """Add skirting or a door frame, for the eye."""
    world.add_geom(type=Geom.mjGEOM_BOX, size=half, pos=at, material="trim", contype=0, conaffinity=0, group=2)


def _add_pictures(spec: mujoco.MjSpec) -> None:
    world, y = spec.worldbody, Rooms().high[1] - 0.004
    for name, picture, half, at in (
        ("window", window_picture(), (0.42, 0.42), (1.35, y, 1.55)),
        ("painting", painting_picture(), (0.45, 0.30), (-0.95, y, 1.60)),
    ):
        add_texture(spec, name, picture)
        add_mesh_geom(world, add_panel(spec, name, *half), name, pos=at, quat=facing(-math.pi / 2))
    spec.material("window").emission = 0.35
    rug = add_panel(spec, "rug", 1.05, 0.95)
    add_mesh_geom(world, rug, "rug", pos=(0.35, 0.0, 0.003))


def _add_balls(spec: mujoco.MjSpec, scene: HomeScene) -> None:
    """Lay the small balls into their cup, three to a layer."""
    cup = next((thing for thing in scene.objects if thing.name == scene.fixtures.ball_cup), None)
    if cup is None:
        return
    radius, bottom = 0.011, cup.position_m[2] - cup.size_m[2] / 2 + 0.007
    Joiner(spec).colour("small ball", (0.25, 0.80, 0.85), 0.5)
    for i in range(scene.fixtures.balls):
        angle, layer = 2 * math.pi * (i % 3) / 3 + math.pi / 3 * (i // 3), i // 3
        x, y = cup.position_m[0] + 0.0135 * math.cos(angle), cup.position_m[1] + 0.0135 * math.sin(angle)
        ball = spec.worldbody.add_body(name=f"small ball {i}", pos=(x, y, bottom + radius + layer * 1.75 * radius))
        ball.add_freejoint(name=f"small ball {i}")
        ball.add_geom(type=Geom.mjGEOM_SPHERE, size=(radius, 0, 0), mass=0.004, material="small ball", group=2, condim=6,
                      friction=(0.6, 0.005, 0.001), solref=(0.008, 1.0))  # fmt: skip
