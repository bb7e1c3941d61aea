"""ANYmal as a body that stands in any world."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from vlp.primitives.manifest import Manifest, Place
from vlp.sim.embodiments import posing
from vlp.sim.embodiments.anymal import body, robot
from vlp.sim.embodiments.anymal.scope import BEFORE_M, HIGH_M, Eye
from vlp.sim.embodiments.mechanics import base_pose
from vlp.sim.embodiments.overlooking import front_of, moved_back, seen_from_m
from vlp.sim.embodiments.protocol import Fingers
from vlp.sim.embodiments.robot import SimRobot
from vlp.sim.opengl import mujoco
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.protocol import Pose2, Station


class Anymal:
    """An `Embodiment`."""

    name = "anymal"
    camera = "wrist_rgbd"
    intrinsics = body.intrinsics()
    fingers = Fingers(
        hand=("j2s6s200_link_6", "j2s6s200_link_finger"),
        each=tuple((f"j2s6s200_link_finger_{i}", f"j2s6s200_link_finger_tip_{i}") for i in (1, 2)),
        palm="hand",
        tips=("j2s6s200_link_finger_tip_1", "j2s6s200_link_finger_tip_2"),
    )
    own_m = body.mechanics().bounds.own_m

    def spec(self) -> mujoco.MjSpec:
        """Return ANYmal standing alone at the origin."""
        return body.spec()

    def set_home(self, model: mujoco.MjModel, data: mujoco.MjData, base: Pose2 = (0.0, 0.0, 0.0)) -> None:
        """Let the robot stand in carry posture."""
        body.set_home(model, data, base)

    def base(self, data: mujoco.MjData) -> Pose2:
        """Return the base's pose."""
        return base_pose(data)

    def stations(self, places: Mapping[str, Station]) -> dict[str, Pose2]:
        """Return the world's own stands, moved along their direction until the body stands just before what takes things.

        Before a drawer there is the world's room to pull it out, before a high surface room to see it all.
        """
        return {name: _before(place) if place.takes and place.out_m is None else place.stand for name, place in places.items()}

    def robot(self, simulation: Simulation) -> SimRobot:
        """Return the robot that moves this body."""
        return robot.robot(simulation)

    def manifest(self, places: Sequence[Place]) -> Manifest:
        """Return what ANYmal says of itself."""
        return robot.manifest(places)

    def pose_near(self, model: mujoco.MjModel, data: mujoco.MjData, base: Pose2, rng: np.random.Generator) -> Pose2:
        """Pose the robot as a walk to a base pose would leave it, not quite where it meant to be; return its base pose."""
        x, y, yaw = (value + float(rng.normal(0, sd)) for value, sd in zip(base, (0.02, 0.02, math.radians(2)), strict=True))
        body.set_home(model, data, (x, y, yaw))
        return x, y, yaw

    def put_in_hand(
        self, model: mujoco.MjModel, data: mujoco.MjData, name: str, size_m: posing.Size, rng: np.random.Generator
    ) -> None:
        """Close the fingers on a thing and pose it between them."""
        angles, pads = (-1.5, 0.0), ("pad_1_collision", "pad_2_collision")
        posing.put_in_hand(model, data, name, size_m, rng, body.set_fingers, angles, pads, "hand")


def _before(place: Station) -> Pose2:
    """Return the pose in which the body's front is before the nearest edge of a surface or a container."""
    near_m, half_m, eye = *front_of(place), Eye()
    clear_m = BEFORE_M  # from the base's axis
    if place.headroom_m < math.inf:  # far enough back to look in under the board above
        clear_m = 1.00
    elif place.takes == "on" and place.middle[2] > HIGH_M:
        seen_m = seen_from_m(half_m, eye.height_m - place.middle[2], body.intrinsics())
        clear_m = max(BEFORE_M + 0.25, eye.ahead_m + seen_m)
    return moved_back(place.stand, clear_m - near_m)
