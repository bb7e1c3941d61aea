"""Prohibitions for a robot of one's own: "go to the fern, but do not water it" watered the fern, and ran to success."""

import json

import pytest

from vlp.core.errors import Issue
from vlp.core.messages import Names
from vlp.nano.names import NAMES
from vlp.perception.perceiving import with_perceptions
from vlp.policy.checks import CHECKS, check_policy
from vlp.policy.model import Policy, State
from vlp.primitives.manifest import Argument, Manifest, Place, Primitive
from vlp.primitives.standard import STANDARD
from vlp.sim.fake.robot import fake_manifest
from vlp.understanding.explaining import Own
from vlp.understanding.gate import Gate

TARGET = Argument("target", "reference", "What.")
ROBOT = with_perceptions(
    Manifest(
        "gardener",
        "1",
        {
            "locate": STANDARD["locate"],
            "go_to": Primitive("go_to", "action", "Drive.", (Argument("place", "place", "Where to."),), makes=("at place",)),
            "water": Primitive("water", "action", "Water what stands here.", final=True),
            "push": Primitive("push", "action", "Push.", (TARGET,)),
            "pick_up": Primitive("pick_up", "action", "Take.", (TARGET,)),
            "take_photo": Primitive("take_photo", "perception", "Take a photo."),
        },
        {name: Place(name) for name in ("fern", "cactus", "desk")},
    )
)
GENERAL, SCRIPTED = (Gate(None, frozenset(ROBOT.primitives), reads, Own.of(ROBOT)) for reads in (True, False))


def _policy(*steps: str) -> dict:
    """Return a policy of steps such as "water", "go_to fern" and "push blue bottle"."""
    written = []
    for step in steps:
        do, _, about = step.partition(" ")
        if do == "go_to":
            written.append({"do": do, "place": about})
        elif about:
            name = about.replace(" ", "_")
            written += [{"do": "locate", "object": about, "as": name}, {"do": do, "target": f"${name}"}]
        else:
            written.append({"do": do})
    return {"goal": "as asked", "subtasks": [{"name": "all of it", "steps": written}]}


def _issues(gate: Gate, policy: dict, *said: str) -> list[Issue]:
    checks = (*CHECKS, *gate.checks(said, True))
    return check_policy(json.dumps(policy), ROBOT, State(), checks=checks)[1].issues


