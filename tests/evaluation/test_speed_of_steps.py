"""Rows P10 to P12: what is counted in them, not how long it takes."""

from collections import Counter
from pathlib import Path

import pytest

from vlp.evaluation.speed.rows import Effort
from vlp.evaluation.speed.starting import start
from vlp.evaluation.speed.stepping import harmless, of_calls, of_run, overhead, served
from vlp.evaluation.speed.stopping import stop
from vlp.journal import Journal, read_events
from vlp.robot.client import RemoteRobot
from vlp.robot.wire import Http


def test_a_step_is_one_request_one_durable_write_and_one_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against: a POST, two GETs and five fsyncs for each step, and an observation that no trigger needed."""
    asked, durable = Counter[str](), Counter[bool]()
    call, write, tidy = Http._called, Journal._write, Journal._checkpoint
    monkeypatch.setattr(
        Http, "_called", lambda self, method, path, *more: asked.update([path]) or call(self, method, path, *more)
    )
    monkeypatch.setattr(
        Journal, "_write", lambda self, rows, **how: durable.update([how["durable"]]) or write(self, rows, **how)
    )
    monkeypatch.setattr(Journal, "_checkpoint", lambda self: asked.update(["checkpoint"]) or tidy(self))
    with served(tmp_path / "robot") as address:
        places = list(RemoteRobot(address.url, address.token).describe().places)
        counted = list[tuple[Counter[str], Counter[bool]]]()
        for steps in (4, 14):
            asked.clear()
            durable.clear()
            of_run(tmp_path / f"{steps}", address, harmless(places, steps))
            counted.append((asked.copy(), durable.copy()))
    (few, written), (many, more_written) = counted
    assert many["/executions"] - few["/executions"] == 10
    assert many["checkpoint"] - few["checkpoint"] == 10, "the file alone lacks at most the step in flight"
    assert {path: n for path, n in (many - few).items() if path not in ("/executions", "/lease", "checkpoint")} == {}
    assert more_written[True] - written[True] == 10 and more_written[False] - written[False] == 10
    started = [e.data for e in read_events(tmp_path / "14") if e.kind == "step-started"]
    assert len({data["key"] for data in started}) == 14 and len({data["instance"] for data in started}) == 1


def test_both_arms_execute_the_same_steps(tmp_path: Path) -> None:
    with served(tmp_path / "robot") as address, RemoteRobot(address.url, address.token) as robot:
        steps = harmless(list(robot.describe().places), 3)
        assert len(of_calls("calls", address, steps)) == 2
        result = robot.result_of("calls.2")
        assert result is not None and result.status == "succeeded" and robot.result_of("calls.3") is None


def test_the_rows_of_steps(tmp_path: Path) -> None:
    ratio, over = overhead(Effort(1, "", tmp_path), steps=3)
    assert (ratio.row, ratio.unit, ratio.at_most) == ("P10", "times", 1.25) and ratio.value.median > 0
    assert (over.unit, over.at_most) == ("ms", 3.0) and set(ratio.more["median_ms"]) == {"run", "call", "sync"}


def test_the_row_of_stops_has_every_load_and_no_idle_machine(tmp_path: Path) -> None:
    (row,) = stop(Effort(1, "", tmp_path), trials_a_turn=3)
    assert (row.row, row.at_most, row.unit) == ("P11", 20.0, "ms")
    assert set(row.more) == {"n", "busy", "flooded", "frozen"} and row.more["n"] == 3
    assert row.compared.startswith("3 stops") and row.compared.endswith("`--repeats 667`."), (
        "how many there were, and how to make 2,000"
    )


def test_the_row_of_the_start_ends_with_the_first_motion(tmp_path: Path) -> None:
    (row,) = start(Effort(1, "nano", tmp_path))
    assert min(row.parts.values()) >= 0 and sum(row.parts.values()) == pytest.approx(row.value.median)
    events = read_events(tmp_path / "start", blobs=False)
    before = [event.data["do"] for event in events if event.kind == "step-started"]
    assert before[-1] != "locate" or len(before) > 1, "a look is no motion"
