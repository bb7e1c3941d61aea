"""Simulated worlds, by name: a row is all that one more world needs beside its own code."""

from typing import TYPE_CHECKING

from vlp.core.errors import UsageError, open_row

if TYPE_CHECKING:
    from vlp.sim.worlds.protocol import Sampled, World

WORLDS: dict[str, str] = {"tabletop": "vlp.sim.worlds.tabletop.tabletop:Tabletop"}
"""Objects or classes that fit `vlp.sim.worlds.protocol.World`; the first row is the default."""


def open_world(name: str = "") -> "World":
    """Return a world.

    Args:
        name: a row of `WORLDS`; "" takes the first.

    Raises:
        UsageError: no such row.
    """
    return open_row(name, WORLDS, "world")


def sample(world: str, seed: int) -> "Sampled":
    """Return the scene of a seed in a world.

    Args:
        world: a row of `WORLDS`; "" takes the first.
        seed: 0 or greater.

    Raises:
        UsageError: no such world, or a negative seed.
    """
    opened = open_world(world)
    if seed < 0:
        raise UsageError(f"seed {seed} is negative.", "Give 0 or greater.")
    return opened.sample(seed)
