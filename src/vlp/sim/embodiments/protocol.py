"""What a simulated body offers: its physics, where it stands, what it sees with, and the robot that moves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from vlp.core.observation import Intrinsics
from vlp.primitives.manifest import Manifest, Place
from vlp.robot.protocol import Robot
from vlp.sim.opengl import mujoco
from vlp.sim.worlds.protocol import Pose2, Station

if TYPE_CHECKING:
    from vlp.sim.simulation import Simulation


@dataclass(frozen=True)
class Fingers:
    """The bodies of a hand by how their names may begin; a thing that all fingers touch and nothing else carries is held.

    Args:
        hand: of everything that belongs to the hand.
        each: of each finger.
        palm: the body whose pose is the hand's.
        tips: the outermost body of each finger.
    """

    hand: tuple[str, ...]
    each: tuple[tuple[str, ...], ...]
    palm: str
    tips: tuple[str, ...]


class SimulatedRobot(Robot, Protocol):
    """A robot in a simulation; what is recorded of one besides what any robot tells."""

    on_tick: list[Callable[[float], None]]
    """Called with the simulated time in seconds after every control tick."""

    on_step: list[Callable[[], None]]
    """Called after every time step of the physics."""

    @property
    def set_points(self) -> Mapping[str, float]:
        """What the joints are told to be, in metres and radians, by name."""
        ...

    def offer_hand(self) -> None:
        """Add `move_hand`, and what it needs, to the manifest."""
        ...


class Embodiment(Protocol):
    """One kind of body; it stands in any world and knows none by name."""

    name: str
    camera: str
    """The camera that the robot observes with."""
    intrinsics: Intrinsics
    """Of that camera."""
    fingers: Fingers | None
    """None for a body without a hand."""
    own_m: float
    """Radius of the space above the body itself, in which a hand is carried out of everybody's way."""

    def spec(self) -> mujoco.MjSpec:
        """Return a fresh specification of the body standing alone at the origin, for a world to be built around."""
        ...

    def set_home(self, model: mujoco.MjModel, data: mujoco.MjData, base: Pose2 = (0.0, 0.0, 0.0)) -> None:
        """Put the body into its resting posture at a base pose (m, m, rad), set points included; no time passes."""
        ...

    def base(self, data: mujoco.MjData) -> Pose2:
        """Return the base's x, y in metres and yaw in radians in the world."""
        ...

    def stations(self, places: Mapping[str, Station]) -> dict[str, Pose2]:
        """Return where this body's base stands at each of a world's places."""
        ...

    def robot(self, simulation: Simulation) -> SimulatedRobot:
        """Return the robot that moves this body in a simulation."""
        ...

    def manifest(self, places: Sequence[Place]) -> Manifest:
        """Return what the robot says of itself in a world with these places; perception adds what it can see."""
        ...

    # For pictures of a task's middle, to which nobody drove.

    def pose_near(self, model: mujoco.MjModel, data: mujoco.MjData, base: Pose2, rng: np.random.Generator) -> Pose2:
        """Pose the body as a drive to `base` would leave it, not quite where it meant to be; return its base pose."""
        ...

    def put_in_hand(
        self, model: mujoco.MjModel, data: mujoco.MjData, name: str, size_m: tuple[float, float, float],
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        """Close the fingers on a thing of this name and size, and pose it between them; a body without a hand raises."""
        ...
