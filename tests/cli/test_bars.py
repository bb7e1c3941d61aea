"""Progress says how fast it goes and how long the rest will take."""

import pytest

from vlp.cli import bars


def test_rate_and_time_left_count_from_what_was_there_at_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command that went on at 90 of 100 would tell a rate of 90 cases in its first second."""
    now = [0.0]
    monkeypatch.setattr(bars.time, "monotonic", lambda: now[0])
    with bars.Bars() as shown:
        for done, at_s in ((90, 0.0), (91, 0.5), (92, 20.0), (100, 50.0)):
            now[0] = at_s
            shown.moved("cases", done, 100, "all good")
    assert capsys.readouterr().err.splitlines() == [
        "cases: 92 of 100, all good, 0.1 a second, 1:20 left",
        "cases: 100 of 100, all good, 0.2 a second",
    ]
