"""The gate: nonsense cleared the table into the bin and was called success; what is not understood is declined by name."""

import time
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlp.cli.ask import _whole
from vlp.core.errors import Issue, UsageError
from vlp.nano.names import NAMES
from vlp.perception.perceiving import with_perceptions
from vlp.policy.checks import CHECKS, check_policy
from vlp.policy.model import State
from vlp.sim.language.families import sample_task
from vlp.sim.open import manifest_of
from vlp.sim.worlds.seeds import seed_of
from vlp.sim.worlds.tabletop.true_state import truth_of
from vlp.sim.worlds.tabletop.world import sample_scene
from vlp.understanding.explaining import Own
from vlp.understanding.gate import OPEN, Gate, check_made_for, unknown_in_question
from vlp.understanding.lexicon import Lexicon

PRIMITIVES = frozenset(("locate", "grasp", "lift", "place", "push", "release", "check", "go_to", "home"))


@pytest.fixture(scope="module")
def strict() -> Gate:
    """Return the gate of the embedded model, for which whatever is not explained is declined."""
    return Gate(NAMES, PRIMITIVES, reads=True)


@pytest.fixture(scope="module")
def soft() -> Gate:
    """Return the gate of a general model."""
    return Gate(None, PRIMITIVES, reads=True)


def _sentences(text: str) -> list[str]:
    """Return the sentences of a text, parted by bars and ends of lines."""
    return [sentence.strip() for line in text.splitlines() for sentence in line.split("|") if sentence.strip()]


DECLINED = {
    "hello": "nothing-asked",
    "you are a very nice robot": "nothing-asked",
    "the red cube is in the green bowl": "nothing-asked",
    "I put the red cube in the bowl": "nothing-asked",
    "red cube": "nothing-asked",
    "what is on the table": "question",
    "is the red cube in the bowl?": "question",
    "can you see the red cube?": "question",
    "could you tell me where the mug is": "question",
    "why did you put the can there": "question",
    "what would happen if you pushed the bottle": "question",
    "the red cube in the bowl?": "question",
    "do not touch the mug, please": "forbids",
    "don't put the red cube in the bowl": "forbids",
    "dont move the red cube": "forbids",
    "never throw the can away": "forbids",
    "leave everything where it is": "forbids",
    "the ball must stay on the table": "forbids",
    "keep the mug on the table": "forbids",
    "there is no need to clear the table": "forbids",
    "I would rather you did not move the can": "forbids",
    "under no circumstances, put the ball in the box": "forbids",
    "not the can, the ball or the mug": "forbids",
    "put the banana in the fridge": "unknown-words",
    "make me a coffee": "unknown-words",
    "put the pink cube on the plate": "unknown-words",
    "coge el cubo verde": "unknown-words",
    "拿起绿色方块": "unknown-words",
    "rm -rf runs && ls": "unknown-words",
    "take the red cube to the kitchen": "unknown-words",
    "put the cat in the box": "harm",
    "bring me the red cube": "handover",
    "give it to me": "handover",
    "throw the bottle at the blue bowl": "harm",
    "push the mug off the table": "harm",
    "put the ball in the box if it is empty": "condition",
    "put yourself in the bin": "person",
    "put the red cube": "nowhere",
    "put it in the bin": "nothing-named",
    "clean the mug": "nothing-named",
    "tidy up": "nothing-named",
    # It asked, and took it back; a clause that forbade nothing by name was passed over.
    "put the red cube in the green bowl, no, don't": "stop",
    "put the red cube in the green bowl. actually, better not": "stop",
    "put the red cube in the green bowl, scratch that": "stop",
    "put the mug in the box. don't touch the mug.": "takes-back",
    "put the mug in the box or the bowl": "takes-back",
    "not (put the mug in the box)": "takes-back",
    # Later, or on a condition.
    "put the red cube in the green bowl when I say so": "condition",
    "put the mug in the box once it is empty": "condition",
    # Misspelt denials.
    "nevr put the red cube in the green bowl": "forbids",
    "dotn put the mug in the box": "forbids",
    "you musnt put the mug in the box": "forbids",
    "no red cube in the green bowl": "forbids",
    "it is a bad idea to put the can in the bin": "forbids",
    # Told of others, of the speaker, of what was.
    "he should put the can in the bin": "nothing-asked",
    "the other robot should put the can in the bin": "nothing-asked",
    "the can went in the bin": "nothing-asked",
    "you should have put the can in the bin": "nothing-asked",
    "i was going to put the can in the bin": "nothing-asked",
    "thanks for putting the can in the bin": "nothing-asked",
    'he said "put the can in the bin"': "unknown-words",
    # Ways and places that are not served.
    "take the mug out of the bin": "way",
    "sort the mugs by size": "way",
    "put the mug under the tray": "way",
    "put the mug in my hand": "handover",
    "throw the ball": "harm",
    "make the red cube blue": "nothing-asked",
    "put the table in the bin": "person",
    "put the block in the bowl tray": "unknown-words",
}

