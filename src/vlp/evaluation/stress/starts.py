"""Starts and stops without end in one process: memory, handles and threads stay as they are, and nobody is left behind.

    python -m vlp.evaluation.stress.starts servers --n 1000 --out runs/starts
    python -m vlp.evaluation.stress.starts runs --n 25 --out runs/starts-runs

A start of "servers" is a robot's server on a record, a client that moves the robot, and the end of both; every tenth is a whole
run. One of "runs" is an episode in simulation with the expert for a model.
"""

import gc
import json
import math
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vlp.core.messages import Instruction
from vlp.evaluation.stress.command import stress_command
from vlp.evaluation.stress.journal import POLICY
from vlp.models.scripted import ScriptedModel
from vlp.robot.client import RemoteRobot
from vlp.robot.protocol import Step
from vlp.robot.serving import running_server
from vlp.runtime.run import Run, Spec
from vlp.sim.fake.robot import FakeRobot


def _server(turn: int, folder: Path) -> None:
    with running_server(FakeRobot(), record=folder / f"{turn}.db") as at, RemoteRobot(at.url, at.token) as robot:
        if turn % 10:
            robot.execute(Step("home", {}, f"start-{turn}"))
            robot.stop()
        else:
            model = ScriptedModel([json.dumps(POLICY)])
            Run(folder / f"run-{turn}", Spec(Instruction.of(POLICY["goal"])), robot, model).go()


def _episode(turn: int, folder: Path) -> None:
    from vlp.episodes.cases import sample_episode
    from vlp.episodes.episode import System, run_episode

    run_episode(sample_episode(turn % 3), System(None, "oracle"), folder)  # the same few scenes: what grows is no scene


def servers(n: int, seed: int = 0) -> dict[str, Any]:
    """Start and stop n servers, and return what grew."""
    return _grown(_server, n, seed)


def runs(n: int, seed: int = 0) -> dict[str, Any]:
    """Run n episodes, and return what grew."""
    return _grown(_episode, n, seed)


def _grown(start: Callable[[int, Path], None], n: int, seed: int) -> dict[str, Any]:
    """Start n times; what grows after the first two fifths grows for ever."""
    samples: list[dict[str, float]] = []
    every, began = max(1, n // 50), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(n):
            start(turn, Path(folder))
            if turn % every == every - 1:
                gc.collect()
                samples.append({"start": turn + 1, "s": time.monotonic() - began, **_held()})
                print(json.dumps(samples[-1]), file=sys.stderr, flush=True)
    warm = samples[2 * len(samples) // 5 :]
    faults = []
    for what in ("handles", "threads", "children"):
        if (more := int(max(s[what] for s in warm[-3:]) - max(s[what] for s in warm[:3]))) > 0:
            faults.append(f"{more} more {what}")
    slope, error = _slope([s["start"] for s in warm], [s["mb"] for s in warm])
    if len(warm) >= 20 and 1000 * slope > 4 and slope > 4 * error:
        faults.append(f"{1000 * slope:.1f} kB more a start")
    hours = (warm[-1]["s"] - warm[0]["s"]) / 3600 / max(1.0, warm[-1]["start"] - warm[0]["start"])
    told = {"kb_per_start": [round(1000 * slope, 2), round(1000 * error, 2)], "seconds_per_start": round(3600 * hours, 3)}
    if hours:
        told["mb_per_hour"] = [round(slope / hours, 2), round(error / hours, 2)]
    return {"n": n, "seed": seed, **told, "first": warm[0], "last": warm[-1], "faults": faults}


def _held() -> dict[str, float]:
    """Return what this process holds: resident memory in MB, handles, threads, children."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    children = sum(len(task.read_text().split()) for task in Path("/proc/self/task").glob("*/children"))
    handles = len(os.listdir("/proc/self/fd"))
    mb = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return {"mb": round(mb, 2), "handles": handles, "threads": threading.active_count(), "children": children}


def _slope(xs: list[float], ys: list[float]) -> tuple[float, float]:
    """Return the slope of a line through points and its standard error."""
    n, x, y = len(xs), sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((a - x) ** 2 for a in xs)
    if n < 3 or not spread:
        return 0.0, math.inf
    slope = sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / spread
    left = sum((b - y - slope * (a - x)) ** 2 for a, b in zip(xs, ys, strict=True))
    return slope, math.sqrt(left / (n - 2) / spread)


if __name__ == "__main__":
    what = {"servers": servers, "runs": runs}[sys.argv.pop(1)] if sys.argv[1:2] in (["servers"], ["runs"]) else servers
    sys.exit(stress_command("starts", __doc__, what))
