"""A run put together: what is to be done and scripted, the robot, the model, the journal, and the loop between them."""

import platform
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from vlp import __version__
from vlp.core.errors import UsageError
from vlp.core.instruction import Instruction
from vlp.core.things import Names
from vlp.journal import Event, Journal, read_events
from vlp.models.protocol import Model
from vlp.robot.protocol import Robot
from vlp.runtime.body import Body, Budget
from vlp.runtime.bus import Bus, Judge, Outcome, Subscriber
from vlp.runtime.confirming import Confirming, Proposal, Said
from vlp.runtime.loop import Change, Loop, Schedule, Steps
from vlp.runtime.memory import RunMemory
from vlp.runtime.planner import Planner
from vlp.runtime.recovery import Hold, check_resumable, recover
from vlp.runtime.triggers import TRIGGERS, Trigger
from vlp.understanding.gate import Gate

JOURNAL = "journal.db"


@dataclass(frozen=True)
class Spec:
    """What is run, in words and numbers: enough for another process to put it together again.

    Args:
        instruction: the first one.
        robot, world, model: what they were called on the command line.
        seed: of the world.
        changes: scripted changes.
        budget: bounds.
        options: whatever else the command line was given, as plain data.
    """

    instruction: Instruction
    robot: str = ""
    world: str = ""
    model: str = ""
    seed: int = 0
    changes: tuple[Change, ...] = ()
    budget: Budget = field(default_factory=Budget)
    options: dict[str, Any] = field(default_factory=dict)

    def started(self, run_id: str, manifest_version: str) -> list[Event]:
        """Return the events that begin a run; the second one holds the instruction."""
        versions = {"vlp": __version__, "python": platform.python_version(), "manifest": manifest_version}
        data = {name: getattr(self, name) for name in ("robot", "world", "model", "seed")}
        data |= {"run_id": run_id, "versions": versions, "budget": asdict(self.budget)}
        data["options"] = {**self.options, "changes": [change.to_json() for change in self.changes]}
        return [Event("run-started", data), Event("instruction", asdict(self.instruction))]

    @classmethod
    def of(cls, events: Sequence[Event]) -> "Spec":
        """Return the spec of a run from its events."""
        data = events[0].data
        said = next(event.data for event in events if event.kind == "instruction")
        options = dict(data["options"])
        changes = tuple(Change.from_json(change) for change in options.pop("changes", ()))
        names = {name: data[name] for name in ("robot", "world", "model", "seed")}
        return cls(Instruction(**said), **names, changes=changes, budget=Budget(**data.get("budget", {})), options=options)


def read_run(out: str | Path) -> tuple[Spec, list[Event]]:
    """Return what a run in a directory was made from, and its events, for a `Run` that takes it over.

    Raises:
        UsageError: no journal, a damaged one, or a run that has ended.
    """
    events = read_events(out)
    check_resumable(events)
    return Spec.of(events), events