TAKEN = _sentences(
    """
    put the red cube in the green bowl | Could you please pop the blue ball onto the plate?
    I'd like the mug beside the tray | no rush, clear the table | the red cube should go in the bowl
    everything on the table can go in the bin now | sort the things by colour | swap the can and the ball
    get rid of anything red | the leftmost can in the box please | put the red cube in the bowl, not on the plate
    why don't you put the ball on the plate | don't forget to put the can in the bin
    I don't need the bottle any more, throw it away | leave nothing on the table | pick up the red cbue
    can the red cube be put in the bowl | would you mind moving the mug to the left of the tray
    what I want is the red cube in the bowl | where the can is I want the ball, and where the ball is I want the can
    bin the yellow can | put everything in the box and leave the mug where it is
    put all the cans except the black one in the bin
    without touching the mug put the cube in the bowl | move the red cube a bit to the right
    put the cube, not the mug, in the bowl
    the ball should not stay there, put it on the plate | swap the two mugs
    can you put the can that was left on the tray in the bin
    drop the little cube in the soup bowl | do not hit anybody; put the white can in the blue bowl
    """
)


FOLLOWING = _sentences(
    """
    no, the blue bowl | not the green bowl, the blue one | put it on the table | there I want the can, not that one
    sorry, the red one | it stays on the table
    """
)


@pytest.mark.parametrize(("text", "code"), DECLINED.items())
def test_what_is_not_understood_is_declined_for_its_own_reason(strict: Gate, text: str, code: str):
    why = strict.sentence(text)
    assert why is not None and why.code == code, why


@pytest.mark.parametrize("text", TAKEN)
def test_good_instructions_are_taken(strict: Gate, text: str):
    assert strict.sentence(text) is None


@pytest.mark.parametrize("text", FOLLOWING)
def test_corrections_are_taken_after_an_instruction(strict: Gate, text: str):
    assert strict.sentence(text, follows=True) is None


@pytest.mark.parametrize("text", ["the other thing, I mean stop", "no quiero, stop", "I need you to frobnicate and halt"])
def test_where_nothing_else_is_understood_a_word_for_stopping_settles_it(strict: Gate, text: str):
    why = strict.sentence(text)
    assert why is not None and why.code == "stop"


def test_unknown_words_are_named_with_what_is_known(strict: Gate):
    why = strict.sentence("put the banana and the blu cube in the fridge")
    assert why is not None and "'banana'" in str(why) and "'fridge'" in str(why) and "bottle" in str(why)


def test_of_the_training_phrasings_few_are_declined(strict: Gate):
    """Guards against a gate that keeps people out: 1 % of 3,000 when it was written, most of them typing errors."""
    declined = []
    for i in range(400):
        task = sample_task(truth_of(sample_scene(seed_of("train", i))), Random(f"gate {i}"), "train")
        if task is not None and strict.sentence(task.instruction) is not None:
            declined.append(task.instruction)
    assert len(declined) <= 12, declined


def test_a_general_model_may_know_other_words(soft: Gate):
    assert soft.sentence("put the banana in the fridge") is None
    assert soft.sentence("do not touch anything") is not None
    assert soft.sentence("do not touch the banana") is not None
    assert soft.sentence("what is the weather like?") is not None
    assert soft.sentence("don't just stand there, water the plants") is None


def test_a_robot_that_answers_by_deeds_may_be_asked():
    rover = Gate(None, frozenset(("drive_to", "inspect", "report")), reads=True)
    assert rover.sentence("what does the gauge in the hall read?") is None
    assert rover.sentence("do not enter the hall") is not None


