"""A policy may be one question: its answer is a new instruction, and asking in circles ends the run."""

import os
import threading
import time
from dataclasses import replace

import pytest
from run_kit import Run, asked, change, put, say

from vlp.cli.keyboard import Keyboard
from vlp.journal import Event, read_events
from vlp.models.scripted import ScriptedModel
from vlp.perception.perceiving import PerceivingRobot
from vlp.robot.protocol import StepResult
from vlp.runtime.run import Run as LiveRun
from vlp.runtime.run import read_run
from vlp.sim.fake.robot import FakeRobot


def ask(question: str) -> dict:
    step = {"do": "ask", "question": question, "as": "answer"}
    return {"goal": "it is clear what to do", "subtasks": [{"name": "ask", "steps": [step]}]}


WHICH = ask("which cube?")
ROBOT = {"which cube?": "the red one", "really?": "yes"}


def test_the_answer_is_a_new_instruction_and_a_new_policy_follows(make_run):
    run = make_run(
        [WHICH, put("red cube", "green bowl")], robot=FakeRobot(answers=ROBOT), spec=asked("put the cube in the bowl")
    )
    assert run.go().outcome == "success"
    told = [(e["text"], e["source"]) for e in run.of("instruction")]
    assert told == [("put the cube in the bowl", "person"), ("the red one", "answer")]
    assert run.of("instruction")[1]["question"] == "which cube?"
    assert run.of("trigger") == [{"name": "new-instruction", "detail": "asked 'which cube?', the person answered: the red one"}]
    assert [e["claim"] for e in run.of("policy")] == ["asks", "done"]
    assert run.of("understood")[0]["text"] == "not yet clear, so it asks: which cube?"
    prompt = str(run.model.calls[1])
    assert "which cube?" in prompt and "the red one" in prompt and "put the cube in the bowl" in prompt


def test_an_answer_that_repeats_the_instruction_does_not_end_the_run_as_done(make_run):
    robot = FakeRobot(answers={"which cube?": "put the cube in the bowl"})
    run = make_run([WHICH, put("red cube", "green bowl")], robot=robot, spec=asked("put the cube in the bowl"))
    assert run.go().outcome == "success" and "place" in run.done


def test_two_questions_in_a_row_end_the_run(make_run):
    run = make_run([WHICH, ask("really?")], robot=FakeRobot(answers=ROBOT))
    outcome = run.go()
    assert (outcome.outcome, run.done) == ("failure", ["ask"])
    assert outcome.account == "failure: asked twice without getting on; it would ask now: really?"


def test_where_nobody_is_there_the_run_ends_politely(make_run):
    class Alone(FakeRobot):
        def execute(self, step):
            if step.do == "ask":
                return StepResult(step.key, "failed", code="nobody-to-ask", message="nobody is there to answer questions.")
            return super().execute(step)

    run = make_run([WHICH], robot=Alone())
    outcome = run.go()
    assert (outcome.outcome, len(run.of("policy"))) == ("failure", 1)
    assert outcome.reason == "not clear, and not answered: which cube? (nobody is there to answer questions)"


def test_an_answer_that_says_stop_stops(make_run):
    run = make_run([WHICH], robot=FakeRobot(answers={"which cube?": "stop"}))
    assert run.go().outcome == "stopped"


def test_a_no_is_an_answer(make_run):
    """It was taken for a word for stopping: a robot that asks yes or no stopped at a no."""
    run = make_run([ask("the red one?"), put("blue ball", "green bowl")], robot=FakeRobot(answers={"the red one?": "no"}))
    assert run.go().outcome == "success" and run.of("instruction")[1]["text"] == "no"


def asking_first(question: str = "really?") -> dict:
    policy = put("red cube", "green bowl")
    policy["subtasks"][0]["steps"].insert(0, {"do": "ask", "question": question, "as": "sure"})
    return policy


