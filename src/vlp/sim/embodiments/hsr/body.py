"""The Toyota HSR-B: holonomic base, lift, four-joint arm, two-finger gripper, pan-tilt head with an RGB-D camera."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vlp.core.observation import Intrinsics
from vlp.primitives.manifest import Limits
from vlp.sim.embodiments.hsr.shapes import add_shapes
from vlp.sim.embodiments.kinematics import add_tree, field_of_view_deg, load_facts
from vlp.sim.opengl import mujoco

CAMERA = "head_rgbd"
INTRINSICS = Intrinsics(640, 480, 554.38, 554.38, 320.0, 240.0)
BASE_JOINTS = ("base_x", "base_y", "base_yaw")
"""Holonomic base: x and y in metres, then yaw in radians, from the odometry origin."""
ARM_JOINTS = ("arm_lift_joint", "arm_flex_joint", "arm_roll_joint", "wrist_flex_joint", "wrist_roll_joint")
HEAD_JOINTS = ("head_pan_joint", "head_tilt_joint")
GRIPPER = "hand_motor_joint"

HOME: dict[str, float] = {
    "arm_lift_joint": 0.2,
    "arm_flex_joint": 0.0,
    "arm_roll_joint": 1.57,
    "wrist_flex_joint": -1.57,
    "wrist_roll_joint": 0.0,
    "head_pan_joint": -0.03,
    "head_tilt_joint": -0.9,
    "hand_motor_joint": 0.6,
}
"""Carry posture: the arm upright, the hand out to the left of the camera's view, the head looking down on the table."""


class Servo(NamedTuple):
    """A position servo: stiffness, damping, the highest force or torque (N, Nm), and the highest speed (m/s, rad/s)."""

    stiffness: float
    damping: float
    force: float
    speed: float


SERVOS: dict[str, Servo] = {
    "base_x": Servo(60_000, 6_000, 1_500, 0.4),
    "base_y": Servo(60_000, 6_000, 1_500, 0.4),
    "base_yaw": Servo(12_000, 900, 300, 1.0),
    "arm_lift_joint": Servo(8_000, 450, 300, 0.2),
    "arm_flex_joint": Servo(3_000, 120, 100, 1.2),
    "arm_roll_joint": Servo(1_000, 25, 60, 2.0),
    "wrist_flex_joint": Servo(1_000, 25, 60, 1.5),
    "wrist_roll_joint": Servo(500, 12, 30, 1.5),
    "head_pan_joint": Servo(500, 20, 50, 1.0),
    "head_tilt_joint": Servo(500, 20, 50, 1.0),
    "hand_motor_joint": Servo(60, 3, 1.8, 1.0),
}
"""The commanded joints. Speeds are the facts' for arm and head, our own for the base."""


@dataclass(frozen=True)
class Bounds:
    """What the HSR keeps to, whatever it is told.

    Args:
        base_m_s, hand_m_s: highest speeds.
        low_m, high_m: corners of the workspace of the hand.
        own_m: from the base's axis: the space above the robot itself, in which the hand is carried wherever the base stands.
        payload_kg: heaviest load.
    """

    base_m_s: float = 0.4
    hand_m_s: float = 0.6
    low_m: tuple[float, float, float] = (0.20, -1.40, 0.0)
    high_m: tuple[float, float, float] = (1.00, 0.70, 1.20)
    own_m: float = 0.35
    payload_kg: float = 1.2

    def declared(self) -> Limits:
        """Return them as a manifest tells them."""
        speeds = self.base_m_s, self.hand_m_s
        return Limits(self.low_m, self.high_m, *speeds, grip_force_n=20.0, gripper_opening_m=0.13, payload_kg=self.payload_kg)


BOUNDS = Bounds()


