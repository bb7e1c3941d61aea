"""Whole-body inverse kinematics by mink: where base and arm must go so that the hand is at a pose."""

import math
from dataclasses import dataclass

import mink
import numpy as np
from numpy.typing import NDArray

from vlp.sim.embodiments.hsr.body import ARM_JOINTS, BASE_JOINTS, SERVOS
from vlp.sim.embodiments.hsr.body import spec as hsr_spec
from vlp.sim.opengl import mujoco

Array = NDArray[np.float64]
HAND = "hand_palm_link"
JOINTS = BASE_JOINTS + ARM_JOINTS


@dataclass(frozen=True)
class Slab:
    """A box-shaped obstacle that the robot knows of from its map: centre and half extents in metres, upright."""

    centre: tuple[float, float, float]
    half: tuple[float, float, float]


class Reach:
    """The robot's model of its own body, and a solver over base and arm.

    Args:
        obstacles: what the map knows: the hand, the arm and the torso keep clear of it.
    """

    def __init__(self, obstacles: tuple[Slab, ...] = ()) -> None:
        spec = hsr_spec()
        for thing in [*spec.equalities, *spec.actuators, *spec.pairs]:
            spec.delete(thing)
        for joint in list(spec.joints):
            if joint.name not in JOINTS:
                spec.delete(joint)
        names = [f"obstacle {i}" for i in range(len(obstacles))]
        for name, slab in zip(names, obstacles, strict=True):
            spec.worldbody.add_geom(name=name, type=mujoco.mjtGeom.mjGEOM_BOX, pos=slab.centre, size=slab.half)
        self.model = spec.compile()
        self.configuration = mink.Configuration(self.model)
        self._body = mujoco.MjData(self.model)
        self._palm_id = self.model.body(HAND).id
        self._palm: tuple[list[float], tuple[float, float, float]] = ([], (0.0, 0.0, 0.0))
        self._addresses = [int(self.model.joint(name).qposadr[0]) for name in JOINTS]
        self._hand = mink.FrameTask(HAND, "body", position_cost=10.0, orientation_cost=3.0)
        # The posture keeps the arm stretched and the base straight; lift, base and wrist roll follow the hand.
        cost = {"base_yaw": 0.3, "arm_flex_joint": 0.3, "arm_roll_joint": 0.3, "wrist_flex_joint": 0.1}
        self._posture = mink.PostureTask(self.model, cost=[cost.get(name, 1e-4) for name in JOINTS])
        arm = ("upper_arm_collision", "elbow_collision", "wrist_collision", "palm_collision")
        rest = ("torso_collision", "base_collision")
        pairs = [(arm, rest), *([(arm + rest, names)] if names else [])]
        self._limits = [
            mink.ConfigurationLimit(self.model),
            mink.VelocityLimit(self.model, {name: SERVOS[name].speed for name in JOINTS}),
            mink.CollisionAvoidanceLimit(
                self.model, pairs, minimum_distance_from_collisions=0.005, collision_detection_distance=0.03
            ),
        ]

    def set_joints(self, joints: dict[str, float]) -> None:
        """Take over joint positions; those of other joints than base and arm are ignored."""
        q = np.array([joints[name] for name in JOINTS])
        self.configuration.update(q)

    def hand(self, joints: dict[str, float] | None = None) -> Array:
        """Return the 4x4 pose of the palm in the world at these joints (at the solver's own by default)."""
        if joints is not None:
            self.set_joints(joints)
        return self.configuration.get_transform_frame_to_world(HAND, "body").as_matrix()

    def palm(self, joints: dict[str, float]) -> tuple[float, float, float]:
        """Return x, y, z of the palm in the world at these joints; the solver's own stay as they are."""
        q = [joints[name] for name in JOINTS]
        if q != self._palm[0]:  # a tick begins where the one before ended
            self._body.qpos[self._addresses] = q
            mujoco.mj_kinematics(self.model, self._body)
            x, y, z = self._body.xpos[self._palm_id].tolist()
            self._palm = q, (x, y, z)
        return self._palm[1]

    def toward(self, pose: Array, posture: dict[str, float], dt_s: float) -> dict[str, float]:
        """Return joints after one step of `dt_s` towards a palm pose, within joint, velocity and collision limits.

        Args:
            pose: 4x4 palm pose in the world.
            posture: joints to stay near to where the hand's pose leaves a choice.
            dt_s: length of the step in seconds.
        """
        self._hand.set_target(mink.SE3.from_matrix(pose))
        self._posture.set_target(np.array([posture[name] for name in JOINTS]))
        try:
            velocity = mink.solve_ik(
                self.configuration, [self._hand, self._posture], dt_s, "daqp", damping=1e-6, limits=self._limits
            )
        except mink.NoSolutionFound:
            velocity = np.zeros(self.model.nv)  # hemmed in: stay; the caller sees that the pose is not reached
        self.configuration.integrate_inplace(velocity, dt_s)
        return dict(zip(JOINTS, self.configuration.q[self._addresses].tolist(), strict=True))

    def error(self, pose: Array) -> tuple[float, float]:
        """Return distance in metres and angle in radians between the palm and a pose."""
        here = self.hand()
        cosine = (np.trace(here[:3, :3].T @ pose[:3, :3]) - 1) / 2
        return float(np.linalg.norm(here[:3, 3] - pose[:3, 3])), math.acos(min(1.0, max(-1.0, float(cosine))))
