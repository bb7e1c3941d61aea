"""Geometry of a two-finger gripper whose tips stay parallel, and the poses of a hand by where it points."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Vec = tuple[float, float, float]


@dataclass(frozen=True)
class Gripper:
    """Dimensions of hand and fingers.

    Args:
        knuckle_y_m, knuckle_z_m: from the hand's origin to a knuckle, aside and ahead.
        length_m: from knuckle to tip joint.
        ahead_rad: the angle at which this length points straight ahead; greater ones open the fingers.
        tip_y_m, tip_z_m: from the tip joint to where the tip closes, inwards and ahead.
        widest_m: between the tips when the hand is open.
        resting_m: between the tips of the empty hand.
        thick_m: of one finger.
        knuckle_m: of one knuckle, from its axis outwards.
        pad_m: length of the rubber pads, upwards from the tips.
        deepest_m: how far the tips go down along a thing.
        knuckle_over_tip_m: how much higher than the tips the knuckles, which are wider, may meet something.
        closed_rad: the goal of the joint that closes the fingers.
        empty_m: fingers closer than this hold nothing.
    """

    knuckle_y_m: float
    knuckle_z_m: float
    length_m: float
    ahead_rad: float
    tip_y_m: float
    tip_z_m: float
    widest_m: float
    resting_m: float
    thick_m: float
    knuckle_m: float
    pad_m: float
    deepest_m: float
    knuckle_over_tip_m: float
    closed_rad: float
    empty_m: float

    def angle_for(self, opening_m: float) -> float:
        """Return the finger's angle in radians at which the tips are so far apart."""
        half = min(max(opening_m, 0.0), self.widest_m) / 2
        return math.asin((half - self.knuckle_y_m + self.tip_y_m) / self.length_m) + self.ahead_rad

    def opening_of(self, angle_rad: float) -> float:
        """Return the distance between the tips in metres at a finger's angle."""
        return 2 * (self.knuckle_y_m + self.length_m * math.sin(angle_rad - self.ahead_rad) - self.tip_y_m)

    def torque_per_newton(self, angle_rad: float) -> float:
        """Return the torque in Nm with which the motor presses both tips together with 1 N, at a finger's angle."""
        return 2 * self.length_m * math.cos(angle_rad - self.ahead_rad)

    def tip_reach(self, opening_m: float) -> float:
        """Return how far the tips stand out beyond the hand's origin, in metres; less when opened wide."""
        return self.knuckle_z_m + self.length_m * math.cos(self.angle_for(opening_m) - self.ahead_rad) + self.tip_z_m

    def knuckle_reach(self, opening_m: float) -> float:
        """Return how far the knuckles, the widest part of the hand, stand out to each side, in metres."""
        out_m = self.length_m * math.sin(self.angle_for(opening_m) - self.ahead_rad)
        return self.knuckle_y_m + out_m + self.knuckle_m

    def downward(self, tip: Vec | Array, closing_rad: float, opening_m: float) -> Array:
        """Return the hand's 4x4 pose in the world when it points down.

        Args:
            tip: the point between the finger tips, in the world.
            closing_rad: direction about z along which the fingers close.
            opening_m: distance between the tips when they are at `tip`.
        """
        closing = math.cos(closing_rad), math.sin(closing_rad), 0.0
        return self.pointing((0.0, 0.0, -1.0), tip, closing, opening_m)

    def pointing(self, sight: Vec, tip: Vec | Array, closing: Vec, opening_m: float) -> Array:
        """Return the hand's 4x4 pose in the world when it points along a direction.

        Args:
            sight: unit vector along the fingers.
            tip: the point between the finger tips.
            closing: unit vector along which the fingers close, across `sight`.
            opening_m: distance between the tips when they are at `tip`.
        """
        pose = np.eye(4)
        pose[:3, 1] = closing
        pose[:3, 2] = sight
        pose[:3, 0] = np.cross(pose[:3, 1], pose[:3, 2])
        pose[:3, 3] = np.array(tip) - self.tip_reach(opening_m) * np.array(sight)
        return pose
