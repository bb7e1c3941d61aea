"""Sentences in runs: what is not understood moves nothing, and words for stopping stop, in every way in."""

import threading
from dataclasses import replace

import pytest
from run_kit import asked, change, put

from vlp.models.scripted import ScriptedModel
from vlp.nano.names import NAMES
from vlp.robot.protocol import Step, StepResult
from vlp.sim.fake.robot import FakeRobot, fake_manifest
from vlp.understanding.gate import NotUnderstood

CUBE_IN_BOWL = put("red cube", "green bowl")
SAY = "put the red cube in the green bowl"


class Halting(FakeRobot):
    """Tells whether it was told to stop."""

    halted = False

    def stop(self) -> None:
        super().stop()
        self.halted = True


def reading(*policies, **names) -> ScriptedModel:
    """Return a model with scripted replies that counts as one that goes by the words of a sentence."""
    import json

    model = ScriptedModel([json.dumps(policy) for policy in policies], repeat=True)
    model.can = replace(model.can, reads=True, **{"names": NAMES, **names})
    return model


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hello", "asks for nothing"),
        ("do not put the red cube in the green bowl", "what not to do"),
        ("put the banana in the fridge", "'banana'"),
        ("what is the weather?", "'weather'"),
        ("bring me the red cube", "to a person"),
    ],
)
def test_a_sentence_that_is_not_understood_asks_no_model_and_moves_nothing(make_run, text: str, reason: str):
    """ "hello" and "do not touch anything" cleared the table into the bin; exit status 0, a green badge."""
    model = reading(CUBE_IN_BOWL)
    run = make_run(model, spec=asked(text))
    outcome = run.go()
    assert (outcome.outcome, run.done, model.calls) == ("failure", [], [])
    assert reason in outcome.account and run.of("run-finished")[0]["account"] == outcome.account


def test_a_word_for_stopping_as_first_instruction_stops_the_robot(make_run):
    run = make_run(reading(CUBE_IN_BOWL), robot=Halting(), spec=asked("stop"))
    assert (run.go().outcome, run.done, run.robot.halted) == ("stopped", [], True)


@pytest.mark.parametrize(
    "words", ["stop", "please stop!", "wait", "don't", "come back", "do not touch the bowl", "put it in the fridge"]
)
def test_a_scripted_sentence_that_wants_the_robot_to_hold_on_ends_the_run_there(make_run, words: str):
    """`--change "2: stop"` finished the task; an error message offered exactly that."""
    run = make_run(reading(CUBE_IN_BOWL), spec=asked(SAY, changes=(change(2, words),)))
    assert run.go().outcome == "stopped"
    assert run.done == ["locate", "grasp"]


def test_what_was_said_to_stop_stands_in_the_journal(make_run):
    """The word "stp" was typed, the robot stopped, and `vlp journal export` had no trace of it."""
    run = make_run([put("red cube", "green bowl")])
    run.run.instruct("stp")
    assert run.go().reason.endswith("; said: 'stp'") and "'stp'" in run.of("run-finished")[0]["reason"]


def test_a_scripted_word_for_stopping_stops_whatever_the_model(make_run):
    run = make_run([CUBE_IN_BOWL], robot=Halting(), spec=asked(SAY, changes=(change(2, "Stop."),)))
    assert (run.go().outcome, run.done, run.robot.halted) == ("stopped", ["locate", "grasp"], True)


@pytest.mark.parametrize("words", ["thank you, robot", "is the red cube in the bowl?"])
def test_a_sentence_that_asks_for_nothing_is_noted_and_the_run_goes_on(make_run, words: str):
    run = make_run(reading(CUBE_IN_BOWL), spec=asked(SAY, changes=(change(2, words),)))
    assert run.go().outcome == "success"
    assert words in run.of("note")[0]["text"] and [e["text"] for e in run.of("instruction")] == [SAY]


@pytest.mark.parametrize("words", ["my hand is in the bowl", "there is a leak", "a child is at the bowl"])
def test_a_warning_midway_stops_the_robot(make_run, words: str):
    """Against: "there is a person in the hood" was noted, and the run went on."""
    run = make_run(reading(CUBE_IN_BOWL), robot=Halting(), spec=asked(SAY, changes=(change(2, words),)))
    assert (run.go().outcome, run.done, run.robot.halted) == ("stopped", ["locate", "grasp"], True)