def spec() -> mujoco.MjSpec:
    """Return the HSR standing alone at the origin, its joints and links named as in the facts."""
    made = mujoco.MjSpec()
    made.modelname = "hsr"
    _set_physics(made)
    root = made.worldbody.add_body(name="base_footprint", mass=0.1, inertia=[0.01] * 3, explicitinertial=True)
    slide, hinge = mujoco.mjtJoint.mjJNT_SLIDE, mujoco.mjtJoint.mjJNT_HINGE
    for name, kind, axis in zip(BASE_JOINTS, (slide, slide, hinge), np.eye(3), strict=True):
        root.add_joint(name=name, type=kind, axis=axis)
    # Wheels and casters roll under the shell; the base is driven as three joints, so theirs stay at zero.
    casters = (f"base_{side}_passive_wheel_{axis}" for side in "rl" for axis in ("x_frame_joint", "y_frame_joint", "z_joint"))
    wheels = ("base_roll_joint", "base_r_drive_wheel_joint", "base_l_drive_wheel_joint", *casters)
    add_tree(made, root, load_facts("hsrb.json"), welded=wheels)
    add_shapes(made)
    _set_joints(made)
    _set_contacts(made)
    _add_servos(made)
    made.body("head_rgbd_sensor_link").add_camera(
        name=CAMERA,
        quat=[0, 1, 0, 0],  # MuJoCo cameras look along -z with y up; the optical frame has z forward and y down
        fovy=field_of_view_deg(INTRINSICS.height, INTRINSICS.fy),
        resolution=[INTRINSICS.width, INTRINSICS.height],
    )
    return made


def set_home(model: mujoco.MjModel, data: mujoco.MjData, base: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> None:
    """Put the robot into carry posture, joints and servo set points alike; for the start of an episode only.

    Args:
        model, data: any world that holds this robot.
        base: x, y, yaw in the world.
    """
    wanted = {**HOME, **dict(zip(BASE_JOINTS, base, strict=True))}
    for name, value in wanted.items():
        data.joint(name).qpos[0] = value
        data.actuator(name).ctrl[0] = value
    data.joint("torso_lift_joint").qpos[0] = 0.5 * wanted["arm_lift_joint"]
    for side in "lr":
        data.joint(f"hand_{side}_proximal_joint").qpos[0] = wanted[GRIPPER]
        data.joint(f"hand_{side}_distal_joint").qpos[0] = -wanted[GRIPPER] - 0.087
        data.joint(f"hand_{side}_spring_proximal_joint").qpos[0] = 0.0
        data.joint(f"hand_{side}_mimic_distal_joint").qpos[0] = 0.0
    mujoco.mj_forward(model, data)


def _set_physics(made: mujoco.MjSpec) -> None:
    made.compiler.degree = False
    made.option.timestep = 0.002
    made.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    made.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    made.option.impratio = 10.0
    made.option.iterations = 30
    made.visual.global_.offwidth = 1280
    made.visual.global_.offheight = 960
    made.visual.map.znear = 0.01
    made.visual.map.zfar = 20.0
    made.stat.extent = 1.0  # clip planes are given in units of the extent


def _set_joints(made: mujoco.MjSpec) -> None:
    for joint in made.joints:
        if joint.name.startswith("hand_"):
            joint.armature = 0.002
            joint.damping[0] = 0.05
        if "spring_proximal" in joint.name:
            joint.stiffness[0], joint.springref = 30.0, -0.02  # a little preload keeps the spring on its stop
            joint.damping[0] = 0.5
        if joint.name in ARM_JOINTS + HEAD_JOINTS:
            joint.armature = 0.05


def _set_contacts(made: mujoco.MjSpec) -> None:
    """Make the pads rubber: their friction rules over that of what they hold, with some torsion."""
    for side in "lr":
        pad = made.geom(f"pad_{side}_collision")
        pad.friction = [1.2, 0.02, 0.0001]
        pad.condim, pad.priority = 4, 1
        pad.solref, pad.solimp = [0.006, 1.0], [0.95, 0.99, 0.001, 0.5, 2.0]
    made.add_pair(geomname1="pad_l_collision", geomname2="pad_r_collision", condim=1, name="pads")


def _add_servos(made: mujoco.MjSpec) -> None:
    for name, (stiffness, damping, force, _) in SERVOS.items():
        servo = made.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        servo.set_to_position(kp=stiffness, kv=damping)
        servo.forcelimited = True
        servo.forcerange = [-force, force]
        joint = made.joint(name)
        if joint.limited == mujoco.mjtLimited.mjLIMITED_TRUE:
            servo.ctrllimited = True
            servo.ctrlrange = joint.range
