"""World `tabletop`: a table with three to eight objects, a bin beside it and walls, sampled by seed."""

import colorsys
import math
from dataclasses import replace

import mujoco
import numpy as np
from numpy.typing import NDArray

from vlp.sim.embodiments import robot_spec
from vlp.sim.worlds.tabletop.layout import Outline, fits, footprint, gap_m, rest_on, stand_at
from vlp.sim.worlds.tabletop.objects import BOX, Rgb, SceneObject, add_object, quaternion, sample_rgb, sample_size
from vlp.sim.worlds.tabletop.scene import Look, Scene, Table
from vlp.sim.worlds.tabletop.words import COLOURS, CONTAINERS, THINGS

AREA_X_M, AREA_Y_M = (0.42, 0.75), (-0.33, 0.33)
"""Where the middles of objects may lie, in the world frame."""
VIEW_EYE_M, VIEW_AHEAD, VIEW_HALF, VIEW_MARGIN_M = (0.14, 0.02, 1.0), (0.606, -0.795), 0.577, 0.045
"""The head camera at the station: its place, x and z of its axis, tangent of its half width; and a free margin."""
FREE_M, TIGHT_M = 0.035, 0.004
EDGE_M = 0.015
BIN_AT_M, BIN_HALF_M, BIN_HEIGHT_M = (0.45, -0.85), (0.17, 0.15), 0.28
RIDER_ODDS = (0.70, 0.22, 0.08)
CONTAINER_ODDS = (0.05, 0.42, 0.38, 0.15)
MATERIAL = "table top"
AUDIENCE = "audience"
"""A fixed camera that sees robot, table and bin from the side, for films."""


def sample_scene(seed: int, *, count: int | None = None) -> Scene:
    """Return the scene of a seed; the same seed gives the same scene on every machine.

    Args:
        seed: see `vlp.sim.worlds.seeds` for which belong to training, validation and test.
        count: how many objects, 3 to 8; by default the seed decides. Fewer when they do not fit.
    """
    rng = np.random.default_rng([seed, 17])
    n = count or int(rng.choice(np.arange(3, 9), p=[0.10, 0.18, 0.24, 0.22, 0.16, 0.10]))
    table = Table(
        near_m=float(rng.uniform(0.32, 0.40)),
        depth_m=float(rng.uniform(0.45, 0.50)),
        width_m=float(rng.uniform(0.90, 1.00)),
        height_m=float(rng.uniform(0.40, 0.46)),
    )
    return Scene(seed, arrange(sample_objects(n, rng), table, rng), table, sample_look(rng))


def sample_objects(n: int, rng: np.random.Generator) -> list[SceneObject]:
    """Return n objects, no two of the same colour and kind, containers first; in a third of cases few colours recur."""
    containers = min(int(rng.choice(len(CONTAINER_ODDS), p=CONTAINER_ODDS)), n - 2)
    palette = COLOURS if rng.random() < 0.65 else tuple(rng.choice(COLOURS, size=int(rng.integers(2, 5)), replace=False))
    things = THINGS if rng.random() < 0.7 else tuple(rng.choice(THINGS, size=int(rng.integers(2, 4)), replace=False))
    chosen: list[tuple[str, str]] = []
    while len(chosen) < n:
        kinds = CONTAINERS if len(chosen) < containers else things
        colours = palette if rng.random() < 0.9 else COLOURS
        pair = str(rng.choice(colours)), str(rng.choice(kinds))
        if pair not in chosen:
            chosen.append(pair)
    return [SceneObject(c, k, sample_size(k, rng), sample_rgb(c, rng)) for c, k in chosen]


def arrange(
    objects: list[SceneObject],
    table: Table,
    rng: np.random.Generator,
    odds: tuple[float, ...] = RIDER_ODDS,
    *,
    crowded: bool = False,
) -> tuple[SceneObject, ...]:
    """Return the objects at free places on the table, some of them in, on or atop another.

    Args:
        objects: what to place; those that find no free place after 200 tries are left out.
        table: where.
        rng: decides.
        odds: how often none, one, two ... lie in, on or atop another.
        crowded: whether things in a container may lie near its wall and each other, as in the middle of a task; else
            they leave room for the gripper.
    """
    hosts = _choose_hosts(objects, int(rng.choice(len(odds), p=odds)), rng)
    placed: list[SceneObject] = []
    for thing in sorted(objects, key=lambda o: o.phrase in hosts):
        host = next((o for o in placed if o.phrase == hosts.get(thing.phrase)), None)
        spot = beside_others(thing, host, placed, rng, crowded=crowded) if host else None
        spot = spot or free_spot(thing, placed, table, rng)
        if spot is not None:
            placed.append(spot)
    return tuple(placed)


