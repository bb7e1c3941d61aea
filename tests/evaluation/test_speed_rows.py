import json
from pathlib import Path

import pytest

from vlp.core.errors import UsageError
from vlp.evaluation.speed import rows
from vlp.evaluation.speed.rows import Effort, Measured, measure
from vlp.evaluation.speed.turns import Interval, NotTheSame, in_turns


def test_arms_are_timed_in_turns_and_their_ratio_is_taken_turn_by_turn() -> None:
    order, now = list[str](), [0.0]

    def arm(name: str, seconds: float) -> str:
        order.append(name)
        now[0] += seconds
        return "the same"

    timed = in_turns({"plain": lambda: arm("plain", 8.0), "ours": lambda: arm("ours", 2.0)}, 4, lambda: now[0])
    assert order[:4] == ["ours", "plain", "plain", "ours"]
    assert timed.seconds == {"plain": [8.0] * 4, "ours": [2.0] * 4}
    assert timed.ratio("plain", "ours") == Interval(4.0, 4.0, 4.0)


def test_times_of_different_outputs_are_refused() -> None:
    with pytest.raises(NotTheSame, match="plain gave '1'"):
        in_turns({"plain": lambda: 1, "ours": lambda: 2}, 3)


def test_rows_measured_before_stay_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def one(asked: Effort) -> list[Measured]:
        return [Measured("P9", "a thing", Interval(9.0, 8.5, 9.5), "This against that.", at_least=8)]

    def other(asked: Effort) -> list[Measured]:
        return [Measured("P10", "passes", Interval(0.3, 0.2, 0.4), "Counted.", at_most=0.2, unit="a token")]

    monkeypatch.setattr(rows, "ROWS", {"P9": "test:one", "P10": "test:other"})
    found = type("module", (), {"one": staticmethod(one), "other": staticmethod(other)})
    monkeypatch.setattr(rows.importlib, "import_module", lambda name: found)
    for name in ("P10", "P9"):
        measure([name], Effort(3, "nano", tmp_path))
    page = (tmp_path / "speed.md").read_text()
    assert "| P9 | a thing | at least 8 | 9 (8.5 to 9.5) times | reached |" in page
    assert "| P10 | passes | at most 0.2 | 0.3 (0.2 to 0.4) a token | **missed** |" in page
    assert [row["row"] for row in json.loads((tmp_path / "speed.json").read_text())["rows"]] == ["P9", "P10"]
    with pytest.raises(UsageError, match="unknown row 'C'"):
        measure(["C"], Effort(3, "nano", tmp_path))


@pytest.mark.slow
def test_a_suite_on_ray_gives_the_rows_of_processes_also_with_a_worker_killed(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'vlp[ray]'")
    from vlp.evaluation.speed.scaling import scaled_out

    [found] = scaled_out(Effort(1, "nano", tmp_path), cases_a_turn=4)
    assert found.reached and found.value.median == 0 and found.more["killed"] == 1
    assert found.more["rows"] > 4 and set(found.more["differ"]) == {"on Ray", "with a worker killed"}


def test_no_turns_and_a_file_of_something_else_are_refused(tmp_path: Path) -> None:
    """Against: a traceback of the median of nothing, and of somebody else's speed.json."""
    with pytest.raises(UsageError, match="0 turns"):
        measure(["P4"], Effort(0, "nano", tmp_path))
    for text in ("{", "[]", '{"rows": [{"row": "P4"}]}'):
        (tmp_path / "speed.json").write_text(text)
        with pytest.raises(UsageError, match="no rows of this command"):
            measure(["P4"], Effort(1, "nano", tmp_path))
        assert (tmp_path / "speed.json").read_text() == text
