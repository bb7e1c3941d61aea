"""ANYmal B with a Kinova j2s6s200 arm: a driven base on four legs, a six-joint arm, two fingers, two RGB-D cameras."""

import math
from typing import NamedTuple

import numpy as np

from vlp.core.observation import Intrinsics
from vlp.sim.embodiments.anymal.gait import Gait, legs
from vlp.sim.embodiments.anymal.shapes import shapes
from vlp.sim.embodiments.gripper import Gripper
from vlp.sim.embodiments.kinematics import add_tree, field_of_view_deg, load_facts
from vlp.sim.embodiments.mechanics import Bounds, Mechanics, Solving, add_base
from vlp.sim.embodiments.servos import Servo, add_servos, set_physics
from vlp.sim.embodiments.shapes import add_shapes
from vlp.sim.opengl import mujoco
from vlp.sim.worlds.protocol import Pose2

ARM_JOINTS = tuple(f"j2s6s200_joint_{i}" for i in range(1, 7))
HOME: dict[str, float] = {
    "base_height": 0.48,
    **dict(zip(ARM_JOINTS, (-math.pi / 2, 2.6160, 1.0415, 0.0, 1.5 * math.pi, 0.0), strict=True)),
    "finger_1": -0.39,
}
"""Carry posture: all four feet on the floor, the elbow drawn back, the hand before the body pointing down, so that the wrist's
camera looks past it down on a table."""


class Mounting(NamedTuple):
    """How far a camera is ahead of the hand's axis and behind the knuckles, and how far it looks ahead of that axis."""

    ahead_m: float
    behind_m: float
    tilt_rad: float


CAMERA_ON_WRIST = Mounting(0.078, 0.18857, math.radians(17))


def intrinsics() -> Intrinsics:
    """Return those of both cameras."""
    return Intrinsics(640, 480, 554.38, 554.38, 320.0, 240.0)


def mechanics() -> Mechanics:
    """Return what the shared motions know of ANYmal."""
    large, small = Servo(4_000, 140, 80, 0.628318530718), Servo(1_500, 40, 40, 0.837758040957)
    arm = dict(zip(ARM_JOINTS, (large, large, large, small, small, small), strict=True))
    leg_servos = dict.fromkeys((joint for leg in legs() for joint in leg_joints(leg)), Servo(2_500, 50, 80, 15.0))
    return Mechanics(
        spec=spec,
        servos={
            "base_x": Servo(60_000, 6_000, 1_500, 0.5),
            "base_y": Servo(60_000, 6_000, 1_500, 0.5),
            "base_yaw": Servo(12_000, 900, 300, 0.7),
            "base_height": Servo(60_000, 6_000, 1_500, 0.15),
            **arm,  # their speeds are the facts'
            "finger_1": Servo(60, 3, 0.95, 1.0),  # 11 N at the tips, and 23 N on what lies as deep as the pads reach
            **leg_servos,
        },
        joints=(*Mechanics.base_joints, "base_height", *ARM_JOINTS),
        home=HOME,
        hand="hand",
        closer="finger_1",
        fingers=(("finger_1",), ("finger_2",)),
        gripper=Gripper(
            knuckle_y_m=0.03095, knuckle_z_m=0.0, length_m=math.hypot(0.044, 0.003), ahead_rad=-_spread() - math.atan(3 / 44),
            tip_y_m=0.012, tip_z_m=0.0415, widest_m=0.108, resting_m=0.083, thick_m=0.012, knuckle_m=0.010, pad_m=0.034,
            deepest_m=0.060, knuckle_over_tip_m=0.03, closed_rad=-1.45, empty_m=0.008,
        ),
        bounds=Bounds(
            base_m_s=0.5, hand_m_s=0.6, low_m=(-0.30, -1.60, 0.0), high_m=(1.20, 1.20, 1.30), own_m=0.55, payload_kg=1.2,
            grip_force_n=25.0, opening_m=0.112, radius_m=0.40, back_m=0.40, up_m=0.0,
        ),
        solving=Solving(
            frozen=(*Mechanics.base_joints, "base_height"),
            posture_cost={ARM_JOINTS[3]: 0.1},  # else it turns half around where the wrist is straight
            arm=("upper_arm_collision", "elbow_collision", "forearm_collision", "wrist_collision", "palm_collision"),
            rest=("torso_collision",),
            usual_m_s=0.17,
            usual_rad_s=0.7,
        ),
        lag={"base_x": 0.03, "base_y": 0.03, "base_yaw": 0.08, "base_height": 0.02},
        ramps=True,
    )  # fmt: skip


def spec() -> mujoco.MjSpec:
    """Return ANYmal standing alone at the origin, its joints and links named as in the facts."""
    made = mujoco.MjSpec()
    made.modelname = "anymal"
    set_physics(made)
    base = add_base(made).add_body(name="base")
    base.add_joint(name="base_height", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[0, 0, 1])
    add_tree(made, base, load_facts("anymal/anymal_kinova.json"), welded=())
    _add_hand(made)
    add_shapes(made, shapes())
    for joint in made.joints:
        if joint.name in ARM_JOINTS:
            joint.armature = 0.05
        if joint.name.endswith(("_HAA", "_HFE", "_KFE")):
            joint.armature = 0.02
    _set_contacts(made)
    add_servos(made, mechanics().servos)
    _add_cameras(made)
    return made


