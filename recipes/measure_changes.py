"""Measure what the parts of re-planning are worth: every kind of change, expert and oracle, whole and without each part.

    python recipes/measure_changes.py --minutes 60                # goes on where it stopped; below runs/replanning
    python recipes/measure_changes.py --tell                      # the table by kind of change, and replanning.png

Cases take turns over the scenes below and the kinds of change; each is run whole and without each part, one after the other, so
that whatever is there when time runs out tells about all of them. A run in which nothing of a part came into play is not
repeated without it. `--split validation` tries out changes; its rows go elsewhere.
"""

import argparse
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("MUJOCO_GL", "egl")

from vlp.core.workers import in_processes
from vlp.episodes.ablations import ablations
from vlp.evaluation import replanning
from vlp.evaluation.rows import append_rows, rows_in, whole_lines
from vlp.evaluation.runner import paired

SCENES = (("tabletop", "hsr"), ("home", "hsr"), ("home", "anymal"))


def main() -> None:
    """Measure what is not done yet, then tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=100, help="cases of each scene")
    parser.add_argument("--minutes", type=float, default=60.0, help="for all; a run that has begun is ended")
    parser.add_argument("--scenes", nargs="*", choices=[" ".join(scene) for scene in SCENES], help="only these")
    parser.add_argument("--split", choices=("test", "validation"), default="test")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/replanning"))
    parser.add_argument("--tell", action="store_true", help="only print the table and draw the picture")
    options = parser.parse_args()
    out = options.out / options.split
    out.mkdir(parents=True, exist_ok=True)
    file = out / "rows.jsonl"
    if not options.tell:
        chosen = [case for case in replanning.cases(SCENES, options.n) if case.scene in (options.scenes or [case.scene])]
        measure(chosen, options.split, out, options.workers, time.time() + 60 * options.minutes)
    rows = rows_in(file)
    if not rows:
        sys.exit(f"nothing is measured yet: {file} has no rows.")
    print(replanning.table(rows), "", *replanning.notes(rows), sep="\n")
    draw(rows, out / "replanning.png")


def measure(chosen: list[replanning.ChangeCase], split: str, out: Path, workers: int, end_s: float) -> None:
    """Run the cases that lack a row, and say now and then how far it has come."""
    file = out / "rows.jsonl"
    whole_lines(file)
    known = rows_in(file)
    todo = [number for number, case in enumerate(chosen) if replanning.missing(case, known)]
    call = partial(replanning.measure, todo=tuple(chosen), split=split, out=out, end_s=end_s)
    for number, alive in in_processes(partial(ran, call), todo, workers):
        case, rows = chosen[number], rows_in(file)
        if alive is None:
            append_rows(file, [replanning.died(case, without) for without in replanning.missing(case, rows)])
        if time.time() >= end_s:
            return
        done = sum(not replanning.missing(other, rows) for other in chosen)
        told = f"{done} of {len(chosen)} cases; {(end_s - time.time()) / 60:.0f} minutes left"
        print(f"{case.scene}, {case.kind}: {told}", file=sys.stderr, flush=True)


def ran(call: Any, number: int) -> bool:
    """Run a case; what came back of a process that died is None."""
    call(number)
    return True


def draw(rows: list[dict[str, Any]], picture: Path) -> None:
    """Draw by how much the whole system is ahead, and the share that is done by kind of change."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    named = replanning.groups(rows)
    parts = [without for without in ablations() if without]
    figure = Figure(figsize=(9, 1.6 + 0.26 * len(named)), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.6))
    for at, part in enumerate(parts):
        ahead, low, high = (100 * value for value in paired(*replanning.pairs(rows, part)))
        left.errorbar([ahead], [at], xerr=[[ahead - low], [high - ahead]], fmt="o", color="C0", capsize=3)
    left.axvline(0.0, color="0.6", linewidth=0.8)
    left.set(yticks=range(len(parts)), yticklabels=[f"without {part}" for part in parts], xlabel="points the whole is ahead")
    left.invert_yaxis()
    left.set_title("all kinds, 95 %", fontsize=9)
    arms = list(ablations())
    done = [[[bool(row["success"]) for row in some if row["without"] == arm] for arm in arms] for some in named.values()]
    shares = [[sum(cell) / len(cell) if cell else float("nan") for cell in line] for line in done]
    right.imshow(shares, cmap="Blues", vmin=0, vmax=1.6, aspect="auto")
    for y, line in enumerate(done):
        for x, cell in enumerate(line):
            right.text(x, y, f"{sum(cell)}/{len(cell)}" if cell else "", ha="center", va="center", fontsize=7)
    right.set(xticks=range(len(arms)), yticks=range(len(named)))
    right.set_xticklabels([f"without\n{arm}" if arm else "whole" for arm in arms], fontsize=7)
    right.set_yticklabels(list(named), fontsize=7)
    right.set_title("done", fontsize=9)
    figure.savefig(picture, dpi=120)


if __name__ == "__main__":
    main()
