"""A skill: a model looks, moves the hand a little and looks again, and nothing but the robot's own steps moves it."""

import json
import threading
import time

import numpy as np
import pytest
from moving import FAR_M, Pen, kind_of_question, mover, pen_manifest, quoted

from vlp.core.errors import MissingComponent, UsageError
from vlp.language_actions.hand import move_space
from vlp.language_actions.space import MoveSpace
from vlp.language_actions.vocabulary import open_vocabulary
from vlp.models.scripted import ScriptedModel
from vlp.policy.checks import check_policy
from vlp.policy.model import Policy
from vlp.primitives.standard import STANDARD, make_manifest, with_primitives
from vlp.robot.client import RemoteRobot
from vlp.robot.protocol import Step, StepResult
from vlp.robot.serving import running_server
from vlp.skills.asking import Answered
from vlp.skills.skill import SkillBounds
from vlp.skills.skilled import SkilledRobot

AHEAD = "[[30,-10,0,0,0],[0,0,0,0,-1]]"
GO = Step("skill", {"text": "go there"}, "one")


def go_there(robot: Pen, model: ScriptedModel | None = None, **options: object) -> SkilledRobot:
    return SkilledRobot(robot, model or mover(lambda: AHEAD, lambda: robot.at[0] > 0.085), **options)  # type: ignore[arg-type]


def test_chunks_are_moves_of_the_robot_until_the_model_sees_that_it_is_done() -> None:
    robot, told, heard = Pen(), list[str](), []
    result = go_there(robot, tell=told.append, heard=heard.append).execute(GO)
    assert (result.status, result.done["chunks"], result.done["moves"]) == ("succeeded", 3, 6)
    assert robot.at == pytest.approx([0.09, -0.03, 0.0]) and robot.closed
    assert told == result.done["words"]
    assert told[0] == "move forward: move forward 3 cm, move right 1 cm; close the gripper"
    assert [one.kind for one in heard] == ["subtask"] + ["plan", "chunk", "done"] * 3
    assert quoted(heard[2].question) == "go there" and heard[2].answer == AHEAD


def test_a_key_acts_once() -> None:
    robot = Pen()
    skilled = go_there(robot)
    first = skilled.execute(GO)
    assert skilled.execute(GO) == first == skilled.result_of("one")
    assert len(robot.moves) == 6


def test_an_instruction_of_several_subtasks_is_done_when_the_model_says_so_of_the_whole() -> None:
    robot = Pen()

    def answer(messages: list) -> str:  # type: ignore[type-arg]
        kind, text = kind_of_question(messages), messages[-1].text
        first = robot.at[0] < 0.05
        if kind == "done":
            return "Yes." if (not first if quoted(text) == "begin" else robot.at[1] > 0.05) else "no"
        return {
            "subtask": "begin" if first else "end",
            "plan": "move",
            "chunk": "[[30,0,0,0,0]]" if first else "[[0,30,0,0,0]]",
        }[kind]

    result = go_there(robot, ScriptedModel(answer)).execute(GO)
    assert (result.status, result.done["subtasks"]) == ("succeeded", ["begin", "end"])
    assert robot.at == pytest.approx([0.06, 0.06, 0.0])


def test_what_is_no_skill_passes_through_and_a_policy_mixes_both() -> None:
    inner = with_primitives(pen_manifest(), {"release": STANDARD["release"]})

    class Holding(Pen):
        def release(self) -> None:
            pass

    skilled = go_there(Holding(inner))
    assert skilled.execute(Step("paint", {"size_m": 0.1}, "dot")).status == "succeeded"
    manifest = skilled.describe()
    assert manifest.version != inner.version and {"skill", "pick_up"} < set(manifest.primitives)
    mixed = '{"goal":"g","subtasks":[{"name":"s","steps":[%s{"do":"release"}]}]}'
    for before, ok in (('{"do":"pick_up","object":"red cube"},', True), ('{"do":"skill","text":"take the red cube"},', False)):
        _, report = check_policy(Policy.from_json(json.loads(mixed % before)), manifest)
        assert report.ok is ok, report


def test_a_stop_is_heard_while_the_model_thinks_and_while_the_hand_moves() -> None:
    """A model that takes its time held up the end of the step; the robot had stopped long before."""
    slow = mover(lambda: AHEAD, lambda: time.sleep(5.0) is None)
    for robot, model in ((Pen(), slow), (Pen(seconds=5.0), None)):
        skilled = go_there(robot, model)
        threading.Timer(0.2, skilled.stop).start()
        began = time.monotonic()
        result = skilled.execute(GO)
        assert (result.status, result.code) == ("stopped", "stopped")
        assert time.monotonic() - began < 2.0
        moved = len(robot.moves)
        assert skilled.execute(Step("skill", {"text": "go there"}, "two")).status == "stopped", "the latch is the robot's"
        assert len(robot.moves) == moved


