import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from vlp.core.errors import MissingComponent, UsageError
from vlp.core.images import read_image
from vlp.core.timing import Interval, in_turns
from vlp.evaluation.speed import parts, rows
from vlp.evaluation.speed.figure import colour, draw
from vlp.evaluation.speed.recorded import recorded
from vlp.evaluation.speed.rows import ROWS, Effort, Measured, SpeedRow, measure, row_named
from vlp.models.protocol import Reply
from vlp.runtime.planner import Planner


def test_rows_measured_before_stay_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def one(asked: Effort) -> list[Measured]:
        return [Measured("P9", "a thing", Interval(9.0, 8.5, 9.5), "This against that.", at_least=8)]

    def other(asked: Effort) -> list[Measured]:
        return [Measured("P10", "passes", Interval(0.3, 0.2, 0.4), "Counted.", at_most=0.2, unit="a token")]

    table = {"P9": SpeedRow("test:one", "a thing", 1), "P10": SpeedRow("test:other", "passes", 1)}
    monkeypatch.setattr(rows, "ROWS", table)
    found = type("module", (), {"one": staticmethod(one), "other": staticmethod(other)})
    monkeypatch.setattr(rows, "import_module", lambda name: found)
    for name in ("P10", "P9"):
        measure([name], Effort(3, "nano", tmp_path))
    page = (tmp_path / "speed.md").read_text()
    assert "| P9 | a thing | at least 8 | 9 (8.5 to 9.5) times | reached |" in page
    assert "| P10 | passes | at most 0.2 | 0.3 (0.2 to 0.4) a token | **missed** |" in page
    assert [row["row"] for row in json.loads((tmp_path / "speed.json").read_text())["rows"]] == ["P9", "P10"]
    assert "](speed.png)" in page and (tmp_path / "speed.png").is_file()
    with pytest.raises(UsageError, match="unknown row 'C'"):
        measure(["C"], Effort(3, "nano", tmp_path))


