"""The row of episodes an hour: both arms give the same rows, and different rows are refused."""

import os
from pathlib import Path

os.environ.setdefault("MUJOCO_GL", "egl")

import pytest

from vlp.core.timing import NotTheSame
from vlp.evaluation.speed import episodes
from vlp.evaluation.speed.episodes import two_workers
from vlp.evaluation.speed.rows import Effort
from vlp.evaluation.suites import Options

UPPER = Options("expert", "oracle", "validation")


@pytest.mark.long
def test_two_workers_give_the_rows_of_a_plain_loop(tmp_path: Path) -> None:
    found = two_workers(Effort(1, "expert", tmp_path), "satisfied", UPPER, 3)
    assert found.row == "P6" and len(found.more["seconds"]["loop"]) == len(found.more["seconds"]["workers"]) == 1
    assert [row["case"] for row in found.more["rows"]] == [0, 1, 2] and all(row["success"] for row in found.more["rows"])


def test_rows_that_differ_are_no_comparison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"case": 0, "success": True, "steps": 4, "wall_s": 1.0}

    def suite(*args, progress, **options) -> None:
        progress(1, 1, [{**row, "steps": 5}])

    monkeypatch.setattr(episodes, "in_processes", lambda call, todo, workers: [(0, [row])])
    monkeypatch.setattr(episodes, "run_suite", suite)
    with pytest.raises(NotTheSame):
        two_workers(Effort(1, "expert", tmp_path), "satisfied", UPPER, 1)
