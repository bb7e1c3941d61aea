"""The simulated HSR as a `Robot`, and what it says of itself."""

from collections.abc import Sequence

from vlp.primitives.manifest import Manifest, Place
from vlp.primitives.standard import make_manifest
from vlp.sim.embodiments.hsr.actions import action, primitives
from vlp.sim.embodiments.hsr.actions.scope import HsrScope
from vlp.sim.embodiments.hsr.body import CAMERA, INTRINSICS, mechanics
from vlp.sim.embodiments.hsr.motion import HsrMotion
from vlp.sim.embodiments.robot import Acting, SimRobot
from vlp.sim.simulation import Simulation


def manifest(places: Sequence[Place]) -> Manifest:
    """Return what the HSR says of itself: its actions, places and limits; perception adds what it can see."""
    cameras = {CAMERA: {**INTRINSICS.to_json(), "depth": True}}
    return make_manifest("hsr", primitives(places), places, mechanics().bounds.declared(places), ("base", "world"), cameras)


def robot(simulation: Simulation) -> SimRobot:
    """Return the HSR that acts in a simulation."""
    return SimRobot(simulation, Acting(mechanics(), HsrMotion, HsrScope, action, "head_rgbd_sensor_link"))