@pytest.mark.long
def test_a_suite_on_ray_gives_the_rows_of_processes_also_with_a_worker_killed(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'vlp[ray]'")
    from vlp.evaluation.speed.scaling import scaled_out

    [found] = scaled_out(Effort(1, "nano", tmp_path), cases_a_turn=4)
    assert found.reached and found.value.median == 0 and found.more["killed"] == 1
    assert found.more["rows"] > 4 and set(found.more["differ"]) == {"on Ray", "with a worker killed"}


def test_no_turns_and_a_file_of_something_else_are_refused(tmp_path: Path) -> None:
    """Against: a traceback of the median of nothing, and of somebody else's speed.json, some after a row was measured."""
    with pytest.raises(UsageError, match="0 turns"):
        measure(["P4"], Effort(0, "nano", tmp_path))
    good = asdict(Measured("P4", "a thing", Interval(1.0, 0.9, 1.1), "This against that."))
    changes = [
        {"row": "Px"}, {"row": 5}, {"value": "fast"}, {"value": {"median": float("nan"), "low": 0.0, "high": 1.0}},
        {"value": {"median": 1.0, "low": 0.0, "high": float("inf")}}, {"value": {"median": 1.0, "low": 0.0, "high": 1e308}},
        {"parts": {"a": 0.0}}, {"parts": {"a": "b"}}, {"parts": []}, {"at_least": "8"}, {"what": "a\nb"}, {"other": 1},
    ]  # fmt: skip
    foreign = ["", "{", "[]", "[" * 100_000, '{"rows": {}}', '{"machine": "", "rows": {}}', '{"rows": [{"row": "P4"}]}']
    foreign += [json.dumps({"machine": "m", "rows": [good, good | change]}) for change in changes]
    for text in foreign:
        (tmp_path / "speed.json").write_text(text)
        with pytest.raises(UsageError, match="no rows of this command") as error:
            measure(["P4"], Effort(1, "no such model", tmp_path))
        assert len(str(error.value).splitlines()) == 1 and "--out" in str(error.value)
        assert (tmp_path / "speed.json").read_text() == text


def test_what_this_command_wrote_is_taken(tmp_path: Path) -> None:
    """Against: a check of speed.json that refuses its own rows."""
    rows_ = [
        Measured("P1b", "a re-plan", Interval(40.0, 30.0, 50.0), "As they happen.", unit="ms", parts={"a": 30, "rest": -1}),
        Measured("P2", "passes $ a {token", Interval(1.0, 1.0, 1.0), "Counted.", at_most=1, unit="", more={"a": {"b": [1]}}),
    ]
    (tmp_path / "speed.json").write_text(json.dumps({"machine": "m", "rows": [asdict(one) for one in rows_]}))
    assert measure([], Effort(1, "nano", tmp_path)) == rows_
    draw(rows_, tmp_path / "speed.png", "a dollar is no formula")


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    """Against: a traceback for --out /proc/foo, after the measurement."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "taken" / "speed.png").mkdir(parents=True)
    for folder in (Path("/proc/foo"), Path("/dev/null/x"), tmp_path / "file", tmp_path / "taken", tmp_path / ("x" * 300)):
        with pytest.raises(UsageError, match="--out"):
            measure(["P4"], Effort(1, "no such model", folder))
    measure([], Effort(1, "no such model", tmp_path / "new"))
    assert list((tmp_path / "new").iterdir()) == []


def test_rows_are_listed_and_found_in_small_letters() -> None:
    """Against: an error for `p2`, and one for an unknown row that lists names alone, P10 before P2."""
    assert row_named("p2") == "P2" and row_named("p1B") == "P1b"
    with pytest.raises(UsageError) as error:
        row_named("p2b")
    said = str(error.value)
    assert "Did you mean 'P2'?" in said and len(said.splitlines()) == 1
    listed = [said.index(f"{name}: {row.what} ({row.minutes} min)") for name, row in ROWS.items()]
    assert listed == sorted(listed) and list(ROWS)[:3] == ["P1", "P1b", "P2"]


def test_one_value_has_no_interval_and_no_unit_no_space() -> None:
    """Against: "3.11 (3.11 to 3.11) times", and a space behind a figure without a unit."""
    assert Measured("P1", "", Interval.of([3.114]), "").told == "3.11 times"
    bare = Measured("P2", "passes", Interval(0.05, 0.02, 0.1), "", at_most=0.2, unit="")
    assert bare.told == "0.05 (0.02 to 0.1)" and "| 0.05 (0.02 to 0.1) | reached |" in rows.page([bare])


def test_long_rows_tell_how_far_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against: twelve minutes without a word."""
    told = list[tuple[str, int, int]]()

    def slow(effort: Effort) -> list[Measured]:
        for n in range(2):  # as if they were recorded before
            (tmp_path / f"{n}.json").write_text("[]")
        model: Any = None
        assert list(recorded(model, 2, tmp_path, progress=effort.counting("episodes recorded"))) == []
        in_turns({"a": lambda: 1}, 1, progress=effort.counting("turns"))
        return []

    monkeypatch.setattr(rows, "ROWS", {"P2": SpeedRow("test:slow", "slow", 12)})
    monkeypatch.setattr(rows, "import_module", lambda name: type("module", (), {"slow": staticmethod(slow)}))
    measure(["P2"], Effort(1, "nano", tmp_path, lambda *one: told.append(one)))
    recording, turns = [("P2: episodes recorded", n, 2) for n in (1, 2)], [("P2: turns", n, 2) for n in (1, 2)]
    assert told == recording + turns


def test_the_picture_has_a_bar_for_each_row_in_the_colour_of_its_verdict(tmp_path: Path) -> None:
    rows_ = [
        Measured("P1", "more is better", Interval(9.0, 8.5, 9.5), "", at_least=8),
        Measured("P2", "less is better", Interval(0.3, 0.2, 0.4), "", at_most=0.2, unit=""),
        Measured("P13", "none differ", Interval(0.0, 0.0, 0.0), "", at_most=0, unit="rows differ"),
    ]
    draw(rows_, tmp_path / "speed.png", "three rows")
    seen = {tuple(colour) for colour in read_image(tmp_path / "speed.png").reshape(-1, 3).tolist()}
    for verdict, there in (("reached", True), ("missed", True), ("", False)):
        assert (tuple(bytes.fromhex(colour(verdict)[1:])) in seen) is there, verdict


def test_without_what_draws_nothing_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against: an hour of measurements, and then the error."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingComponent, match="view"):
        measure(["P1"], Effort(1, "no such model", tmp_path))


def test_where_the_time_goes_stands_below_the_table() -> None:
    page = rows.page(
        [Measured("P1b", "a re-plan", Interval(40.0, 30.0, 50.0), "As they happen.", unit="ms", parts={"a": 30, "b": 10})]
    )
    assert "| P1b | a re-plan |  | 40 (30 to 50) ms |  |" in page
    assert "| a | 30 | 75 % |\n| b | 10 | 25 % |" in page


def test_no_part_of_a_policy_counts_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against: the grammar's time given to the grammar and to the decoding that called it."""
    now_s = [0.0]
    monkeypatch.setattr(parts.time, "perf_counter", lambda: now_s[0])

    def wait(seconds: float) -> None:
        now_s[0] += seconds

    seams = parts.Seams()
    watch = parts.Watch(seams)
    grammar = watch.timed("", "grammar", lambda: wait(2.0))

    def reply() -> Reply:
        wait(5.0)
        grammar()
        return Reply("", {"prefill": 3.0})

    decode, journal = watch.timed("", "decode", reply), watch.timed("", "journal", lambda: wait(1.0))
    journal()  # before it begins
    watch.timed(seams.begin, "look", lambda: wait(4.0))()

    def plan() -> None:
        wait(0.5)  # in no part
        decode()
        journal()

    watch.timed(seams.end, "", plan)()
    journal()
    [(whole_s, seconds)] = watch.policies
    assert whole_s == 12.5
    assert seconds == {"look": 4.0, "grammar": 2.0, "prefill": 3.0, "decode": 2.0, "journal": 1.0, "": 0.5}


def test_the_functions_of_the_parts_exist_and_are_put_back() -> None:
    plain = Planner.plan
    with parts.watched(parts.Seams()):
        assert Planner.plan is not plain
    assert Planner.plan is plain
