"""Whoever saves is killed at each file operation, and finds the disk full at each page: the state before is whole."""

import json
import shutil
from pathlib import Path

import pytest

from vlp.core.errors import MissingComponent, UsageError
from vlp.evaluation.stress import saving
from vlp.evaluation.stress.saved import SAVED, Saved
from vlp.training.curve import add_row

pytestmark = pytest.mark.long


def test_what_was_there_is_whole_after_a_kill_and_on_a_full_disk() -> None:
    """Against: rows of a suite lost to a kill while it was resumed, half a question.json that no later run could read, and a
    traceback over a full disk."""
    try:
        told = saving.on_small_disk(90, 0, ("file", "rows"))
    except UsageError as error:
        pytest.skip(str(error))  # a system that lets nobody mount a file system of his own
    assert told["faults"] == []
    for case in ("file: kill: killed", "file: full: refused", "rows: kill: killed", "rows: full: refused"):
        assert told["counts"][case] >= 3


@pytest.mark.parametrize("kind", ["curve", "samples"])
def test_what_was_there_is_whole_after_a_kill(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("torch" if kind == "curve" else "numpy")
    saved = SAVED[kind]()
    assert _faults(saved, tmp_path) == []


def test_the_stress_finds_a_file_that_is_written_in_place(tmp_path: Path) -> None:
    def write(text: str):
        return lambda folder: (folder / "x").write_text(text)

    assert _faults(Saved(write("old"), write("newer"), lambda folder: (folder / "x").read_text()), tmp_path)


def _faults(saved: Saved, folder: Path) -> list[str]:
    start, case = folder / "start", folder / "case"
    start.mkdir()
    saved.before(start)
    shutil.copytree(start, case)
    saved.save(case)
    old, new, found = saved.read(start), saved.read(case), list[str]()
    for nth in range(1, saving._operations(saved, start, case) + 1):
        saving._fresh(start, case)
        word, text = saving._saved(saved, case, nth)
        assert word == "killed"
        found.append(saving._fault(saved, case, word, text, old, new, False))
    assert found
    return [fault for fault in found if fault]


def test_a_row_of_a_curve_that_does_not_fit_is_told(tmp_path: Path) -> None:
    """Against: a traceback when the disk filled up between two checkpoints of a training."""
    with pytest.raises(MissingComponent, match="cannot write"):
        add_row(tmp_path / "gone" / "curve.jsonl", json.loads('{"step": 1}'))
