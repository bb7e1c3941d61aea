"""A laser scanner on a body: where the nearest surfaces are, in a level plane."""

import math

import numpy as np
from numpy.typing import NDArray

from vlp.sim.opengl import mujoco
from vlp.sim.worlds.protocol import Pose2

Array = NDArray[np.float64]


def scan(model: mujoco.MjModel, data: mujoco.MjData, base: Pose2, around_rad: float) -> Array:
    """Return the points (n, 2) in the world that a level scanner sees within its range.

    Args:
        model, data: a world after a time step.
        base: of the body that bears the scanner; nothing of its own is in the scanner's way.
        around_rad: the direction in the world to look in, half a radian to both sides.
    """
    height_m, far_m, half_rad, n = 0.75, 6.0, 0.5, 61  # above a dog's back and tables, at the height of people's hips
    own, hit, found = model.body("base_footprint").id, np.array([-1], dtype=np.int32), []
    for angle in around_rad + np.linspace(-half_rad, half_rad, n):
        ray, away_m, more_m = np.array([math.cos(angle), math.sin(angle), 0.0]), 0.0, 0.0
        while more_m >= 0 and away_m < far_m:
            more_m = mujoco.mj_ray(model, data, np.array([*base[:2], height_m]) + away_m * ray, ray, None, 1, -1, hit)
            away_m += more_m
            if more_m >= 0 and model.body_rootid[model.geom_bodyid[hit[0]]] != own:
                found.append((base[0] + away_m * ray[0], base[1] + away_m * ray[1]))
                break
            away_m += 0.005  # on through what is its own
    return np.array(found).reshape(-1, 2)
