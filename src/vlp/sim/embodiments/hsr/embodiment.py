"""The HSR as a body that stands in any world."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from vlp.primitives.manifest import Manifest, Place
from vlp.sim.embodiments.hsr import body, posing, robot
from vlp.sim.embodiments.mechanics import base_pose
from vlp.sim.embodiments.overlooking import front_of, moved_back, seen_from_m
from vlp.sim.embodiments.posing import Size, put_in_hand
from vlp.sim.embodiments.protocol import Fingers
from vlp.sim.embodiments.robot import SimRobot
from vlp.sim.opengl import mujoco
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.protocol import Pose2, Station


class Hsr:
    """An `Embodiment`."""

    name = "hsr"
    camera = body.CAMERA
    intrinsics = body.INTRINSICS
    fingers = Fingers(("hand_",), (("hand_l_",), ("hand_r_",)), "hand_palm_link", ("hand_l_distal_link", "hand_r_distal_link"))
    own_m = body.mechanics().bounds.own_m

    def spec(self) -> mujoco.MjSpec:
        """Return the HSR standing alone at the origin."""
        return body.spec()

    def set_home(self, model: mujoco.MjModel, data: mujoco.MjData, base: Pose2 = (0.0, 0.0, 0.0)) -> None:
        """Put the robot into carry posture."""
        body.set_home(model, data, base)

    def base(self, data: mujoco.MjData) -> Pose2:
        """Return the base's pose."""
        return base_pose(data)

    def stations(self, places: Mapping[str, Station]) -> dict[str, Pose2]:
        """Return the world's own stands, which suit an arm of this length, farther back where the head would not see it all."""
        return {name: _overlooking(place) for name, place in places.items()}

    def robot(self, simulation: Simulation) -> SimRobot:
        """Return the robot that moves this body."""
        return robot.robot(simulation)

    def manifest(self, places: Sequence[Place]) -> Manifest:
        """Return what the HSR says of itself."""
        return robot.manifest(places)

    def pose_near(self, model: mujoco.MjModel, data: mujoco.MjData, base: Pose2, rng: np.random.Generator) -> Pose2:
        """Pose the robot as a drive to a base pose would leave it."""
        return posing.pose_near(model, data, base, rng)

    def put_in_hand(
        self, model: mujoco.MjModel, data: mujoco.MjData, name: str, size_m: Size, rng: np.random.Generator
    ) -> None:
        """Close the fingers on a thing and pose it between them."""
        pads = ("pad_l_collision", "pad_r_collision")
        put_in_hand(model, data, name, size_m, rng, posing.set_fingers, (0.0, 1.2), pads, "hand_palm_link")


def _overlooking(place: Station) -> Pose2:
    """Return the stand before a place, so far back that the head sees all of what is nearly as high as itself."""
    high_m, least_m, eye_m, ahead_m = 0.48, 0.75, 1.05, 0.05
    if place.takes != "on" or place.middle[2] < high_m:
        return place.stand
    near_m, half_m = front_of(place)
    if place.headroom_m == math.inf:  # a board is looked at by turning the head
        least_m = max(least_m, ahead_m + seen_from_m(half_m, eye_m - place.middle[2], body.INTRINSICS))
    return moved_back(place.stand, max(0.0, least_m - near_m))
