"""What a question asks for, what a no holds, and what numbers and opposites explain: with a general model."""

import pytest

from vlp.policy.checks import Context
from vlp.policy.model import Policy
from vlp.primitives.manifest import Argument, Primitive
from vlp.primitives.standard import make_manifest
from vlp.understanding.gate import Gate
from vlp.understanding.prohibitions import declines

HOME = make_manifest(
    "home",
    (
        Primitive("unlock", "action", "Unlock the front door."),
        Primitive("turn_on", "action", "Turn a device on.", (Argument("device", "text", "Which."),)),
        Primitive("turn_off", "action", "Turn a device off.", (Argument("device", "text", "Which."),)),
        Primitive("pour", "action", "Pour water.", (Argument("amount_ml", "number", "How much.", minimum=0, maximum=200),)),
        Primitive("say", "action", "Say something.", (Argument("message", "text", "What."),)),
    ),
    ("kitchen", "desk"),
)  # fmt: skip


class General:
    """The gate's view of a general model."""

    name = "general"

    class can:
        made_for, names, reads = (), None, True


GATE = Gate.of(General(), HOME)


def policy(do: str, **arguments: object) -> Policy:
    return Policy.from_json({"goal": "g", "subtasks": [{"name": "n", "steps": [{"do": do, **arguments}]}]})


@pytest.mark.parametrize("question", ["did you unlock the door?", "is the door unlocked?", "why would you unlock the door?"])
def test_a_question_lifts_no_prohibition(question: str) -> None:
    """Asked in the middle of a run whether it had unlocked the door, the robot unlocked it."""
    said = ("go to the kitchen but don't unlock the door", question)
    issues = [issue.code for check in GATE.checks(said, True) for issue in check(policy("unlock"), Context(HOME))]
    assert issues == ["forbidden"]
    asked = (said[0], "can you unlock the door now")
    assert not [i for check in GATE.checks(asked, True) for i in check(policy("unlock"), Context(HOME))]


@pytest.mark.parametrize("question", ["did you unlock the door?", "how do you unlock the door", "who can unlock the door?"])
def test_a_deed_that_a_question_speaks_of_is_asked_about(question: str) -> None:
    """A robot that can speak took every question for a request."""
    assert "does not ask for it" in GATE.doubts((question,), policy("unlock"))[question]
    assert GATE.doubts((question,), policy("say", message="no")) == {}
    assert GATE.doubts(("could you unlock the door?",), policy("unlock")) == {}


def test_the_opposite_deed_is_asked_about() -> None:
    """Against: "turn off the oven" with `turn_on` passed, since "on" and "off" explain nothing."""
    assert "the opposite of 'turn_on'" in str(GATE.doubts(("turn off the oven",), policy("turn_on", device="oven")))
    assert GATE.doubts(("turn off the oven",), policy("turn_off", device="oven")) == {}


def test_numbers_and_units_are_explained_by_arguments() -> None:
    """Against: "Nothing in the policy explains '50', 'ml'" for `pour` with amount_ml=50."""
    assert GATE.doubts(("pour 50 ml of water",), policy("pour", amount_ml=50)) == {}
    assert "'70'" in str(GATE.doubts(("pour 70 ml of water",), policy("pour", amount_ml=50)))


@pytest.mark.parametrize(
    "answer", ["no", "No thanks", "no, thank you", "nope", "non", "\N{THUMBS DOWN SIGN}", "maybe", "I don't know"]
)
def test_what_is_no_yes_to_a_question_for_leave_declines(answer: str) -> None:
    """Asked "shall I unlock the door?", "no thanks" and "maybe" were followed by the unlocking."""
    assert declines("Shall I unlock the door?", answer)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Shall I unlock the door?", "yes please"),
        ("Shall I unlock the door?", "go ahead"),
        ("Shall I unlock the door?", "unlock it"),
        ("Which cup do you mean?", "the left one"),
        ("Shall I take the left or the right one?", "the left one"),
    ],
)
def test_an_answer_that_agrees_or_tells_declines_nothing(question: str, answer: str) -> None:
    assert not declines(question, answer)
