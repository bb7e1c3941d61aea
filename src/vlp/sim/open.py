"""A simulated robot in a world, and what it says of itself, by the names of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from vlp.core.errors import UsageError, did_you_mean, lookup, not_installed
from vlp.primitives.manifest import Manifest
from vlp.sim import EMBODIMENTS, WORLDS, open_embodiment, open_world, sample

if TYPE_CHECKING:
    from vlp.sim.embodiments.protocol import SimulatedRobot
    from vlp.sim.simulation import Simulation
    from vlp.sim.worlds.protocol import Happening


def simulated(robot: str = "", world: str = "", seed: int = 0, hand: bool = False) -> tuple[SimulatedRobot, Simulation]:
    """Return a robot that acts in a scene, without perceptions, and the simulation that it stands in.

    Args:
        robot: a row of `vlp.sim.EMBODIMENTS`; "" takes the first.
        world: a row of `vlp.sim.WORLDS`; "" takes the first.
        seed: the scene's, 0 or greater.
        hand: whether its hand can be moved from outside (`move_hand`).

    Raises:
        UsageError: an unknown name, or a negative seed.
        MissingComponent: the simulator is not installed.
    """
    check_names(robot, world)
    if seed < 0:
        raise UsageError(f"seed {seed} is negative.", "Give 0 or greater.")
    try:
        from vlp.sim.simulation import Simulation

        simulation = Simulation(sample(world, seed), robot, world)
        made = simulation.embodiment.robot(simulation)
        if hand:
            made.offer_hand()
        return made, simulation
    except ImportError as error:
        raise _missing(error) from None


def manifest_of(robot: str = "", world: str = "") -> Manifest:
    """Return what a simulated robot says of itself in a world, without perceptions; names and errors as in `simulated`."""
    check_names(robot, world)
    try:
        return open_embodiment(robot).manifest(open_world(world).places)
    except ImportError as error:
        raise _missing(error) from None


def reads_text(world: str = "") -> bool:
    """Return whether a world has text that robots in it read; names and errors as in `simulated`."""
    check_names("", world)
    try:
        return open_world(world).legible
    except ImportError as error:
        raise _missing(error) from None


def happenings(world: str = "") -> Mapping[str, Happening]:
    """Return what can happen in a world, by the first word of its events; names and errors as in `simulated`."""
    check_names("", world)
    try:
        return open_world(world).events
    except ImportError as error:
        raise _missing(error) from None


def check_names(robot: str, world: str) -> None:
    """Look both names up, without importing anything; raises UsageError for an unknown one."""
    if robot:
        check_robot_name(robot)
    if world:
        lookup(world, WORLDS, "world")


def check_robot_name(robot: str, *others: str) -> None:
    """Refuse an unknown robot.

    Args:
        robot: what is to be a row of `vlp.sim.EMBODIMENTS`.
        others: further names that would do.
    """
    if robot not in (*EMBODIMENTS, *others):
        near = did_you_mean(robot, [*EMBODIMENTS, *others])
        raise UsageError(f"unknown robot {robot[:200]!r}.", f"{near} One of your own is module:Class, or its server's URL.")


def _missing(error: ImportError) -> Exception:
    """Return what to raise for a failed import: our own modules are there, others may not be installed."""
    return error if error.name and error.name.startswith("vlp") else not_installed("simulation needs", error, "sim")
