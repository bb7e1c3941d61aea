"""Primitives that never return, return late, give the result of another step, or always fail: the run ends, and says why.

    python -m vlp.evaluation.stress.late --n 200 --out runs/late

The model is a script, the robot the fake one with short time limits, within the run or behind its HTTP server. A case puts one
fault on one step of the policy.
"""

import contextlib
import json
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

from vlp.core.messages import Instruction
from vlp.evaluation.stress.command import quantiles, rows_command
from vlp.evaluation.stress.journal import POLICY
from vlp.journal import Event, read_events
from vlp.models.scripted import ScriptedModel
from vlp.robot.client import RemoteRobot
from vlp.robot.protocol import Step, StepResult
from vlp.robot.serving import Address, running_server
from vlp.robot.wire import Http, Refusal
from vlp.runtime.body import Budget
from vlp.runtime.run import Run, Spec
from vlp.sim.fake.robot import FakeRobot, fake_manifest

Wrong = Literal["never", "late", "other", "fails"]


class OddRobot(FakeRobot):
    """A fake robot of which one step of the policy goes wrong; it is deaf to stops meanwhile.

    Args:
        fault: what goes wrong.
        at: number of the step.
    """

    limit_s = grace_s = 0.4
    """Time limit of its primitives, and what a run and a server grant beyond it."""

    def __init__(self, fault: Wrong, at: int) -> None:
        whole = fake_manifest()
        short = {name: replace(primitive, timeout_s=self.limit_s) for name, primitive in whole.primitives.items()}
        super().__init__(manifest=replace(whole, primitives=short))
        self.fault, self.at, self.number = fault, at, -1
        self.sent: list[str] = []
        self.released = threading.Event()
        self._before = StepResult("a-step-before", "succeeded")

    def execute(self, step: Step) -> StepResult:
        """Carry out a step, or not."""
        if ".look." in step.key:
            return super().execute(step)
        self.sent.append(step.key)
        self.number += 1
        wrong = self.number == self.at
        if wrong and self.fault in ("never", "late"):
            self.released.wait(60.0 if self.fault == "never" else self.limit_s + 2 * self.grace_s)
        if wrong and self.fault == "other":
            return self._before
        if self.number >= self.at and self.fault == "fails":
            return StepResult(step.key, "failed", code="slipped", message="it slipped.")
        self._before = super().execute(step)
        if wrong and self.fault == "late":  # the act is done, long after anybody waited
            self._before = replace(self._before, status="succeeded", code="", message="")
        return self._before


def case(index: int, seed: int, out: Path) -> dict[str, Any]:
    """Let one step go wrong in a run, and return what was not as promised.

    Args:
        index: of fault, step and whether the robot is served.
        seed, out: unused; every case is made by its number.
    """
    del seed, out
    fault, served = get_args(Wrong)[index % 4], index // 4 % 2 == 1
    turn = index // 8
    at_step = (1, 2, 4)[turn % 3] if fault == "late" else turn % 6  # late are actions: a perception may take longer
    robot = OddRobot(fault, at_step)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as until:
        at, body = None, robot
        if served:
            at = until.enter_context(running_server(robot, record=Path(folder) / "record.db", grace_s=robot.grace_s))
            body = until.enter_context(RemoteRobot(at.url, at.token))
        until.callback(robot.released.set)
        began = time.monotonic()
        spec = Spec(Instruction.of(POLICY["goal"]), budget=Budget(step_grace_s=robot.grace_s))
        run = Run(Path(folder) / "run", spec, body, ScriptedModel([json.dumps(POLICY)], repeat=True))
        outcome = run.go()
        took_s = time.monotonic() - began
        events = read_events(Path(folder) / "run", blobs=False)
        faults = list(_judged(robot, events, outcome.outcome, outcome.reason))
        if isinstance(body, RemoteRobot) and at is not None and fault == "late":
            body.close()  # it holds the robot, where its own stop came before the server's
            faults += _after(robot, at)
    policies = sum(event.kind == "policy" for event in events)
    row = {"fault": fault, "served": served, "outcome": outcome.outcome, "reason": outcome.reason, "policies": policies}
    return {**row, "seconds": round(took_s, 3), "faults": faults}


def _judged(robot: OddRobot, events: list[Event], outcome: str, reason: str) -> Any:
    """Yield what is wrong with the end of a run whose step went wrong."""
    finished = [e.data for e in events if e.kind == "step-finished"]
    wrong = robot.sent[robot.at]
    if (outcome == "success" and robot.fault != "other") or not (reason or outcome == "success"):
        yield f"ended with {outcome}: {reason}"
    if any(data["key"] == wrong and data["status"] == "succeeded" for data in finished):
        yield "the step that went wrong counts as done"
    if robot.fault in ("never", "late"):
        if len(robot.sent) > robot.at + 1:
            yield "a step followed one that had not ended"
        if not robot._stop.is_set():
            yield "the robot was not stopped"
    policies = sum(event.kind == "policy" for event in events)
    if policies > 7:
        yield f"{policies} policies"


def _after(robot: OddRobot, at: Address) -> list[str]:
    """Let the late step end, reset, and send another one: its result is its own, under a new epoch."""
    http, faults = Http(at.url, at.token, 5.0), list[str]()
    old = http.call("GET", "/executions", params={"key": robot.sent[robot.at]})
    end_s = time.monotonic() + 10.0
    while http.call("GET", "/health")["stopped"] and time.monotonic() < end_s:
        with contextlib.suppress(Refusal):
            http.call("POST", "/stop/reset")
        time.sleep(0.02)
    epoch = http.call("POST", "/lease", {"holder": "another", "ttl_s": 5.0})["epoch"]
    with contextlib.suppress(Refusal):
        http.call("POST", "/executions", {"primitive": "home", "arguments": {}, "key": "late-again", "epoch": old["epoch"]})
        faults.append("a step under the epoch of the late one was taken")
    sent = http.call("POST", "/executions", {"primitive": "home", "arguments": {}, "key": "the-next-one", "epoch": epoch})
    ended = http.call("GET", f"/executions/{sent['id']}", params={"wait_s": 5.0})
    http.close()
    if (ended["result"] or {}).get("key") != "the-next-one" or epoch <= old["epoch"]:
        faults.append(f"the step after the late one ended with {ended['result']}, epoch {epoch} after {old['epoch']}")
    return faults


def tell(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of rows."""
    by = {fault: [row for row in rows if row["fault"] == fault] for fault in get_args(Wrong)}
    return {
        "injected": {fault: len(some) for fault, some in by.items()},
        "policies": max((row["policies"] for row in rows), default=0),
        "end_s": quantiles([row["seconds"] for fault in ("never", "late") for row in by[fault]]),
    }


if __name__ == "__main__":
    sys.exit(rows_command("late", __doc__, case, tell))
