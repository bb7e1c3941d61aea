"""The simulated ANYmal as a `Robot`, and what it says of itself."""

from collections.abc import Sequence

from vlp.primitives.manifest import Manifest, Place
from vlp.primitives.standard import make_manifest
from vlp.sim.embodiments.anymal.actions import action, primitives
from vlp.sim.embodiments.anymal.body import intrinsics, mechanics
from vlp.sim.embodiments.anymal.motion import AnymalMotion
from vlp.sim.embodiments.anymal.scope import AnymalScope
from vlp.sim.embodiments.robot import Acting, SimRobot
from vlp.sim.simulation import Simulation


def manifest(places: Sequence[Place]) -> Manifest:
    """Return what ANYmal says of itself: its actions, places and limits; perception adds what it can see."""
    cameras = {"wrist_rgbd": {**intrinsics().to_json(), "depth": True}}
    return make_manifest("anymal", primitives(places), places, mechanics().bounds.declared(places), ("base", "world"), cameras)


def robot(simulation: Simulation) -> SimRobot:
    """Return the ANYmal that acts in a simulation."""
    return SimRobot(simulation, Acting(mechanics(), AnymalMotion, AnymalScope, action, "wrist_rgbd_optical_frame"))
