"""People as bodies: a still mannequin whose right arm moves on servos and carries an open hand."""

import math

import numpy as np

from vlp.sim.opengl import mujoco
from vlp.sim.worlds.home.catalogue import Rgb
from vlp.sim.worlds.home.furniture import facing, yawed
from vlp.sim.worlds.home.meshes import add_capsule, add_ellipsoid, add_lathe, add_mesh_geom, add_panel
from vlp.sim.worlds.home.people import ArmPose, Build, gestures, seat_height_m
from vlp.sim.worlds.home.scene import HomePerson
from vlp.sim.worlds.home.textures import add_texture, tag_picture
from vlp.sim.worlds.home.things import Geom, Vec


def joint_names(name: str) -> tuple[str, ...]:
    """Return the joints of a person's right arm, from the shoulder outwards; their servos bear the same names."""
    return tuple(f"{name}/{joint}" for joint in ("flex", "abduct", "twist", "elbow"))


def hand_of(name: str) -> str:
    """Return the body of a person's open hand; what rests in it has this name as its support."""
    return f"{name}'s hand"


def bodies_of(name: str) -> tuple[str, ...]:
    """Return all bodies of a person."""
    return name, *joint_names(name)[:3], hand_of(name)


def add_person(spec: mujoco.MjSpec, person: HomePerson) -> None:
    """Add a mannequin in its pose, with its gesture, clothes and name tag."""
    build = Build()
    for part, rgb in (("shirt", person.shirt_rgb), ("skin", person.skin_rgb), ("hair", person.hair_rgb),
                      ("trousers", person.trousers_rgb), ("shoes", (0.12, 0.10, 0.10))):  # fmt: skip
        _paint(spec, person, part, rgb)
    q, z = np.array(yawed(person.yaw_rad)), seat_height_m(person)
    at = person.x_m, person.y_m, z
    if person.pose == "lying":  # on the back: the body's z points from the hips to the head
        lain = np.zeros(4)
        mujoco.mju_mulQuat(lain, q, np.array([math.cos(math.pi / 4), 0.0, -math.sin(math.pi / 4), 0.0]))
        q = lain
        c, s = math.cos(person.yaw_rad), math.sin(person.yaw_rad)
        at = person.x_m + build.hips_m * c, person.y_m + build.hips_m * s, z
    body = spec.worldbody.add_body(name=person.name, pos=at, quat=q, mocap=person.pose == "standing")  # who stands may walk
    draw = _Sketch(spec, body, person.name)
    _trunk(spec, draw, build, person)
    (_sitting_legs if person.pose == "sitting" else _straight_legs)(draw, build)
    right, left = gestures()[person.gesture]
    _arm(spec, person, body, build, left, side=1, moves=False)
    _arm(spec, person, body, build, right, side=-1, moves=True)


def _paint(spec: mujoco.MjSpec, person: HomePerson, part: str, rgb: Rgb) -> None:
    spec.add_material(name=f"{person.name}/{part}", rgba=(*rgb, 1), specular=0.1, shininess=0.2)


class _Sketch:
    """Draws limbs and round parts on a body; solid ones take contacts with things and robots, not with furniture."""

    def __init__(self, spec: mujoco.MjSpec, body: mujoco.MjsBody, name: str) -> None:
        self.spec, self.body, self.name = spec, body, name

    def limb(self, a: Vec, b: Vec, radius: float, part: str, tip: float | None = None, solid: bool = False) -> None:
        """Add a limb from one point to another, its radius tapering to `tip`."""
        start, end = np.array(a), np.array(b)
        long = float(np.linalg.norm(end - start))
        turn = np.zeros(4)
        mujoco.mju_quatZ2Vec(turn, (end - start) / long)
        mesh = add_capsule(self.spec, radius, long / 2, tip)
        add_mesh_geom(self.body, mesh, f"{self.name}/{part}", pos=(start + end) / 2, quat=turn)
        if solid:
            self.hull(a, b, radius)

    def round(self, half: Vec, at: Vec, part: str) -> None:
        """Add an ellipsoid."""
        add_mesh_geom(self.body, add_ellipsoid(self.spec, half), f"{self.name}/{part}", pos=at)

    def turned(self, name: str, profile: list[tuple[float, float]], scale: Vec, at: Vec, part: str) -> None:
        """Add a turned profile, pressed flat."""
        if self.spec.mesh(name) is None:
            add_lathe(self.spec, name, profile, 16)
            self.spec.mesh(name).scale = scale
        add_mesh_geom(self.body, name, f"{self.name}/{part}", pos=at)

    def hull(self, a: Vec, b: Vec, radius: float) -> None:
        """Add a capsule that takes contacts and nobody sees."""
        self.body.add_geom(type=Geom.mjGEOM_CAPSULE, size=(radius, 0, 0), fromto=[*a, *b], group=3, mass=0.0,
                           contype=0, conaffinity=3)  # fmt: skip


