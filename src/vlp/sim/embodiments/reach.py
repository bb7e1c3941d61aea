"""Inverse kinematics by mink: where base and arm must go so that the hand is at a pose."""

import math
from dataclasses import dataclass

import mink
import numpy as np
from numpy.typing import NDArray

from vlp.sim.embodiments.mechanics import Mechanics
from vlp.sim.opengl import mujoco

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Slab:
    """A box-shaped obstacle that the robot knows of from its map: centre and half extents in metres, upright."""

    centre: tuple[float, float, float]
    half: tuple[float, float, float]


class Reach:
    """The robot's model of its own body, and a solver over base and arm.

    Args:
        mechanics: the body's.
        obstacles: what the map knows: the hand, the arm and the body keep clear of it.
    """

    def __init__(self, mechanics: Mechanics, obstacles: tuple[Slab, ...] = ()) -> None:
        self.joints, self._frame, solving = mechanics.joints, mechanics.hand, mechanics.solving
        spec = mechanics.spec()
        for thing in [*spec.equalities, *spec.actuators, *spec.pairs]:
            spec.delete(thing)
        for joint in list(spec.joints):
            if joint.name not in self.joints:
                spec.delete(joint)
        names = [f"obstacle {i}" for i in range(len(obstacles))]
        for name, slab in zip(names, obstacles, strict=True):
            spec.worldbody.add_geom(name=name, type=mujoco.mjtGeom.mjGEOM_BOX, pos=slab.centre, size=slab.half)
        self.model = spec.compile()
        self.configuration = mink.Configuration(self.model)
        self._body = mujoco.MjData(self.model)
        self._palm_id = self.model.body(self._frame).id
        self._palm: tuple[list[float], tuple[float, float, float]] = ([], (0.0, 0.0, 0.0))
        self._addresses = [int(self.model.joint(name).qposadr[0]) for name in self.joints]
        self._hand = mink.FrameTask(self._frame, "body", position_cost=10.0, orientation_cost=3.0)
        self._posture = mink.PostureTask(self.model, cost=[solving.posture_cost.get(name, 1e-4) for name in self.joints])
        frozen = [int(self.model.joint(name).dofadr[0]) for name in solving.frozen]
        self._frozen = [mink.DofFreezingTask(self.model, frozen)] if frozen else None
        pairs = [(solving.arm, solving.rest), *([(solving.arm + solving.rest, names)] if names else [])]
        self._limits = [
            mink.ConfigurationLimit(self.model),
            mink.VelocityLimit(self.model, {name: mechanics.servos[name].speed for name in self.joints}),
            mink.CollisionAvoidanceLimit(
                self.model, pairs, minimum_distance_from_collisions=0.005, collision_detection_distance=0.03
            ),
        ]

    def set_joints(self, joints: dict[str, float]) -> None:
        """Take over joint positions; those of other joints than base and arm are ignored."""
        q = np.array([joints[name] for name in self.joints])
        self.configuration.update(q)

    def hand(self, joints: dict[str, float] | None = None) -> Array:
        """Return the 4x4 pose of the palm in the world at these joints (at the solver's own by default)."""
        if joints is not None:
            self.set_joints(joints)
        return self.configuration.get_transform_frame_to_world(self._frame, "body").as_matrix()

    def palm(self, joints: dict[str, float]) -> tuple[float, float, float]:
        """Return x, y, z of the palm in the world at these joints; the solver's own stay as they are."""
        q = [joints[name] for name in self.joints]
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
        self._posture.set_target(np.array([posture[name] for name in self.joints]))
        try:
            velocity = mink.solve_ik(
                self.configuration, [self._hand, self._posture], dt_s, "daqp", damping=1e-6, limits=self._limits,
                constraints=self._frozen,
            )  # fmt: skip
        except mink.NoSolutionFound:
            velocity = np.zeros(self.model.nv)  # hemmed in: stay; the caller sees that the pose is not reached
        self.configuration.integrate_inplace(velocity, dt_s)
        return dict(zip(self.joints, self.configuration.q[self._addresses].tolist(), strict=True))

    def error(self, pose: Array) -> tuple[float, float]:
        """Return distance in metres and angle in radians between the palm and a pose."""
        here = self.hand()
        cosine = (np.trace(here[:3, :3].T @ pose[:3, :3]) - 1) / 2
        return float(np.linalg.norm(here[:3, 3] - pose[:3, 3])), math.acos(min(1.0, max(-1.0, float(cosine))))