@pytest.mark.parametrize("answer", ["no", "yes", "the blue one"])
def test_a_longer_policy_ends_at_an_answer_that_no_later_step_uses(make_run, answer: str):
    """A person said no to "Shall I really unlock?", and the robot went on and unlocked."""
    robot = FakeRobot(answers={"really?": answer})
    run = make_run([asking_first(), {"goal": "nothing", "cannot": "the person does not want it"}], robot=robot)
    assert run.go().outcome == "failure" and run.done == ["ask"]
    assert [(e["text"], e["source"]) for e in run.of("instruction")][1:] == [(answer, "answer")]


def test_a_policy_that_asks_the_same_again_before_it_acts_ends_the_run(make_run):
    run = make_run([asking_first(), asking_first()], robot=FakeRobot(answers=ROBOT))
    assert run.go().account == "failure: asked twice without getting on; it would ask now: really?" and run.done == ["ask"]


def test_a_question_at_the_end_of_a_longer_policy_only_binds_its_answer(make_run):
    policy = put("red cube", "green bowl")
    policy["subtasks"][1]["steps"].append({"do": "ask", "question": "really?", "as": "sure"})
    run = make_run([policy], robot=FakeRobot(answers=ROBOT))
    assert run.go().outcome == "success" and len(run.of("instruction")) == 1 and len(run.of("policy")) == 1


def test_a_longer_policy_whose_question_nobody_answers_ends_the_run(make_run):
    """The ask failed, the model was asked again, and its second policy did without asking what the first had asked about."""
    robot = FakeRobot()
    robot.fail_next("ask", "nobody-to-ask")
    run = make_run([asking_first(), put("red cube", "green bowl")], robot=robot)
    assert run.go().reason == "not clear, and not answered: really? (ask failed: nobody-to-ask)"
    assert len(run.of("policy")) == 1 and run.done == ["ask"]


@pytest.mark.parametrize("line", ["yes", "no", "stop", "Ctrl-C"])
def test_a_question_of_the_robot_takes_yes_and_no_and_ends_with_a_stop(make_run, line: str):
    """Against: yes was swallowed, no stopped the robot, and stop ended as "no answer within 120 s" with exit status 3."""
    ours, theirs = os.openpty()
    keyboard = Keyboard(theirs)
    robot = PerceivingRobot(FakeRobot(), None, ask_person=keyboard.ask)
    run = make_run([asking_first(), put("red cube", "green bowl")], robot=robot)

    def type_it() -> None:
        while "really?" not in keyboard.line():
            time.sleep(0.01)
        os.write(ours, f"{line}\r".encode()) if line != "Ctrl-C" else run.run.stop()

    threading.Thread(target=type_it, daemon=True).start()
    with keyboard.listening(run.run):
        outcome = run.go()
    os.close(ours)
    os.close(theirs)
    if line in ("yes", "no"):
        assert outcome.outcome == "success" and run.of("step-finished")[0]["result"]["value"] == line
    else:
        said = ": 'stop'" if line == "stop" else ""  # what was typed stands in the journal
        assert (outcome.account, outcome.error) == (f"stopped: stopped by the person{said}", None)


class Power(BaseException):
    """The power goes."""


@pytest.mark.parametrize("kind", ["instruction", "observation", "reply", "policy", "step-finished"])
def test_a_run_killed_around_the_answer_goes_on(make_run, tmp_path, kind: str):
    robot = FakeRobot(answers=ROBOT)
    run: Run = make_run([WHICH, put("red cube", "green bowl")], robot=robot)
    write, seen = run.run.journal.append, []

    def append(*events: Event):
        seen.extend(e.kind for e in events)
        past = "step-started" in seen
        if past and any(e.kind == kind for e in events):
            raise Power
        return write(*events)

    run.run.journal.append = append  # type: ignore[method-assign]
    with pytest.raises(Power):
        run.go()
    spec, events = read_run(tmp_path / "run")
    replies = [say(put("red cube", "green bowl"))]
    outcome = LiveRun(tmp_path / "run", spec, robot, ScriptedModel(replies), past=events).go()
    told = [e.data["text"] for e in read_events(tmp_path / "run") if e.kind == "instruction"]
    assert outcome.outcome == "success" and told[1:] == ["the red one"]


