"""Measure what follows a step that failed: a fixed plan, retries, a learned sequencer, each without and with new policies.

    python recipes/measure_sequencer.py --n 200 --out runs/sequencer        # about 25 minutes; goes on where it stopped
    python recipes/measure_sequencer.py --n 200 --out runs/sequencer --tell

The robot is a fake without a body whose actions fail at a stated rate (`vlp.sim.fake.unreliable`); loop, journal and checks are
the real ones. The same failures are drawn for every arm. The table is learned from 100 other episodes.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from vlp.evaluation.runner import wilson
from vlp.evaluation.sequencing import arms, episode, learned, sequencer_of
from vlp.runtime.sequencer import Learned

SHARES, ACTIONS = (0.1, 0.2, 0.3), (2, 4, 6, 8)


def main() -> None:
    """Measure what is not done yet, then tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=200, help="episodes of each arm, rate and number of actions")
    parser.add_argument("--out", type=Path, default=Path("runs/sequencer"))
    parser.add_argument("--tell", action="store_true", help="only print the table and draw the picture")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / "rows.jsonl"
    if not options.tell:
        measure(options.n, options.out, file)
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    print(table(rows))
    draw(rows, options.out / "sequencer.png")


def measure(n: int, out: Path, file: Path) -> None:
    """Run the episodes of which there is no row yet."""
    known = file.read_text().splitlines() if file.exists() else []
    done = {(r["arm"], r["share"], r["actions"], r["index"]) for r in map(json.loads, known)}
    scratch, kept = out / "run", out / "learned.json"
    shutil.rmtree(scratch, ignore_errors=True)
    if not kept.exists():
        learned(100, 0.3, 0, scratch).save(kept)
        shutil.rmtree(scratch)
    known_ways = Learned.load(kept)
    with file.open("a") as written:
        for index in range(n):
            for share in SHARES:
                for actions in ACTIONS:
                    for arm, (name, replans) in arms().items():
                        if (arm, share, actions, index) in done:
                            continue
                        way = sequencer_of(name, known_ways)
                        what = {"arm": arm, "share": share, "actions": actions, "index": index}
                        row, _ = episode(scratch, actions, share, way, replans, f"measure {index} {share} {actions}")
                        shutil.rmtree(scratch)
                        written.write(json.dumps({**what, **row}) + "\n")
                        written.flush()
            print(f"{index + 1} of {n}", file=sys.stderr, flush=True)


def table(rows: list[dict[str, Any]]) -> str:
    """Return how many were done, with new policies and time, at 8 actions, and beside the law of a fixed plan."""
    lines = ["| failing | actions | " + " | ".join(arms()) + " | (1 - p)^n |", "| --- " * (len(arms()) + 3) + "|"]
    for share in SHARES:
        for actions in ACTIONS:
            cells = [cell([r for r in rows if (r["arm"], r["share"], r["actions"]) == (arm, share, actions)]) for arm in arms()]
            lines.append(f"| {share:.0%} | {actions} | {' | '.join(cells)} | {(1 - share) ** actions:.0%} |")
    lines += ["", "| 8 actions, 30 % failing | policies | tries again | steps | seconds |", "| --- | --- | --- | --- | --- |"]
    for arm in arms():
        mine = [r for r in rows if (r["arm"], r["share"], r["actions"]) == (arm, SHARES[-1], ACTIONS[-1])]
        means = [sum(r[key] for r in mine) / max(len(mine), 1) for key in ("policies", "tries", "steps", "seconds")]
        lines.append(f"| {arm} | " + " | ".join(f"{mean:.2f}" for mean in means) + " |")
    return "\n".join(lines)


def cell(rows: list[dict[str, Any]]) -> str:
    """Return a rate with its 95 % interval."""
    done = sum(row["success"] for row in rows)
    low, high = wilson(done, len(rows))
    return f"{done} of {len(rows)} ({100 * low:.0f} to {100 * high:.0f} %)"


def draw(rows: list[dict[str, Any]], picture: Path) -> None:
    """Draw the shares by the number of actions, a panel for each rate of failures."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    panels: Any = figure.subplots(1, len(SHARES), sharey=True)
    for panel, share in zip(panels, SHARES, strict=True):
        for k, arm in enumerate(arms()):
            points = [[r["success"] for r in rows if (r["arm"], r["share"], r["actions"]) == (arm, share, n)] for n in ACTIONS]
            rates = [sum(p) / max(len(p), 1) for p in points]
            spans = [wilson(sum(p), len(p)) for p in points]
            low, high = ([abs(b - r) for b, r in zip(ends, rates, strict=True)] for ends in zip(*spans, strict=True))
            style = "--" if k < len(arms()) // 2 else "-"
            at = [n + 0.05 * (k - 2.5) for n in ACTIONS]
            panel.errorbar(at, rates, [low, high], label=arm, linestyle=style, marker="o", markersize=3, capsize=2)
        panel.plot(ACTIONS, [(1 - share) ** n for n in ACTIONS], color="0.6", linestyle=":", label="(1 - p)^n")
        panel.set(title=f"{share:.0%} of actions fail", xlabel="actions", xticks=ACTIONS, ylim=(0, 1.05))
        panel.grid(alpha=0.3)
    panels[0].set(ylabel="tasks done")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", fontsize=7)
    figure.savefig(picture, dpi=120)


if __name__ == "__main__":
    main()