def _choose_hosts(objects: list[SceneObject], n: int, rng: np.random.Generator) -> dict[str, str]:
    """Return for up to n things the object that each shall lie in, on or atop; only containers take several."""
    hosts: dict[str, str] = {}
    for _ in range(n):
        pairs = [
            (a.phrase, b.phrase)
            for a in objects
            for b in objects
            if a is not b and a.kind in THINGS and a.phrase not in hosts and a.phrase not in hosts.values()
            if b.phrase not in hosts and (b.kind in CONTAINERS or b.phrase not in hosts.values()) and fits(a, b)
        ]
        if pairs:
            thing, host = pairs[int(rng.integers(len(pairs)))]
            hosts[thing] = host
    return hosts


def beside_others(
    thing: SceneObject, host: SceneObject, placed: list[SceneObject], rng: np.random.Generator, *, crowded: bool
) -> SceneObject | None:
    """Return the thing in or on the host, clear of what already lies there, or None when no room was found."""
    there = [footprint(o) for o in placed if o.support == host.phrase]
    walled = host.kind in ("bowl", "box")  # a finger must fit between thing and wall
    for _ in range(20):
        candidate = rest_on(thing, host, rng, 0.4 if walled and not crowded else 1.0)
        if all(gap_m(footprint(candidate), o) > (TIGHT_M if crowded else FREE_M) for o in there):
            return candidate
    return None


def free_spot(
    thing: SceneObject, others: list[SceneObject], table: Table, rng: np.random.Generator, tries: int = 200
) -> SceneObject | None:
    """Return the thing at a random place on the table with `FREE_M` to all others, or None after so many tries."""
    outlines = [footprint(o) for o in others if o.support == "table"]
    x_range = table.near_m + EDGE_M, table.near_m + table.depth_m - EDGE_M
    for _ in range(tries):
        x, y = float(rng.uniform(*AREA_X_M)), float(rng.uniform(*AREA_Y_M))
        spread = math.pi if thing.kind in THINGS else 0.35
        candidate = stand_at(thing, x, y, float(rng.uniform(-spread, spread)), table.height_m)
        outline = footprint(candidate)
        on_table = outline[:, 0].min() > x_range[0] and outline[:, 0].max() < x_range[1]
        if on_table and in_view(outline, candidate) and all(gap_m(outline, o) >= FREE_M for o in outlines):
            return candidate
    return None


def in_view(outline: Outline, thing: SceneObject) -> bool:
    """Return whether an upright object lies between the left and right edge of the picture taken at the station."""
    ahead = (outline[:, 0] - VIEW_EYE_M[0]) * VIEW_AHEAD[0]
    for z in (thing.position_m[2] - thing.size_m[2] / 2, thing.position_m[2] + thing.size_m[2] / 2):
        depth = ahead + (z - VIEW_EYE_M[2]) * VIEW_AHEAD[1]
        if (np.abs(outline[:, 1] - VIEW_EYE_M[1]) > VIEW_HALF * depth - VIEW_MARGIN_M).any():
            return False
    return True


def sample_look(rng: np.random.Generator) -> Look:
    """Return neutral but varied colours, a lamp and the camera's mounting error."""
    table_rgb = _neutral(rng, value=(0.35, 0.78), saturation=0.36)
    return Look(
        table_rgb=table_rgb,
        table_rgb2=_brighter(table_rgb, float(rng.uniform(0.82, 1.12))),
        table_pattern=str(rng.choice(["flat", "checker", "gradient"], p=[0.5, 0.25, 0.25])),
        floor_rgb=_neutral(rng, value=(0.25, 0.70), saturation=0.25),
        wall_rgb=_neutral(rng, value=(0.50, 0.88), saturation=0.15),
        light_position_m=(float(rng.uniform(-0.3, 0.8)), float(rng.uniform(-0.9, 0.9)), float(rng.uniform(1.9, 2.5))),
        light_strength=float(rng.uniform(0.52, 0.78)),
        ambient=float(rng.uniform(0.32, 0.46)),
        camera_shift_m=_normal3(rng, 0.004),
        camera_turn_rad=_normal3(rng, 0.006),
    )


def _normal3(rng: np.random.Generator, sd: float) -> tuple[float, float, float]:
    x, y, z = (rng.normal(0, sd, 3).clip(-2.5 * sd, 2.5 * sd)).tolist()
    return x, y, z


def _neutral(rng: np.random.Generator, value: tuple[float, float], saturation: float) -> Rgb:
    """Return a wood-like or a greyish colour."""
    wood = rng.random() < 0.5
    hue = rng.uniform(0.06, 0.11) if wood else rng.uniform(0, 1)
    sat = rng.uniform(0.1, saturation) if wood else rng.uniform(0, 0.12)
    r, g, b = colorsys.hsv_to_rgb(float(hue), float(sat), float(rng.uniform(*value)))
    return r, g, b


