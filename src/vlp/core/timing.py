"""Two ways to do one thing, timed in turns, so that what else the machine does falls on both."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Clock = Callable[[], float]


@dataclass(frozen=True)
class Interval:
    """A median, or the quantile that its row names, with its 95 % interval."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float], share: float = 0.5, resamples: int = 2000) -> "Interval":
        """Return a quantile of some values, and the interval that a bootstrap over them gives.

        Args:
            values: at least one.
            share: of them that is below; 0.5 for the median.
            resamples: of the bootstrap.
        """
        drawn = np.random.default_rng(0).choice(values, (resamples, len(values)))
        low, high = np.quantile(np.quantile(drawn, share, axis=1), (0.025, 0.975))
        return cls(float(np.quantile(values, share)), float(low), float(high))

    def __str__(self) -> str:
        # One value, or the same every time: an interval around it would be none.
        return f"{self.median:.3g}" + ("" if self.low == self.high else f" ({self.low:.3g} to {self.high:.3g})")


@dataclass(frozen=True)
class Timed:
    """Seconds of each arm, turn by turn."""

    seconds: dict[str, list[float]]

    def median_s(self, arm: str) -> float:
        """Return the median of an arm."""
        return statistics.median(self.seconds[arm])

    def ratio(self, over: str, under: str) -> Interval:
        """Return one arm's seconds over another's, turn by turn: how many times as fast `under` is as `over`."""
        return Interval.of([a / b for a, b in zip(self.seconds[over], self.seconds[under], strict=True)])


class NotTheSame(AssertionError):
    """Two arms of a comparison gave different outputs, so that their times say nothing."""


def in_turns(
    arms: Mapping[str, Callable[[], Any]], repeats: int, clock: Clock = time.perf_counter, warm: int = 1, same: bool = True,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Timed:  # fmt: skip
    """Time some ways to do one thing, each once in every turn; the order changes from turn to turn.

    Args:
        arms: each returns its output.
        repeats: turns that count.
        clock: seconds; `time.process_time` for work of this process alone.
        warm: turns before them.
        same: whether the outputs of a turn must be equal.
        progress: told after each turn how many are done, of how many.

    Raises:
        NotTheSame: they are not.
    """
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    for turn in range(warm + repeats):
        outputs: dict[str, Any] = {}
        for name in list(arms) if turn % 2 else reversed(list(arms)):
            began = clock()
            outputs[name] = arms[name]()
            taken_s = clock() - began
            if turn >= warm:
                seconds[name].append(taken_s)
        first = next(iter(outputs.values()))
        if same and any(output != first for output in outputs.values()):
            raise NotTheSame(f"turn {turn}: {', '.join(f'{name} gave {str(one)[:80]!r}' for name, one in outputs.items())}")
        progress(turn + 1, warm + repeats)
    return Timed(seconds)
