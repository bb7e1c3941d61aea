"""Robot bodies, by name: each row of the table names a function that returns the body's MuJoCo specification."""

from importlib import import_module

import mujoco

from vlp.core.errors import lookup

EMBODIMENTS: dict[str, str] = {"hsr": "vlp.sim.embodiments.hsr.body:spec"}


def robot_spec(name: str) -> mujoco.MjSpec:
    """Return a fresh specification of a robot standing alone at the world's origin, for a world to be built around.

    Args:
        name: a row of `EMBODIMENTS`.

    Raises:
        UsageError: no such embodiment.
    """
    module, function = lookup(name, EMBODIMENTS, "robot").split(":")
    return getattr(import_module(module), function)()


def compile_model(name: str) -> mujoco.MjModel:
    """Return the compiled model of a robot alone; raises UsageError for an unknown name."""
    return robot_spec(name).compile()
