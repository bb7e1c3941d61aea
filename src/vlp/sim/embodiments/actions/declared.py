"""Actions beyond the standard ones that bodies share, as they declare them: at fixtures, with vessels, for people."""

from collections.abc import Sequence

from vlp.primitives.manifest import Argument, Place, Primitive

FIXTURE_ACTIONS: dict[str, str] = {
    "handover": "vlp.sim.embodiments.actions.handover:handover",
    "press": "vlp.sim.embodiments.actions.fixtures:press",
    "open": "vlp.sim.embodiments.actions.fixtures:open_by_handle",
    "close": "vlp.sim.embodiments.actions.fixtures:close_by_handle",
    "say": "vlp.sim.embodiments.actions.say:say",
    "pour": "vlp.sim.embodiments.actions.pour:pour",
    "weigh": "vlp.sim.embodiments.actions.weigh:weigh",
    "look": "vlp.sim.embodiments.actions.sight:look",
    "wait": "vlp.sim.embodiments.actions.sight:wait",
}
"""The function that carries each of them out."""

PEOPLE_ACTIONS: dict[str, str] = {
    "follow": "vlp.sim.embodiments.actions.people:follow",
    "guide": "vlp.sim.embodiments.actions.people:guide",
}
"""The same for what is done where people walk."""


def fixture_primitives(moving: str, places: Sequence[Place] = ()) -> dict[str, Primitive]:
    """Return their declarations by name.

    Args:
        moving: how the body moves, e.g. "walking".
        places: of the world; where one affords "handover", people stand who can be named.
    """
    target = Argument("target", "target", "A $name bound by an earlier locate, or a named place.")
    handle = Argument("target", "reference", "A $name bound by an earlier locate: the handle.")
    person = Argument("target", "reference", "A $name bound by an earlier locate: the person to turn to.", required=False)
    text = Argument("text", "text", "What to say, at most 200 characters.")
    value = Argument("value", "reference", "A $name whose result is to be said behind it.", required=False, result="")
    hearer = Argument("target", "reference", "A $name bound by an earlier locate_person: who is spoken to.", required=False)
    whom = Argument("target", "reference", "A $name bound by an earlier locate_person.")
    far = "How far to pull a drawer, in metres; a door is opened wide."
    people = any("handover" in place.affords for place in places)
    declared = (
        Primitive(
            "handover", "action", "Hold out what is held to a person, and let go when they take it.",
            (person,) if people else (), needs=("holding",), makes=("moved held", "hand_empty"), timeout_s=120.0,
            interruptible=False,
        ),
        Primitive(
            "follow", "action", "Go behind a located person until they have stood still for a while.",
            (whom,), timeout_s=180.0,
        ),
        Primitive(
            "guide", "action", "Lead a located person to a named place, slowly enough for them to keep up.",
            (whom, Argument("place", "place", "Where to lead them.")), makes=("at place",), timeout_s=180.0,
        ),
        Primitive(
            "press", "action", "Press a button before the robot with the closed fingers, until it gives way no further.",
            (target,), needs=("hand_empty",), timeout_s=60.0, interruptible=False,
        ),
        Primitive(
            "open", "action", f"Pull a drawer, or a door wide open, by its located handle, {moving} backwards.",
            (handle, Argument("distance_m", "number", far, minimum=0.05, maximum=0.40, default=0.35)),
            needs=("hand_empty",), makes=("open target",), timeout_s=90.0, interruptible=False,
        ),
        Primitive(
            "close", "action", f"Push a drawer or a door shut at its located handle, {moving}, until it gives way no further.",
            (handle,), needs=("hand_empty",), makes=("not open target",), timeout_s=90.0, interruptible=False,
        ),
        Primitive(
            "say", "action", "Tell something to who commands, or to a located person.", (text, value, hearer), timeout_s=30.0,
        ),
        Primitive(
            "pour", "action",
            "Pour, tip or empty what is in the held thing into a located vessel, filling that; keep holding it.",
            (Argument("target", "reference", "A $name bound by an earlier locate: the vessel to pour into."),),
            needs=("holding",), timeout_s=90.0, interruptible=False,
        ),
        Primitive(
            "weigh", "action", "Feel how heavy what is held is; the weight in newtons stands in the step's result.",
            needs=("holding",), timeout_s=20.0,
        ),
        Primitive(
            "look", "action", "Take a closer picture: turn the camera to a target or a direction and narrow its view. What is "
            "located or read next is looked for in that picture; the next action turns the camera back.",
            (
                Argument("target", "target", "A $name bound by an earlier locate, or a named place.", required=False),
                Argument("pan_rad", "number", "To the left of straight ahead.", required=False, minimum=-3.1, maximum=3.1),
                Argument("tilt_rad", "number", "Upwards from level.", required=False, minimum=-1.5, maximum=0.5),
                Argument("zoom", "number", "How much narrower the view is.", minimum=1.0, maximum=4.0, default=2.0),
            ),
            timeout_s=20.0,
        ),
        Primitive(
            "wait", "action", "Hold still for a while.",
            (Argument("duration_s", "number", "How long, in seconds.", minimum=0.1, maximum=60.0),), timeout_s=90.0,
        ),
    )  # fmt: skip
    return {primitive.name: primitive for primitive in declared}
