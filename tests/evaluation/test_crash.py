"""Kills at random moments on the simulated robot."""

import json

import pytest

from vlp.core.errors import UsageError
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
