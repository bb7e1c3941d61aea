"""Measure what re-planning, retries and verification make up for: an expert of which policies, looks or steps go wrong.

    python recipes/measure_disturbed.py --n 30 --minutes 60     # goes on where it stopped; below runs/disturbed
    python recipes/measure_disturbed.py --n 30 --tell           # the table, and disturbed.png

Static episodes at the table, expert and oracle; the same seeds for every system. Errors are drawn as the episode goes on, so
that systems that do more meet more of them.
"""

import argparse
import os
import sys
import time
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("MUJOCO_GL", "egl")

from vlp.core.workers import in_processes
from vlp.episodes.disturbed import Errors
from vlp.evaluation import disturbing
from vlp.evaluation.rows import append_rows, rows_in, whole_lines
from vlp.evaluation.runner import Rate

SHARES = (0.1, 0.2, 0.3)


def main() -> None:
    """Measure what is not done yet, then tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=30, help="episodes of each kind of error, share and system")
    parser.add_argument("--minutes", type=float, default=60.0, help="for all; a run that has begun is ended")
    parser.add_argument("--split", choices=("test", "validation"), default="test")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/disturbed"))
    parser.add_argument("--tell", action="store_true", help="only print the table and draw the picture")
    options = parser.parse_args()
    out = options.out / options.split
    out.mkdir(parents=True, exist_ok=True)
    file = out / "rows.jsonl"
    if not options.tell:
        measure(options.n, options.split, out, options.workers, time.time() + 60 * options.minutes)
    rows = rows_in(file)
    if not rows:
        sys.exit(f"nothing is measured yet: {file} has no rows.")
    print(*disturbing.table(rows), sep="\n")
    draw(rows, out / "disturbed.png")


def measure(n: int, split: str, out: Path, workers: int, end_s: float) -> None:
    """Run the episodes of which there is no row yet."""
    whole_lines(out / "rows.jsonl")
    todo = disturbing.cases(SHARES, n)
    numbers = disturbing.left(todo, rows_in(out / "rows.jsonl"))
    call = partial(disturbing.measure, todo=tuple(todo), split=split, out=out, end_s=end_s)
    for done, (number, alive) in enumerate(in_processes(partial(ran, call), numbers, workers), 1):
        if alive is None:
            append_rows(out / "rows.jsonl", [disturbing.died(todo[number])])
        if time.time() >= end_s:
            return
        case = todo[number]
        told = f"{done} of {len(numbers)}; {(end_s - time.time()) / 60:.0f} minutes left"
        print(f"{case.errors} {case.share:.0%}, {case.arm}: {told}", file=sys.stderr, flush=True)


def ran(call: Any, number: int) -> bool:
    """Run an episode; what came back of a process that died is None."""
    call(number)
    return True


def draw(rows: list[dict[str, Any]], picture: Path) -> None:
    """Draw the share of episodes that each system finishes over the share of what goes wrong, a plot for each kind of error."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    kinds = [known.name for known in fields(Errors)]
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, kind in zip(figure.subplots(1, len(kinds), sharey=True), kinds, strict=True):
        for k, arm in enumerate(disturbing.ways_on()):
            rates = [Rate.of(disturbing.some(rows, kind, share, arm)) for share in SHARES]
            at = [100 * share + 0.4 * (k - 2) for share in SHARES]
            middle = [100 * rate.rate for rate in rates]
            reach = [[100 * (rate.rate - rate.low) for rate in rates], [100 * (rate.high - rate.rate) for rate in rates]]
            axes.errorbar(at, middle, yerr=reach, marker="o", capsize=2, label=arm)
        axes.set(xlabel=f"wrong {kind}, %", xticks=[100 * share for share in SHARES], ylim=(0, 102))
    figure.axes[0].set_ylabel("episodes done, %")
    figure.axes[0].legend(fontsize=7, loc="lower left")
    figure.savefig(picture, dpi=120)


if __name__ == "__main__":
    main()
