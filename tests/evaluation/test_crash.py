"""Kills at random moments on the simulated robot."""

import json
import os
import threading
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("MUJOCO_GL", "egl")

import pytest

from vlp.core.errors import UsageError
from vlp.evaluation.stress import crash
from vlp.evaluation.stress.crash import Case, repeated, run_crash
from vlp.journal import Event


def event(kind: str, key: str) -> Event:
    data = {"revision": 1, "id": "1.1", "key": key, "do": "grasp"}
    more = {"arguments": {}, "epoch": 0} if kind == "step-started" else {"status": "succeeded", "result": {}}
    return Event(kind, {**data, **more})


def test_a_step_sent_again_after_its_end_counts_asrepeated():
    start, end = event("step-started", "a"), event("step-finished", "a")
    assert repeated([start, end]) == ()
    assert repeated([start, start, end]) == (), "redoing the one in flight is no repetition"
    assert repeated([start, end, start]) == ("a",)
    assert repeated([start, end, end]) == ("a",)


@pytest.mark.parametrize(
    ("outcome", "verdict", "error", "repeated", "holds"),
    [
        ("success", True, "", (), True),
        ("success", False, "", (), False),
        ("success", True, "", ("a",), False),
        ("stopped", None, "Hold", (), True),
        ("stopped", None, "Fault", (), False),
        ("failure", False, "", (), False),
    ],
)
def test_what_holds(outcome, verdict, error, repeated, holds):
    assert Case(0, 1, "moment", 1.0, True, 9, True, repeated, outcome, verdict, "a reason", error).holds is holds


def test_a_directory_in_use_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty"):
        run_crash(1, 0, tmp_path)


@pytest.mark.slow
def test_killed_runs_of_the_simulated_robot_are_resumed(tmp_path):
    summary = run_crash(1, 0, tmp_path / "crash")
    assert summary["held"] == summary["n"] == 1
    rows = [json.loads(line) for line in (tmp_path / "crash" / "rows.jsonl").read_text().splitlines()]
    assert all(row["killed"] for row in rows)


HELD = Case(0, 1, "change", 1.0, True, 9, True, (), "success", True, "")


def test_a_run_that_ended_before_its_kill_or_took_up_an_old_plan_does_not_hold():
    """Guards against runs that nobody killed: they counted as held."""
    assert HELD.holds
    assert not replace(HELD, killed=False).holds and not replace(HELD, stale=1).holds


def test_a_world_in_which_no_kill_came_is_drawn_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(crash, "_succeeds", lambda *given: True)
    monkeypatch.setattr(crash, "_killed_run", lambda index, world, *rest: replace(HELD, seed=world, killed=world > 10_000))
    case = crash._case(0, 0, 1.0, tmp_path, True)
    assert case.holds and (case.seed, case.redrawn) == (10_001, (1,))


def test_a_kill_after_a_change_waits_for_the_change(monkeypatch: pytest.MonkeyPatch):
    dead = threading.Event()
    monkeypatch.setattr(crash, "die", dead.set)
    killer = crash._Killer(0.0, change=True)
    first = Event("instruction", {"text": "clear the table", "source": "given"})
    for one in (first, event("step-started", "a"), event("step-finished", "a")):
        killer.on_event(one)
    assert not dead.wait(0.3)
    killer.on_event(Event("instruction", {"text": "no, stop that", "source": "scheduled 0"}))
    assert dead.wait(5.0)


def test_each_kind_of_change_has_its_turn_and_is_in_the_run(tmp_path: Path):
    """Guards against kills around moved and knocked things alone: what has to be undone was never among the changes."""
    from vlp.episodes.cases import tasks_of

    kinds = [crash._change(world) for world in range(1, 40)]
    assert {*kinds} == {*tasks_of("tabletop").changes} - {"stopped"}
    world = 1 + kinds.index("put-back")
    run = crash._changing(tmp_path / "run", world, [])
    (change,) = run.spec.changes
    (task,) = run.loop.judge._following
    assert change.after_steps > 0 and str(change.what) == task.instruction and task.arguments["b"] == "table"


@pytest.mark.slow
def test_runs_killed_after_a_change_are_resumed(tmp_path: Path):
    summary = run_crash(1, 0, tmp_path / "crash", changes=True)
    assert (summary["held"], summary["n"], summary["ways"]) == (1, 1, {"change": 1})
    (row,) = (json.loads(line) for line in (tmp_path / "crash" / "rows.jsonl").read_text().splitlines())
    assert row["killed"] and row["change"] and row["stale"] == 0
