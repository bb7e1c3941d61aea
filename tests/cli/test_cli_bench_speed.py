"""`vlp bench speed` with a row that measures nothing: what it prints where, and what it refuses before it measures."""

from typing import Any

import pytest

import vlp.cli.bench  # noqa: F401 - its help is made of the rows as they are
from vlp.core.timing import Interval
from vlp.evaluation.speed import rows
from vlp.evaluation.speed.rows import ROWS, Effort, Measured, SpeedRow


def test_rows_are_told_on_standard_output_and_progress_on_standard_error(vlp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against: twelve minutes without a word, "3.11 (3.11 to 3.11) times", and "(0.02 to 0.1) ; wanted"."""

    def measured(effort: Effort) -> list[Measured]:
        for n in range(98):
            effort.counting("episodes recorded")(n + 1, 98)
        return [
            Measured("P2", "one", Interval(3.114, 3.114, 3.114), ""),
            Measured("P2", "bare", Interval(0.05, 0.02, 0.1), "", at_most=0.2, unit=""),
        ]

    monkeypatch.setitem(rows.ROWS, "P2", SpeedRow("test:measured", "passes", 12))
    monkeypatch.setattr(rows, "import_module", lambda name: type("module", (), {"measured": staticmethod(measured)}))
    told = vlp("bench", "speed", "p2", "--repeats", 1, "--out", "speed")
    assert told.status == 0
    assert told.out.splitlines()[:2] == ["P2 one: 3.11 times", "P2 bare: 0.05 (0.02 to 0.1); wanted at most 0.2"]
    assert told.err.splitlines() == ["P2: episodes recorded: 1 of 98", "P2: episodes recorded: 98 of 98"]


def test_help_lists_the_rows_and_a_folder_that_cannot_be_made_is_one_line(vlp: Any) -> None:
    """Against: "by default all" for a word that nobody knows, and a traceback for --out."""
    said = " ".join(vlp("bench", "speed", "--help").out.replace("│", " ").replace("|", " ").split())
    assert [name for name, row in ROWS.items() if f"{name}: {row.what} ({row.minutes} min)" not in said] == [], said
    vlp("bench", "speed", "P4", "--out", "/proc/foo").refused(2, "cannot write into '/proc/foo'", "--out")
    vlp("bench", "speed", "P99").refused(2, "unknown row 'P99'", "P1b: a re-plan in an episode")
