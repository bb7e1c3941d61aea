"""The actions of the simulated ANYmal: one row per primitive, naming the function that carries it out.

See `vlp.sim.embodiments.robot.ActionFunction`. None reads the simulator's true state.
"""

from importlib import import_module

from vlp.core.errors import lookup
from vlp.primitives.manifest import Argument, Primitive
from vlp.primitives.standard import STANDARD
from vlp.sim.embodiments.robot import ActionFunction

ACTIONS: dict[str, str] = {
    "walk_to": "vlp.sim.embodiments.anymal.actions.walk:walk_to",
    "stand": "vlp.sim.embodiments.anymal.actions.walk:stand",
    "sit": "vlp.sim.embodiments.anymal.actions.walk:sit",
    "look_at": "vlp.sim.embodiments.anymal.actions.look:look_at",
    "grasp": "vlp.sim.embodiments.actions.grasp:grasp",
    "lift": "vlp.sim.embodiments.anymal.actions.lift:lift",
    "place": "vlp.sim.embodiments.actions.place:place",
    "release": "vlp.sim.embodiments.actions.place:release",
    "push": "vlp.sim.embodiments.actions.push:push",
    "inspect": "vlp.sim.embodiments.anymal.actions.inspect:inspect",
    "handover": "vlp.sim.embodiments.anymal.actions.handover:handover",
    "press": "vlp.sim.embodiments.anymal.actions.fixtures:press",
    "open": "vlp.sim.embodiments.anymal.actions.fixtures:open_drawer",
    "close": "vlp.sim.embodiments.anymal.actions.fixtures:close_drawer",
    "home": "vlp.sim.embodiments.anymal.actions.walk:stand",
}


def action(name: str) -> ActionFunction:
    """Return the function of an action; raises UsageError for an unknown name."""
    module, function = lookup(name, ACTIONS, "action").split(":")
    return getattr(import_module(module), function)


def primitives() -> list[Primitive]:
    """Return what ANYmal can do: its own primitives and the standard ones, one for each of `ACTIONS`."""
    place = Argument("place", "place", "The place to walk to.")
    target = Argument("target", "target", "A $name bound by an earlier locate, or a named place.")
    handle = Argument("target", "reference", "A $name bound by an earlier locate: the handle.")
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
            Primitive(
                "handover", "action", "Hold out what is held to a person, and let go when they take it.",
                needs=("holding",), makes=("moved held", "hand_empty"), timeout_s=60.0, interruptible=False,
            ),
            Primitive(
                "press", "action", "Press a button before the robot with the closed fingers, until it gives way no further.",
                (target,), needs=("hand_empty",), timeout_s=60.0, interruptible=False,
            ),
            Primitive(
                "open", "action", "Pull a drawer open by its located handle, walking backwards.",
                (handle, Argument("distance_m", "number", "How far, in metres.", minimum=0.05, maximum=0.40, default=0.25)),
                needs=("hand_empty",), makes=("open target",), timeout_s=90.0, interruptible=False,
            ),
            Primitive(
                "close", "action", "Push a drawer shut at its located handle, walking forwards, until it gives way no further.",
                (handle,), needs=("hand_empty",), makes=("not open target",), timeout_s=90.0, interruptible=False,
            ),
            Primitive("home", "action", "Bring arm and body to their resting posture.", timeout_s=20.0),
        )
    }  # fmt: skip
    return [own.get(name) or STANDARD[name] for name in ACTIONS]
