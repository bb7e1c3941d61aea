"""A run says what it took the instruction to mean before it moves, in one line that is journalled and shown."""

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from run_kit import asked, change, put

from vlp.journal import read_events
from vlp.models.scripted import ScriptedModel
from vlp.policy.checks import check_policy
from vlp.policy.model import State
from vlp.primitives.manifest import Argument, Place, Primitive
from vlp.primitives.standard import STANDARD
from vlp.robot.protocol import Step, StepResult
from vlp.runtime.memory import alike
from vlp.runtime.planner import final_steps
from vlp.runtime.run import Run as LiveRun
from vlp.runtime.run import read_run
from vlp.runtime.subscribers.report import replay
from vlp.runtime.subscribers.terminal import Terminal
from vlp.sim.fake.robot import FakeRobot, fake_manifest

LINE = "the red cube is in the green bowl (pick up the red cube, put it in the green bowl)"


def test_every_run_says_what_it_understood_before_the_first_action(make_run):
    run = make_run([put("red cube", "green bowl")])
    assert run.go().outcome == "success"
    kinds = [event.kind for event in run.events]
    assert run.of("understood") == [{"revision": 1, "text": LINE, "final": []}]
    assert kinds.index("understood") < kinds.index("step-started")


def test_it_says_so_again_after_a_new_plan(make_run):
    spec = asked(changes=(change(3, "put the red cube on the table"),))
    back = {"goal": "the red cube is on the table", "subtasks": [{"name": "put it back", "steps": []}]}
    back["subtasks"][0]["steps"].append({"do": "place", "target": "table", "relation": "on"})
    run = make_run([put("red cube", "green bowl"), back], spec=spec)
    run.go()
    said = run.of("understood")
    assert [line["revision"] for line in said] == [1, 2] and said[1]["text"] == "the red cube is on the table (put it back)"


def bin_it() -> dict:
    policy = put("red cube", "bin")
    policy["subtasks"][1]["steps"] = [{"do": "go_to", "place": "bin"}, {"do": "place", "target": "bin", "relation": "in"}]
    return policy


def test_a_step_that_cannot_be_undone_is_marked_in_the_line_and_in_every_display(make_run, tmp_path):
    out = io.StringIO()
    live = Terminal(Console(file=out, force_terminal=True, width=200))
    run = make_run([bin_it()], spec=asked("throw the red cube away"), subscribers=[live])
    assert run.go().outcome == "success"
    (line,) = run.of("understood")
    assert line["final"] == ["2.2"] and line["text"].endswith("cannot be undone: 2.2 place bin relation=in")
    replay(tmp_path / "run")
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["policies"][0]["understood"] == line["text"]
    assert [step["id"] for step in result["policies"][0]["steps"] if step["final"]] == ["2.2"]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "understood: the red cube is in the bin" in page and "(cannot be undone)" in page
    assert "understood: the red cube is in the bin" in out.getvalue() and "cannot be undone" in out.getvalue()


def test_letting_go_at_a_final_place_counts_and_driving_there_does_not(make_run):
    policy = bin_it()
    policy["subtasks"][1]["steps"][1] = {"do": "release"}
    run = make_run([policy], spec=asked("throw the red cube away"))
    run.go()
    assert run.of("understood")[0]["final"] == ["2.2"]


def test_a_look_at_a_final_place_can_be_undone(make_run):
    """Against: "cannot be undone: 1.2 look_at bin", and a question to the person about it."""
    policy = bin_it()
    policy["subtasks"][1]["steps"].insert(0, {"do": "look_at", "target": "bin"})
    run = make_run([policy], spec=asked("throw the red cube away"))
    assert run.go().outcome == "success" and "look_at" in run.done
    assert run.of("understood")[0]["final"] == ["2.3"]


def _dispensing(*more: str) -> dict:
    steps = [{"do": "dispense"}, *({"do": name} for name in more)]
    return {"goal": "a pill is out", "subtasks": [{"name": "all", "steps": steps}]}


