"""A simulated robot in a world, and what it says of itself, by the names of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vlp.core.errors import UsageError, lookup, not_installed
from vlp.primitives.manifest import Manifest
from vlp.sim import EMBODIMENTS, WORLDS, open_embodiment, open_world, sample

if TYPE_CHECKING:
    from vlp.sim.embodiments.protocol import SimulatedRobot
    from vlp.sim.simulation import Simulation


def simulated(robot: str = "", world: str = "", seed: int = 0) -> tuple[SimulatedRobot, Simulation]:
    """Return a robot that acts in a scene, without perceptions, and the simulation that it stands in.

    Args:
        robot: a row of `vlp.sim.EMBODIMENTS`; "" takes the first.
        world: a row of `vlp.sim.WORLDS`; "" takes the first.
        seed: the scene's, 0 or greater.

    Raises:
        UsageError: an unknown name, or a negative seed.
        MissingComponent: the simulator is not installed.
    """
    _check(robot, world)
    if seed < 0:
        raise UsageError(f"seed {seed} is negative.", "Give 0 or greater.")
    try:
        scene = sample(world, seed)  # first: worlds look at what the environment says of drawing before MuJoCo is imported
        from vlp.sim.simulation import Simulation

        simulation = Simulation(scene, robot, world)
        return simulation.embodiment.robot(simulation), simulation
    except ImportError as error:
        raise _missing(error) from None


def manifest_of(robot: str = "", world: str = "") -> Manifest:
    """Return what a simulated robot says of itself in a world, without perceptions; names and errors as in `simulated`."""
    _check(robot, world)
    try:
        return open_embodiment(robot).manifest(open_world(world).places)
    except ImportError as error:
        raise _missing(error) from None


def _check(robot: str, world: str) -> None:
    """Look both names up before anything is imported."""
    for name, table, what in ((robot, EMBODIMENTS, "robot"), (world, WORLDS, "world")):
        if name:
            lookup(name, table, what)


def _missing(error: ImportError) -> Exception:
    """Return what to raise for a failed import: our own modules are there, others may not be installed."""
    return error if error.name and error.name.startswith("vlp") else not_installed("simulation needs", error, "sim")
