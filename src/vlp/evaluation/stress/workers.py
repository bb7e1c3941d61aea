"""Run one suite on 1, 2 and 4 workers, in another order, and with a worker killed: the rows are the same.

    python -m vlp.evaluation.stress.workers --n 12 --out runs/workers

The cases are whole episodes of a simulated robot, with the expert in the model's place. Only wall-clock times differ.
"""

import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vlp.evaluation.runner import run_suite
from vlp.evaluation.stress.command import stress_command

Rows = list[dict[str, Any]]


def compare(n: int, seed: int, suite: str = "upper") -> dict[str, Any]:
    """Run n cases of a suite in each way, and return counts and the rows that differ from those of one worker.

    Args:
        n: cases.
        seed: of the first case.
        suite: a row of `vlp.evaluation.suites.SUITES`.
    """
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        expected = measured(root / "1", suite, n, seed, 1)
        ways = {f"{workers} workers": measured(root / str(workers), suite, n, seed, workers) for workers in (2, 4)}
        half = n // 2  # the later cases first, as a resumed run may have them
        for first, count in ((seed + half, n - half), (seed, n)):
            ways["in another order"] = measured(root / "order", suite, count, first, 1)
        with _killing() as killed:
            ways["a worker killed"] = measured(root / "killed", suite, n, seed, 2)
    faults = [
        f"{way}: case {row.get('case')} differs: {_difference(row, other)}"
        for way, rows in ways.items()
        for row, other in zip(expected, rows, strict=False)  # how many there are is compared below
        if row != other
    ]
    faults += [f"{way}: {len(rows)} rows, not {len(expected)}" for way, rows in ways.items() if len(rows) != len(expected)]
    faults += [] if killed else ["no worker was killed in the middle of the suite"]
    return {"n": n * (len(ways) + 1), "seed": seed, "rows": len(expected), "killed": len(killed), "faults": faults}


def measured(out: Path, suite: str, n: int, seed: int, workers: int, **options: Any) -> Rows:
    """Run a suite and return its rows by case, without times of the wall clock and places on the disk.

    Args:
        out, suite, n, seed, workers, options: as `run_suite` takes them.
    """
    run_suite(suite, n, seed, workers, out, **options)
    rows = [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]
    apart = ("case_s", "wall_s", "pose_s", "ground_s", "total_s", "run")
    plain = [{key: value for key, value in row.items() if key not in apart} for row in rows]
    return sorted((row for row in plain if seed <= row["case"] < seed + n), key=lambda row: (row["case"], json.dumps(row)))


def _difference(row: dict[str, Any], other: dict[str, Any]) -> str:
    return "; ".join(
        f"{key} {row.get(key)!r}, {other.get(key)!r}" for key in {**row, **other} if row.get(key) != other.get(key)
    )


@contextmanager
def _killing() -> Iterator[list[int]]:
    """Kill one worker of this process once, in the middle of its work, while the context is open; yields whom."""
    killed, over = list[int](), threading.Event()

    def watch() -> None:
        while not over.wait(0.05) and not killed:
            workers = [pid for pid in _children() if b"spawn_main" in _command(pid)]
            busy = [pid for pid in workers if _cpu_s(pid) > 2.0]
            if busy:
                os.kill(busy[0], signal.SIGKILL)
                killed.append(busy[0])

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield killed
    finally:
        over.set()
        watching.join()


def _children() -> list[int]:
    return [int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _cpu_s(pid: int) -> float:
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(stress_command("workers", __doc__, compare))
