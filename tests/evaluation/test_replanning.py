"""Measuring re-planning with parts taken away: order of the cases, what is run, and what is told of it."""

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from vlp.episodes.ablations import ablations
from vlp.evaluation import replanning
from vlp.evaluation.replanning import ChangeCase, cases, groups, missing, notes, pairs, table, untouched
from vlp.evaluation.rows import rows_in, whole_lines
from vlp.evaluation.runner import paired, wilson
from vlp.sim import EMBODIMENTS, WORLDS
from vlp.sim.worlds.changes import change_kinds

SCENES = [(next(iter(WORLDS)), robot) for robot in EMBODIMENTS]


def row(without: str, success: bool, index: int = 0, **more: Any) -> dict[str, Any]:
    base = {"scene": "here it", "index": index, "event": "moved", "without": without, "success": success, "triggers": []}
    return {**base, "policies": 1, "stale_steps": 0, "steps_after": 3, "steps_needed": 2, **more}


def test_the_first_cases_tell_about_all_scenes_and_kinds() -> None:
    """Guards against kinds at the end of the list that are never reached when time runs out."""
    some = cases(SCENES, 40)
    assert len(some) == 80 and len({(case.robot, case.index) for case in some}) == 80
    kinds = len({case.kind for case in some})
    half = some[: kinds + 1]
    assert len({case.kind for case in half}) >= kinds - 1 and len({case.robot for case in half}) == len(SCENES)
    assert max(Counter((case.kind, case.robot) for case in some).values()) <= 40 // kinds + 1
    assert cases(SCENES, 3) == some[:6], "more cases keep those that there are"


def test_a_case_is_run_once_with_each_part_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def run_episode(episode: Any, system: Any, *rest: Any) -> dict[str, Any]:
        asked.append(system.without)
        return row("?", not system.without, triggers=["new-instruction", "target-moved"], policies=2)

    monkeypatch.setattr(replanning, "run_episode", run_episode)
    monkeypatch.setattr(replanning, "sample_episode", lambda *given, **options: None)
    todo = [ChangeCase(*SCENES[0], 0, "other-place")]
    replanning.measure(0, todo, "validation", tmp_path, time.time() - 1)
    assert asked == [], "there is no time left"
    replanning.measure(0, todo, "validation", tmp_path, time.time() + 99)
    assert asked == list(ablations()) == ["", "replan", "memory", "instructions", "state"]
    with (tmp_path / "rows.jsonl").open("a") as file:
        file.write('{"scene": "half a r')
    whole_lines(tmp_path / "rows.jsonl")
    replanning.measure(0, todo, "validation", tmp_path, time.time() + 99)
    rows = rows_in(tmp_path / "rows.jsonl")
    assert len(asked) == len(rows) == 5 and not missing(todo[0], rows)
    assert [r["without"] for r in rows] == asked and all(r["event"] == "other-place" for r in rows)


def test_a_program_fault_is_a_row_and_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*given: Any, **options: Any) -> None:
        raise ZeroDivisionError("by design")

    monkeypatch.setattr(replanning, "sample_episode", breaks)
    replanning.measure(0, [ChangeCase(*SCENES[0], 0, "moved")], "validation", tmp_path, time.time() + 99)
    rows = rows_in(tmp_path / "rows.jsonl")
    assert [(r["success"], r["fault"]) for r in rows] == [(False, True)] * 5 and "by design" in rows[0]["cause"]


@pytest.mark.parametrize(
    ("whole", "same"),
    [
        (row("", True), {"replan", "memory", "instructions", "state"}),
        (row("", True, triggers=["target-moved"], policies=2), {"instructions"}),
        (row("", True, event="other-place", triggers=["new-instruction"], policies=2), {"state"}),
        (row("", True, event="other-place"), {"memory", "instructions", "state"}),  # it ended before anything was said
        (row("", True, event="stopped"), set()),
        (row("", False, fault=True), set()),
    ],
)
def test_only_a_run_in_which_a_part_did_nothing_is_taken_for_the_one_without_it(whole: Any, same: set[str]) -> None:
    """Guards against rows that are copied where the missing part would have changed something."""
    assert {name for name, left in ablations().items() if name and untouched(whole, left)} == same


def test_the_table_compares_the_same_cases_alone() -> None:
    rows = [row("", True, i) for i in range(10)] + [row("memory", i < 4, i) for i in range(8)]
    rows += [row("", False, 10, event="shut"), row("state", True, 99)]
    assert pairs(rows, "memory") == ([True] * 8, [True] * 4 + [False] * 4)
    lines = table(rows).splitlines()
    moved = next(line for line in lines if line.startswith("| moved"))
    assert "| 10 of 10 | not run | 4 of 8: +50 (" in moved and moved.count("not run") == 3
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| moved", "| shut", "| here it", "| all"]
    assert list(groups(rows)) == ["moved", "shut", "here it", "all"] and set(change_kinds()) >= {"moved", "shut"}


def test_outdated_steps_and_needless_work_are_told() -> None:
    rows = [
        row("", True, 0),
        row("", True, 1, steps_after=2),
        row("", False, 2, steps_after=90),
        row("", True, 3, steps_needed=None),
    ]
    rows += [row("instructions", False, 0, stale_steps=4)]
    told = list(notes(rows))
    assert "whole: 4 runs" in told[0] and "; 0 steps of an old plan" in told[0] and "median: 1.25 (of 2 " in told[0]
    assert "; 4 steps of an old plan" in told[3] and "none was done" in told[3]


def test_the_paired_interval_is_newcombes() -> None:
    assert paired([], []) == (0.0, -1.0, 1.0)
    ahead, low, high = paired([True] * 10, [False] * 10)
    assert ahead == 1.0 and high == 1.0 and 0.4 < low < 1.0
    first, second = [True] * 60 + [False] * 40, [True] * 40 + [False] * 60
    close, apart = paired(first, second), paired(first, second[::-1])
    assert close[0] == pytest.approx(0.2) == pytest.approx(apart[0])
    assert close[2] - close[1] < apart[2] - apart[1], "cases that go together tell more"
    back = paired(second, first)
    assert back == pytest.approx((-close[0], -close[2], -close[1]))
    # where nothing goes together it is the interval of two samples: Wilson's margins, squared and added
    mixed = [True, False] * 50
    half = [True, True, False, False] * 25
    (low_a, high_a), (low_b, high_b) = wilson(50, 100), wilson(50, 100)
    reach = ((0.5 - low_a) ** 2 + (high_b - 0.5) ** 2) ** 0.5
    assert paired(mixed, half) == pytest.approx((0.0, -reach, reach)) and (low_a, high_a) == (low_b, high_b)


def test_the_recipe_tells_and_draws(tmp_path: Path) -> None:
    import importlib.util

    file = Path(__file__).parents[2] / "recipes" / "measure_changes.py"
    spec = importlib.util.spec_from_file_location("measure_changes", file)
    assert spec is not None and spec.loader is not None
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    rows = [json.loads(json.dumps(row(without, not without, i))) for i in range(3) for without in ("", "memory")]
    recipe.draw(rows, tmp_path / "drawn.png")
    assert (tmp_path / "drawn.png").stat().st_size > 5000
    assert all(world in WORLDS and robot in EMBODIMENTS for world, robot in recipe.SCENES)