def _trunk(spec: mujoco.MjSpec, draw: _Sketch, b: Build, person: HomePerson) -> None:
    seat = [(0, -0.11), (0.07, -0.10), (0.125, -0.05), (0.148, 0.02), (0.142, 0.07), (0.0, 0.08)]
    shirt = [(0.0, -0.02), (0.154, -0.02), (0.150, 0.03), (0.132, 0.11), (0.140, 0.19), (0.168, 0.30), (0.178, 0.37)]
    shirt += [(0.150, 0.43), (0.085, 0.465), (0.048, 0.49), (0.0, 0.50)]
    draw.turned("seat", seat, (0.68, 0.97, 1.0), (0, 0, b.hips_m), "trousers")
    draw.turned("shirt", shirt, (0.70, 1.0, 1.0), (0, 0, b.hips_m), "shirt")
    draw.limb((0, 0, b.shoulders_m + 0.03), (0, 0, b.head_m - 0.06), 0.042, "skin")
    draw.round((0.090, 0.076, 0.112), (0.005, 0, b.head_m), "skin")
    draw.round((0.095, 0.083, 0.088), (-0.020, 0, b.head_m + 0.042), "hair")
    draw.round((0.016, 0.011, 0.014), (0.095, 0, b.head_m - 0.012), "skin")
    for side in (-1, 1):
        draw.round((0.008, 0.011, 0.010), (0.083, side * 0.031, b.head_m + 0.018), "shoes")
        draw.round((0.014, 0.008, 0.022), (0.0, side * 0.078, b.head_m - 0.004), "skin")
    draw.round((0.006, 0.024, 0.005), (0.084, 0, b.head_m - 0.052), "hair")
    draw.hull((0, 0, b.hips_m), (0, 0, b.shoulders_m - 0.09), 0.145)
    draw.hull((0, 0, b.head_m), (0, 0, b.head_m + 0.02), 0.10)
    tag = add_texture(spec, f"{person.name}/tag", tag_picture(person.name))
    panel = add_panel(spec, f"{person.name}/tag", 0.072, 0.027)
    add_mesh_geom(draw.body, panel, tag, pos=(0.119, 0.062, b.hips_m + 0.335), quat=facing(0.25))


def _straight_legs(draw: _Sketch, b: Build) -> None:
    for side in (-1, 1):
        y = side * 0.078
        draw.limb((0, y, b.hips_m - 0.02), (0.01, y, 0.42), 0.076, "trousers", 0.058)
        draw.limb((0.01, y, 0.42), (-0.01, y, 0.09), 0.058, "trousers", 0.046)
        draw.round((0.115, 0.046, 0.042), (0.045, y, 0.040), "shoes")
    draw.hull((0, 0, b.hips_m), (0, 0, 0.15), 0.14)


def _sitting_legs(draw: _Sketch, b: Build) -> None:
    down = b.hips_m - 0.09 - 0.42  # of the floor below the frame
    for side in (-1, 1):
        y = side * 0.085
        draw.limb((0, y, b.hips_m - 0.01), (0.40, y * 1.1, b.hips_m - 0.01), 0.078, "trousers", 0.062)
        draw.limb((0.40, y * 1.1, b.hips_m - 0.01), (0.40, y * 1.1, down + 0.10), 0.060, "trousers", 0.046)
        draw.round((0.115, 0.046, 0.042), (0.445, y * 1.1, down + 0.042), "shoes")
        draw.hull((0.05, y, b.hips_m), (0.40, y, b.hips_m), 0.075)


