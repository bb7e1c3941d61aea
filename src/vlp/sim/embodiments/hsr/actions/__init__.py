"""The actions of the simulated HSR: one row per primitive, naming the function that carries it out.

Each function takes a `Scope` and the step's arguments, moves the robot, and returns what it reached as plain data. It
raises `Failed` with a stable code, and ends with the robot back at its station in carry posture. None reads the
simulator's true state: targets are located things from the camera, the rest is the robot's own joints, depth and map.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from vlp.core.errors import lookup
from vlp.primitives.manifest import Place, Primitive
from vlp.primitives.standard import STANDARD
from vlp.sim.embodiments.actions.declared import FIXTURE_ACTIONS, PEOPLE_ACTIONS, fixture_primitives
from vlp.sim.embodiments.actions.hand import HAND_ACTIONS
from vlp.sim.embodiments.actions.scope import Scope

ActionFunction = Callable[[Scope, dict[str, Any]], dict[str, Any]]

ACTIONS: dict[str, str] = {
    "go_to": "vlp.sim.embodiments.hsr.actions.drive:go_to",
    "look_at": "vlp.sim.embodiments.actions.sight:look_at",
    "grasp": "vlp.sim.embodiments.actions.grasp:grasp",
    "lift": "vlp.sim.embodiments.hsr.actions.lift:lift",
    "place": "vlp.sim.embodiments.actions.place:place",
    "release": "vlp.sim.embodiments.actions.place:release",
    "push": "vlp.sim.embodiments.actions.push:push",
    **FIXTURE_ACTIONS,
    **PEOPLE_ACTIONS,
    **HAND_ACTIONS,
    "home": "vlp.sim.embodiments.hsr.actions.drive:home",
}


def primitives(places: Sequence[Place]) -> list[Primitive]:
    """Return what the HSR can do in a world: the standard actions, and what one of its places affords."""
    afforded = {name for place in places for name in place.affords}
    shared = fixture_primitives("driving", places)
    return [
        shared.get(name) or STANDARD[name] for name in ACTIONS if name in afforded or name not in {**shared, **HAND_ACTIONS}
    ]


def action(name: str) -> ActionFunction:
    """Return the function of an action; raises UsageError for an unknown name."""
    module, function = lookup(name, ACTIONS, "action").split(":")
    return getattr(import_module(module), function)
