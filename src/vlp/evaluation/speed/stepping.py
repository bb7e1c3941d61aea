"""What a step costs beyond the robot's own HTTP call: a run over loopback against the same calls alone."""

import contextlib
import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from vlp.core.errors import MissingComponent
from vlp.core.messages import Instruction, counted
from vlp.core.timing import Interval
from vlp.evaluation.speed.rows import Effort, Measured
from vlp.journal import Event
from vlp.models.scripted import ScriptedModel
from vlp.robot.access import Access
from vlp.robot.client import RemoteRobot
from vlp.robot.serving import Address, new_token, running_server
from vlp.runtime.run import Run, Spec


def overhead(effort: Effort, steps: int = 100) -> list[Measured]:
    """Row P10: seconds per executed step of a run, over those of a bare HTTP call that executes the same step.

    Args:
        effort: `repeats` runs, and as many times the calls alone, in turns.
        steps: of each, at most 120; the first of them begins the clock.
    """
    out = effort.folder / "steps"
    taken: dict[str, list[list[float]]] = {"run": [], "call": [], "sync": []}
    with served(out) as address, contextlib.closing(RemoteRobot(address.url, address.token)) as robot:
        looks = harmless(list(robot.describe().places), steps)
        arms: dict[str, Callable[[int], list[float]]] = {
            "run": lambda turn: of_run(out / f"run-{turn}", address, looks),
            "call": lambda turn: of_calls(f"call-{turn}", address, looks),
            "sync": lambda turn: of_syncs(out / f"sync-{turn}", steps),
        }
        for turn in range(effort.repeats + 1):  # the first one warms up
            for name in arms if turn % 2 else reversed(arms):
                seconds = arms[name](turn)
                if turn:
                    taken[name].append(seconds)
    medians = {name: [float(np.median(one)) for one in runs] for name, runs in taken.items()}
    over_ms = [1e3 * (s - call) for run, call in zip(taken["run"], medians["call"], strict=True) for s in run]
    p99 = Interval.of(over_ms, 0.99)
    each_ms = {name: 1e3 * float(np.median(found)) for name, found in medians.items()}
    sync_p99 = 1e3 * float(np.quantile(np.concatenate(taken["sync"]), 0.99))
    compared = (
        f"{counted(effort.repeats, 'turn')} of {steps} steps that move nothing, with a scripted model and a robot over loopback"
        f" whose server records every key on disk; a step of the run, its start and end in a journal on the disk, takes"
        f" {each_ms['run']:.2f} ms, the same POST by httpx {each_ms['call']:.2f} ms; each step acted once in both. The journal"
        f" syncs four times a step; one sync of 4 kB more takes {each_ms['sync']:.2f} ms here, {sync_p99:.2f} ms at p99."
    )
    ratio = Interval.of([run / call for run, call in zip(medians["run"], medians["call"], strict=True)])
    more = {"median_ms": each_ms, "overhead_p50_ms": float(np.median(over_ms)), "sync_p99_ms": sync_p99}
    return [
        Measured("P10", "a step over its bare call", ratio, compared, at_most=1.25, more=more),
        Measured("P10", "overhead of a step, p99", p99, compared, at_most=3.0, unit="ms"),
    ]


def harmless(places: Sequence[str], steps: int) -> list[dict[str, Any]]:
    """Return steps that only turn a head, from place to place."""
    return [{"do": "look_at", "target": places[n % len(places)]} for n in range(steps)]


def of_run(out: Path, address: Address, steps: Sequence[dict[str, Any]]) -> list[float]:
    """Return the seconds from each step's end, on disk, to the next one's in a run."""
    model = ScriptedModel([json.dumps({"goal": "look", "subtasks": [{"name": "look", "steps": list(steps)}]})])
    ends = _Ends()
    robot = RemoteRobot(address.url, address.token)
    with contextlib.closing(robot):
        outcome = Run(out, Spec(Instruction("look around")), robot, model, subscribers=[ends]).go()
    if outcome.outcome != "success" or len(ends.at_s) != len(steps):
        raise MissingComponent(f"{len(ends.at_s)} of {len(steps)} steps were done: {outcome.account}.")
    return list(np.diff(ends.at_s))


def of_calls(tag: str, address: Address, steps: Sequence[dict[str, Any]]) -> list[float]:
    """Return the seconds of each of these steps as a bare POST, answered when it has ended, under a lease."""
    head = {"Authorization": f"Bearer {address.token}"}
    ends: list[float] = []
    with httpx.Client(base_url=address.url, headers=head, trust_env=False) as http:
        lease = http.post("/lease", json={"holder": tag, "ttl_s": 60.0}).json()
        for n, step in enumerate(steps):
            arguments = {name: value for name, value in step.items() if name != "do"}
            body = {"primitive": step["do"], "arguments": arguments, "key": f"{tag}.{n}", "epoch": lease["epoch"]}
            reply = http.post("/executions", json=body, params={"wait_s": 1.0}).json()
            while reply["state"] != "finished":
                reply = http.get(f"/executions/{reply['id']}", params={"wait_s": 1.0}).json()
            if reply["result"]["status"] != "succeeded":
                raise MissingComponent(f"a bare call failed: {reply}.")
            ends.append(time.perf_counter())
        http.post("/lease/release", json={"holder": tag, "epoch": lease["epoch"]})
    return list(np.diff(ends))


def of_syncs(file: Path, n: int) -> list[float]:
    """Return the seconds of each sync of a file that grows by 4 kB: the floor of whatever is to survive a power cut."""
    taken: list[float] = []
    with file.open("wb", buffering=0) as opened:
        for _ in range(n):
            began = time.perf_counter()
            opened.write(bytes(4096))
            os.fsync(opened.fileno())
            taken.append(time.perf_counter() - began)
    return taken


class _Ends:
    """Notes when each step had ended and stood on disk."""

    def __init__(self) -> None:
        self.at_s: list[float] = []

    def on_event(self, event: Event) -> None:
        if event.kind == "step-finished":
            self.at_s.append(time.perf_counter())


@contextlib.contextmanager
def served(folder: Path) -> Iterator[Address]:
    """Serve a robot without a body from another process, its record on disk, while the context is open."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    spawned = multiprocessing.get_context("spawn")
    here, there = spawned.Pipe()
    process = spawned.Process(target=_serve, args=(there, folder / "robot.db"), daemon=True)
    process.start()
    try:
        if not here.poll(60.0):
            raise MissingComponent("the robot's server did not start.")
        yield Address(*here.recv())
    finally:
        here.send("done")
        process.join(10.0)
        process.kill()


def _serve(told: Connection, record: Path) -> None:
    from vlp.sim.fake.robot import FakeRobot

    token = new_token()
    access = Access.of(token, token, rate_hz=1e6)  # nobody's limit is measured
    with running_server(FakeRobot(), token, record=record, access=access) as address:
        told.send((address.url, address.token))
        told.recv()