@pytest.mark.parametrize("words", ["stop.", "hold on", "do not touch the green bowl", "my finger is in the bowl"])
def test_instruct_stops_at_once_from_another_thread(make_run, words: str):
    class Slow(FakeRobot):
        halted = threading.Event()

        def execute(self, step):
            if step.do == "grasp":
                threading.Thread(target=lambda: run.run.instruct(words)).start()
                assert self.halted.wait(10), "the robot was not stopped in the middle of the step"
            return super().execute(step)

        def stop(self) -> None:
            super().stop()
            self.halted.set()

    robot = Slow()
    run = make_run(reading(CUBE_IN_BOWL), robot=robot)
    outcome = run.go()
    assert outcome.outcome == "stopped" and "place" not in run.done


def test_instruct_refuses_a_question_and_the_run_goes_on(make_run):
    class Asked(FakeRobot):
        def execute(self, step):
            if step.do == "grasp":
                with pytest.raises(NotUnderstood, match="answer"):
                    run.run.instruct("is the red cube in the bowl?")
            return super().execute(step)

    run = make_run(reading(CUBE_IN_BOWL), robot=Asked())
    assert run.go().outcome == "success"


def test_a_policy_about_other_things_is_handed_back_and_never_carried_out(make_run):
    model = reading(put("blue ball", "green bowl"))
    run = make_run(model)
    outcome = run.go()
    assert (outcome.outcome, run.done, len(model.calls)) == ("failure", [], 3)
    assert "blue ball" in outcome.reason


def test_of_a_general_models_doubts_a_person_is_asked(make_run):
    questions = []

    def no(question: str) -> bool:
        questions.append(question)
        return False

    said = asked("put the quixotic red cube in the green bowl")
    run = make_run(reading(CUBE_IN_BOWL, names=None), spec=said, confirm=no)
    assert (run.go().outcome, run.done) == ("failure", []) and "'quixotic'" in questions[0]


def test_a_policy_with_new_kinds_of_steps_is_asked_about_again(make_run):
    """Against: a doubt was asked once; after a failed step any policy was carried out."""
    questions = []

    def once(question: str) -> bool:
        questions.append(question)
        return len(questions) == 1

    look = {"do": "locate", "object": "red cube", "as": "cube"}
    steps = [look, {"do": "push", "target": "$cube", "direction": "left", "distance_m": 0.1}]
    push = {"goal": "as asked", "subtasks": [{"name": "push it", "steps": steps}]}
    robot = FakeRobot()
    robot.fail_next("grasp", times=2)
    said = asked("put the quixotic red cube in the green bowl")
    run = make_run(reading(CUBE_IN_BOWL, CUBE_IN_BOWL, push, names=None), robot=robot, spec=said, confirm=once)
    assert run.go().outcome == "failure" and "not confirmed" in run.outcome.account
    assert (len(questions), run.done.count("grasp"), run.done.count("push")) == (2, 2, 0)


def test_a_step_for_good_that_nobody_asked_for_is_asked_about(make_run):
    """Against: whatever a general model added was done, also where it cannot be undone."""
    manifest = fake_manifest()
    final = replace(manifest.primitives["push"], final=True)
    robot = FakeRobot(manifest=replace(manifest, primitives={**manifest.primitives, "push": final}))
    steps = [{"do": "locate", "object": "blue ball", "as": "it"}]
    steps.append({"do": "push", "target": "$it", "direction": "left", "distance_m": 0.1})
    policy = {**CUBE_IN_BOWL, "subtasks": [*CUBE_IN_BOWL["subtasks"], {"name": "push", "steps": steps}]}
    run = make_run(reading(policy, names=None), robot=robot, spec=asked(SAY))
    assert "push cannot be undone" in run.go().account and run.done == []


def test_where_nobody_is_there_a_general_models_doubt_moves_nothing(make_run):
    """A script carried out "put the screwdriver in the green bowl" by putting the red cube there, with exit status 0."""
    run = make_run(reading(CUBE_IN_BOWL, names=None), spec=asked("put the quixotic red cube in the green bowl"))
    outcome = run.go()
    assert (outcome.outcome, run.done) == ("failure", []) and "'quixotic'" in outcome.account
    assert "'quixotic'" in run.of("note")[0]["text"]


