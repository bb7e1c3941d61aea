"""The loop: instructions and triggers, a policy, the next step; step by step until there is an end."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from vlp.core.errors import UsageError, VlpError
from vlp.core.messages import Instruction
from vlp.journal import Event
from vlp.policy.checks import check_policy, effects, within_limits
from vlp.policy.model import PlanStep, Policy, Subtask
from vlp.primitives.schema import CHECK
from vlp.robot.protocol import Step, StepResult
from vlp.runtime.body import Abandoned, Body, Budget, Overrun
from vlp.runtime.bus import Bus, Outcome
from vlp.runtime.confirming import Confirming, says_no
from vlp.runtime.memory import RunMemory
from vlp.runtime.planner import NoPolicy, Planner, answered
from vlp.runtime.triggers import TRIGGERS, Moment, Trigger, fired
from vlp.understanding.gate import OPEN, Gate
from vlp.understanding.stopping import says_stop

MAX_WAITING = 32


@dataclass(frozen=True)
class Change:
    """One change to come.

    Args:
        after_steps: happens at the first boundary with at least so many finished steps.
        what: a new instruction, or the words of a scripted event.
    """

    after_steps: int
    what: Instruction | str

    @classmethod
    def parse(cls, text: str, *, instruction: bool) -> "Change":
        """Return the change that "STEP: words" spells, where the words are an instruction or an event.

        Raises:
            UsageError: no such form, or the words are no instruction.
        """
        number, colon, words = text.partition(":")
        if not colon or not number.strip().isdigit() or not words.strip() or len(number) > 6:
            raise UsageError(f"{text[:100]!r} is not a change midway.", 'Expected "STEP: words", e.g. "2: stop".')
        return cls(int(number), Instruction.of(words) if instruction else words.strip())

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        what = "instruction" if isinstance(self.what, Instruction) else "event"
        return {"after_steps": self.after_steps, "what": what, "text": str(self.what)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Change":
        """Return the change that `to_json` wrote."""
        return cls(data["after_steps"], Instruction(data["text"]) if data["what"] == "instruction" else data["text"])


class Inbox:
    """Where new sentences wait for the next step boundary; any thread may put one in."""

    def __init__(self) -> None:
        self._waiting: deque[Instruction] = deque()
        self._lock = threading.Lock()

    def put(self, said: Instruction) -> None:
        """Take an instruction; raises UsageError when too many wait already."""
        with self._lock:
            if len(self._waiting) >= MAX_WAITING:
                raise UsageError(f"{MAX_WAITING} instructions wait already.", "Wait for the next step to end.")
            self._waiting.append(said)

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        with self._lock:
            return not self._waiting

    def take(self) -> list[Instruction]:
        """Return what waits, oldest first, and empty the box."""
        with self._lock:
            waiting = list(self._waiting)
            self._waiting.clear()
        return waiting


class Schedule:
    """Scripted changes of one run.

    Args:
        changes: in any order.
        apply_event: carries out an event on the scene and returns what it did.

    Raises:
        UsageError: an event, and nothing that could carry it out.
    """

    def __init__(self, changes: Sequence[Change] = (), apply_event: Callable[[str], Any] | None = None) -> None:
        self._changes: list[tuple[str, Change]] = []
        self._apply = apply_event
        for n, change in enumerate(sorted(changes, key=lambda c: c.after_steps)):
            mark = f"scheduled {n}"
            if isinstance(change.what, Instruction):
                change = replace(change, what=replace(change.what, source=mark))
            elif apply_event is None:
                raise UsageError(f"this robot's world takes no events: {change.what[:100]!r}.")
            self._changes.append((mark, change))

    def due(self, steps: int, said: Sequence[str]) -> list[tuple[str, Change]]:
        """Return the changes to happen now, each with the mark that says it has: those after `steps`, not in `said`."""
        return [(mark, change) for mark, change in self._changes if change.after_steps <= steps and mark not in said]

    def happen(self, mark: str, change: Change) -> Event:
        """Let a scripted event happen, and return the journal's event that says so."""
        assert self._apply is not None
        text = str(change.what)
        data = {"text": text, "after_steps": change.after_steps, "source": mark, "detail": self._apply(text)}
        return Event("world-event", data)


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
        _, report = check_policy(alone, self.body.manifest, state, checks=(effects, within_limits))
        if report.ok:
            return None
        issue = report.issues[0]
        return StepResult(sent.key, "rejected", code=issue.code, message=f"{issue.message} {issue.hint}".strip())


