"""A thing posed in a hand, for pictures of a task's middle: nothing was grasped."""

import math
from collections.abc import Callable

import numpy as np

from vlp.sim.opengl import mujoco

Size = tuple[float, float, float]


def put_in_hand(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    name: str,
    size_m: Size,
    rng: np.random.Generator,
    set_fingers: Callable[[mujoco.MjData, float], None],
    angles_rad: tuple[float, float],
    pads: tuple[str, str],
    hand: str,
) -> None:
    """Close the fingers on a thing of this size and set its pose between them: enough for a picture, no grasp.

    Args:
        model, data: a world with the body.
        name, size_m: the thing's.
        rng: decides how it is turned.
        set_fingers: writes an angle of the fingers into the state.
        angles_rad: of the closed and of the open fingers.
        pads: the shapes of the fingers that touch the thing.
        hand: the link whose z points along the fingers.
    """
    (low, high), left, right = angles_rad, np.zeros(3), np.zeros(3)
    for _ in range(8):
        angle = (low + high) / 2
        set_fingers(data, angle)
        mujoco.mj_kinematics(model, data)
        left, right = (data.geom(pad).xpos for pad in pads)
        low, high = (angle, high) if np.linalg.norm(left - right) < size_m[1] + 0.012 else (low, angle)
    joint, quat, flipped = data.joint(name), np.zeros(4), np.zeros(4)
    palm = data.body(hand)
    mujoco.mju_mulQuat(flipped, np.array(palm.xquat), np.array([0.0, 1.0, 0.0, 0.0]))  # its top towards the palm
    yaw = rng.normal(0, 0.1)
    mujoco.mju_mulQuat(quat, flipped, np.array([math.cos(yaw / 2), 0, 0, math.sin(yaw / 2)]))
    along = palm.xmat.reshape(3, 3)[:, 2]
    sink = max(0.0, size_m[2] / 2 - 0.03)
    joint.qpos[:3] = (left + right) / 2 + along * sink
    joint.qpos[3:] = quat
