"""P6: episodes an hour of a suite with two workers, against the plain sequential loop."""

import shutil
from collections.abc import Callable
from functools import partial
from typing import Any

from vlp.core.timing import in_turns
from vlp.core.workers import in_processes
from vlp.evaluation.runner import run_case, run_suite
from vlp.evaluation.speed.rows import Effort, Measured
from vlp.evaluation.suites import Options, Row


def episodes_an_hour(effort: Effort) -> list[Measured]:
    """Measure eight static episodes with the model, from nothing to their rows: processes and models started included."""
    return [two_workers(effort, "static", Options(effort.base, split="validation"), 8)]


def two_workers(effort: Effort, suite: str, options: Options, n: int) -> Measured:
    """Return how many times as many cases an hour a suite runs with two workers as one process that runs them in turn."""
    folder, given = effort.folder / "episodes", list[Row]()

    def fresh(arm: Callable[[], list[Row]]) -> Callable[[], list[Row]]:
        def run() -> list[Row]:
            shutil.rmtree(folder, ignore_errors=True)
            given[:] = [_timeless(row) for row in sorted(arm(), key=lambda row: row["case"])]
            return given.copy()

        return run

    def loop() -> list[Row]:
        case = partial(run_case, suite, options=options, folder=folder)
        return [row for _, rows in in_processes(case, range(n), 1) for row in rows or ()]

    def workers() -> list[Row]:
        rows: list[Row] = []
        run_suite(
            suite, n, 0, 2, folder, options.model, grounder=options.grounder, split=options.split,
            progress=lambda done, cases, fresh: rows.extend(fresh),
        )  # fmt: skip
        return rows

    timed = in_turns(
        {"loop": fresh(loop), "workers": fresh(workers)}, effort.repeats, warm=0, progress=effort.counting("turns")
    )
    hourly = {name: 3600 * n / timed.median_s(name) for name in ("loop", "workers")}
    return Measured(
        "P6", f"episodes an hour, {options.model}, two workers against a plain loop", timed.ratio("loop", "workers"),
        f"one process that runs {n} cases of the suite {suite!r} one after the other, and `vlp bench run {suite} --workers 2`, "
        f"both from nothing: {hourly['loop']:.0f} and {hourly['workers']:.0f} an hour. Same rows. Two cores give twice.",
        at_least=6.0, more={"seconds": timed.seconds, "rows": given},
    )  # fmt: skip


def _timeless(row: Row) -> dict[str, Any]:
    """Return a row without seconds of the wall clock and without where its files are."""
    return {name: value for name, value in row.items() if name not in ("wall_s", "case_s", "run")}
