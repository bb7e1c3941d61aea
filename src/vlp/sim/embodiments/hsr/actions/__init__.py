"""The actions of the simulated HSR: one row per primitive, naming the function that carries it out.

Each function takes a `Scope` and the step's arguments, moves the robot, and returns what it reached as plain data. It
raises `Failed` with a stable code, and ends with the robot back at its station in carry posture. None reads the
simulator's true state: targets are located things from the camera, the rest is the robot's own joints, depth and map.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from vlp.core.errors import lookup
from vlp.sim.embodiments.actions.scope import Scope

ActionFunction = Callable[[Scope, dict[str, Any]], dict[str, Any]]

ACTIONS: dict[str, str] = {
    "go_to": "vlp.sim.embodiments.hsr.actions.drive:go_to",
    "look_at": "vlp.sim.embodiments.hsr.actions.head:look_at",
    "grasp": "vlp.sim.embodiments.actions.grasp:grasp",
    "lift": "vlp.sim.embodiments.hsr.actions.lift:lift",
    "place": "vlp.sim.embodiments.actions.place:place",
    "release": "vlp.sim.embodiments.actions.place:release",
    "push": "vlp.sim.embodiments.actions.push:push",
    "home": "vlp.sim.embodiments.hsr.actions.drive:home",
}


def action(name: str) -> ActionFunction:
    """Return the function of an action; raises UsageError for an unknown name."""
    module, function = lookup(name, ACTIONS, "action").split(":")
    return getattr(import_module(module), function)