def test_a_step_is_cancelled_by_its_key_alone() -> None:
    robot = Pen()
    skilled = go_there(robot, mover(lambda: AHEAD, lambda: time.sleep(0.1) is not None))
    threading.Timer(0.15, lambda: skilled.cancel("another")).start()
    threading.Timer(0.3, lambda: skilled.cancel("one")).start()
    result = skilled.execute(GO)
    assert (result.status, result.message) == ("stopped", "the step was cancelled.")
    assert len(robot.moves) > 2 and not robot.stopped.is_set()


def test_time_is_over_by_the_clock_of_the_robot_and_of_the_model() -> None:
    still = mover(lambda: "[[1,0,0,0,0]]", lambda: time.sleep(0.1) is not None)
    for robot, model in ((Pen(seconds=0.1), None), (Pen(), still)):
        result = go_there(robot, model).execute(Step("skill", {"text": "go there"}, "one", timeout_s=0.25))
        assert (result.status, result.code) == ("timeout", "timeout")
        assert result.message == "skill was not finished after 0.25 s."


@pytest.mark.parametrize(
    ("chunk", "code"),
    [
        ("[[30,0,0,0,0]]", "out-of-workspace"),
        ("[[51,0,0,0,0]]", "bad-motion"),
        ("forward!", "bad-motion"),
        ("[[0,0,0,0,0]]", "nothing-moved"),
    ],
)
def test_trying_in_vain_ends(chunk: str, code: str) -> None:
    robot = Pen()
    result = go_there(robot, mover(lambda: chunk, lambda: False), bounds=SkillBounds(chunks=20)).execute(GO)
    assert (result.status, result.code) == ("failed", code)
    assert np.abs(robot.at).max() <= FAR_M


def test_a_model_that_fails_is_told_as_that() -> None:
    def gone(_: object) -> str:
        raise MissingComponent("no server at that address.", "Start it.")

    def broken(_: object) -> str:
        raise KeyError("weights")

    for answer, said in ((gone, "no server at that address. Start it."), (broken, "the model failed: KeyError: 'weights'.")):
        result = go_there(Pen(), ScriptedModel(answer)).execute(GO)
        assert (result.status, result.code, result.message) == ("failed", "model-unavailable", said)


def test_a_person_corrects_a_moving_hand_in_words() -> None:
    robot, asked = Pen(), list[str]()
    skilled: list[SkilledRobot] = []

    def speak() -> bool:
        if len(robot.moves) == 2:
            assert skilled[0].correct_skill("a bit more left")
            assert skilled[0].correct_skill("the other cube, please")
        return robot.at[0] > 0.085

    heard: list[Answered] = []
    skilled.append(go_there(robot, mover(lambda: AHEAD, speak, asked), heard=heard.append))
    assert not skilled[0].correct_skill("left"), "nothing is under way"
    result = skilled[0].execute(GO)
    assert result.status == "succeeded"
    assert {"x_m": 0.0, "y_m": 0.01, "z_m": 0.0, "wrist_rad": 0.0} in robot.moves
    assert result.done["corrections"] == ["a bit more left", "the other cube, please"]
    taught = [one for one in heard if "a bit more left" in one.question]
    assert [(one.kind, one.answer) for one in taught] == [("chunk", "[[0,10,0,0,0]]")], "a correction is a sample"
    hinted = [quoted(text) for text in asked if "other cube" in text]
    assert hinted and set(hinted) == {"go there; a person says: the other cube, please"}


def test_a_robot_that_cannot_do_it_is_refused_at_opening() -> None:
    model = mover(lambda: AHEAD, lambda: True)
    with pytest.raises(UsageError, match="has no primitive 'move_hand'"):
        move_space(make_manifest("cart", ["go_to"]))
    with pytest.raises(UsageError, match="writes up to 60 along x; move_hand of pen takes 50"):
        SkilledRobot(Pen(), model, open_vocabulary("numbers", MoveSpace({"x": 60})))
    with pytest.raises(UsageError, match="has a primitive 'pick_up' already"):
        SkilledRobot(SkilledRobot(Pen(), model), model)


def test_it_runs_over_http_like_any_other_step() -> None:
    for wrap_served in (False, True):
        robot = Pen()
        with running_server(go_there(robot) if wrap_served else robot) as at:
            remote = RemoteRobot(at.url, at.token)
            try:
                skilled = (
                    remote if wrap_served else SkilledRobot(remote, mover(lambda: AHEAD, lambda body=robot: body.at[0] > 0.085))
                )
                result = skilled.execute(GO)
                assert (result.status, result.done["moves"]) == ("succeeded", 6), result
            finally:
                remote.close()


def test_what_the_robot_answers_of_a_lost_lease_ends_the_skill() -> None:
    class Taken(Pen):
        def execute(self, step: Step) -> StepResult:
            return StepResult(step.key, "failed", code="lease-lost", message="another one holds it.")

    result = go_there(Taken()).execute(GO)
    assert (result.status, result.code, result.done["chunks"]) == ("failed", "lease-lost", 1)
