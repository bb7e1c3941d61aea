"""Two ways timed in turns: the order, the ratio, and no times of what is not the same."""

import pytest

from vlp.core.timing import Interval, NotTheSame, in_turns


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
