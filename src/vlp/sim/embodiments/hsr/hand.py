"""Geometry of the two-finger gripper, and the poses of a hand that points straight down."""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# From the joint facts: knuckle offset, finger length and where the tip lies on its distal link, which leans 0.087 rad.
KNUCKLE_Y_M, KNUCKLE_Z_M, FINGER_M = 0.0245, -0.0175, 0.07
TIP_Y_M = 0.01865 * math.cos(0.087) + 0.04289 * math.sin(0.087)
TIP_Z_M = 0.04289 * math.cos(0.087) - 0.01865 * math.sin(0.087)
WIDEST_M = 0.128
PAD_M = 0.034
"""Length of the rubber pads, upwards from the tips."""
FINGER_THICK_M = 0.012


def angle_for(opening_m: float) -> float:
    """Return the motor angle in radians at which the tips are so far apart."""
    half = min(max(opening_m, 0.0), WIDEST_M) / 2
    return math.asin((half - KNUCKLE_Y_M + TIP_Y_M) / FINGER_M)


def opening_of(angle_rad: float) -> float:
    """Return the distance between the tips in metres at a motor angle."""
    return 2 * (KNUCKLE_Y_M + FINGER_M * math.sin(angle_rad) - TIP_Y_M)


def tip_reach(opening_m: float) -> float:
    """Return how far the tips stand out beyond the palm's origin, in metres; less when opened wide."""
    return KNUCKLE_Z_M + FINGER_M * math.cos(angle_for(opening_m)) + TIP_Z_M


def knuckle_reach(opening_m: float) -> float:
    """Return how far the knuckles, the widest part of the hand, stand out to each side, in metres."""
    return KNUCKLE_Y_M + FINGER_M * math.sin(angle_for(opening_m)) + 0.010


def downward(tip: tuple[float, float, float] | Array, closing_rad: float, opening_m: float) -> Array:
    """Return the palm's 4x4 pose in the world for a hand that points down.

    Args:
        tip: the point between the finger tips, in the world.
        closing_rad: direction about z along which the fingers close.
        opening_m: distance between the tips when they are at `tip`.
    """
    pose = np.eye(4)
    pose[:3, 1] = math.cos(closing_rad), math.sin(closing_rad), 0.0
    pose[:3, 2] = 0.0, 0.0, -1.0
    pose[:3, 0] = np.cross(pose[:3, 1], pose[:3, 2])
    pose[:3, 3] = np.array([0.0, 0.0, tip_reach(opening_m)]) + tip
    return pose