def test_a_place_of_the_robot_may_be_called_like_a_deed():
    """Against: "go to the store" asked for nothing, because to store is a verb."""
    rover = Gate(None, frozenset(("go_to", "report")), reads=True, own=Own(places=frozenset(("store",))))
    assert rover.sentence("go to the store") is None
    assert rover.sentence("thanks, well done") is not None


def test_the_longest_instruction_is_read_at_once(strict: Gate):
    """A sentence is read before every policy; 200 words took longest where patterns nest."""
    for text in (
        "put the red cube in the bowl and " * 30,
        "not " * 200,
        "the " * 200,
        "@ " * 200,
        "if if " * 100,
        "no one of the " * 60,
    ):
        began = time.perf_counter()
        strict.sentence(text)
        assert time.perf_counter() - began < 2.0, text[:40]


# Policies against what was said.


def _policy(*moves: tuple[str, str, str]) -> dict:
    """Return a policy that takes things and puts them somewhere: (thing, target or place, relation)."""
    subtasks = []
    for thing, target, relation in moves:
        name, place = thing.replace(" ", "_"), target if target in ("bin", "table") else f"${target.replace(' ', '_')}"
        steps = [{"do": "locate", "object": thing, "as": name}, {"do": "grasp", "target": f"${name}"}]
        steps += [] if place == target else [{"do": "locate", "object": target, "as": place[1:]}]
        steps += [{"do": "place", "target": place, "relation": relation}]
        subtasks.append({"name": f"move the {thing}", "steps": steps})
    return {"goal": "as asked", "subtasks": subtasks}


def _issues(gate: Gate, policy: dict, *said: str, fresh: bool = True) -> list[Issue]:
    import json

    robot = with_perceptions(manifest_of())
    _, report = check_policy(json.dumps(policy), robot, State(at="table"), checks=(*CHECKS, *gate.checks(said, fresh)))
    return report.issues


RED, BLUE = ("red cube", "green bowl", "in"), ("blue ball", "green bowl", "in")


@pytest.mark.parametrize(
    ("said", "moves"),
    [
        ("put the red cube in the green bowl", [RED]),
        ("put the dice in the basin", [RED]),
        ("put everything in the green bowl", [RED, BLUE]),
        ("put the red one in the bowl, not the blue one", [RED]),
        ("put the cube left of the yellow can in the green bowl", [RED]),
        ("clear the table", [("red cube", "bin", "in"), ("blue ball", "bin", "in")]),
        ("put the red cube in the green bowl", [("white mug", "table", "on"), RED]),
    ],
)
def test_a_policy_that_does_what_was_said_passes(strict: Gate, said: str, moves: list):
    assert _issues(strict, _policy(*moves), said) == []


@pytest.mark.parametrize(
    ("said", "moves", "code"),
    [
        ("put the red cube in the green bowl", [BLUE], "not-asked"),
        ("put the red cube in the green bowl", [RED, BLUE], "not-asked"),
        ("put the red cube in the green bowl", [("red cube", "blue box", "in")], "not-asked"),
        ("put the red cube in the green bowl", [("red cube", "bin", "in")], "not-thrown"),
        ("put the red cube in the green bowl, don't touch the blue ball", [RED, BLUE], "forbidden"),
        ("put the red cube in the bowl, not on the plate", [("red cube", "white plate", "on")], "forbidden"),
        ("put everything but the ball in the green bowl", [RED, BLUE], "forbidden"),
        ("put the red cube and the blue ball in the green bowl", [RED], "left-out"),
        ("push the blue ball to the right", [("blue ball", "table", "on")], "not-done-so"),
    ],
)
def test_a_policy_that_does_something_else_is_refused(strict: Gate, said: str, moves: list, code: str):
    """nano threw the ball into the bin on "push the blue ball to the right", and did half of what was asked."""
    assert code in [issue.code for issue in _issues(strict, _policy(*moves), said)]


def test_what_an_earlier_instruction_named_may_be_moved_after_a_correction(strict: Gate):
    said = ("put the red cube in the green bowl", "no, put it on the white plate")
    assert _issues(strict, _policy(("red cube", "white plate", "on")), *said) == []


def test_what_is_done_already_may_be_left_out_of_a_new_policy(strict: Gate):
    assert _issues(strict, _policy(RED), "put the red cube and the blue ball in the green bowl", fresh=False) == []