class Run:
    """One run, ready to go: what `vlp run`, `vlp resume`, episodes and tests are made of.

    Args:
        out: its directory.
        spec: what is run.
        robot: the robot; it can look when perception is wrapped around it.
        model: writes policies.
        judge: knows the true state of the scene; None where nobody does.
        subscribers: displays, recordings and measurements; closed at the end.
        triggers: reasons to ask for a new policy.
        on_text: told each piece of a reply as it is written.
        confirm: asks a person whether to go on with what may be a misunderstanding; "always" waits for `answer` before the
            first step of every new policy that has an action; None where nobody is there.
        past: events of a run to be taken over.

    Raises:
        UsageError: the directory holds a run already, or the model was made for another robot.
        JournalError: the directory cannot be written.
    """

    def __init__(
        self,
        out: str | Path,
        spec: Spec,
        robot: Robot,
        model: Model,
        *,
        judge: Judge | None = None,
        subscribers: Sequence[Subscriber] = (),
        triggers: Sequence[Trigger] = TRIGGERS,
        on_text: Callable[[str], None] | None = None,
        confirm: Callable[[str], bool] | Literal["always"] | None = None,
        past: Sequence[Event] = (),
    ) -> None:
        self.spec, self._past = spec, list(past)
        schedule = Schedule(spec.changes, judge.apply if judge else None)
        journal = Path(out) / JOURNAL
        if not past and journal.exists() and read_events(out, blobs=False):
            raise UsageError(f"{str(out)!r} holds a run already.", "Choose another directory, or resume that run.")
        self.run_id: str = past[0].data["run_id"] if past else uuid.uuid4().hex[:12]
        # The robot first: one that does not answer must leave no empty journal behind.
        self.body = Body(robot, spec.budget, f"{self.run_id}.{len(past)}")
        self.gate = Gate.of(model, self.body.manifest)
        self.memory = RunMemory(self.body.manifest.primitives)
        self.journal = Journal(journal, must_exist=bool(past))
        self.bus = Bus(self.journal, [self.memory], subscribers, judge)
        self.steps = Steps(self.body, self.bus, self.memory, self.run_id)
        known = getattr(robot, "names", None)
        names = known if isinstance(known, Names) else None
        reachable = self.body.reachable if self.body.offers("reachable") else None
        always = isinstance(confirm, str)
        doubts = (lambda question: True) if isinstance(confirm, str) else confirm  # whoever is asked anyway is asked once
        self.planner = Planner(
            model, self.body.manifest, self.bus, self.memory, spec.budget, on_text, self.gate, doubts, names, reachable
        )
        self.confirming = Confirming(self.body, self.planner, self.bus, self.memory, self.gate) if always else None
        self.loop = Loop(
            self.body,
            self.planner,
            self.steps,
            self.bus,
            self.memory,
            spec.budget,
            schedule,
            triggers,
            self.gate,
            self.confirming,
        )

    def instruct(self, text: str) -> Instruction:
        """Give a new instruction, from any thread, and return it; it holds from the next step boundary on.

        Words for stopping, and sentences that only forbid, stop robot and run at once.

        Raises:
            NotUnderstood: a question, or a sentence that asks for nothing; the run goes on.
            UsageError: out of bounds.
        """
        said = Instruction.of(text)
        why = self.gate.sentence(said.text, follows=True)
        if why is not None and (why.stops or why.code == "forbids"):
            self.stop(str(why))
            return said
        self.loop.inbox.put(said)  # noted in the journal at the next boundary, also where it is no instruction
        if why is not None and why.harmless:
            raise why
        return said

    @property
    def proposal(self) -> Proposal | None:
        """What a person is asked to agree to now; None while nobody is asked."""
        return self.confirming.desk.proposal if self.confirming else None

    def answer(self, said: Said, by: str = "api") -> None:
        """Answer the question whether to carry out `proposal`, from any thread.

        Args:
            said: True or "yes" starts the policy; False or "no" ends the run. A policy, as an object, a document or its JSON
                text, takes the place of the one that was shown and is asked about in its turn. Any other sentence is a new
                instruction. Words for stopping stop robot and run, whether anybody is asked or not.
            by: through what it came, for the journal.

        Raises:
            UsageError: nobody is asked, or it was answered already; a policy that fails the checks; a sentence out of bounds.
                After a refusal the question stays open.
            NotUnderstood: a sentence that may not move the robot; the question stays open.
        """
        if self.confirming is None:
            raise UsageError("this run asks nobody before it moves.", 'Make it with confirm="always".')
        self.confirming.answer(said, by, self.stop)

    def stop(self, reason: str = "stopped by the person") -> None:
        """Stop robot and run, from any thread."""
        self.loop.stop(reason)

    def go(self) -> Outcome:
        """Run to the end and close what was opened, the robot and the model excepted."""
        try:
            if self._past:
                self._take_over()
            else:
                self._begin()
            return self.loop.run()
        except Hold as hold:
            return self.loop.finish(Outcome("stopped", str(hold), error=hold))
        finally:
            self.bus.close()
            self.planner.close()
            self.body.close()

    def _begin(self) -> None:
        start = self.spec.started(self.run_id, self.body.manifest.version)
        snapshot = self.body.ask("snapshot")
        if snapshot is not None:
            start.append(Event("snapshot", {"after": "start"}, blob=snapshot))
        self.bus.emit(*start)

    def _take_over(self) -> None:
        """Go through the past, and bring robot and memory to one state; raises Hold where that cannot be done."""
        for event in self._past:
            self.bus.show(event)
        recover(self._past, self.body, self.memory, self.bus, self.steps)
