"""Runs that are killed, lied to, stormed and put in odd times; short forms of the stresses of runs and of robots' servers."""

import json
import runpy
import threading
from pathlib import Path
from random import Random
from typing import Any, get_args

import pytest

from vlp.core.messages import Instruction
from vlp.episodes.faults import FaultyRobot
from vlp.evaluation.stress import clocks, flood, kills, late, starts, storms, workers
from vlp.evaluation.stress.command import kept_rows, quantiles
from vlp.evaluation.stress.journal import POLICY
from vlp.evaluation.stress.lies import tell
from vlp.evaluation.stress.motion import served
from vlp.journal import read_events
from vlp.models.scripted import ScriptedModel
from vlp.runtime.run import Run, Spec
from vlp.sim.fake.robot import FakeRobot

pytestmark = pytest.mark.long

SOAK = runpy.run_path(str(Path(__file__).parents[2] / "recipes" / "soak.py"))


@pytest.fixture(scope="module")
def lives() -> kills.Lives:
    return kills.Lives()


@pytest.mark.parametrize("way", ["after", "taken on", "server before", "server after", "within before"])
def test_a_killed_run_acts_once_a_step_and_guesses_nothing(way: str, lives: kills.Lives, tmp_path: Path) -> None:
    """A run whose robot's server had died under a step was resumed as if the step had failed, with nobody asked to look."""
    row = kills.case(len(get_args(kills.Way)) + get_args(kills.Way).index(way), 0, tmp_path, lives)
    assert row["resumed"] and row["faults"] == []
    assert row["held"] or not way.startswith("server")


def test_a_step_that_acts_twice_is_found_out(tmp_path: Path) -> None:
    """A stress that cannot fail shows nothing."""
    model = ScriptedModel([json.dumps(POLICY)])
    Run(tmp_path / "run", Spec(Instruction.of(POLICY["goal"])), FakeRobot(), model).go()
    (tmp_path / "effects.jsonl").write_text('{"key": "a"}\n{"key": "b"}\n{"key": "a"}\n')
    assert "a acted 2 times" in kills._judged(tmp_path, served=True)


# never, other and fails within the run; late and other behind a server
@pytest.mark.parametrize("index", [0, 2, 3, 5, 6])
def test_a_step_that_does_not_return_as_it_should_counts_as_nothing(index: int, tmp_path: Path) -> None:
    """A driver that gave back the result of the step before was believed: the step that had not been done counted as done."""
    row = late.case(index, 0, tmp_path)
    assert row["faults"] == [] and row["fault"] == get_args(late.Wrong)[index % 4]


@pytest.mark.parametrize(
    "storm", ["two in turn at 1 kHz", "questions at 1 kHz", "things that flicker", "plans that always fail"]
)
def test_reasons_for_new_policies_without_end_are_bounded(storm: str, tmp_path: Path) -> None:
    """Sentences at 1 kHz kept a run at one step boundary for as long as they came."""
    row = storms.case(list(storms.storms()).index(storm), 0, tmp_path)
    assert row["faults"] == [] and row["policies"] > 0
    assert row["said"].get("said", 0) > 20 or "kHz" not in storm


def test_what_no_server_should_wait_for_is_refused(tmp_path: Path) -> None:
    """A body that dripped was waited for 10 s, a head 5 s."""
    with served() as server:
        rows = [flood.case(index, 0, tmp_path, server) for index in range(5)]
    assert [fault for row in rows for fault in row["faults"]] == []
    assert [row["status"] for row in rows] == [413, 413, 408, 0, 429]


@pytest.mark.parametrize(("name", "hangs"), [("an hour back", False), ("ten years on", True), ("frozen", False)])
def test_the_wall_clock_moves_no_deadline_and_no_order(name: str, hangs: bool, tmp_path: Path) -> None:
    row = clocks.case(clocks.cases().index(name) + len(clocks.cases()) * hangs, 3, tmp_path)
    assert row["faults"] == [] and row["hangs"] is hangs


def test_a_run_that_was_suspended_in_motion_does_not_go_on_by_itself(tmp_path: Path) -> None:
    row = clocks.case(clocks.cases().index("run"), 0, tmp_path, suspend_s=1.0)
    assert row["faults"] == [] and row["outcome"] == "success"


def test_servers_that_were_started_and_stopped_leave_nothing() -> None:
    """FastAPI remembers the routes of every application; through them it kept each robot, its steps and its results."""
    assert starts.servers(4)["faults"] == []


