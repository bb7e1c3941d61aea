"""Poses of the HSR in the middle of a task, for pictures: nobody drove there, nothing was grasped."""

import math

import numpy as np

from vlp.sim.embodiments.hsr import body as hsr
from vlp.sim.embodiments.mechanics import BASE_JOINTS
from vlp.sim.opengl import mujoco
from vlp.sim.worlds.protocol import Pose2

Point = tuple[float, float, float]


def pose_near(model: mujoco.MjModel, data: mujoco.MjData, base: Pose2, rng: np.random.Generator) -> Pose2:
    """Pose the robot as a drive to a base pose would leave it, not quite where it meant to be; return its base pose."""
    hsr.set_home(model, data, base)
    noise = (rng.normal(0, 0.02), rng.normal(0, 0.02), rng.normal(0, math.radians(2)))
    for name, offset in zip(BASE_JOINTS, noise, strict=True):
        data.joint(name).qpos[0] += float(np.clip(offset, -0.05, 0.05))
    for name in hsr.HEAD_JOINTS:
        data.joint(name).qpos[0] += rng.normal(0, 0.008)
    for name in hsr.ARM_JOINTS:
        data.joint(name).qpos[0] += rng.normal(0, 0.015)
    if rng.random() < 0.04:  # now and then the arm is on its way
        data.joint("arm_flex_joint").qpos[0] = rng.uniform(-1.4, -0.4)
        data.joint("arm_roll_joint").qpos[0] = rng.uniform(-0.5, 1.57)
    data.joint("arm_lift_joint").qpos[0] = max(0.0, float(data.joint("arm_lift_joint").qpos[0]))
    data.joint("torso_lift_joint").qpos[0] = 0.5 * data.joint("arm_lift_joint").qpos[0]
    _open_hand(data, float(rng.uniform(0.3, 0.9)))
    x, y, yaw = (float(data.joint(name).qpos[0]) for name in BASE_JOINTS)
    return x, y, yaw


def _open_hand(data: mujoco.MjData, angle_rad: float) -> None:
    data.joint(hsr.GRIPPER).qpos[0] = angle_rad
    for side in "lr":
        data.joint(f"hand_{side}_proximal_joint").qpos[0] = angle_rad
        data.joint(f"hand_{side}_distal_joint").qpos[0] = -angle_rad - 0.087


def put_in_hand(model: mujoco.MjModel, data: mujoco.MjData, name: str, size_m: Point, rng: np.random.Generator) -> None:
    """Close the fingers on a thing of this size and set its pose between them: enough for a picture, no grasp."""
    low, high, left, right = 0.0, 1.2, np.zeros(3), np.zeros(3)
    for _ in range(8):
        angle = (low + high) / 2
        _open_hand(data, angle)
        mujoco.mj_kinematics(model, data)
        left, right = data.geom("pad_l_collision").xpos, data.geom("pad_r_collision").xpos
        low, high = (angle, high) if np.linalg.norm(left - right) < size_m[1] + 0.012 else (low, angle)
    joint, quat, flipped = data.joint(name), np.zeros(4), np.zeros(4)
    palm = data.body("hand_palm_link")
    mujoco.mju_mulQuat(flipped, np.array(palm.xquat), np.array([0.0, 1.0, 0.0, 0.0]))  # its top towards the palm
    yaw = rng.normal(0, 0.1)
    mujoco.mju_mulQuat(quat, flipped, np.array([math.cos(yaw / 2), 0, 0, math.sin(yaw / 2)]))
    along = palm.xmat.reshape(3, 3)[:, 2]
    sink = max(0.0, size_m[2] / 2 - 0.03)
    joint.qpos[:3] = (left + right) / 2 + along * sink
    joint.qpos[3:] = quat