class Loop:
    """Runs one instruction, and those that replace it, to an end.

    Args:
        body: the robot.
        planner: asks the model.
        steps: carries out steps.
        bus: told of everything.
        memory: what the run knows, folded from events.
        budget: bounds.
        schedule: scripted changes.
        triggers: reasons to ask for a new policy.
        gate: says which sentences may move the robot.
        confirming: asks a person about every new policy; None to ask about none.
    """

    def __init__(
        self,
        body: Body,
        planner: Planner,
        steps: Steps,
        bus: Bus,
        memory: RunMemory,
        budget: Budget,
        schedule: Schedule,
        triggers: Sequence[Trigger] = TRIGGERS,
        gate: Gate = OPEN,
        confirming: Confirming | None = None,
    ) -> None:
        self.body, self.planner, self.steps, self.bus, self.memory = body, planner, steps, bus, memory
        self.budget, self.schedule, self.triggers, self.gate = budget, schedule, tuple(triggers), gate
        self.inbox = Inbox()
        self.confirming = confirming
        self._stop = ""
        planner.wanted = lambda: not self._stop

    def stop(self, reason: str = "stopped by the person") -> None:
        """End the run: the robot stops now, from whatever thread this is called."""
        self._stop = self._stop or reason
        self.body.stop()

    def run(self) -> Outcome:
        """Go on until there is an end, write it down and return it."""
        try:
            outcome = self._first() or self._go()
        except NoPolicy as error:
            outcome = Outcome("failure", str(error))
        except KeyboardInterrupt:
            self.stop("interrupted")
            outcome = Outcome("stopped", self._stop)
        except Abandoned:
            outcome = Outcome("stopped", self._stop)
        except Overrun as error:
            outcome = Outcome("timeout", str(error), error=error)
        except VlpError as error:
            outcome = Outcome("stopped", str(error), error=error)
        return self.finish(outcome)

    def _first(self) -> Outcome | None:
        """Return how a run ends whose first sentence may not move the robot; None when it may."""
        if self.memory.progress.plan is not None:
            return None
        text = self.memory.knowledge.instruction
        why = self.gate.sentence(text)
        if why is not None and why.code == "nothing-named" and self.body.state().holding:
            why = self.gate.sentence(text, follows=True)  # "put it in the bowl": what the hand holds already
        if why is None:
            return None
        if why.stops:
            self.stop(str(why))
            return Outcome("stopped", self._stop)
        return Outcome("failure", f"not understood: {why}")

    def _go(self) -> Outcome:
        end_s = time.monotonic() + self.budget.run_s
        while True:
            if self._stop:
                return Outcome("stopped", self._stop)
            if time.monotonic() > end_s:
                return Outcome("timeout", f"the run took longer than {self.budget.run_s:g} s.")
            if (end := self._change() or self._asked()) is not None:
                return end
            progress = self.memory.progress
            if self._must_plan():
                if progress.replans >= self.budget.replans:
                    why = "; ".join(progress.triggers.values())
                    return Outcome("failure", f"{self.budget.replans} new policies were not enough; last: {why}")
                self._plan()
            elif progress.failed:
                return Outcome("failure", self.memory.knowledge.failures[-1])
            elif not progress.remaining:
                return self._done()
            elif self.confirming is not None and self.confirming.due():
                # What ends a wait is taken up at the boundary that follows it.
                end = self.confirming.ask(lambda: not self._stop and self.inbox.empty and time.monotonic() < end_s)
                if end is not None:
                    return end
            elif self.steps.carry_out(progress.remaining[0]).status == "stopped":
                return Outcome("stopped", self._stop or "the robot was stopped")

    def _change(self) -> Outcome | None:
        """Let everything happen that waited for this boundary: sentences of the person, scripted changes."""
        for said in self.inbox.take():
            if (end := self._instruct(said)) is not None:
                return end
        for mark, change in self.schedule.due(self.memory.progress.steps, self.memory.progress.said):
            if isinstance(change.what, Instruction):
                if (end := self._instruct(change.what)) is not None:
                    return end
                continue
            event = self.body.call(lambda m=mark, c=change: self.schedule.happen(m, c), "a change of the scene")
            snapshot = self.body.ask("snapshot")
            after = [Event("snapshot", {"after": mark}, blob=snapshot)] if snapshot is not None else []
            self.bus.emit(event, *after)
        return None

    def _instruct(self, said: Instruction) -> Outcome | None:
        """Take a new instruction, or note that it is none; what may want the robot to do something else ends the run here.

        Whoever speaks to a robot in motion and is not understood expects it to hold on, not to go on.
        """
        why = self.gate.sentence(said.text, follows=True)
        if why is None:
            self.bus.emit(Event("instruction", asdict(said)))
            return None
        told = f"told to stop: {said.text!r}" if why.stops else f"not taken: {said.text!r}: {why}"
        self.bus.emit(Event("note", {"text": told, "source": said.source}))
        if why.harmless:
            return None
        if why.stops:
            self.stop(str(why))
        return Outcome("stopped", str(why))

    def _asked(self) -> Outcome | None:
        """Take the answer to a policy that only asks for the new instruction; return how a run ends that asks in vain."""
        answer = answered(self.memory)
        if isinstance(answer, Outcome):
            return answer
        if not answer:
            return None
        if says_stop(answer[0].data["text"]) and not says_no(answer[0].data["text"]):  # a no is an answer
            self.stop(f"told to stop: {answer[0].data['text']!r}")
            return Outcome("stopped", self._stop)
        self.bus.emit(*answer)
        return None

    def _must_plan(self) -> bool:
        """Look for triggers at this boundary; several of them make one new policy."""
        progress = self.memory.progress
        if progress.plan is None or progress.triggers:
            return True
        moment = Moment(self.memory, self.body)
        reasons = fired(self.triggers, moment)
        news = [Event("belief", {"phrase": p, "located": at and at.to_json()}) for p, at in moment.seen.items()]
        news += [Event("trigger", {"name": name, "detail": why}) for name, why in reasons]
        if news:
            self.bus.emit(*news)
        return bool(reasons)

    def _plan(self) -> None:
        """Ask for a policy for what is to be seen now, and keep in mind where everything was when it was written."""
        seen, event = self.body.observe("plan")
        self.bus.emit(event)
        if any(t.looks for t in self.triggers):
            self.bus.emit(*(Event("belief", {"phrase": t.phrase, "located": t.to_json()}) for t in self.body.things()))
        self.planner.plan(seen)

    def _done(self) -> Outcome:
        plan = self.memory.progress.plan
        assert plan is not None
        progress = self.memory.progress
        if plan.policy.cannot:
            return Outcome("failure", f"{'gave up' if progress.gave_up else 'it cannot be done'}: {plan.policy.cannot}")
        return Outcome("success")

    def finish(self, outcome: Outcome) -> Outcome:
        """Look once more, ask the judge, write down how the run ended, and return it."""
        end: list[Event] = []
        verdict: bool | None = None
        try:
            end.append(self.body.observe("end")[1])
            verdict = self.body.call(self.bus.verdict, "a verdict")
        except VlpError:
            pass  # a robot that is gone cannot show the end
        progress = self.memory.progress
        outcome = replace(outcome, claim=progress.claim, checked=self._checked(), verdict=verdict)
        if outcome.outcome == "success" and outcome.claim == "already" and not outcome.checked and not verdict:
            why = "the model says that it is so already, and nothing was looked at that shows it"
            outcome = replace(outcome, outcome="failure", reason=why)
        data = {"outcome": outcome.outcome, "reason": outcome.reason, "claim": outcome.claim, "verdict": verdict}
        data |= {"checked": outcome.checked, "account": outcome.account}
        data["error"] = type(outcome.error).__name__ if outcome.error else ""
        self.bus.emit(*end, Event("run-finished", data))
        return outcome

    def _checked(self) -> int:
        """Return how many checks of the present policy held."""
        return sum(step.step.do == CHECK for step in self.memory.progress.done)
