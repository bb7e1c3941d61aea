"""Many clients that want one robot: never two of them, and who was paused comes back as a stranger.

    python -m vlp.evaluation.stress.commanders --n 10000 --out runs/commanders

Each client asks for the lease over HTTP, sends steps under it, and now and then pauses for longer than the lease lasts before
it sends more. A lease that runs out behind a step latches the robot; whoever finds it latched resets it, as a person would. The
robot notes under which epoch and for whom it acts.
"""

import math
import random
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from typing import Any

from vlp.evaluation.stress.command import stress_command
from vlp.robot.access import Access
from vlp.robot.protocol import Step, StepResult
from vlp.robot.serving import Address, new_token, running_server
from vlp.robot.wire import Http, Refusal, RobotUnreachable
from vlp.sim.fake.robot import FakeRobot


class WitnessRobot(FakeRobot):
    """Notes epoch and key of every step, and whether two were under way at once."""

    def __init__(self) -> None:
        super().__init__()
        self.acts: list[tuple[int, str]] = []
        self.faults: list[str] = []
        self._under_way = threading.Lock()

    def execute(self, step: Step) -> StepResult:
        """Note a step, and succeed a moment later."""
        if not self._under_way.acquire(blocking=False):
            self.faults.append(f"{step.key} began while another step was under way")
        else:
            time.sleep(0.0005)
            self._under_way.release()
        self.acts.append((step.epoch, step.key))
        return StepResult(step.key, "succeeded")


def race(n: int, seed: int = 0, clients: int = 8) -> dict[str, Any]:
    """Let clients race until n requests were made; return counts and faults."""
    robot, answers = WitnessRobot(), Counter[str]()
    granted: dict[int, str] = {}
    token = new_token()
    with running_server(robot, token, access=Access.of(token, token, rate_hz=math.inf), silence_s=60.0) as at:
        threads = [
            threading.Thread(
                target=_client, args=(at, f"client-{i}", n // clients, random.Random(seed * 100 + i), answers, granted)
            )
            for i in range(clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    faults = list(robot.faults)
    epochs = [epoch for epoch, _ in robot.acts]
    faults += [f"epoch {b} acted after {a}" for a, b in pairwise(epochs) if b < a]
    faults += [f"{key} acted under the epoch of {granted[e]}" for e, key in robot.acts if not key.startswith(f"{granted[e]}-")]
    doubled = [key for key, count in Counter(key for _, key in robot.acts).items() if count > 1]
    faults += [f"{key} acted more than once" for key in doubled]
    counts = {"requests": sum(answers.values()), "answers": dict(answers), "epochs": len(granted), "steps": len(robot.acts)}
    return {"n": n, "seed": seed, **counts, "faults": faults}


def _client(at: Address, name: str, n: int, rng: random.Random, answers: Counter[str], granted: dict[int, str]) -> None:
    http, epoch, ttl_s = Http(at.url, at.token, 10.0), 0, 0.25
    for index in range(n):
        kind = rng.choices(("lease", "step", "again", "pause"), (30, 55, 14, 1))[0]
        try:
            if kind == "pause":
                time.sleep(ttl_s * 1.5)
            if kind == "lease" or epoch == 0:
                epoch = http.call("POST", "/lease", {"holder": name, "ttl_s": ttl_s})["epoch"]
                granted[epoch] = name
            else:
                key = f"{name}-{index - (kind == 'again')}"
                http.call("POST", "/executions", {"primitive": "home", "arguments": {}, "key": key, "epoch": epoch})
            answers[f"{kind}: taken"] += 1
        except Refusal as refused:
            answers[f"{kind}: {refused.code}"] += 1
            if refused.code == "stopped":
                with suppress(Refusal):
                    http.call("POST", "/stop/reset")
        except RobotUnreachable:
            answers[f"{kind}: no answer"] += 1
    http.close()


if __name__ == "__main__":
    sys.exit(stress_command("commanders", __doc__, race))
