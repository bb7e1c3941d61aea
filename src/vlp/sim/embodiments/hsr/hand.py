"""Geometry of the two-finger gripper, and the poses of a hand that points straight down."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FingerSizes:
    """Dimensions of the two fingers.

    Args:
        knuckle_y_m, knuckle_z_m: from the palm's origin to a knuckle, aside and ahead. This and the next two are joint facts.
        length_m: from knuckle to distal joint.
        tip_y_m, tip_z_m: where the tip lies on its distal link, which leans 0.087 rad.
        widest_m: between the tips when the hand is open.
        thick_m: of one finger.
        pad_m: length of the rubber pads, upwards from the tips.
        deepest_m: how far the tips go down along a thing.
        knuckle_over_tip_m: how much higher than the tips the knuckles, which are wider, may meet something.
        closed_rad: the motor's goal when the fingers close.
        empty_m: fingers closer than this hold nothing.
    """

    knuckle_y_m: float = 0.0245
    knuckle_z_m: float = -0.0175
    length_m: float = 0.07
    tip_y_m: float = 0.01865 * math.cos(0.087) + 0.04289 * math.sin(0.087)
    tip_z_m: float = 0.04289 * math.cos(0.087) - 0.01865 * math.sin(0.087)
    widest_m: float = 0.128
    thick_m: float = 0.012
    pad_m: float = 0.034
    deepest_m: float = 0.060
    knuckle_over_tip_m: float = 0.03
    closed_rad: float = -0.15
    empty_m: float = 0.008


FINGERS = FingerSizes()


def angle_for(opening_m: float) -> float:
    """Return the motor angle in radians at which the tips are so far apart."""
    half = min(max(opening_m, 0.0), FINGERS.widest_m) / 2
    return math.asin((half - FINGERS.knuckle_y_m + FINGERS.tip_y_m) / FINGERS.length_m)


def opening_of(angle_rad: float) -> float:
    """Return the distance between the tips in metres at a motor angle."""
    return 2 * (FINGERS.knuckle_y_m + FINGERS.length_m * math.sin(angle_rad) - FINGERS.tip_y_m)


def tip_reach(opening_m: float) -> float:
    """Return how far the tips stand out beyond the palm's origin, in metres; less when opened wide."""
    return FINGERS.knuckle_z_m + FINGERS.length_m * math.cos(angle_for(opening_m)) + FINGERS.tip_z_m


def knuckle_reach(opening_m: float) -> float:
    """Return how far the knuckles, the widest part of the hand, stand out to each side, in metres."""
    return FINGERS.knuckle_y_m + FINGERS.length_m * math.sin(angle_for(opening_m)) + 0.010


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
