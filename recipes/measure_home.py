"""Measure what both bodies finish in the home with the expert and the oracle grounder: families, household commands, days.

    python recipes/measure_home.py --minutes 60                 # goes on where it stopped; below runs/home
    python recipes/measure_home.py --minutes 60 --only put lay --robots anymal
    python recipes/measure_home.py --tell                       # the table

It calls `vlp bench run`, a few cases of every row and body at a time, so that whatever is there when time runs out tells about
all of them. `--split validation` tries out changes; its rows go elsewhere.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vlp.evaluation.rows import rows_in
from vlp.evaluation.runner import Rate
from vlp.sim import EMBODIMENTS

ROWS = {
    **dict.fromkeys(("put", "put_away", "take_out", "hand", "pour", "lamp", "inspect", "find", "tidy"), ("upper", 50)),
    "lay": ("upper", 20),
    "guests": ("upper", 20),
    "household": ("household", 200),
    "household-day": ("household-day", 10),
}
"""By family, world or suite: the suite, and how many cases of each body are wanted; `guests` is `lay` for six."""
ROUNDS = (0.06, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
"""Which share of its cases every row has reached after each round."""


def folder(out: Path, split: str, name: str, robot: str) -> Path:
    """Return where the rows of a row and body lie."""
    return out / split / f"{name.replace(' ', '-')}-{robot}"


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Return what has been measured, each once."""
    return rows_in(path / "rows.jsonl")


def cases(name: str, rows: list[dict[str, Any]]) -> int:
    """Return how many cases rows are of; a day is one of ten commands."""
    return len(rows) // (10 if name == "household-day" else 1)


def planned(names: list[str], robots: list[str]) -> Iterator[tuple[str, str, int]]:
    """Yield row, body and number of cases, in the order in which they are run."""
    for share in ROUNDS:
        for name in names:
            for robot in robots:
                yield name, robot, max(1, round(share * ROWS[name][1]))


def measure(name: str, robot: str, n: int, out: Path, split: str, workers: int, end_s: float) -> None:
    """Run the first n cases of a row, those that there are not yet, for as long as there is time."""
    suite, _ = ROWS[name]
    path = folder(out, split, name, robot)
    command = [sys.executable, "-m", "vlp.cli.main", "bench", "run", suite, "--robot", robot, "--n", str(n), "--out", str(path)]
    command += ["--split", split, "--workers", str(workers)]
    world, family = ("guests", "lay") if name == "guests" else ("home", name)
    command += ["--world", world, "--family", family] if suite == "upper" else []
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        process.wait(max(1.0, end_s - time.monotonic()))
    except (subprocess.TimeoutExpired, KeyboardInterrupt) as why:
        os.killpg(process.pid, signal.SIGKILL)  # its workers too; the cases in progress are run again
        process.wait()
        if isinstance(why, KeyboardInterrupt):
            raise


def table(out: Path, split: str, robots: list[str]) -> str:
    """Return what was measured: how many are done, what failed first, and the greatest values in the physics."""
    lines = [
        "| what | body | done | base m/s | hand m/s | grip N | limits broken | person N | furniture N | failures |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in ROWS:
        for robot in robots:
            rows = rows_of(folder(out, split, name, robot))
            if not rows:
                lines.append(f"| {name} | {robot} | not run |  |  |  |  |  |  |  |")
                continue
            columns = ("base_speed_m_s", "hand_speed_m_s", "grip_force_n")
            most = [max((row.get(column, 0.0) for row in rows), default=0.0) for column in columns]
            person, furniture = (max(row.get(c, 0.0) for row in rows) for c in ("person_force_n", "furniture_force_n"))
            broken = sum(row.get("limit_breaches", 0) > 0 for row in rows)
            causes = [str(row.get("cause", ""))[:60] for row in rows if not row["success"]]
            told = "; ".join(sorted({c: causes.count(c) for c in causes}, key=causes.count, reverse=True)[:4])
            values = " | ".join(f"{value:.3g}" for value in most)
            lines.append(
                f"| {name} | {robot} | {Rate.of(rows)} | {values} | {broken} | {person:.0f} | {furniture:.0f} | {told} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Measure what is not done yet, or tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, help="for all rows together")
    parser.add_argument("--only", nargs="*", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--robots", nargs="*", choices=list(EMBODIMENTS), default=list(EMBODIMENTS))
    parser.add_argument("--split", choices=("test", "validation"), default="test")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/home"))
    parser.add_argument("--tell", action="store_true", help="print the table of what was measured")
    options = parser.parse_args()
    end_s = time.monotonic() + 60 * options.minutes
    for name, robot, n in planned(options.only, options.robots) if not options.tell else ():
        if time.monotonic() < end_s and cases(name, rows_of(folder(options.out, options.split, name, robot))) < n:
            measure(name, robot, n, options.out, options.split, options.workers, end_s)
            rows = rows_of(folder(options.out, options.split, name, robot))
            left_min = (end_s - time.monotonic()) / 60
            print(f"{name}, {robot}: {Rate.of(rows)}; {left_min:.0f} minutes left", file=sys.stderr, flush=True)
    print(table(options.out, options.split, options.robots))


if __name__ == "__main__":
    main()
