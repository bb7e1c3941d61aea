"""The loop: instructions and triggers, a policy, the next step; step by step until there is an end."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from vlp.core.errors import SimulationFault, UsageError, VlpError
from vlp.core.messages import Instruction, counted
from vlp.journal import Event, Journal, Subscriber
from vlp.policy.checks import check_policy, effects, within_limits
from vlp.policy.model import PlanStep, Policy, Subtask
from vlp.primitives.facts import Facts, sensed_facts, told_by_state
from vlp.primitives.schema import CHECK
from vlp.robot.protocol import Step, StepResult
from vlp.runtime.body import STOP_S, Abandoned, Body, Overrun, StopFailed
from vlp.runtime.memory import RunMemory
from vlp.runtime.planner import NoPolicy, Planner, answered
from vlp.runtime.story import Outcome
from vlp.runtime.triggers import TRIGGERS, Moment, Trigger, fired
from vlp.understanding.gate import NotUnderstood

if TYPE_CHECKING:
    from vlp.runtime.confirming import Confirming
    from vlp.runtime.retrying import Retrying
    from vlp.runtime.verifying import Verifier


@dataclass(frozen=True)
class Change:
    """One scripted change to come.

    Args:
        after_steps: happens at the first boundary with at least so many finished steps.
        what: a new instruction, or the words of a scripted event.
    """

    after_steps: int
    what: Instruction | str

    @classmethod
    def parse(cls, text: str, *, instruction: bool) -> Change:
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
    def from_json(cls, data: dict[str, Any]) -> Change:
        """Return the change that `to_json` wrote."""
        return cls(data["after_steps"], Instruction(data["text"]) if data["what"] == "instruction" else data["text"])


class Judge(Subscriber, Protocol):
    """The first subscriber of a run whose scene is simulated: it knows the true state."""

    def apply(self, text: str) -> Any:
        """Carry out a scripted event on the scene, and return what it did."""
        ...

    def __call__(self) -> bool | None:
        """Return whether the task is done now; None when nobody can say."""
        ...


class Loop:
    """Runs one instruction, and those that replace it, to an end.

    Args:
        run_id: the first part of each step's key.
        body: the robot.
        planner: asks the model, within its budget; its gate says which sentences may move the robot.
        journal: told of everything.
        memory: what the run knows, folded from events.
        changes: scripted changes, in any order; events among them need a judge.
        judge: lets scripted events happen, and says in the end whether the task is done; None where nobody can.
        triggers: reasons to ask for a new policy.
        confirming: asks a person about every new policy; None to ask about none.
        verifier: asks the world for the effects of each action that says it succeeded; None believes it.
        retrying: tries a step that failed again; None asks for a new policy at once.
    """

    def __init__(
        self,
        run_id: str,
        body: Body,
        planner: Planner,
        journal: Journal,
        memory: RunMemory,
        changes: Sequence[Change] = (),
        judge: Judge | None = None,
        triggers: Sequence[Trigger] = TRIGGERS,
        confirming: Confirming | None = None,
        verifier: Verifier | None = None,
        retrying: Retrying | None = None,
    ) -> None:
        self.verifier, self.retrying = verifier, retrying
        self.run_id, self.body, self.planner, self.journal, self.memory = run_id, body, planner, journal, memory
        self.budget, self.gate, self.triggers = planner.budget, planner.gate, tuple(triggers)
        self.judge, self.confirming = judge, confirming
        in_order = sorted(changes, key=lambda change: change.after_steps)
        self._changes = {f"scheduled {n}": change for n, change in enumerate(in_order)}
        self._said: queue.Queue[Instruction] = queue.Queue(maxsize=32)
        self._stop = ""
        self._stops = 0
        self._late = self._moving = False
        self._stopped = threading.Condition()
        self._moment: Moment | None = None
        planner.wanted = lambda: not self._stop
        body.tell = self._waiting
        body.meanwhile = self._hear if body.offers("skill_words") else body.meanwhile

    def instruct(self, said: Instruction) -> None:
        """Take an instruction, from any thread, for the next step boundary; raises UsageError when too many wait already."""
        try:
            self._said.put_nowait(said)
        except queue.Full:
            raise UsageError(f"{self._said.maxsize} instructions wait already.", "Wait for the next step to end.") from None

    def alarming(self, text: str) -> bool:
        """Return whether words that are no instruction may be a warning of what is under way, or still to be done."""
        steps = tuple(step.step for step in self.memory.progress.remaining)
        return self.gate.alarming(text, Policy("what is left", (Subtask("what is left", steps),)) if steps else None)

    def stop(self, reason: str = "stopped by the person") -> None:
        """End the run: the robot stops now, from whatever thread this is called; raises StopFailed where it does not."""
        with self._stopped:
            self._stop = self._stop or reason
            self._stops += 1
        try:
            self.body.stop()
        finally:
            with self._stopped:
                self._stops -= 1
                self._stopped.notify_all()

    def _hear(self) -> None:
        """Write down what the robot says of the step under way: where a skill moves the hand, in words."""
        said = self.body.offers("skill_words")
        if said and (words := said()):
            self.journal.emit(*(Event("note", {"text": text, "waiting": text}) for text in words))

    def _halt(self, reason: str) -> None:
        """Stop from within; a robot that does not stop is told when the run ends."""
        with contextlib.suppress(StopFailed):
            self.stop(reason)

    def run(self) -> Outcome:
        """Go on until there is an end, write it down and return it.

        When the time of the run is over, a step that is under way is stopped, and nothing is waited for much longer.
        """
        clock = threading.Timer(min(self.budget.run_s, threading.TIMEOUT_MAX), self._time_out)
        clock.daemon = True
        clock.start()
        try:
            return self.finish(self._end())
        finally:
            clock.cancel()

    def _end(self) -> Outcome:
        """Go on until there is an end, and return it."""
        try:
            outcome = self._first()
            if outcome is None:
                self.body.take()
                outcome = self._go()
        except NoPolicy as error:
            outcome = Outcome("failure", str(error))
        except KeyboardInterrupt:
            self._halt("interrupted")
            outcome = self._stopped_by()
        except Abandoned:
            outcome = self._stopped_by()
        except Overrun as error:
            outcome = Outcome("timeout", str(error), error=error)
            if self._stop:  # it was waited for in vain
                outcome = replace(self._stopped_by(), reason=f"{self._stop.rstrip('.')}; {error}", error=error)
        except VlpError as error:
            outcome = Outcome("stopped", str(error), error=error)
        return outcome

    def _waiting(self, what: str) -> None:
        self.journal.emit(Event("note", {"text": f"the run has to end, and waits for {what}", "waiting": f"waits for {what}"}))

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
            self._halt(str(why))
            return Outcome("stopped", self._stop)
        return Outcome("failure", f"not understood: {why}")

    def _time_out(self) -> None:
        with self._stopped:
            moving, self._late = self._moving or self.body.busy, self._late or not self._stop
            self._stop = self._stop or f"the run took longer than {self.budget.run_s:g} s."
        self.body.hurry()
        if moving:
            self._halt(self._stop)

    def _stopped_by(self) -> Outcome:
        """Return the end of a run that a person, the robot or its own time stopped."""
        return Outcome("timeout" if self._late else "stopped", self._stop or "the robot was stopped")

    def _go(self) -> Outcome:
        end_s = time.monotonic() + self.budget.run_s
        while True:
            if time.monotonic() >= end_s:
                self._time_out()
            if self._stop:
                return self._stopped_by()
            if (end := self._change() or self._asked()) is not None:
                return end
            if self.retrying is not None:
                self.retrying.again()
            progress = self.memory.progress
            if self._must_plan():
                if why := self._not_taken_twice():
                    return Outcome("failure", why)
                if progress.replans >= (most := self.budget.replans_after(progress.steps)):
                    why = "; ".join(progress.triggers.values())
                    return Outcome("failure", f"{most} new policies were not enough; last: {why}")
                self._plan()
            elif progress.failed:
                return Outcome("failure", self.memory.knowledge.failures[-1])
            elif not progress.remaining:
                return self._done()
            elif self.confirming is not None and self.confirming.due():
                # What ends a wait is taken up at the boundary that follows it.
                end = self.confirming.ask(lambda: not self._stop and self._said.empty())
                if end is not None:
                    return end
            elif self.carry_out(progress.remaining[0]).status == "stopped":
                return self._stopped_by()

    def _change(self) -> Outcome | None:
        """Let everything happen that waited for this boundary: sentences of the person, scripted changes."""
        # Not until it is empty: whoever talks without end would hold the run here.
        waiting = [self._said.get() for _ in range(self._said.qsize())]
        for said, before in zip(waiting, [None, *waiting], strict=False):
            if (before is None or said.text != before.text) and (end := self._instruct(said)) is not None:
                return end
        progress = self.memory.progress
        for mark, change in self._changes.items():
            if change.after_steps > progress.steps or mark in progress.said:
                continue
            if isinstance(change.what, str):
                self._happen(mark, change, change.what)
            elif (end := self._instruct(replace(change.what, source=mark))) is not None:
                return end
        return None

    def _happen(self, mark: str, change: Change, text: str) -> None:
        """Let a scripted event happen, and write it down with the state after it."""
        assert self.judge is not None
        try:
            detail = self.body.call(partial(self.judge.apply, text), "a change of the scene")
        except UsageError as error:  # about something that is there no longer
            self.journal.emit(Event("note", {"text": f"did not happen: {text!r}: {error}", "source": mark}))
            return
        event = Event("world-event", {"text": text, "after_steps": change.after_steps, "source": mark, "detail": detail})
        snapshot = self.body.ask("snapshot")
        after = [Event("snapshot", {"after": mark}, blob=snapshot)] if snapshot is not None else []
        self.journal.emit(event, *after)

    def _instruct(self, said: Instruction) -> Outcome | None:
        """Take a new instruction, or note that it is none; what may want the robot to do something else ends the run here.

        Whoever speaks to a robot in motion and is not understood expects it to hold on, not to go on.
        """
        why = self.gate.sentence(said.text, follows=True)
        if why is None and len(self.memory.knowledge.instructions) >= self.budget.instructions:
            return Outcome("stopped", f"one run takes {self.budget.instructions} instructions; this was one more: {said.text}")
        if why is None:
            self.journal.emit(Event("instruction", asdict(said)))
            return None
        told = f"told to stop: {said.text!r}" if why.stops else f"not taken: {said.text!r}: {why}"
        self.journal.emit(Event("note", {"text": told, "source": said.source}))
        warns = self.alarming(said.text)
        if why.harmless and not warns:
            return None
        if warns and not why.stops:
            why = NotUnderstood("stop", f"{said.text[:60]!r} may be a warning.")
        if why.stops:
            self._halt(str(why))
        return Outcome("stopped", str(why))

    def _asked(self) -> Outcome | None:
        """Take the answer to a question for the new instruction; return how a run ends that asks in vain."""
        answer = answered(self.memory)
        if isinstance(answer, Outcome):
            return answer
        if not answer:
            return None
        told = answer[0].data
        why = self.gate.answer(told["text"])
        if why is not None and why.stops:
            self._halt(f"told to stop: {told['text']!r}")
            return Outcome("stopped", self._stop)
        if why is not None:
            return Outcome("failure", f"the answer to {told['question']!r} cannot be taken: {why}")
        self.journal.emit(*answer)
        return None

    def _must_plan(self) -> bool:
        """Look for triggers at this boundary; several of them make one new policy."""
        progress = self.memory.progress
        if progress.plan is None or progress.triggers:
            return True
        moment = self._moment = Moment(self.memory, self.body)
        reasons = fired(self.triggers, moment)
        news = [Event("belief", {"phrase": p, "located": at and at.to_json()}) for p, at in moment.seen.items()]
        news += [Event("trigger", {"name": name, "detail": why}) for name, why in reasons]
        if news:
            self.journal.emit(*news)
        return bool(reasons)

    def _not_taken_twice(self) -> str:
        """Return why a step is not tried a third time: it may act, and what the robot gives back cannot be taken; "" else."""
        failed = [step for step in self.memory.knowledge.steps if (step.status, step.code) == ("failed", "bad-result")]
        last = failed[-1] if failed and self.memory.progress.failed else None
        if last is None or last is not self.memory.knowledge.steps[-1] or sum(step.do == last.do for step in failed) < 2:
            return ""
        return f"twice, what {last.do} gave back could not be taken: {last.message}"

    def _plan(self) -> None:
        """Ask for a policy for what is to be seen now, and keep in mind where everything was when it was written."""
        seen, event = self.body.observe("plan")
        self.journal.emit(event)
        if any(t.looks for t in self.triggers):
            self.journal.emit(*(Event("belief", {"phrase": t.phrase, "located": t.to_json()}) for t in self.body.things()))
        self.planner.plan(seen)

    def carry_out(self, step: PlanStep) -> StepResult:
        """Do one step of the present plan and return what the robot made of it.

        Raises:
            JournalError: the step was not sent, or its end could not be written down.
            Overrun, MissingComponent: the robot did not answer; the step stays in flight.
        """
        with self._stopped:  # from here on, the end of the run's time stops the robot
            self._moving = not self._stop
        if not self._moving:
            return StepResult("", "stopped", code="stopped", message=self._stop)
        try:
            return self._carried_out(step)
        finally:
            self._moving = False

    def _carried_out(self, step: PlanStep) -> StepResult:
        revision = self.memory.progress.revision
        sent = Step(step.step.do, self.memory.resolve(step), self.memory.key(self.run_id, step))
        refused = self._refused(step, sent)
        if refused:
            self.ended(step, refused, 0.0)
            return refused
        data = {"revision": revision, "id": step.id, "key": sent.key, "do": sent.do, "arguments": sent.arguments}
        data |= {"epoch": sent.epoch, "instance": self.body.instance(), **self._begun_early(sent.key)}
        self.journal.emit(Event("step-started", data))
        start = time.monotonic()
        result, snapshot = self.body.execute(sent)
        return self.ended(step, result, time.monotonic() - start, snapshot)

    def ended(self, step: PlanStep, result: StepResult, seconds: float, snapshot: bytes | None = None) -> StepResult:
        """Write the end of a step and the robot's state after it, both or neither; it failed where its effects are not so."""
        revision, looked = self.memory.progress.revision, list[Event]()
        if self.verifier is not None and result.status == "succeeded" and self.memory.primitives[step.step.do].kind == "action":
            found = self.verifier.verify(step.step)
            if found is not None:
                looked = [Event("verified", {"revision": revision, "id": step.id, **found.to_json()})]
                if found.verdict == "no":
                    told = f"{step.step.do} said that it succeeded, and it is not so: {found.evidence}"
                    result = replace(result, status="failed", value=None, code="not-done", message=told)
        data = {
            "revision": revision,
            "id": step.id,
            "key": result.key,
            "do": step.step.do,
            "kind": self.body.manifest.primitives[step.step.do].kind,
            "status": result.status,
            "result": asdict(result),
            "seconds": seconds,
            "looks_s": self.body.spent(),
            **self._begun_early(result.key),
        }
        after = [Event("snapshot", {"after": result.key}, blob=snapshot)] if snapshot is not None else []
        self.journal.emit(*looked, Event("step-finished", data), *after)
        return result

    def _begun_early(self, key: str) -> dict[str, bool]:
        return {"early": True} if key and key == self.memory.early else {}

    def _refused(self, step: PlanStep, sent: Step) -> StepResult | None:
        """Return why a step must not start, None when it may.

        It is checked again on what is known now, what the robot itself senses on what it says now; its names and types
        cannot have changed.
        """
        now = self.memory.situation
        state = replace(self.memory.state(), names=now.names, stale=frozenset(now.stale))
        if told_by_state(self.memory.primitives[sent.do], self.memory.sensed):
            fresh = self._moment.state if self._moment else self.body.state()
            at, holding = self.memory.felt(fresh)
            facts = Facts(state.facts)
            facts.measure(holding, at, sensed_facts(fresh.facts))
            state = replace(state, at=at, holding=holding, facts=facts.lasting)
        self._moment = None  # it is over once a step was sent
        alone = Policy("one step", (Subtask("one step", (step.step,)),))
        _, report = check_policy(alone, self.body.manifest, state, checks=(effects, within_limits))
        if report.ok:
            return None
        issue = report.issues[0]
        return StepResult(sent.key, "rejected", code=issue.code, message=f"{issue.message} {issue.hint}".strip())

    def _done(self) -> Outcome:
        plan = self.memory.progress.plan
        assert plan is not None
        progress = self.memory.progress
        if plan.policy.cannot:
            return Outcome("failure", f"{'gave up' if progress.gave_up else 'it cannot be done'}: {plan.policy.cannot}")
        return Outcome("success")

    def finish(self, outcome: Outcome) -> Outcome:
        """Look once more, ask the judge, write down how the run ended, and return it."""
        if self.planner.early is not None:
            self.planner.early.drop("the run ended before the policy was carried out")
        end: list[Event] = []
        verdict: bool | None = None
        with self._stopped:  # whether the robot stopped is part of how it ended
            self._stopped.wait_for(lambda: not self._stops, STOP_S)
        try:
            self.body.rest()
            if isinstance(outcome.error, SimulationFault):
                raise outcome.error  # a broken world shows nothing, and nothing in it is true or false
            end.append(self.body.observe("end")[1])
            if self.judge is not None and self.judge in self.journal.outer:  # one that failed judges no more
                verdict = self.body.call(self.judge, "a verdict")
        except VlpError as error:  # of a run that ended otherwise, a robot that is gone cannot show the end
            if outcome.outcome == "success":
                how = "timeout" if isinstance(error, Overrun) else "stopped"
                outcome = Outcome(how, f"every step succeeded, and the last look failed: {error}", error=error)
        progress = self.memory.progress
        outcome = replace(outcome, claim=progress.claim, checked=self._checked(), verdict=verdict)
        if outcome.outcome == "success" and outcome.claim == "already" and not outcome.checked and not verdict:
            why = "the model says that it is so already, and nothing was looked at that shows it"
            outcome = replace(outcome, outcome="failure", reason=why)
        if self.body.stop_fault:
            reason = f"{outcome.reason.rstrip('.')}; " if outcome.reason else ""
            outcome = replace(outcome, reason=f"{reason}{self.body.stop_fault}")
        waiting = [c for mark, c in self._changes.items() if mark not in progress.said and outcome.outcome != "stopped"]
        ungiven = [f"{change.after_steps}: {change.what}" for change in waiting]
        after = f"the run ended after {counted(progress.steps, 'step')}"
        end += [Event("note", {"text": f"never given, since {after}: {told!r}"}) for told in ungiven]
        data = {"outcome": outcome.outcome, "reason": outcome.reason, "claim": outcome.claim, "verdict": verdict}
        data |= {"never_given": ungiven}
        data |= {"checked": outcome.checked, "account": outcome.account}
        data["error"] = type(outcome.error).__name__ if outcome.error else ""
        finished = Event("run-finished", data)
        end += self.planner.lessons.learned(finished) if self.planner.lessons else []
        self.journal.emit(*end, finished)
        return outcome

    def _checked(self) -> int:
        """Return how many checks of the present policy held."""
        return sum(step.step.do == CHECK for step in self.memory.progress.done)
