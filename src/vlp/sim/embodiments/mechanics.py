"""What the shared motions know of a body: its joints by what they do, its servos, its hand, and the bounds it keeps to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from vlp.primitives.manifest import Limits, Place
from vlp.sim.embodiments.gripper import Gripper
from vlp.sim.embodiments.servos import Servo
from vlp.sim.opengl import mujoco


@dataclass(frozen=True)
class Bounds:
    """What a body keeps to, whatever it is told.

    Args:
        base_m_s, hand_m_s: highest speeds.
        low_m, high_m: corners of the workspace of the hand.
        own_m: from the base's axis: the space above the robot itself, in which the hand is carried wherever the base stands.
        payload_kg: heaviest load.
        grip_force_n: highest force of the gripper.
        opening_m: widest opening of the gripper.
        radius_m: of the disc on the floor that covers the body where it turns, in carry posture.
        back_m: how much farther back the workspace begins where every place has its own: the robot steps back from what it
            pulls open.
        up_m: how much higher it ends there: the arm rises with a head that looks over the front of a drawer.
    """

    base_m_s: float
    hand_m_s: float
    low_m: tuple[float, float, float]
    high_m: tuple[float, float, float]
    own_m: float
    payload_kg: float
    grip_force_n: float
    opening_m: float
    radius_m: float
    back_m: float
    up_m: float

    def at_places(self) -> "Bounds":
        """Return the bounds in a world where every place has a workspace of its own: as wide to the left as to the right."""
        (x, y, z), (far_x, _, far_z), deep_m = self.low_m, self.high_m, 0.15  # it drives up to what is deep in a cupboard
        return replace(self, low_m=(x - self.back_m, y, z), high_m=(far_x + deep_m, -y, far_z + self.up_m))

    def declared(self, places: Sequence[Place]) -> Limits:
        """Return them as a manifest tells them in a world with these places."""
        many = sum("on" in place.relations for place in places) > 1
        own, at = (self.at_places(), "place") if many else (self, None)
        speeds, grip = (self.base_m_s, self.hand_m_s), (self.grip_force_n, self.opening_m)
        return Limits(own.low_m, own.high_m, *speeds, *grip, payload_kg=self.payload_kg, workspace_at=at)


@dataclass(frozen=True)
class Solving:
    """How the inverse kinematics of a body are set up.

    Args:
        frozen: joints that it leaves where they are.
        posture_cost: by joint, how much it is kept where it was while the hand's pose leaves a choice; others hardly at all.
        arm: the arm's shapes, which keep clear of the rest and of what the map knows.
        rest: the body's own shapes, which keep clear of what the map knows.
        usual_m_s, usual_rad_s: speeds of the hand on a straight way.
    """

    frozen: tuple[str, ...]
    posture_cost: Mapping[str, float]
    arm: tuple[str, ...]
    rest: tuple[str, ...]
    usual_m_s: float
    usual_rad_s: float


@dataclass(frozen=True)
class Mechanics:
    """What the shared motions know of a body.

    Args:
        spec: makes a fresh specification of the body.
        servos: the commanded joints by name.
        joints: those that the hand's pose follows from, the base's first, in the order of the specification.
        home: the resting posture, by joint.
        hand: the link whose pose is the hand's: z along the fingers, y along which they close.
        closer: the joint that closes the fingers; a smaller angle closes them further.
        fingers: by finger, the joints whose sum is its angle.
        gripper: the sizes of hand and fingers.
        bounds: what it keeps to.
        solving: its inverse kinematics.
        lag: how far a joint may be behind its set point before something is in its way, in metres and radians.
        ramps: whether set points move on at every time step, not at every tick: stiff servos of a base knock with each step of
            theirs, and what is held creeps out of the fingers.
    """

    spec: Callable[[], mujoco.MjSpec]
    servos: Mapping[str, Servo]
    joints: tuple[str, ...]
    home: Mapping[str, float]
    hand: str
    closer: str
    fingers: tuple[tuple[str, ...], ...]
    gripper: Gripper
    bounds: Bounds
    solving: Solving
    lag: Mapping[str, float] = field(default_factory=dict)
    ramps: bool = False
    base_joints: ClassVar[tuple[str, str, str]] = ("base_x", "base_y", "base_yaw")
    """The joints that drive every body's link `base_footprint`, its base frame on the floor: x, y in metres, yaw in radians."""

    def grip_torque(self, angle_rad: float) -> float:
        """Return the torque in Nm with which the fingers' motor presses at most, at a finger's angle.

        Opened wide, fingers press harder with the same torque: where 13 N held a plum, 19 N held a box of 10 cm, and 24 N as
        the robot drove.
        """
        usual, full = 0.66, 1.1 * self.servos[self.closer].force  # a share of the highest grip: carrying adds to it
        return min(full, usual * self.bounds.grip_force_n * self.gripper.torque_per_newton(angle_rad))


def add_base(made: mujoco.MjSpec) -> mujoco.MjsBody:
    """Add the link `base_footprint` with the joints that drive it, and return it."""
    root = made.worldbody.add_body(name="base_footprint", mass=0.1, inertia=[0.01] * 3, explicitinertial=True)
    slide, hinge = mujoco.mjtJoint.mjJNT_SLIDE, mujoco.mjtJoint.mjJNT_HINGE
    for name, kind, axis in zip(Mechanics.base_joints, (slide, slide, hinge), np.eye(3), strict=True):
        root.add_joint(name=name, type=kind, axis=axis)
    return root


def base_pose(data: mujoco.MjData) -> tuple[float, float, float]:
    """Return the base's x, y in metres and yaw in radians in the world."""
    x, y, yaw = (float(data.joint(name).qpos[0]) for name in Mechanics.base_joints)
    return x, y, yaw
