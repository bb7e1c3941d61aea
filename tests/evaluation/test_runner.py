"""Suites resume where they stopped, count every case once and say what failed and why."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from vlp.core.errors import UsageError
from vlp.evaluation import runner
from vlp.evaluation.runner import Rate, _known_rows, run_suite, wilson
from vlp.evaluation.suites import SUITES, Options, Suite

CALLS: list[int] = []


def odd(index, options, out):
    """A suite for tests: odd cases succeed, case 4 breaks."""
    CALLS.append(index)
    if index == 4:
        raise ZeroDivisionError("by design")
    rows = [{"success": index % 2 == 1, "group": "low" if index < 3 else "high", "cause": "" if index % 2 else "even: so"}]
    return [*rows, {"success": True, "group": "beside", "main": False}]


@pytest.fixture(autouse=True)
def suite(monkeypatch):
    CALLS.clear()
    made = Suite("Odd numbers.", 6, f"{__name__}:odd", headline={}, groups=("group",), numbers=("case_s",))
    monkeypatch.setitem(SUITES, "odd", made)
    monkeypatch.setitem(SUITES, "headed", Suite("Main rows.", 6, f"{__name__}:odd", headline={"main": None}))


def test_rows_summary_and_page_are_written(tmp_path):
    seen = []
    summary = run_suite("odd", 6, 0, 1, tmp_path, progress=lambda done, n, rows: seen.append((done, n)))
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert {row["case"] for row in rows} == set(range(6)) and seen[0] == (0, 6) and seen[-1] == (6, 6)
    assert summary.causes == {"even": 2, "program fault": 1} and summary.faults == 1
    assert summary.rate.n == 11 and summary.rate.successes == 8
    assert summary.groups["group"]["low"].n == 3
    assert json.loads((tmp_path / "summary.json").read_text())["rate"]["n"] == 11
    page = (tmp_path / "report.html").read_text()
    assert "ZeroDivisionError: by design" in page and "even: so" in page


def test_only_the_headline_rows_make_the_rate(tmp_path):
    assert run_suite("headed", 4, 0, 1, tmp_path).rate.n == 4


def test_a_suite_goes_on_where_it_stopped_and_a_half_written_row_is_done_again(tmp_path):
    run_suite("odd", 3, 0, 1, tmp_path)
    file = tmp_path / "rows.jsonl"
    text = file.read_text()
    file.write_text(text[: text.rfind('{"case": 2')] + '{"case": 2, "succ')
    CALLS.clear()
    summary = run_suite("odd", 4, 0, 1, tmp_path)
    assert CALLS == [2, 3] and summary.rate.n == 8


def test_rows_of_another_question_are_not_mixed(tmp_path):
    run_suite("odd", 1, 0, 1, tmp_path)
    with pytest.raises(UsageError, match="another question: of --model 'nano', and --model 'other' is asked for"):
        run_suite("odd", 1, 0, 1, tmp_path, model="other")


@pytest.mark.parametrize(("was", "now", "said"), [
    ({}, {"change": "moved"}, "--change '', and --change 'moved' is"),
    ({"change": "moved"}, {}, "--change 'moved', and --change '' is"),
])  # fmt: skip
def test_rows_of_another_kind_of_change_are_told_by_its_name(tmp_path, was, now, said):
    """Against: the directory of another --change was said to hold another suite, model or grounder."""
    question = {"suite": "dynamic", **asdict(Options())}
    _known_rows(tmp_path, {**question, **was})
    with pytest.raises(UsageError, match=said):
        _known_rows(tmp_path, {**question, **now})
    assert _known_rows(tmp_path, {**question, **was}) == []


def test_bad_requests_are_usage_errors(tmp_path):
    with pytest.raises(UsageError, match="Did you mean 'static'"):
        run_suite("statik", 1, 0, 1, tmp_path)
    for n, seed, workers in ((0, 0, 1), (1, -1, 1), (1, 0, 0)):
        with pytest.raises(UsageError):
            run_suite("odd", n, seed, workers, tmp_path)


def test_a_case_that_kills_its_process_twice_is_a_named_fault(tmp_path, monkeypatch):
    """A dead worker ended the suite with the words "Run the same command again", and killed it again."""
    rows = {0: [{"case": 0, "of": 1, "success": True}], 1: None}
    monkeypatch.setattr(runner, "run_calls", lambda call, todo, workers, ray: ((i, rows[i]) for i in todo))
    summary = run_suite("odd", 2, 0, 2, tmp_path)
    assert (summary.rate.successes, summary.rate.n, summary.faults) == (1, 2, 1)
    assert summary.causes == {"case 1 killed its process twice": 1}
    assert "case 1 killed its process twice" in (tmp_path / "report.html").read_text()


def test_the_interval_is_wilsons():
    # Values from Brown, Cai and DasGupta's formula worked by hand for 8 of 10.
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0) and wilson(0, 50)[0] == 0.0 and wilson(50, 50)[1] > 0.999999
    assert str(Rate.of([{"success": True}] * 2)).startswith("100.0 % (2 of 2")


def test_every_suite_names_a_function_that_exists_and_a_sensible_number():
    import importlib

    for name, made in SUITES.items():
        module, _, function = made.run.partition(":")
        assert made.n > 0 and made.doc.endswith("."), name
        if not module.startswith("vlp.evaluation.planning"):  # a model is not needed to look
            assert callable(getattr(importlib.import_module(module), function)), name
    assert Options(**SUITES["upper"].fixed).model == "expert"
    assert Path(runner.__file__).name == "runner.py"


def test_a_kind_of_change_is_asked_for_where_something_changes(tmp_path):
    """Guards against an option that a suite takes and does not heed."""
    with pytest.raises(UsageError, match=r"'upper' nothing changes midway.*dynamic, upper-dynamic, changes"):
        run_suite("upper", 1, 0, 1, tmp_path, change="moved")
    with pytest.raises(UsageError, match=r"unknown kind of change in the home 'put-bak'.*put-back"):
        run_suite("changes", 1, 0, 1, tmp_path, world="home", change="put-bak")


def test_a_part_is_taken_away_where_something_changes(tmp_path):
    with pytest.raises(UsageError, match=r"'upper' nothing changes midway.*--without: dynamic, upper-dynamic, changes"):
        run_suite("upper", 1, 0, 1, tmp_path, without="memory")
    with pytest.raises(UsageError, match=r"unknown part of re-planning 'memori'.*memory"):
        run_suite("changes", 1, 0, 1, tmp_path, without="memori")


def test_the_second_run_of_a_change_lacks_the_part_that_was_named(tmp_path, monkeypatch):
    """Guards against a rate over both runs: the one without a part is there to be compared with."""
    from vlp.evaluation import tasks

    ran = []

    def run_episode(episode, system, out, *rest):
        ran.append((system.without, out.name))
        return {"success": not system.without}

    monkeypatch.setattr(tasks, "run_episode", run_episode)
    summary = run_suite("changes", 2, 0, 1, tmp_path, split="validation", without="memory")
    assert ran == [("", "whole"), ("memory", "without-memory")] * 2
    assert (summary.rate.successes, summary.rate.n) == (2, 2), "of the whole system alone"
    assert {without: rate.successes for without, rate in summary.groups["without"].items()} == {"memory": 0, "nothing": 2}


def test_only_seeds_that_are_never_trained_on_can_be_measured(tmp_path):
    with pytest.raises(UsageError, match="Did you mean 'validation'"):
        run_suite("odd", 1, 0, 1, tmp_path, split="validatoin")
    with pytest.raises(UsageError, match="draws no cases from a split"):
        run_suite("fuzz", 1, 0, 1, tmp_path, split="validation")
    with pytest.raises(UsageError, match="on this machine alone"):
        run_suite("fuzz", 1, 0, 1, tmp_path, ray="auto")
    with pytest.raises(UsageError, match="unknown split 'train'"):
        run_suite("odd", 1, 0, 1, tmp_path, split="train")
