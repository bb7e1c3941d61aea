"""What a robot perceives at one moment."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vlp.core.camera import Intrinsics


@dataclass(frozen=True)
class RobotState:
    """What the robot knows of itself, without looking.

    Args:
        at: the named place it stands at, or "" when between places.
        holding: the phrase of the held object as last grasped, "" when the hand is empty
            ("something" when the fingers are blocked and no grasp is remembered).
        joints_rad_or_m: joint positions by name.
        base_in_world: x [m], y [m], yaw [rad] by the robot's own odometry.
        gripper_m: opening between the finger tips.
        hand_in_base: x, y, z of the hand in metres.
    """

    at: str
    holding: str
    joints_rad_or_m: dict[str, float]
    base_in_world: tuple[float, float, float]
    gripper_m: float
    hand_in_base: tuple[float, float, float]


@dataclass(frozen=True)
class Observation:
    """An image with aligned depth, the camera that took it, and the robot's state.

    Args:
        rgb: (height, width, 3) uint8.
        depth_m: (height, width) float32, metres along the optical axis; 0 where there is no return.
        intrinsics: the pinhole camera.
        camera_in_base: 4x4 pose of the optical frame in the base frame, as the robot believes it.
        state: proprioception.
        stamp_s: the robot's own monotonic time in seconds.
    """

    rgb: NDArray[np.uint8]
    depth_m: NDArray[np.float32]
    intrinsics: Intrinsics
    camera_in_base: NDArray[np.float64]
    state: RobotState
    stamp_s: float
