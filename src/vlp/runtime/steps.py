"""One step: checked once more, journalled, sent, journalled."""

import time
from dataclasses import asdict, replace

from vlp.journal import Event
from vlp.policy import PlanStep, Policy, Subtask
from vlp.policy.checks import Effects, WithinLimits, check_policy
from vlp.robot.protocol import Step, StepResult
from vlp.runtime.body import Body
from vlp.runtime.bus import Bus
from vlp.runtime.memory import RunMemory

AT_START = (Effects(), WithinLimits())
"""Checked again when a step starts, on what is known then; names and types cannot have changed."""


class Steps:
    """Carries out steps of the present plan.

    Args:
        body: the robot.
        bus: told before and after each step.
        memory: what references stand for.
        run_id: the first part of each step's key.
        epoch: fencing epoch of the lease.
    """

    def __init__(self, body: Body, bus: Bus, memory: RunMemory, run_id: str, epoch: int = 0) -> None:
        self.body, self.bus, self.memory, self.run_id, self.epoch = body, bus, memory, run_id, epoch

    def key(self, step: PlanStep) -> str:
        """Return the step's idempotency key: the same for the same step of the same policy, in any process."""
        return f"{self.run_id}.{self.memory.progress.revision}.{step.id}"

    def carry_out(self, step: PlanStep) -> StepResult:
        """Do one step and return what the robot made of it.

        Raises:
            JournalError: the step was not sent, or its end could not be written down.
            Overrun, MissingComponent: the robot did not answer; the step stays in flight.
        """
        sent = Step(step.step.do, self.memory.resolve(step), self.key(step), self.epoch)
        refused = self._refused(step, sent)
        if refused:
            self.bus.emit(self.finished(step, refused, 0.0))
            return refused
        data = {
            "revision": self.memory.progress.revision,
            "id": step.id,
            "key": sent.key,
            "do": sent.do,
            "arguments": sent.arguments,
            "epoch": sent.epoch,
            "instance": self.body.instance(),
        }
        self.bus.emit(Event("step-started", data))
        start = time.monotonic()
        result, snapshot = self.body.execute(sent)
        self.ended(step, result, time.monotonic() - start, snapshot)
        return result

    def ended(self, step: PlanStep, result: StepResult, seconds: float, snapshot: bytes | None = None) -> None:
        """Write the end of a step and the robot's state after it, both or neither."""
        after = [Event("snapshot", {"after": result.key}, blob=snapshot)] if snapshot is not None else []
        self.bus.emit(self.finished(step, result, seconds), *after)

    def finished(self, step: PlanStep, result: StepResult, seconds: float) -> Event:
        """Return the event of a step's end."""
        data = {
            "revision": self.memory.progress.revision,
            "id": step.id,
            "key": result.key,
            "do": step.step.do,
            "kind": self.body.manifest.primitives[step.step.do].kind,
            "status": result.status,
            "result": asdict(result),
            "seconds": seconds,
            "looks_s": self.body.spent(),
        }
        return Event("step-finished", data)

    def _refused(self, step: PlanStep, sent: Step) -> StepResult | None:
        """Return why a step must not start, None when it may."""
        state = replace(self.memory.state(), names=self.memory.situation.names)
        alone = Policy("one step", (Subtask("one step", (step.step,)),))
        _, report = check_policy(alone, self.body.manifest, state, checks=AT_START)
        if report.ok:
            return None
        issue = report.issues[0]
        return StepResult(sent.key, "rejected", code=issue.code, message=f"{issue.message} {issue.hint}".strip())
