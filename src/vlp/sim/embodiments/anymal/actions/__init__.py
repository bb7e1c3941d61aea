"""The actions of the simulated ANYmal: one row per primitive, naming the function that carries it out.

See `vlp.sim.embodiments.robot.ActionFunction`. None reads the simulator's true state.
"""

from collections.abc import Sequence
from importlib import import_module

from vlp.core.errors import lookup
from vlp.primitives.manifest import Argument, Place, Primitive
from vlp.primitives.standard import STANDARD
from vlp.sim.embodiments.actions.declared import FIXTURE_ACTIONS, PEOPLE_ACTIONS, fixture_primitives
from vlp.sim.embodiments.actions.hand import HAND_ACTIONS
from vlp.sim.embodiments.robot import ActionFunction

ACTIONS: dict[str, str] = {
    "walk_to": "vlp.sim.embodiments.anymal.actions.walk:walk_to",
    "stand": "vlp.sim.embodiments.anymal.actions.walk:stand",
    "sit": "vlp.sim.embodiments.anymal.actions.walk:sit",
    "look_at": "vlp.sim.embodiments.actions.sight:look_at",
    "grasp": "vlp.sim.embodiments.actions.grasp:grasp",
    "lift": "vlp.sim.embodiments.anymal.actions.lift:lift",
    "place": "vlp.sim.embodiments.actions.place:place",
    "release": "vlp.sim.embodiments.actions.place:release",
    "push": "vlp.sim.embodiments.actions.push:push",
    "inspect": "vlp.sim.embodiments.anymal.actions.inspect:inspect",
    **FIXTURE_ACTIONS,
    **PEOPLE_ACTIONS,
    **HAND_ACTIONS,
    "home": "vlp.sim.embodiments.anymal.actions.walk:stand",
}


def action(name: str) -> ActionFunction:
    """Return the function of an action; raises UsageError for an unknown name."""
    module, function = lookup(name, ACTIONS, "action").split(":")
    return getattr(import_module(module), function)


def primitives(places: Sequence[Place]) -> list[Primitive]:
    """Return what ANYmal can do in a world: its own primitives, shared and standard ones; what people do where they walk."""
    place = Argument("place", "place", "The place to walk to.")
    target = Argument("target", "target", "A $name bound by an earlier locate, or a named place.")
    own = {
        primitive.name: primitive
        for primitive in (
            Primitive(
                "walk_to", "action", "Walk to a named place and look at it.", (place,), makes=("at place",), timeout_s=60.0,
            ),
            Primitive("stand", "action", "Stand up, with the arm in its resting posture.", timeout_s=20.0, example={}),
            Primitive("sit", "action", "Lower the body until it nearly rests on the floor.", timeout_s=20.0),
            Primitive(
                "look_at", "action", "Turn the camera on the wrist, or the body, towards a located thing or a named place.",
                (target,), timeout_s=20.0,
            ),
            Primitive(
                "inspect", "action", "Bring the camera on the wrist close before a thing or a place, and keep looking at it.",
                (target,), needs=("hand_empty",), timeout_s=40.0,
            ),
            Primitive("home", "action", "Bring arm and body to their resting posture.", timeout_s=20.0),
        )
    }  # fmt: skip
    known = {**STANDARD, **fixture_primitives("walking", places), **own}
    afforded = {name for place in places for name in place.affords}
    return [known[name] for name in ACTIONS if name in afforded or name not in {**PEOPLE_ACTIONS, **HAND_ACTIONS}]
