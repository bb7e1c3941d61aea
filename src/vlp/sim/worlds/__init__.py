"""Worlds, by name: each row of the table names a module with `sample_scene(seed)` and `build(scene, embodiment)`."""

from importlib import import_module
from typing import TYPE_CHECKING

from vlp.core.errors import UsageError, lookup

if TYPE_CHECKING:
    from vlp.sim.worlds.tabletop.scene import Scene

WORLDS: dict[str, str] = {"tabletop": "vlp.sim.worlds.tabletop.world"}


def sample(world: str, seed: int) -> "Scene":
    """Return the scene of a seed in a world.

    Args:
        world: a row of `WORLDS`.
        seed: 0 or greater.

    Raises:
        UsageError: no such world, or a negative seed.
    """
    module = lookup(world, WORLDS, "world")
    if seed < 0:
        raise UsageError(f"seed {seed} is negative.", "Give 0 or greater.")
    return import_module(module).sample_scene(seed)