BROKEN = [
    ("pick up the red cube, but do not touch the blue bottle", ["pick_up red cube", "push blue bottle"]),
    ("pick up the red cube, but do not touch the blue bottle", ["pick_up red cube", "push bottle"]),
    ("pick up the red cube, not the blue bottle", ["pick_up blue bottle"]),
    ("pick up the red cube and leave the blue bottle where it is", ["pick_up red cube", "push big blue bottle"]),
    ("pick up the red cube, keep away from the bottle", ["push bottle"]),
    ("don't touch the mug, the can or the plate, take the ball", ["pick_up ball", "push plate"]),
    ("pick up the red cube and don't touch anything else", ["pick_up red cube", "push mug"]),
    ("pick up the red cube, the blue bottle stays where it is", ["pick_up red cube", "push blue bottle"]),
    ("pick up the red cube, the blue bottle must not be moved", ["push blue bottle"]),
    ("pick up the red cube, hands off the blue bottle", ["push blue bottle"]),
    ("pick up only the red cube", ["pick_up red cube", "push blue bottle"]),
    ("only pick up the red cube", ["push blue bottle"]),
    ("pick up just the cubes", ["pick_up red cube", "push blue bottle"]),
    ("pick up the red cube and no other object", ["push blue bottle"]),
    ("pick up the red cube. blue bottle is off limits", ["push blue bottle"]),
    ("pick up the red cube, the blue bottle being off limits", ["push blue bottle"]),
    ("push the red cube, everything but the red cube is off limits", ["push blue bottle"]),
    ("leave the blue bottle and pick up the red cube", ["push blue bottle"]),
    ("pick up neither the mug nor the can, pick up the ball", ["pick_up can"]),
    ("pick up nothing but the ball", ["pick_up mug"]),
    ("go to the fern; watering it is forbidden", ["go_to fern", "water"]),
    ("go to the fern, i forbid you to water it", ["go_to fern", "water"]),
    ("go to the fern, but no water", ["go_to fern", "water"]),
    ("pick up everything except the mug", ["pick_up mug"]),
    ("pick up the mug instead of the can", ["pick_up can"]),
    ("go to the fern, but do not water it", ["go_to fern", "water"]),
    ("go to the fern, but dont water it", ["go_to fern", "water"]),
    ("go to the fern without watering it", ["go_to fern", "water"]),
    ("go to the fern, you must not water the fern", ["go_to fern", "water"]),
    ("go to the fern but never water the cactus", ["go_to fern", "water"]),
    ("go to the fern but not to the cactus", ["go_to fern", "go_to cactus"]),
    ("go to the desk, but do not take a photo", ["go_to desk", "take_photo"]),
    ("take the cube to the desk, without taking photos", ["go_to desk", "take_photo"]),
    # Each of these was moved by a policy for a later sentence, since none of them was read as a prohibition.
    ("pick up the red cube, keep your hand off the mug", ["push mug"]),
    ("pick up the red cube, leave the blue things where they are", ["push blue bottle"]),
    ("pick up the red cube, spare the mug", ["push mug"]),
    ("pick up the red cube, do not bother with the mug", ["push mug"]),
    ("pick up the red cube and nothing blue", ["push blue bottle"]),
    ("pick up the red cube, none of the blue ones", ["push blue bottle"]),
    ("pick up the red cube, let the mug be", ["push mug"]),
    ("pick up the red cube, the mug is fine where it is", ["push mug"]),
    ("pick up the red cube, the blue ones are not yours to take", ["push blue bottle"]),
]
KEPT = [
    ("pick up the red cube, but do not touch the blue bottle", ["pick_up red cube"]),
    ("pick up the red bottle, but do not touch the blue bottle", ["pick_up red bottle"]),
    ("pick up the red cube and don't touch anything else", ["pick_up red cube"]),
    ("go to the fern, but do not water it", ["go_to fern"]),
    ("go to the fern, but do not water the fern", ["go_to fern"]),
    ("water the cactus, not the fern", ["go_to cactus", "water"]),
    ("do not forget to water the fern", ["go_to fern", "water"]),
    ("don't just stand there, water the fern", ["go_to fern", "water"]),
    ("go to the fern and do not stop", ["go_to fern"]),
    ("go to the desk and stay there until i call", ["go_to desk"]),  # "the desk and stay" was read as a desk to be left alone
    ("go to the desk, but do not take a photo", ["go_to desk"]),
    ("push the mug, not too far", ["push mug"]),
    ("pick up the mug and the ball, but do not pick up the can", ["pick_up mug", "pick_up ball"]),
    ("pick up the red cube and leave the blue bottle on the desk", ["pick_up red cube"]),
    ("pick up the red cube and leave it on the desk", ["pick_up red cube"]),
    ("pick up only the cubes", ["pick_up red cube", "pick_up blue cube"]),
    ("pick up only the red ones", ["pick_up red cube", "pick_up red ball"]),
    ("just pick up the red cube", ["pick_up red cube"]),
    ("push the red cube, everything but the red cube is off limits", ["push red cube"]),
    ("water the cactus only if you can, pick up the ball", ["pick_up ball", "push mug"]),
    ("leave the desk and go to the fern", ["go_to fern"]),
    ("pick up the mug and do not let go", ["pick_up mug"]),
    ("pick up the mug, not that one", ["pick_up mug"]),
    ("the mug should not stay there, pick it up", ["pick_up mug"]),
    ("i don't need the mug any more, push it away", ["push mug"]),
    ("pick up nothing but the ball", ["pick_up ball"]),
    ("go to the desk, no, go to the fern", ["go_to fern"]),
]


@pytest.mark.parametrize("gate", [GENERAL, SCRIPTED], ids=["general", "scripted"])
@pytest.mark.parametrize(("said", "steps"), BROKEN)
def test_a_policy_that_does_what_was_forbidden_is_refused(gate: Gate, said: str, steps: list[str]):
    assert gate.sentence(said) is None
    found = [issue for issue in _issues(gate, _policy(*steps), said) if issue.code == "forbidden"]
    assert found and "the instruction says" in found[0].message


@pytest.mark.parametrize("gate", [GENERAL, SCRIPTED], ids=["general", "scripted"])
@pytest.mark.parametrize(("said", "steps"), KEPT)
def test_a_policy_that_keeps_to_it_passes_and_nobody_is_asked(gate: Gate, said: str, steps: list[str]):
    assert gate.sentence(said) is None
    assert _issues(gate, _policy(*steps), said) == []
    assert "cannot be told" not in gate.doubts((said,), Policy.from_json(_policy(*steps))).get(said, "")