@pytest.mark.parametrize("answer", ["no", "no thanks", "maybe"])
def test_what_was_asked_about_is_not_done_after_a_no(make_run, answer: str):
    """Asked "shall I place it?", a person said no, and the next policy placed it."""
    leave = "shall I place the red cube in the green bowl?"
    run = make_run([ask(leave), *[put("red cube", "green bowl")] * 3], robot=FakeRobot(answers={leave: answer}))
    outcome = run.go()
    assert (outcome.outcome, run.done) == ("failure", ["ask"])
    assert {issue["code"] for report in run.of("report") for issue in report["issues"]} == {"declined"}


BALL = "put the blue ball in the green bowl"
CLASHING = (change(2, BALL), change(2, "put the blue ball on the table"))


def reading(*policies):
    model = ScriptedModel([say(policy) for policy in policies], repeat=True)
    model.can = replace(model.can, reads=True)
    return model


def back_and(*steps: dict) -> dict:
    """Return a policy that puts the red cube back and goes on with steps."""
    down = {"do": "place", "target": "table", "relation": "on"}
    return {
        "goal": "the blue ball is on the table",
        "subtasks": [{"name": "put the ball on the table", "steps": [down, *steps]}],
    }


@pytest.mark.parametrize("answer", [True, False])
def test_two_sentences_that_contradict_lead_to_one_question(make_run, answer: bool):
    """Guards against the later of two sentences winning in silence, where both came before the robot could do either."""
    questions = []

    def confirm(question: str) -> bool:
        questions.append(question)
        return answer

    look = {"do": "check", "relation": "on", "subject": "blue ball", "object": "table"}
    run = make_run(reading(put("red cube", "green bowl"), back_and(look)), spec=asked(changes=CLASHING), confirm=confirm)
    outcome = run.go()
    (question,) = [text for text in questions if "blue ball each" in text]
    assert "'put the blue ball in the green bowl' and 'put the blue ball on the table'" in question and "Go on?" in question
    assert (outcome.outcome, run.done[2:]) == (("success", ["place", "check"]) if answer else ("failure", []))


def test_where_nobody_is_there_to_be_asked_contradicting_sentences_move_nothing(make_run):
    run = make_run(reading(put("red cube", "green bowl"), back_and()), spec=asked(changes=CLASHING))
    outcome = run.go()
    assert outcome.outcome == "failure" and "blue ball each" in outcome.reason and run.done == ["locate", "grasp"]


def test_a_correction_of_the_sentence_before_is_no_contradiction(make_run):
    corrects = (change(2, BALL), change(2, "no, put the blue ball on the table"))
    questions = []
    run = make_run(
        reading(put("red cube", "green bowl"), back_and()),
        spec=asked(changes=corrects),
        confirm=lambda q: not questions.append(q),
    )
    run.go()
    assert not [text for text in questions if "blue ball each" in text]


BIN_IT = {
    "goal": "the red cube is in the bin",
    "subtasks": [
        {
            "name": "throw the red cube away",
            "steps": [{"do": "go_to", "place": "bin"}, {"do": "place", "target": "bin", "relation": "in"}],
        }
    ],
}


@pytest.mark.parametrize("answer", [True, False])
def test_what_cannot_be_undone_is_asked_about_after_a_change(make_run, answer: bool):
    """Guards against a thing in the bin for a sentence that was misheard midway, while somebody stood by."""
    questions = []

    def confirm(question: str) -> bool:
        questions.append(question)
        return answer

    spec = asked(changes=(change(2, "throw the red cube into the bin"),))
    run = make_run(reading(put("red cube", "green bowl"), BIN_IT), spec=spec, confirm=confirm)
    outcome = run.go()
    assert [text for text in questions if "The instruction has changed, and place cannot be undone." in text] == questions != []
    assert run.done[2:] == (["go_to", "place"] if answer else []) and (outcome.outcome == "success") is answer


def test_the_first_instruction_and_runs_without_a_person_are_not_asked(make_run):
    """Guards against a run that nobody watches and that stops at what its new sentence plainly asks for."""
    spec = asked(changes=(change(2, "throw the red cube into the bin"),))
    assert make_run(reading(put("red cube", "green bowl"), BIN_IT), spec=spec).go().outcome == "success"
