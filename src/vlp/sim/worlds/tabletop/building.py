"""From a scene to physics: room, table, bin and objects around a robot."""

from typing import NamedTuple

import numpy as np

from vlp.sim.opengl import mujoco
from vlp.sim.worlds.aiming import looking
from vlp.sim.worlds.tabletop.objects import Geom, add_object, quaternion
from vlp.sim.worlds.tabletop.scene import Look, Scene, brighter


class Bin(NamedTuple):
    """The open box beside the table: x, y of its middle, half extents along x and y, and the height of its rim."""

    at_m: tuple[float, float]
    half_m: tuple[float, float]
    height_m: float


BIN = Bin((0.45, -0.85), (0.17, 0.15), 0.28)
AUDIENCE = "audience"
"""The camera for films."""


def build(scene: Scene, robot: mujoco.MjSpec) -> mujoco.MjModel:
    """Return the compiled model of a robot in a scene; bodies of objects bear their phrases as names.

    Args:
        scene: what `sample_scene` returned, or an edited one.
        robot: a robot standing alone at the origin; the scene is built around it.
    """
    spec = robot
    spec.modelname = "tabletop"
    quality = spec.visual.quality
    # No multisampling: the model sees the image shrunk anyway, and on a software rasteriser it triples the time.
    quality.offsamples, quality.shadowsize, quality.numslices, quality.numstacks = 0, 1024, 20, 10
    spec.visual.headlight.ambient = [scene.look.ambient] * 3
    spec.visual.headlight.diffuse = [0.22] * 3
    spec.visual.headlight.specular = [0.0] * 3
    _disturb_cameras(spec, scene.look)
    _add_room(spec, scene)
    _add_table(spec, scene)
    _add_bin(spec)
    for thing in scene.objects:
        add_object(spec.worldbody, thing)
    return spec.compile()


def _add_room(spec: mujoco.MjSpec, scene: Scene) -> None:
    world, look = spec.worldbody, scene.look
    x, y, z = look.light_position_m
    aim = np.array([0.6 - x, -y, scene.table.height_m - z])
    world.add_light(
        name="lamp", pos=[x, y, z], dir=aim / np.linalg.norm(aim), diffuse=[look.light_strength] * 3,
        specular=[0.12] * 3, castshadow=True, cutoff=70, exponent=1,
    )  # fmt: skip
    world.add_geom(name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[6, 6, 0.1], rgba=[*look.floor_rgb, 1])
    world.add_geom(
        name="side wall", type=Geom.mjGEOM_BOX, size=[4, 0.02, 1.4], pos=[0, -2.4, 1.4], rgba=[*look.wall_rgb, 1],
        contype=0, conaffinity=0,
    )  # fmt: skip
    eye, aim = np.array([0.95, 2.05, 1.35]), np.array([0.30, -0.20, 0.62])
    world.add_camera(name=AUDIENCE, pos=eye, quat=looking(eye, aim), fovy=48)
    world.add_geom(
        name="wall", type=Geom.mjGEOM_BOX, size=[0.02, 4, 1.4], pos=[2.1, 0, 1.4], rgba=[*look.wall_rgb, 1],
        contype=0, conaffinity=0,
    )  # fmt: skip


def _disturb_cameras(spec: mujoco.MjSpec, look: Look) -> None:
    """Mount the robot's cameras a little off: kinematics, and so the robot, knows nothing of it."""
    for camera in spec.cameras:
        turned = np.zeros(4)
        mujoco.mju_mulQuat(turned, np.array(quaternion(look.camera_turn_rad)), np.array(camera.quat))
        camera.pos, camera.quat = np.array(camera.pos) + look.camera_shift_m, turned


def _add_table(spec: mujoco.MjSpec, scene: Scene) -> None:
    table, look = scene.table, scene.look
    pattern = {
        "flat": mujoco.mjtBuiltin.mjBUILTIN_FLAT,
        "checker": mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        "gradient": mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
    }[look.table_pattern]
    spec.add_texture(
        name="table top", type=mujoco.mjtTexture.mjTEXTURE_2D, builtin=pattern, rgb1=look.table_rgb, rgb2=look.table_rgb2,
        width=64, height=64,
    )  # fmt: skip
    material = spec.add_material(name="table top", specular=0.1, shininess=0.2, texrepeat=[4, 4])
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "table top"
    middle_x = table.near_m + table.depth_m / 2
    body = spec.worldbody.add_body(name="table", pos=[middle_x, 0, table.height_m])
    body.add_geom(
        name="table top", type=Geom.mjGEOM_BOX, size=[table.depth_m / 2, table.width_m / 2, 0.015], pos=[0, 0, -0.015],
        material="table top", friction=[0.9, 0.01, 0.0005], condim=4,
    )  # fmt: skip
    # Legs at the far side only: the robot's base drives under the near edge to reach across the table.
    leg = (table.height_m - 0.03) / 2
    colour = [*brighter(look.table_rgb, 0.6), 1]
    for i, side in enumerate((1, -1)):  # only at the far side: the robot's base drives under the near edge
        at = [table.depth_m / 2 - 0.03, side * (table.width_m / 2 - 0.03), -0.03 - leg]
        body.add_geom(name=f"leg {i}", type=Geom.mjGEOM_BOX, size=[0.02, 0.02, leg], pos=at, rgba=colour)


def _add_bin(spec: mujoco.MjSpec) -> None:
    (half_x, half_y), thick, height = BIN.half_m, 0.008, BIN.height_m
    body = spec.worldbody.add_body(name="bin", pos=[*BIN.at_m, 0])
    parts = [
        ([half_x, half_y, thick / 2], [0, 0, thick / 2]),
        ([thick / 2, half_y, height / 2], [half_x, 0, height / 2]),
        ([thick / 2, half_y, height / 2], [-half_x, 0, height / 2]),
        ([half_x, thick / 2, height / 2], [0, half_y, height / 2]),
        ([half_x, thick / 2, height / 2], [0, -half_y, height / 2]),
    ]
    for i, (size, at) in enumerate(parts):
        body.add_geom(name=f"bin {i}", type=Geom.mjGEOM_BOX, size=size, pos=at, rgba=[0.33, 0.36, 0.40, 1], condim=4)
