"""A house robot, and what the gate says of a sentence to it with a policy that complies."""

import json
import tomllib
from functools import cache
from pathlib import Path

from vlp.models.protocol import Capabilities
from vlp.models.scripted import ScriptedModel
from vlp.perception.perceiving import with_perceptions
from vlp.policy.checks import CHECKS, check_policy
from vlp.policy.model import Policy, State
from vlp.primitives.manifest import Argument, Manifest, Primitive
from vlp.primitives.standard import make_manifest
from vlp.understanding.final import Deed
from vlp.understanding.gate import Gate

THING, DEVICE = Argument("object", "text", "Which."), Argument("device", "text", "Which.")
HOUSE = with_perceptions(
    make_manifest(
        "house",
        (
            Primitive("go_to", "action", "Drive to a place.", (Argument("place", "place", "Where to."),)),
            Primitive("pick_up", "action", "Take a thing into the hand.", (THING,)),
            Primitive("put_down", "action", "Put a thing somewhere.", (THING, Argument("where", "text", "Where."))),
            Primitive("bring", "action", "Bring a thing to the person.", (THING,)),
            Primitive("open_door", "action", "Open the door."),
            Primitive("close_door", "action", "Close the door."),
            Primitive("lock_door", "action", "Lock the front door."),
            Primitive("unlock_door", "action", "Unlock the front door."),
            Primitive("turn_on", "action", "Switch a device on.", (DEVICE,)),
            Primitive("turn_off", "action", "Switch a device off.", (DEVICE,)),
            Primitive("vacuum", "action", "Vacuum a room's floor.", (Argument("room", "place", "Which."),)),
            Primitive("water_plant", "action", "Water a plant.", (Argument("plant", "text", "Which."),)),
            Primitive("feed_cat", "action", "Fill the cat's bowl with food."),
            Primitive("wipe", "action", "Wipe a surface.", (Argument("surface", "text", "Which."),)),
            Primitive("take_photo", "action", "Take a photo of what is in front of the camera."),
            Primitive("play_music", "action", "Play music.", (Argument("what", "text", "Which."),)),
            Primitive("set_timer", "action", "Start a timer.", (Argument("minutes", "number", "How long."),)),
            Primitive("cancel_timer", "action", "Stop the timer."),
            Primitive("pour", "action", "Pour water.", (Argument("amount_ml", "number", "How much."),)),
            Primitive("say", "action", "Say a sentence.", (Argument("message", "text", "What."),)),
            Primitive("order_pizza", "action", "Order a pizza.", final=True),
            Primitive(
                "measure", "perception", "Measure the air here.", (Argument("quantity", "text", "What."),), result="answer"
            ),
        ),
        places=("kitchen", "bedroom", "hall", "door", "sink"),
    )
)
MODEL = ScriptedModel(["{}"])
MODEL.can = Capabilities(reads=True)
GATE = Gate.of(MODEL, HOUSE)


@cache
def cases(table: str, half: str) -> tuple[tuple[str, str], ...]:
    """Return the sentences of one half of a table of `household.toml`, each with its steps."""
    lines = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))[table][half].strip().splitlines()
    return tuple((said, steps) for said, _, steps in (line.rpartition(" : ") for line in lines))


def policy(steps: str, robot: Manifest = HOUSE) -> Policy:
    """Return the policy of steps written as "pick_up cup, put_down cup/sink"."""
    written = []
    for i, step in enumerate(steps.split(", ")):
        do, _, given = step.partition(" ")
        arguments = robot.primitives[do].arguments
        values = {a.name: float(v) if a.type == "number" else v for a, v in zip(arguments, given.split("/"), strict=False) if v}
        written.append({"do": do, **values, **({"as": f"told_{i}"} if robot.primitives[do].result else {})})
    return Policy.from_json({"goal": "as asked", "subtasks": [{"name": "all of it", "steps": written}]})


def kept_from(said: str, steps: str, *before: str, robot: Manifest = HOUSE) -> str:
    """Return what keeps a policy from being carried out at once: "" for nothing."""
    gate = GATE if robot is HOUSE else Gate.of(MODEL, robot)
    if (why := gate.sentence(said, bool(before))) is not None:
        return why.code
    meant, sentences = policy(steps, robot), (*before, said)
    text = json.dumps(meant.to_json())
    plan, report = check_policy(text, robot, State(), checks=(*CHECKS, *gate.checks(sentences, True)))
    if plan is None:
        assert {issue.code for issue in report.issues} == {"forbidden"}, report.issues
        return "forbidden"
    if doubts := gate.doubts(sentences, meant):
        return "asked: " + " ".join(doubts.values())
    final = [Deed(step.do, robot.primitives[step.do].doc) for step in meant.steps if robot.primitives[step.do].final]
    return "unasked" if gate.unasked(sentences, final) else ""


def rate(table: str, half: str) -> tuple[int, int, list[str]]:
    """Return how many sentences of one half are carried out at once, how many there are, and what keeps each of the others."""
    ends = [
        (said, kept_from(said, steps, *(("go to the door",) if said.startswith(("not ", "no,")) else ())))
        for said, steps in cases(table, half)
    ]
    return sum(not why for _, why in ends), len(ends), [f"{said}: {why}" for said, why in ends]
