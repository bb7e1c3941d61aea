"""Poses of the HSR in the middle of a task, for pictures: nobody drove there."""

import math

import numpy as np

from vlp.sim.embodiments.hsr import body as hsr
from vlp.sim.embodiments.mechanics import Mechanics
from vlp.sim.opengl import mujoco
from vlp.sim.worlds.protocol import Pose2


def pose_near(model: mujoco.MjModel, data: mujoco.MjData, base: Pose2, rng: np.random.Generator) -> Pose2:
    """Pose the robot as a drive to a base pose would leave it, not quite where it meant to be; return its base pose."""
    hsr.set_home(model, data, base)
    noise = (rng.normal(0, 0.02), rng.normal(0, 0.02), rng.normal(0, math.radians(2)))
    for name, offset in zip(Mechanics.base_joints, noise, strict=True):
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
    set_fingers(data, float(rng.uniform(0.3, 0.9)))
    x, y, yaw = (float(data.joint(name).qpos[0]) for name in Mechanics.base_joints)
    return x, y, yaw


def set_fingers(data: mujoco.MjData, angle_rad: float) -> None:
    """Write the fingers into the state."""
    data.joint(hsr.GRIPPER).qpos[0] = angle_rad
    for side in "lr":
        data.joint(f"hand_{side}_proximal_joint").qpos[0] = angle_rad
        data.joint(f"hand_{side}_distal_joint").qpos[0] = -angle_rad - 0.087
