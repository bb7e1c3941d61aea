"""Aiming a fixed camera."""

import numpy as np
from numpy.typing import NDArray

from vlp.sim.opengl import mujoco


def looking(eye: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the quaternion of a MuJoCo camera (it looks along -z, y up) at `eye` that looks at a point."""
    back = (eye - at) / np.linalg.norm(eye - at)
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= np.linalg.norm(right)
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, np.stack([right, np.cross(back, right), back], axis=1).ravel())
    return quat
