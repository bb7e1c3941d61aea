"""Steps delivered twice, late, in any order, by two commanders, over restarts: each acts once, under the newest epoch.

    python -m vlp.evaluation.stress.delivery --n 10000 --out runs/delivery

A case is one random thing that happens to a robot's server: a step sent with a new key or one that was used, under the epoch
of now, an earlier one or one that nobody had; a lease taken, renewed, given back or run out; a stop, a reset; the server killed
and started again on its record; the wall clock set ahead or back. The robot notes what it really did.
"""

import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import mock

from vlp.evaluation.stress.command import stress_command
from vlp.robot.executor import Executor
from vlp.robot.protocol import Step, StepResult
from vlp.robot.record import Record
from vlp.robot.wire import Refusal
from vlp.sim.fake.robot import FakeRobot

HAPPENINGS = {"send": 60, "acquire": 12, "renew": 8, "release": 4, "lapse": 4, "stop": 3, "reset": 6, "restart": 3, "clock": 2}
"""What happens, and how often."""


class Noting(FakeRobot):
    """Notes every step that it carries out."""

    def __init__(self, effects: list[tuple[str, int, int]]) -> None:
        super().__init__()
        self.effects = effects
        self.life = 0

    def execute(self, step: Step) -> StepResult:
        """Note key, epoch and life of the server, and succeed."""
        self.effects.append((step.key, step.epoch, self.life))
        return StepResult(step.key, "succeeded")


class Delivery:
    """One robot and its server, to which things happen.

    Args:
        seed: of what happens.
        record: the server's file; None lets it forget all when it is restarted, which is found out.
    """

    def __init__(self, seed: int, record: Path | None) -> None:
        self.rng, self.record = random.Random(seed), record
        self.effects: list[tuple[str, int, int]] = []
        self.now_s, self.wall_s, self.life = 0.0, time.time(), 0
        self.epochs: list[int] = []
        self.sent: dict[str, Step] = {}
        self.faults: list[str] = []
        self.counts: Counter[str] = Counter()
        self._start()

    def _start(self) -> None:
        self.robot = Noting(self.effects)
        self.robot.life = self.life
        self.server = Executor(self.robot, Record(self.record), clock=lambda: self.now_s)
        self.server.start()

    def happen(self) -> None:
        """Let one thing happen."""
        kind = self.rng.choices(list(HAPPENINGS), list(HAPPENINGS.values()))[0]
        self.counts[kind] += 1
        self.now_s += self.rng.uniform(0.0, 0.2)
        with suppress(Refusal), mock.patch("vlp.robot.record.time.time", lambda: self.wall_s):
            getattr(self, f"_{kind}")()

    def _send(self) -> None:
        known = list(self.sent)
        key = self.rng.choice(known) if known and self.rng.random() < 0.4 else f"key-{len(self.sent)}"
        step = self.sent.get(key) or Step("go_to", {"place": self.rng.choice(list(self.server.manifest.places))}, key)
        epoch = self.server.lease.epoch
        if self.rng.random() < 0.4:
            epoch = self.rng.choice([*self.epochs, 0, epoch + 1])
        now = Step(step.do, step.arguments, key, epoch)
        self.sent[key] = step
        before, allowed = len(self.effects), self.server.lease.live and epoch == self.server.lease.epoch
        stopped = self.server.stopped
        try:
            self.server.submit(now)
        finally:
            end_s = time.monotonic() + 5.0
            while self.server.busy and time.monotonic() < end_s:
                time.sleep(0.0001)
            self.counts["carried out"] += len(self.effects) - before
            if len(self.effects) > before and (not allowed or stopped):
                self.faults.append(f"{key} acted under epoch {epoch} of {self.server.lease.epoch}, stopped {stopped}")

    def _acquire(self) -> None:
        holder, before = self.rng.choice(("ann", "bob")), self.server.lease.to_json()
        self.server.with_lease(lambda lease: lease.acquire(holder, self.rng.uniform(0.5, 3.0)))
        if before and before["holder"] != holder:
            self.faults.append(f"{holder} took the robot from {before['holder']}")
        if self.epochs and self.server.lease.epoch <= self.epochs[-1]:
            self.faults.append(f"epoch {self.server.lease.epoch} after {self.epochs[-1]}")
        self.epochs.append(self.server.lease.epoch)

    def _renew(self) -> None:
        holder, epoch = self.rng.choice(("ann", "bob")), self.rng.choice([0, *self.epochs[-3:]])
        self.server.with_lease(lambda lease: lease.renew(holder, epoch, 2.0))
        if epoch != self.epochs[-1]:
            self.faults.append(f"epoch {epoch} was renewed, not {self.epochs[-1]}")

    def _release(self) -> None:
        holder, epoch = self.rng.choice(("ann", "bob")), self.rng.choice([0, *self.epochs[-3:]])
        self.server.with_lease(lambda lease: lease.release(holder, epoch))

    def _lapse(self) -> None:
        self.now_s += 5.0

    def _stop(self) -> None:
        self.server.stop("stress").join()

    def _reset(self) -> None:
        self.server.reset()

    def _restart(self) -> None:
        stopped = self.server.stopped
        self.close()
        self.life += 1
        self._start()
        if stopped and not self.server.stopped:
            self.faults.append("the latch was open after a restart")

    def _clock(self) -> None:
        self.wall_s += self.rng.choice([-3600.0, 3600.0, -3.2e8, 3.2e8])

    def close(self) -> None:
        """Close the server, as a process that ends does."""
        self.server.close()
        self.server.record.close()

    def judge(self) -> list[str]:
        """Return what was not as promised."""
        doubled = [key for key, count in Counter(key for key, *_ in self.effects).items() if count > 1]
        return self.faults + [f"{key} acted more than once" for key in doubled]


def deliver(n: int, seed: int = 0) -> dict[str, Any]:
    """Let n things happen, and return counts and faults."""
    with tempfile.TemporaryDirectory() as folder:
        delivery = Delivery(seed, Path(folder) / "record.db")
        try:
            for _ in range(n):
                delivery.happen()
        finally:
            delivery.close()
    return {"n": n, "seed": seed, "happened": dict(delivery.counts), "keys": len(delivery.sent), "faults": delivery.judge()}


if __name__ == "__main__":
    sys.exit(stress_command("delivery", __doc__, deliver))
