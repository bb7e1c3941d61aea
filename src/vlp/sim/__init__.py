"""The simulator: its bodies and worlds, by name. A row is all that one more needs beside its own code."""

from typing import TYPE_CHECKING

from vlp.core.errors import UsageError, open_row

if TYPE_CHECKING:
    from vlp.sim.embodiments.protocol import Embodiment
    from vlp.sim.worlds.protocol import Sampled, World

EMBODIMENTS: dict[str, str] = {
    "hsr": "vlp.sim.embodiments.hsr.embodiment:Hsr",
    "anymal": "vlp.sim.embodiments.anymal.embodiment:Anymal",
}
"""Objects or classes that fit `vlp.sim.embodiments.protocol.Embodiment`; the first row is the default."""

WORLDS: dict[str, str] = {
    "tabletop": "vlp.sim.worlds.tabletop.tabletop:Tabletop",
    "home": "vlp.sim.worlds.home.home:Home",
    "guests": "vlp.sim.worlds.home.guests:Guests",
}
"""Objects or classes that fit `vlp.sim.worlds.protocol.World`; the first row is the default."""


def open_embodiment(name: str = "") -> "Embodiment":
    """Return a simulated body.

    Args:
        name: a row of `EMBODIMENTS`; "" takes the first.

    Raises:
        UsageError: no such row.
    """
    return open_row(name, EMBODIMENTS, "robot")


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