def set_home(model: mujoco.MjModel, data: mujoco.MjData, base: Pose2 = (0.0, 0.0, 0.0)) -> None:
    """Let the robot stand in carry posture, joints and servo set points alike; for the start of an episode only.

    Args:
        model, data: any world that holds this robot.
        base: x, y, yaw in the world.
    """
    wanted = {**HOME, **dict(zip(Mechanics.base_joints, base, strict=True))}
    for leg, angles in Gait.standing(base).angles(HOME["base_height"]).items():
        wanted |= dict(zip(leg_joints(leg), angles, strict=True))
    for name, value in wanted.items():
        data.joint(name).qpos[0] = data.actuator(name).ctrl[0] = value
    set_fingers(data, wanted["finger_1"])
    mujoco.mj_forward(model, data)


def set_fingers(data: mujoco.MjData, angle_rad: float) -> None:
    """Write both fingers and their tips into the state."""
    for i in (1, 2):
        data.joint(f"finger_{i}").qpos[0] = angle_rad
        data.joint(f"finger_tip_{i}").qpos[0] = -angle_rad - _spread()


def leg_joints(leg: str) -> tuple[str, str, str]:
    """Return the names of a leg's joints, from the hip down."""
    return f"{leg}_HAA", f"{leg}_HFE", f"{leg}_KFE"


def _spread() -> float:
    """Return the angle in radians between the hand's axis and a finger as the facts weld it, at 0."""
    return math.pi / 2 - 0.649262


def _add_hand(made: mujoco.MjSpec) -> None:
    """Hinge the fingers, which the facts weld; give the hand a frame at the knuckles and the wrist a force sensor.

    Both fingers turn alike, and their tips turn back, so that the pads stay parallel.
    """
    palm = made.body("j2s6s200_link_6")
    palm.add_body(name="hand", pos=[-0.0025, 0.0, -0.11482], quat=[0.0, 0.0, 1.0, 0.0])
    palm.add_site(name="wrist_force")
    made.add_sensor(
        name="wrist_force", type=mujoco.mjtSensor.mjSENS_FORCE, objtype=mujoco.mjtObj.mjOBJ_SITE, objname="wrist_force"
    )
    for i in (1, 2):
        finger, tip = made.body(f"j2s6s200_link_finger_{i}"), made.body(f"j2s6s200_link_finger_tip_{i}")
        for body, name, bounds in ((finger, f"finger_{i}", (-1.5, 0.0)), (tip, f"finger_tip_{i}", (-1.2, 1.2))):
            joint = body.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_HINGE, axis=[0, 0, -1])
            joint.limited, joint.range = mujoco.mjtLimited.mjLIMITED_TRUE, bounds
            joint.armature, joint.damping[0] = 0.002, 0.05
        _follow(made, f"finger_tip_{i}", f"finger_{i}", -_spread(), -1.0)
    _follow(made, "finger_2", "finger_1", 0.0, 1.0)


def _follow(made: mujoco.MjSpec, joint: str, leader: str, offset: float, multiplier: float) -> None:
    data = np.zeros(mujoco.mjNEQDATA)
    data[:2] = offset, multiplier
    made.add_equality(
        type=mujoco.mjtEq.mjEQ_JOINT, objtype=mujoco.mjtObj.mjOBJ_JOINT, name1=joint, name2=leader, data=data,
        solref=[0.004, 1.0], solimp=[0.99, 0.999, 0.001, 0.5, 2.0],
    )  # fmt: skip


def _set_contacts(made: mujoco.MjSpec) -> None:
    """Make the pads rubber: their friction rules over that of what they hold, with some torsion."""
    for i in (1, 2):
        pad = made.geom(f"pad_{i}_collision")
        pad.friction = [1.2, 0.02, 0.0001]
        pad.condim, pad.priority = 4, 1
        pad.solref, pad.solimp = [0.006, 1.0], [0.95, 0.99, 0.001, 0.5, 2.0]
    made.add_pair(geomname1="pad_1_collision", geomname2="pad_2_collision", condim=1, name="pads")


def _add_cameras(made: mujoco.MjSpec) -> None:
    """Put an RGB-D camera on the front and one on the wrist, each in a link of its own with z along the line of sight."""
    front, mount, k = math.radians(12), CAMERA_ON_WRIST, intrinsics()  # down from level
    wrist, wrist_to_knuckles_m = mount.tilt_rad, 0.10375 + 0.11482
    sights = {
        "front_rgbd": ("base", (0.372, 0.0, 0.006), (0.0, -1.0, 0.0), (math.cos(front), 0.0, -math.sin(front))),
        "wrist_rgbd": (
            "j2s6s200_link_5",
            (mount.ahead_m, wrist_to_knuckles_m - mount.behind_m, 0.0),
            (0.0, 0.0, -1.0),
            (math.sin(wrist), math.cos(wrist), 0.0),
        ),
    }
    for name, (link, at, right, sight) in sights.items():
        turn, quat = np.stack([right, np.cross(sight, right), sight], axis=1), np.zeros(4)
        mujoco.mju_mat2Quat(quat, turn.flatten())
        made.body(link).add_body(name=f"{name}_optical_frame", pos=at, quat=quat).add_camera(
            name=name,
            quat=[0, 1, 0, 0],  # MuJoCo cameras look along -z with y up; the optical frame has z forward and y down
            fovy=field_of_view_deg(k.height, k.fy),
            resolution=[k.width, k.height],
        )