def _dispenser(*arguments: Argument) -> FakeRobot:
    known = fake_manifest()
    pill = Primitive("dispense", "action", "Let a pill out.", arguments, final=True)
    robot = FakeRobot(manifest=replace(known, primitives={**known.primitives, "dispense": pill}))
    carry_out = robot._carry_out
    robot._carry_out = lambda do, said: ({}, None) if do == "dispense" else carry_out(do, said)  # type: ignore[method-assign]
    return robot


def _ending(status: Any, code: str) -> FakeRobot:
    """Return a robot whose `dispense` acts and says that it ended otherwise."""
    robot = _dispenser()
    execute = robot.execute

    def ends(step: Step) -> StepResult:
        done = execute(step)
        return replace(done, status=status, code=code, message="nobody knows") if step.do == "dispense" else done

    robot.execute = ends  # type: ignore[method-assign]
    return robot


def test_a_step_that_cannot_be_undone_is_not_done_again_by_the_policy_after_it(make_run):
    """`dispense` succeeded and the step after it failed: the model wrote the same policy again, and 7 pills were out."""
    robot = _dispenser()
    robot.fail_next("home", times=9)
    run = make_run([_dispensing("home")] * 4, robot=robot)
    outcome = run.go()
    assert (outcome.outcome, run.done.count("dispense")) == ("failure", 1)
    assert "dispense was done already, cannot be undone" in outcome.reason
    assert [e["issues"][0]["code"] for e in run.of("report")] == ["done-already"] * 3


def test_a_new_instruction_may_ask_for_it_again(make_run):
    run = make_run([_dispensing("home"), _dispensing()], robot=_dispenser(), spec=asked(changes=(change(1, "one more pill"),)))
    assert run.go().outcome == "success" and run.done == ["dispense", "dispense"]


def test_a_new_sentence_that_asks_for_something_else_does_not_let_it_be_done_again(make_run):
    """Against: after any new sentence the pill was let out again."""
    model = ScriptedModel(
        [json.dumps(policy) for policy in (_dispensing("home"), _dispensing(), _dispensing("home"))], repeat=True
    )
    model.can = replace(model.can, reads=True)
    said = asked("let a pill out and go home", changes=(change(1, "now go home"),))
    run = make_run(model, robot=_dispenser(), spec=said)
    assert run.go().outcome == "failure" and run.done == ["dispense"]
    assert {e["issues"][0]["code"] for e in run.of("report")} == {"done-already"}


def test_a_final_step_whose_result_cannot_be_taken_counts_as_done(make_run):
    """It had acted: its result was refused, and the next policy did it again, seven times in all."""
    robot = _dispenser()
    robot._carry_out = lambda do, said: ({"force_n": float("inf")}, None)  # type: ignore[method-assign]
    run = make_run([_dispensing()] * 4, robot=robot)
    assert run.go().outcome == "failure" and run.done == ["dispense"]


@pytest.mark.parametrize(("status", "code"), [("timeout", "timeout"), ("failed", "unknown"), ("failed", "no-receipt")])
def test_a_final_step_that_may_have_been_done_is_not_done_again_unasked(make_run, status, code):
    """Against: `buy` acted and then failed, and milk was bought 7 times."""
    robot = _ending(status, code)
    run = make_run([_dispensing()] * 4, robot=robot)
    assert run.go().outcome == "failure" and run.done == ["dispense"]


def test_a_final_step_that_a_stop_cut_short_is_not_done_anew(make_run, tmp_path):
    """Against: after a stop, `vlp resume` poured the whole of it once more, without a question."""
    robot = _ending("stopped", "stopped")
    first = make_run([_dispensing()], robot=robot)
    assert first.go().outcome == "stopped" and first.done == ["dispense"]
    spec, past = read_run(tmp_path / "run")
    again = LiveRun(tmp_path / "run", spec, robot, ScriptedModel([json.dumps(_dispensing())]), past=past)
    outcome = again.go()
    assert outcome.outcome == "failure"
    assert outcome.reason.startswith("dispense was done 1 time already, or may have been, and cannot be undone.")
    assert [e.data["do"] for e in read_events(tmp_path / "run") if e.kind == "step-started"] == ["dispense"]


