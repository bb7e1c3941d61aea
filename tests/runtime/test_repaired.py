"""A run whose journal was repaired goes on: what its lost part may have done is not done again unasked."""

import contextlib
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from run_kit import change, say

from vlp.core.messages import Instruction
from vlp.journal import read_events
from vlp.journal.repair import repair
from vlp.models.scripted import ScriptedModel
from vlp.primitives.manifest import Argument, Primitive
from vlp.runtime.run import Run, Spec, read_run
from vlp.runtime.story import Outcome
from vlp.sim.fake.robot import FakeRobot, fake_manifest

PILL = {"do": "dispense", "what": "pill"}
STEPS = [PILL, {"do": "open_gripper"}, {"do": "home"}]


def policy(steps: list[dict[str, Any]] = STEPS) -> str:
    return say({"goal": "a pill is out", "subtasks": [{"name": "all", "steps": steps}]})


class Dispenser(FakeRobot):
    """A robot that lets pills out for good; `knows` says whether it remembers the keys of its steps."""

    snapshot = restore = None  # type: ignore[assignment]

    def __init__(self, knows: bool = False) -> None:
        known = fake_manifest()
        pill = Primitive("dispense", "action", "Let something out.", (Argument("what", "text", "What."),), final=True)
        home = replace(known.primitives["home"], name="open_gripper")
        super().__init__(manifest=replace(known, primitives={**known.primitives, "dispense": pill, "open_gripper": home}))
        self._knows = knows

    def _carry_out(self, do: str, arguments: dict[str, Any]) -> tuple[dict[str, Any], Any]:
        return ({}, None) if do in ("dispense", "open_gripper") else super()._carry_out(do, arguments)

    def result_of(self, key: str):
        return super().result_of(key) if self._knows else None

    @property
    def pills(self) -> int:
        return [step.do for step in self.log].count("dispense")


def damaged(out: Path, robot: FakeRobot, kind: str, nth: int = 0, steps: list[dict[str, Any]] = STEPS) -> None:
    """Carry out a run that a scripted stop ends, damage one of its events of a kind, and repair it."""
    spec = Spec(Instruction.of("let a pill out"), changes=(change(3, "stop"),))
    assert Run(out, spec, robot, ScriptedModel([policy(steps)])).go().outcome == "stopped"
    seq = [event.seq for event in read_events(out) if event.kind == kind][nth]
    with contextlib.closing(sqlite3.connect(out / "journal.db")) as db:
        db.execute("UPDATE event SET data = replace(data, 'revision', 'revisiom') WHERE seq = ?", (seq,))
        db.commit()
    done = repair(out)
    assert done is not None and done.good == seq - 1 < done.last
    robot.reset_stop()


def resume(out: Path, robot: FakeRobot, replies: list[str], confirm: Callable[[str], bool] | None = None) -> Outcome:
    spec, past = read_run(out)
    return Run(out, replace(spec, changes=()), robot, ScriptedModel(replies), past=past, confirm=confirm).go()


@pytest.mark.parametrize("lost_from", ["step-started", "policy"])
def test_what_a_lost_event_may_have_done_is_not_done_again_unasked(tmp_path, lost_from):
    """Against: "no step was in flight", and the pill that was out already was let out again."""
    robot = Dispenser()
    damaged(tmp_path / "run", robot, lost_from)
    outcome = resume(tmp_path / "run", robot, [policy()])
    assert outcome.outcome == "failure" and robot.pills == 1
    assert outcome.reason.startswith("dispense was done 1 time already, or may have been, and cannot be undone.")
    how = next(e.data["how"] for e in read_events(tmp_path / "run") if e.kind == "run-resumed")
    assert "no step was in flight" not in how and "nobody knows" in how


def test_a_person_may_say_that_it_is_to_be_done(tmp_path):
    robot, questions = Dispenser(), list[str]()
    damaged(tmp_path / "run", robot, "step-started")
    outcome = resume(tmp_path / "run", robot, [policy()], lambda question: not questions.append(question))
    assert outcome.outcome == "success" and robot.pills == 2 and len(questions) == 1


def test_a_robot_that_knows_the_keys_says_what_was_done(tmp_path):
    """Against: steps done twice that the robot could have told of."""
    robot = Dispenser(knows=True)
    damaged(tmp_path / "run", robot, "step-started")
    outcome = resume(tmp_path / "run", robot, [policy(), policy([{"do": "home"}])])
    assert outcome.outcome == "success" and robot.pills == 1
    events = read_events(tmp_path / "run")
    how = next(e.data["how"] for e in events if e.kind == "run-resumed")
    assert how.startswith("the robot had ended step 1.1 (succeeded), 1.2 (succeeded), 1.3 (succeeded); ")
    refused = [e.data["issues"][0]["code"] for e in events if e.kind == "report"]
    assert refused == ["done-already"]


def test_a_simulated_robot_is_as_its_journal_says(tmp_path):
    """Against: a question about what has not happened in the state that was restored."""

    class Simulated(Dispenser):
        snapshot, restore = FakeRobot.snapshot, FakeRobot.restore

    steps = [*reversed(STEPS)]
    damaged(tmp_path / "run", Simulated(), "step-started", 2, steps)
    fresh = Simulated()
    outcome = resume(tmp_path / "run", fresh, [policy(steps)])
    assert outcome.outcome == "success" and fresh.pills == 1


def test_what_is_known_to_be_done_stays_so(tmp_path):
    """Against: a lost tail after a sure deed, and a person asked about what was done already."""
    robot, questions = Dispenser(), list[str]()
    damaged(tmp_path / "run", robot, "step-started", nth=1)
    outcome = resume(tmp_path / "run", robot, [policy()] * 3, lambda question: not questions.append(question))
    assert outcome.outcome == "failure" and robot.pills == 1 and not questions
    assert "dispense was done already, cannot be undone" in outcome.reason
