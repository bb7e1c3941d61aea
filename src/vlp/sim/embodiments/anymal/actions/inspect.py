"""inspect: bring the wrist's camera close before something and keep looking at it until the next action."""

import math
from typing import Any

import numpy as np

from vlp.sim.embodiments.actions.scope import Scope, located
from vlp.sim.embodiments.anymal.body import CAMERA_ON_WRIST
from vlp.sim.embodiments.mechanics import Mechanics


def inspect(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Look at `target` from 0.40 m, at a named place, where several things may be, from 0.60 m: level where it is high."""
    target, motion = arguments["target"], scope.motion
    point = np.array(scope.map.places[target].middle if isinstance(target, str) else located(target).position_in_world)
    distance_m, high_m = 0.60 if isinstance(target, str) else 0.40, 0.75
    pitch = 0.0 if point[2] > high_m else math.radians(50)
    x, y, yaw = (motion.target[name] for name in Mechanics.base_joints)
    ahead, up = np.array([math.cos(yaw), math.sin(yaw), 0.0]), np.array([0.0, 0.0, 1.0])
    sight = math.cos(pitch) * ahead - math.sin(pitch) * up
    below = pitch + CAMERA_ON_WRIST.tilt_rad  # the hand points further down than the camera looks
    along, across = math.cos(below) * ahead - math.sin(below) * up, math.sin(below) * ahead + math.cos(below) * up
    hand = point - distance_m * sight - CAMERA_ON_WRIST.ahead_m * across + CAMERA_ON_WRIST.behind_m * along
    reach_m = 0.72  # from the base's axis to the hand
    closer_m = float((hand - (x, y, 0.0)) @ ahead) - reach_m
    aside_m = float((hand - (x, y, 0.0)) @ (-ahead[1], ahead[0], 0.0))
    step = min(closer_m, 0.0) * ahead[:2] + aside_m * np.array([-ahead[1], ahead[0]])  # never nearer than the station
    motion.follow({"base_x": x + float(step[0]), "base_y": y + float(step[1])})
    sideways = (float(ahead[1]), -float(ahead[0]), 0.0)
    pose = np.stack([np.cross(sideways, along), sideways, along], axis=1)
    motion.move_hand(np.block([[pose, hand[:, None]], [np.zeros((1, 3)), np.ones((1, 1))]]))
    motion.wait(0.3)
    return {"distance_m": distance_m, "pitch_rad": round(pitch, 3)}