@pytest.mark.parametrize("gate", [GENERAL, SCRIPTED], ids=["general", "scripted"])
@pytest.mark.parametrize(
    "said",
    [
        "go to the fern, but do not spill anything",
        "go to the fern but do not water it and come back",
        "go to the desk and don't wake the cat",
        "go to the fern without touching it",
        "do not water the fern, just go to it",
        "go to the fern, i would not like you to water it",
        "go to the fern, i do not need you to spill it",
        "the fern must not be dry, water it",
        "water the fern, but do not water it too much",
    ],
)
def test_where_no_rule_can_tell_the_person_is_asked(gate: Gate, said: str):
    """Against: what no rule could compare with the policy passed in silence."""
    assert gate.sentence(said) is None
    assert "cannot be told" in gate.doubts((said,), Policy.from_json(_policy("go_to fern")))[said]


def test_a_denial_with_a_letter_of_another_script_is_one():
    assert _issues(SCRIPTED, _policy("go_to fern", "water"), "go to the fern, but do n\u043et water it")


@pytest.mark.parametrize("names", [None, NAMES], ids=["general", "named"])
@pytest.mark.parametrize(
    ("said", "target", "kept"),
    [
        ("put the red cube in the green bowl and leave the blue bottle on the table", "bin", False),
        ("put the red cube in the green bowl and leave the blue bottle on the table", "table", True),
        ("put the red cube in the green bowl and leave the blue bottle on the table", "", True),
        ("put the red cube in the green bowl and throw the blue bottle in the bin", "bin", True),
    ],
)
def test_what_is_to_be_left_at_a_place_goes_nowhere_else(names: Names | None, said: str, target: str, kept: bool):
    """Against: "leave the bottle on the table" asked for nothing and forbade nothing, and the bottle was thrown away."""
    manifest = fake_manifest()
    steps = [
        {"do": "locate", "object": "green bowl", "as": "bowl"},
        {"do": "locate", "object": "red cube", "as": "cube"},
        {"do": "grasp", "target": "$cube"},
        {"do": "place", "target": "$bowl", "relation": "in"},
    ]
    if target:
        relation = "in" if target == "bin" else "on"
        steps += [{"do": "locate", "object": "blue bottle", "as": "b"}, {"do": "grasp", "target": "$b"}]
        steps += [{"do": "place", "target": target, "relation": relation}]
    gate = Gate(names, frozenset(manifest.primitives), True, Own.of(manifest))
    policy = json.dumps({"goal": "as asked", "subtasks": [{"name": "all of it", "steps": steps}]})
    assert gate.sentence(said) is None
    plan, report = check_policy(policy, manifest, State(), checks=(*CHECKS, *gate.checks((said,), True)))
    assert (plan is not None) is kept, report.issues
    assert kept or "forbidden" in {issue.code for issue in report.issues}


def test_things_that_share_a_word_with_a_place_are_not_asked_for_by_it():
    """After "not the green ones", "put the cube into the green bowl" let the robot take the green bottle."""
    said = ("pick up the red cube, not the green ones", "put the blue cube beside the green bowl")
    assert [i.code for i in _issues(GENERAL, _policy("pick_up green bottle"), *said)] == ["forbidden"]
    assert _issues(GENERAL, _policy("pick_up green bottle"), *said, "now take the green bottle") == []
    assert _issues(GENERAL, _policy("pick_up green bottle"), *said, "take the green ones, too") == []


def test_what_a_sentence_tells_of_a_thing_is_no_order_for_it():
    """After "the mug is dear to me", a policy for "clear the desk" took the mug, and nobody was asked."""
    said = ["pick up the red cube, the mug is dear to me", "push everything aside"]
    policy, _ = check_policy(json.dumps(_policy("push mug")), ROBOT, State())
    assert policy is not None
    assert any("asks for nothing of the mug" in why for why in GENERAL.doubts(said, policy.policy).values())
    kept = GENERAL.doubts([*said, "push the mug, too"], policy.policy)
    assert not any("asks for nothing of the mug" in why for why in kept.values())


def test_a_prohibition_holds_on_until_what_it_forbids_is_asked_for():
    """Against: the answer to a question took the place of the sentence with the prohibition."""
    said = "pick up a cube, but do not touch the blue bottle"
    assert _issues(GENERAL, _policy("push blue bottle"), said, "the left one")
    assert not _issues(GENERAL, _policy("push blue bottle"), said, "push the blue bottle")


@pytest.mark.parametrize(
    "said",
    [
        "do not go to the desk",
        "avoid the desk",
        "please refrain from going to the desk",
        "stay away from the desk",
    ],
)
def test_a_prohibition_alone_asks_for_nothing(said: str):
    why = GENERAL.sentence(said)
    assert why is not None and why.code == "forbids"