def test_what_a_start_leaves_behind_is_found_out() -> None:
    """A stress that cannot fail shows nothing."""
    end, kept = threading.Event(), []

    def leaves(turn: int, folder: Path) -> None:
        threading.Thread(target=end.wait, daemon=True).start()
        kept.append((folder / f"{turn}").open("w"))

    faults = starts._grown(leaves, 10, 0)["faults"]
    end.set()
    for file in kept:
        file.close()
    assert [fault.split()[-1] for fault in faults] == ["handles", "threads"]


def test_an_action_that_lies_is_found_by_a_look(tmp_path: Path) -> None:
    robot = FaultyRobot(FakeRobot(), "no-effect", Random(0), share=1.0)
    model = ScriptedModel([json.dumps(POLICY)], repeat=True)
    outcome = Run(tmp_path / "run", Spec(Instruction.of(POLICY["goal"])), robot, model).go()
    events = read_events(tmp_path / "run", blobs=False)
    found = [event.data["detail"] for event in events if event.kind == "trigger"]
    assert robot.wrong and outcome.outcome == "failure"
    assert found[0] == f"the {POLICY['subtasks'][0]['steps'][0]['object']} was lost from the gripper"


def test_a_lie_that_nobody_found_is_counted() -> None:
    lie = {"do": "place", "found": False, "named": False}
    told = tell([{"actions": 3, "lies": [lie], "verdict": False}, {"actions": 2, "lies": [lie], "verdict": True}])
    assert (told["lies"], told["without_effect"], told["share_found"], told["not_found"]) == (2, 1, 0.0, ["place"])
    assert told["faults"] == ["0.0% of the lies were found, 95 % are wanted"]


def test_a_stress_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """A summary of a few cases was taken for the whole, and rows were measured anew."""
    made: list[int] = []

    def case(index: int) -> dict[str, Any]:
        made.append(index)
        return {"index": index}

    kept_rows(2, tmp_path, case)
    with (tmp_path / "rows.jsonl").open("a") as file:
        file.write('{"index": 2')  # cut short by a kill
    assert [row["index"] for row in kept_rows(4, tmp_path, case)] == [0, 1, 2, 3]
    assert made == [0, 1, 2, 3]


def test_one_in_a_thousand_is_told_of_a_thousand_cases_only() -> None:
    """A page gave "99.9 %" of 235 cases."""
    assert "p99.9" not in quantiles([1.0] * 999) and "p99.9" in quantiles([1.0] * 1000)
    rare, few = (SOAK["Quantiles"]({"p50": 1, **more, "max": 9}) for more in ({"p99.9": 8}, {}))
    assert f"{few:ms}" == "1 ms (median), 9 ms (most)" and f"{rare:ms}" == "1 ms (median), 8 ms (99.9 %), 9 ms (most)"


def test_a_row_of_too_few_cases_is_not_done(tmp_path: Path) -> None:
    """A summary.json counted as done, however few its cases."""
    (tmp_path / "storms").mkdir()
    told = {"n": 3, "said": 1, "refused": 0, "policies": 1, "seconds": {}, "faults": []}
    (tmp_path / "storms" / "summary.json").write_text(json.dumps({"storms": told}))
    assert SOAK["figures"]("storms", tmp_path)["n"] == 3 < SOAK["ROWS"]["storms"].n
    assert SOAK["figures"]("late", tmp_path)["n"] == 0


@pytest.mark.parametrize(
    ("of_four", "said"),
    [
        ([{"case": 0, "robot_s": 1.0}, {"case": 1, "robot_s": 2.5}], "4 workers: case 1 differs: robot_s 2.0, 2.5"),
        ([{"case": 0, "robot_s": 1.0}], "4 workers: 1 rows, not 2"),
    ],
)
def test_workers_that_differ_and_a_worker_that_was_not_killed_are_found_out(
    of_four: list[dict[str, Any]], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stress that cannot fail shows nothing."""
    rows = [{"case": 0, "robot_s": 1.0}, {"case": 1, "robot_s": 2.0}]
    monkeypatch.setattr(workers, "measured", lambda out, suite, n, seed, count: of_four if count == 4 else rows)
    told = workers.compare(2, 0)
    assert told["faults"] == [said, "no worker was killed in the middle of the suite"]
