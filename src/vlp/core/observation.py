"""What a robot perceives at one moment."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlp.core.camera import Intrinsics
from vlp.core.errors import MissingComponent

Value = str | int | float | bool


@dataclass(frozen=True)
class RobotState:
    """What the robot knows of itself, without looking; what a body has not is left out.

    Args:
        at: the named place it stands at, or "" when between places.
        holding: the phrase of the held object as last grasped, "" when the hand is empty or there is none
            ("something" when the fingers are blocked and no grasp is remembered).
        joints_rad_or_m: joint positions by name.
        base_in_world: x [m], y [m], yaw [rad] by the robot's own odometry.
        gripper_m: opening between the finger tips; None without a gripper.
        hand_in_base: x, y, z of the hand in metres; None without a hand.
        own: whatever else it knows of itself, by name: {"battery_percent": 80, "front_door": "open"}.
    """

    at: str = ""
    holding: str = ""
    joints_rad_or_m: dict[str, float] = field(default_factory=dict)
    base_in_world: tuple[float, float, float] = (0.0, 0.0, 0.0)
    gripper_m: float | None = None
    hand_in_base: tuple[float, float, float] | None = None
    own: Mapping[str, Value] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the state as plain data, without what the body has not."""
        return {name: value for name, value in asdict(self).items() if value is not None and (value or name != "own")}


@dataclass(frozen=True)
class Observation:
    """An image with aligned depth where there is any, the camera that took it, and the robot's state.

    Args:
        rgb: (height, width, 3) uint8.
        depth_m: (height, width) float32, metres along the optical axis; 0 where there is no return; None without depth.
        intrinsics: the pinhole camera; None where it is not calibrated, and there is no depth then.
        camera_in_base: 4x4 pose of the optical frame in the base frame, as the robot believes it; None like intrinsics.
        state: proprioception.
        stamp_s: the robot's own monotonic time in seconds.
        scene_text: text read in the scene (signs, labels), shown to the model as quoted data.
    """

    rgb: NDArray[np.uint8]
    depth_m: NDArray[np.float32] | None
    intrinsics: Intrinsics | None
    camera_in_base: NDArray[np.float64] | None
    state: RobotState
    stamp_s: float
    scene_text: tuple[str, ...] = ()

    def geometry(self) -> tuple[NDArray[np.float32], Intrinsics, NDArray[np.float64]]:
        """Return depth, intrinsics and camera pose, from which places in metres follow.

        Raises:
            MissingComponent: one of them is not there.
        """
        if self.depth_m is None or self.intrinsics is None or self.camera_in_base is None:
            raise MissingComponent(
                "this robot's observation has no depth, so nothing in it can be located.", "Give it a depth camera."
            )
        return self.depth_m, self.intrinsics, self.camera_in_base
