"""Wall clocks that jump or stand still, and processes that are suspended: deadlines, leases and order are as ever.

    python -m vlp.evaluation.stress.clocks --n 70 --out runs/clocks --suspend-s 30

Cases of clocks are runs over HTTP, robot and run in one process, whose wall clock is set at a random event. Suspended are the
run (SIGSTOP to SIGCONT), the robot's server, or both, in the middle of a step; then a person resets the robot and resumes.
"""

import argparse
import functools
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from vlp.core.messages import Instruction
from vlp.evaluation.stress.command import rows_command
from vlp.evaluation.stress.journal import POLICY
from vlp.evaluation.stress.kills import Lives, effects_of, settled
from vlp.evaluation.stress.late import OddRobot
from vlp.journal import Event, read_events
from vlp.models.scripted import ScriptedModel
from vlp.robot.client import RemoteRobot
from vlp.robot.serving import running_server
from vlp.robot.wire import Http
from vlp.runtime.body import Budget
from vlp.runtime.run import Run, Spec
from vlp.sim.fake.robot import FakeRobot


def jumps() -> dict[str, float | None]:
    """Return how far a clock is set, in seconds, by its name; None stops it."""
    hour_s, years_s = 3600.0, 3.2e8
    told = {"an hour on": hour_s, "an hour back": -hour_s, "ten years on": years_s, "ten years back": -years_s}
    return {**told, "frozen": None}


def cases() -> tuple[str, ...]:
    """Return what happens to runs: jumps, and who is suspended."""
    return (*jumps(), "run", "server")


class WallClock:
    """The time of day, as somebody sets it.

    Args:
        by_s: how far it is set at the event with this number; None stops it there.
        at: number of the event.
    """

    def __init__(self, by_s: float | None, at: int) -> None:
        self._by_s, self._at, self._events, self._real = by_s, at, 0, time.time
        self._frozen: float | None = None
        self._off_s = 0.0

    def on_event(self, event: Event) -> None:
        """Count events of the run, and be set at one of them."""
        self._events += 1
        if self._events == self._at:
            self._off_s, self._frozen = self._by_s or 0.0, None if self._by_s is not None else self._real()

    def __call__(self) -> float:
        """Return the seconds since the epoch."""
        return self._real() + self._off_s if self._frozen is None else self._frozen