def test_a_doubt_that_is_confirmed_beforehand_is_written_down(make_run):
    said = asked("put the quixotic red cube in the green bowl")
    run = make_run(reading(CUBE_IN_BOWL, names=None), spec=said, confirm=lambda question: True)
    assert run.go().outcome == "success" and "'quixotic'" in run.of("note")[0]["text"]


def test_a_robot_that_somebody_else_holds_ends_the_run(make_run):
    """Seven policies were asked for in 2.5 s; none could mend that another one held the lease."""

    class Held(FakeRobot):
        def execute(self, step):
            if step.do == "locate":
                return StepResult(step.key, "rejected", code="lease-held", message="ann holds the robot.")
            return super().execute(step)

    run = make_run([CUBE_IN_BOWL], robot=Held())
    outcome = run.go()
    assert (outcome.outcome, len(run.of("policy"))) == ("stopped", 1) and "ann holds" in outcome.reason


def test_it_is_what_the_hand_holds_already(make_run):
    robot = FakeRobot()
    robot.execute(Step("grasp", {"target": robot.execute(Step("locate", {"object": "red cube"}, "a")).value}, "b"))
    run = make_run(reading(put("red cube", "green bowl", pick=False)), robot=robot, spec=asked("put it in the green bowl"))
    assert run.go().outcome == "success"


@pytest.mark.parametrize(("answer", "told"), [("throw it at the cat", "harms nobody"), ("give it to me", "to a person")])
def test_an_answer_that_is_not_understood_moves_nothing(make_run, answer: str, told: str):
    """Against: the answer to the robot's question became an instruction that only words for stopping had been sought in."""
    question = {"do": "ask", "question": "where to?", "as": "answer"}
    asking = {"goal": "it is clear", "subtasks": [{"name": "ask", "steps": [question]}]}
    run = make_run(reading(asking), robot=FakeRobot(answers={"where to?": answer}), spec=asked(SAY))
    outcome = run.go()
    assert (outcome.outcome, run.done) == ("failure", ["ask"])
    assert outcome.reason.startswith("the answer to 'where to?' cannot be taken: ") and told in outcome.reason


@pytest.mark.parametrize("text", ["it hurts", f"{SAY}. stop", f"{SAY}, actually don't", "🛑"])
def test_a_cry_or_a_stop_at_the_end_stops_a_robot_whose_model_reads_no_sentence(make_run, text: str):
    """Against: without a vocabulary of its own the model was asked, and the robot moved."""
    first = make_run([CUBE_IN_BOWL], robot=Halting(), spec=asked(text))
    assert (first.go().outcome, first.done, first.robot.halted) == ("stopped", [], True)


@pytest.mark.parametrize("text", ["it hurts", f"{SAY}. stop", "st0p"])
def test_so_do_they_during_a_run(make_run, text: str):
    run = make_run([CUBE_IN_BOWL], robot=Halting(), spec=asked(SAY, changes=(change(1, text),)))
    assert (run.go().outcome, run.robot.halted) == ("stopped", True) and "place" not in run.done


def test_a_policy_with_what_the_sentence_forbids_goes_back_to_the_model(make_run):
    """Against: a scripted or general model's policy moved the thing that was not to be touched, and the run succeeded."""
    run = make_run([put("blue ball", "green bowl"), CUBE_IN_BOWL], spec=asked(f"{SAY}, but do not touch the blue ball"))
    assert run.go().outcome == "success"
    (report,) = run.of("report")
    assert report["issues"][0]["code"] == "forbidden" and "do not touch the blue ball" in str(report)
    assert run.robot.world.objects["red cube"].support == "green bowl"


def test_where_nobody_can_be_asked_about_a_prohibition_nothing_moves(make_run):
    run = make_run([CUBE_IN_BOWL], spec=asked(f"{SAY}, but do not wake the cat"))
    outcome = run.go()
    assert (outcome.outcome, run.done) == ("failure", []) and "'do not wake the cat' cannot be told" in outcome.account