def _brighter(rgb: Rgb, factor: float) -> Rgb:
    return min(1.0, rgb[0] * factor), min(1.0, rgb[1] * factor), min(1.0, rgb[2] * factor)


def make_spec(scene: Scene, embodiment: str = "hsr") -> mujoco.MjSpec:
    """Return the specification of a robot in a scene, before compilation.

    Args:
        scene: what `sample_scene` returned, or an edited one.
        embodiment: a row of `vlp.sim.embodiments.EMBODIMENTS`.
    """
    spec = robot_spec(embodiment)
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
    return spec


def build(scene: Scene, embodiment: str = "hsr") -> mujoco.MjModel:
    """Return the compiled model of a robot in a scene; bodies of objects bear their phrases as names.

    Raises:
        UsageError: no such embodiment.
    """
    return make_spec(scene, embodiment).compile()


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
        name="side wall", type=BOX, size=[4, 0.02, 1.4], pos=[0, -2.4, 1.4], rgba=[*look.wall_rgb, 1],
        contype=0, conaffinity=0,
    )  # fmt: skip
    eye, aim = np.array([0.95, 2.05, 1.35]), np.array([0.30, -0.20, 0.62])
    world.add_camera(name=AUDIENCE, pos=eye, quat=_looking(eye, aim), fovy=48)
    world.add_geom(
        name="wall", type=BOX, size=[0.02, 4, 1.4], pos=[2.1, 0, 1.4], rgba=[*look.wall_rgb, 1],
        contype=0, conaffinity=0,
    )  # fmt: skip


def _looking(eye: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the quaternion of a MuJoCo camera (it looks along -z, y up) at `eye` that looks at a point."""
    back = (eye - at) / np.linalg.norm(eye - at)
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= np.linalg.norm(right)
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, np.stack([right, np.cross(back, right), back], axis=1).ravel())
    return quat


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
        name=MATERIAL, type=mujoco.mjtTexture.mjTEXTURE_2D, builtin=pattern, rgb1=look.table_rgb, rgb2=look.table_rgb2,
        width=64, height=64,
    )  # fmt: skip
    material = spec.add_material(name=MATERIAL, specular=0.1, shininess=0.2, texrepeat=[4, 4])
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = MATERIAL
    middle_x = table.near_m + table.depth_m / 2
    body = spec.worldbody.add_body(name="table", pos=[middle_x, 0, table.height_m])
    body.add_geom(
        name="table top", type=BOX, size=[table.depth_m / 2, table.width_m / 2, 0.015], pos=[0, 0, -0.015],
        material=MATERIAL, friction=[0.9, 0.01, 0.0005], condim=4,
    )  # fmt: skip
    # Legs at the far side only: the robot's base drives under the near edge to reach across the table.
    leg = (table.height_m - 0.03) / 2
    colour = [*_brighter(look.table_rgb, 0.6), 1]
    for i, side in enumerate((1, -1)):  # only at the far side: the robot's base drives under the near edge
        at = [table.depth_m / 2 - 0.03, side * (table.width_m / 2 - 0.03), -0.03 - leg]
        body.add_geom(name=f"leg {i}", type=BOX, size=[0.02, 0.02, leg], pos=at, rgba=colour)


def _add_bin(spec: mujoco.MjSpec) -> None:
    (half_x, half_y), thick, height = BIN_HALF_M, 0.008, BIN_HEIGHT_M
    body = spec.worldbody.add_body(name="bin", pos=[*BIN_AT_M, 0])
    parts = [
        ([half_x, half_y, thick / 2], [0, 0, thick / 2]),
        ([thick / 2, half_y, height / 2], [half_x, 0, height / 2]),
        ([thick / 2, half_y, height / 2], [-half_x, 0, height / 2]),
        ([half_x, thick / 2, height / 2], [0, half_y, height / 2]),
        ([half_x, thick / 2, height / 2], [0, -half_y, height / 2]),
    ]
    for i, (size, at) in enumerate(parts):
        body.add_geom(name=f"bin {i}", type=BOX, size=size, pos=at, rgba=[0.33, 0.36, 0.40, 1], condim=4)


def moved(scene: Scene, phrase: str, **changes: object) -> Scene:
    """Return the scene with one object's fields changed; unknown phrases leave it as it is."""
    objects = tuple(replace(o, **changes) if o.phrase == phrase else o for o in scene.objects)  # type: ignore[arg-type]
    return replace(scene, objects=objects)