def test_a_person_may_say_that_it_is_to_be_tried_again(make_run):
    """A run that could not know whether the pill was out could only fail, whatever the person who looked knew."""
    asked_of: list[str] = []
    robot = _dispenser()
    robot.fail_next("dispense", times=1)
    run = make_run([_dispensing()] * 2, robot=robot, confirm=lambda question: not asked_of.append(question))
    assert run.go().outcome == "success"
    assert [text.partition(" It means")[0] for text in asked_of] == [
        "dispense was done 1 time already, or may have been, and cannot be undone."
    ]


@pytest.mark.parametrize("said", ["let a pill out", "let two pills out"])
def test_a_final_step_twice_in_one_policy_is_asked_about_unless_a_number_was_said(make_run, said):
    """Against: "order a pizza" ordered two."""
    model = ScriptedModel([json.dumps(_dispensing("dispense"))])
    model.can = replace(model.can, reads=True)
    run = make_run(model, robot=_dispenser(), spec=asked(said))
    assert run.go().outcome == ("success" if "two" in said else "failure")
    assert run.done == (["dispense", "dispense"] if "two" in said else [])


@pytest.mark.parametrize("said", ["let a pill out", "let a pill of 50 mg out"])
def test_an_amount_that_nobody_said_is_asked_about(make_run, said):
    """Against: "pour milk" poured 300 g."""
    robot = _dispenser(Argument("dose_mg", "number", "How much."))
    model = ScriptedModel([json.dumps(_dispensing()).replace('"dispense"}', '"dispense", "dose_mg": 50}')])
    model.can = replace(model.can, reads=True)
    run = make_run(model, robot=robot, spec=asked(said))
    outcome = run.go()
    assert run.done == (["dispense"] if "50" in said else []), outcome.reason
    assert "50" in said or "nobody spoke of 'dose mg 50'" in outcome.reason


def test_deeds_in_other_words_are_alike():
    """Against: "buy milk", killed, then "a carton of milk" bought again."""
    milk, carton, bread = (json.dumps(["buy", {"what": what}]) for what in ("milk", "a carton of milk", "bread"))
    assert alike(milk, carton) and not alike(milk, bread) and not alike(milk, json.dumps(["sell", {"what": "milk"}]))


def test_driving_to_a_final_place_where_nothing_is_put_counts():
    """Against: `Place("drain", final=True)` said that it cannot be undone, and nothing told so."""
    manifest = fake_manifest()
    manifest = replace(manifest, places={**manifest.places, "drain": Place("drain", final=True)})
    policy = {"goal": "at the drain", "subtasks": [{"name": "drive", "steps": [{"do": "go_to", "place": "drain"}]}]}
    plan, report = check_policy(json.dumps(policy), manifest, State())
    assert plan is not None, report.issues
    assert [step.id for step in final_steps(plan, manifest, State())] == ["1.1"]


def test_a_primitive_may_be_final_itself(make_run):
    manifest = fake_manifest()
    push = replace(STANDARD["push"], final=True)
    robot = FakeRobot(manifest=replace(manifest, primitives={**manifest.primitives, "push": push}))
    locate = {"do": "locate", "object": "red cube", "as": "cube"}
    off = {"do": "push", "target": "$cube", "direction": "left", "distance_m": 0.1}
    policy = {"goal": "the cube is pushed", "subtasks": [{"name": "push it", "steps": [locate, off]}]}
    run = make_run([policy], robot=robot)
    run.go()
    assert run.of("understood")[0]["final"] == ["1.2"]