def case(index: int, seed: int, out: Path, suspend_s: float = 1.5) -> dict[str, Any]:
    """Let a clock jump or suspend a process in one run, and return what was not as promised.

    Args:
        index: of the case; every second round of clocks has a step that never returns.
        seed: of the moments.
        out: unused; a case has a directory of its own, which is deleted.
        suspend_s: how long a process is suspended.
    """
    del out
    names = cases()
    name, turn, rng = names[index % len(names)], index // len(names), random.Random(f"{seed} {index}")
    with tempfile.TemporaryDirectory() as folder:
        if name not in jumps():
            row = _suspended(Path(folder), name, suspend_s)
        else:
            clock = WallClock(jumps()[name], rng.randint(1, 18))
            with mock.patch("time.time", clock):
                row = _jumped(Path(folder), clock, hangs=turn % 2 == 1, step=turn // 2 % 6)
    return {"what": name, **row}


def _jumped(folder: Path, clock: WallClock, hangs: bool, step: int) -> dict[str, Any]:
    """Run with a clock that jumps, and with a step that never returns or without one."""
    robot = OddRobot("never", step) if hangs else FakeRobot()
    with (
        running_server(robot, record=folder / "record.db", grace_s=OddRobot.grace_s) as at,
        RemoteRobot(at.url, at.token) as body,
    ):
        spec = Spec(Instruction.of(POLICY["goal"]), budget=Budget(step_grace_s=OddRobot.grace_s))
        run = Run(folder / "run", spec, body, ScriptedModel([json.dumps(POLICY)], repeat=True), subscribers=[clock])
        began = time.monotonic()
        outcome = run.go()
        took_s = time.monotonic() - began
        http = Http(at.url, at.token, 5.0)
        keys = [e.data["key"] for e in read_events(folder / "run", blobs=False) if e.kind == "step-started"]
        epochs = [http.call("GET", "/executions", params={"key": key})["epoch"] for key in keys]
        body.close()
        epochs.append(http.call("POST", "/lease", {"holder": "another", "ttl_s": 1.0})["epoch"])
        http.close()
        if isinstance(robot, OddRobot):
            robot.released.set()
    events = read_events(folder / "run", blobs=False)  # refused where order or chain are broken
    faults = [] if [e.seq for e in events] == list(range(1, len(events) + 1)) else ["events are out of order"]
    faults += ["an epoch came again"] if epochs[-1] <= max(epochs[:-1]) or epochs[:-1] != sorted(epochs[:-1]) else []
    if hangs:
        faults += [] if outcome.outcome in ("timeout", "stopped") else [f"a hang ended with {outcome.outcome}"]
        faults += [] if OddRobot.limit_s + OddRobot.grace_s - 0.05 < took_s < 20.0 else [f"a hang ended after {took_s:.1f} s"]
    else:
        wanted = [step["do"] for step in POLICY["subtasks"][0]["steps"]]
        done = [e.data["do"] for e in events if e.kind == "step-finished" and e.data["status"] == "succeeded"]
        faults += [] if outcome.outcome == "success" and done == wanted else [f"{outcome.outcome}, {outcome.reason}: {done}"]
    return {"hangs": hangs, "outcome": outcome.outcome, "seconds": round(took_s, 3), "faults": faults}


def _suspended(folder: Path, who: str, seconds: float) -> dict[str, Any]:
    """Suspend the run or the robot's server in the middle of a step; then reset the robot, and resume."""
    lives, faults, log = Lives(), list[str](), folder / "effects.jsonl"
    with lives.served(folder, ("slow", 1)) as at:
        first = lives.begin(folder, at, None)
        http = Http(at.url, at.token, 5.0)
        if not _until(lambda: _steps(log) == 1 and http.call("GET", "/health")["busy"] and _lasts(http)):
            faults.append("no step came to be under way")
        pid = first.pid if who == "run" else lives.server_pid
        os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        if who == "run" and not http.call("GET", "/health")["stopped"]:
            faults.append("the robot was not stopped")
        before = _steps(log)
        os.kill(pid, signal.SIGCONT)
        ended = lives.end(first)
        health = http.call("GET", "/health")
        if not health["stopped"] and not _until(lambda: http.call("GET", "/health")["stopped"]):
            faults.append("the robot was not latched afterwards")
        if _steps(log) > before + 1:  # the step under way may end
            faults.append("the robot went on by itself")
        settled(folder, at)
        lives.run(folder, at, None)
        end = read_events(folder / "run", blobs=False)[-1].data
        if end.get("error") in ("Hold", "Unsettled"):
            lives.run(folder, at, None, True)
            end = read_events(folder / "run", blobs=False)[-1].data
        http.close()
    keys = [effect["key"] for effect in effects_of(log)]
    faults += [f"{key} acted twice" for key in keys if keys.count(key) > 1]
    faults += [] if end.get("verdict") is True else [f"the resumed run ended {end}"]
    return {"hangs": False, "outcome": end.get("outcome"), "status": ended, "seconds": seconds, "faults": faults}


def _lasts(http: Http) -> bool:
    """Return whether what is under way goes on: a look of the run at a step boundary is over by then."""
    changed = http.call("GET", "/health")["busy"]
    time.sleep(0.3)
    return changed and http.call("GET", "/health")["busy"]


def _steps(log: Path) -> int:
    return sum(".look." not in effect["key"] for effect in effects_of(log))


def _until(wanted: Callable[[], bool]) -> bool:
    """Wait for something, 20 s at most, and return whether it came."""
    end_s = time.monotonic() + 20.0
    while not (came := wanted()) and time.monotonic() < end_s:
        time.sleep(0.01)
    return came


def tell(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of rows."""
    hangs = [row["seconds"] for row in rows if row["hangs"]]
    counts = {what: sum(row["what"] == what for row in rows) for what in cases()}
    return {"injected": counts, "hangs": len(hangs), "longest_hang_s": max(hangs, default=None)}


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--suspend-s", type=float, default=30.0)
    options, sys.argv[1:] = parser.parse_known_args()
    return rows_command("clocks", __doc__, functools.partial(case, suspend_s=options.suspend_s), tell)


if __name__ == "__main__":
    sys.exit(main())