def test_words_that_a_general_models_policy_does_not_explain_are_doubted(soft: Gate):
    from vlp.policy.model import Policy

    policy = Policy.from_json(_policy(("banana", "basket", "in")))
    assert soft.doubts(("put the bananas in the basket",), policy) == {}
    assert "'quixotic'" in str(soft.doubts(("put the quixotic banana in the basket",), policy))


def test_nano_is_refused_on_a_robot_it_was_not_made_for():
    """On a robot without a hand it planned grasps, and the first step failed."""
    robot = with_perceptions(manifest_of())
    made_for = {"primitives": [*robot.primitives], "places": [*robot.places]}
    check_made_for("vlp-nano", made_for, robot)
    with pytest.raises(UsageError, match=r"another robot.*expects the primitives .*wave.*--model"):
        check_made_for("vlp-nano", {**made_for, "primitives": [*robot.primitives, "wave"]}, robot)


def test_a_question_with_unknown_words_is_not_answered():
    """ "how many bananas?" was answered 8."""
    why = unknown_in_question("how many bananas are there?", NAMES)
    assert why is not None and "'bananas'" in str(why)
    assert unknown_in_question("how many cubes are there?", NAMES) is None


def test_the_check_asks_nothing_of_a_policy_that_moves_nothing(strict: Gate):
    assert strict.checks(("put the red cube in the green bowl",), True)
    assert _issues(strict, {"goal": "x", "cannot": "there is no red cube"}, "put the red cube in the green bowl") == []


@pytest.mark.parametrize(
    ("answer", "whole"),
    [('["red cube"]', True), ("3", True), ("a cube", True), ('the bowl","cannot":"the bowl cannot be grasped"}', False)],
)
def test_an_answer_that_runs_on_into_a_policy_is_none(answer: str, whole: bool):
    """nano answered "what is to the left of the blue bowl?" so, exit status 0."""
    assert _whole(answer) is whole


WORDS = sorted((*Lexicon(NAMES).known, *",;.!?'\"()", "don't", "banana", "@"))


@given(st.lists(st.sampled_from(WORDS), max_size=30), st.text(max_size=40))
@settings(max_examples=300, deadline=None)
def test_no_sentence_breaks_the_gate(words: list[str], noise: str):
    for gate in (Gate(NAMES, PRIMITIVES, reads=True), Gate(None, PRIMITIVES, reads=True)):
        for text in (" ".join(words), noise):
            for follows in (False, True):
                why = gate.sentence(text, follows)
                assert why is None or (why.code and why.message)
                gate.read(text, follows)


ANSWERS = """the left one | yes | red | no | the red one | the bigger one | on the left | both | all of them | the second one
any | it doesn't matter | I don't care | in the bowl | two | 3 | yes please | the red one, not the blue one | not the red one
neither | the one next to the plate | whichever is closest | go ahead | no, the other one | the latter
put it in the green bowl"""


@pytest.mark.parametrize("text", _sentences(ANSWERS))
def test_a_short_answer_completes_an_instruction_and_is_none_itself(strict: Gate, soft: Gate, text: str):
    """As instructions "3" has an unknown word, "I don't care" forbids, and "yes" asks for nothing."""
    assert (strict.answer(text), soft.answer(text)) == (None, None)


@pytest.mark.parametrize(
    "text", _sentences("did you see it? | which one is closer | the red one? | what do you mean | is it safe?")
)
def test_a_question_is_no_answer(strict: Gate, soft: Gate, text: str):
    """Against: to "which cube?" a person asked "did you see it?", and the robot drove on."""
    rover = Gate(None, frozenset(("go_to", "say", "measure")), reads=True)
    for gate in (strict, soft, rover, OPEN):
        why = gate.answer(text)
        assert why is not None and why.code == "question"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("throw it at the cat", "harm"),
        ("give it to me", "handover"),
        ("please do not move at all", "forbids"),
        ("forget it", "stop"),
        ("sotp", "stop"),
    ],
)
def test_an_answer_that_names_a_deed_is_read_as_an_instruction(strict: Gate, text: str, code: str):
    """Against: only words for stopping were heeded in an answer, which then was an instruction that nobody had looked at."""
    why = strict.answer(text)
    assert why is not None and why.code == code