def _arm(
    spec: mujoco.MjSpec, person: HomePerson, body: mujoco.MjsBody, b: Build, pose: ArmPose, side: int, moves: bool
) -> None:
    """Add an arm: side is 1 for the left and -1 for the right one.

    Every joint has a body of its own that is built in the gesture's angle, so that the joint's zero is the gesture: servos
    that are told nothing hold it.
    """
    axes = ((0, -1, 0), (side, 0, 0), (0, 0, 1), (0, -1, 0))
    at: Vec = (0.0, side * b.shoulder_y_m, b.shoulders_m)
    for i, (axis, angle) in enumerate(zip(axes, pose.angles(), strict=True)):
        half, s = angle / 2, math.sin(angle / 2)
        turn = math.cos(half), axis[0] * s, axis[1] * s, axis[2] * s
        name = joint_names(person.name)[i]
        # The last of the right arm's bodies is the hand; those of the left have no names.
        body = body.add_body(pos=at, quat=turn, gravcomp=1)
        if moves:
            body.name = hand_of(person.name) if i == 3 else name
            body.explicitinertial, body.mass, body.inertia = True, 0.4, [0.004] * 3
            _servo(spec, body, name, axis, angle)
        at = (0.0, 0.0, -b.upper_arm_m) if i == 2 else (0.0, 0.0, 0.0)
        if i == 2:
            _Sketch(spec, body, person.name).limb((0, 0, -0.005), (0, 0, -b.upper_arm_m), 0.056, "shirt", 0.042, moves)
    draw = _Sketch(spec, body, person.name)
    draw.limb((0, 0, 0), (0, 0, -0.09), 0.042, "shirt", 0.040)
    draw.limb((0, 0, -0.05), (0, 0, -b.forearm_m), 0.036, "skin", 0.027)
    if moves:
        draw.hull((0, 0, -0.03), (0, 0, 0.05 - b.forearm_m), 0.036)  # ends before the palm, which is thinner
    palm = 0.0, 0.0, -b.forearm_m - b.palm_m
    draw.round((0.015, 0.042, 0.062), palm, "skin")
    draw.limb((0.005, side * -0.035, palm[2] + 0.035), (0.012, side * -0.058, palm[2] - 0.005), 0.011, "skin")
    for y in (-0.030, -0.010, 0.010, 0.030):
        draw.limb((0.0, y * 0.9, palm[2] - 0.04), (0.0, y * 1.1, palm[2] - 0.088), 0.0095, "skin")
    if moves:  # a flat palm that things stand on; forwards of a hanging hand is upwards of an offered one
        body.add_geom(type=Geom.mjGEOM_BOX, size=(0.012, 0.055, 0.065), pos=palm, group=3, mass=0.0, contype=0, conaffinity=3,
                      condim=4, friction=(1.2, 0.02, 0.0001))  # fmt: skip


def _servo(spec: mujoco.MjSpec, body: mujoco.MjsBody, name: str, axis: Vec, angle: float) -> None:
    reach = math.pi
    body.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_HINGE, axis=axis, range=(-reach - angle, reach - angle), limited=False,
                   armature=0.05, damping=[1.0, 0, 0])  # fmt: skip
    servo = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    servo.set_to_position(kp=400.0, kv=30.0)
    servo.forcelimited, servo.forcerange = True, [-30, 30]


def move_arm(model: mujoco.MjModel, data: mujoco.MjData, person: HomePerson, pose: ArmPose) -> None:
    """Tell the servos of a person's right arm another pose; the arm takes about a second to get there."""
    held = gestures()[person.gesture][0]
    for name, was, angle in zip(joint_names(person.name), held.angles(), pose.angles(), strict=True):
        data.ctrl[model.actuator(name).id] = angle - was


def force_on_n(model: mujoco.MjModel, data: mujoco.MjData, name: str, but: tuple[str, ...] = ()) -> float:
    """Return the sum of the contact forces on a person in newtons.

    Args:
        model, data: a world after a time step.
        name: the person's.
        but: bodies whose touch does not count, e.g. a thing in the hand.
    """
    own, force, whole = {model.body(b).id for b in bodies_of(name)}, np.zeros(6), 0.0
    spared = {model.body(b).id for b in but}
    for i in range(data.ncon):
        pair = {int(model.geom_bodyid[g]) for g in data.contact[i].geom}
        if pair & own and not pair & spared and data.contact[i].efc_address >= 0:
            mujoco.mj_contactForce(model, data, i, force)
            whole += float(np.linalg.norm(force[:3]))
    return whole
