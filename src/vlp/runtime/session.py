"""A run in a directory: put the parts together, start it or take it over, and close what was opened."""

import platform
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vlp import __version__
from vlp.core.errors import UsageError
from vlp.journal import Event, Journal, read_events
from vlp.models.protocol import Model
from vlp.perception.perceiving import PerceivingRobot
from vlp.prompt.bounds import clean_instruction
from vlp.robot.protocol import Robot
from vlp.runtime.body import Body
from vlp.runtime.bus import Bus, Subscriber
from vlp.runtime.limits import Budget
from vlp.runtime.loop import Loop
from vlp.runtime.memory import RunMemory
from vlp.runtime.outcome import Outcome
from vlp.runtime.planner import Planner
from vlp.runtime.recovery import Hold, check_resumable, recover
from vlp.runtime.schedule import Change, Schedule
from vlp.runtime.steps import Steps
from vlp.runtime.triggers import TRIGGERS, Trigger
from vlp.understanding.gate import HARMLESS, STOP, Gate

JOURNAL = "journal.db"


@dataclass(frozen=True)
class Spec:
    """What a run is made from, in words and numbers: enough for another process to build it again.

    Args:
        instruction: the first sentence.
        robot, world, model: what they were called on the command line.
        seed: of the world.
        changes: scripted changes.
        options: whatever else the command line was given.
    """

    instruction: str
    robot: str = ""
    world: str = ""
    model: str = ""
    seed: int = 0
    changes: tuple[Change, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_event(cls, started: Event) -> "Spec":
        """Return the spec that a `run-started` event holds."""
        d = started.data
        options = dict(d["options"])
        changes = tuple(Change(**change) for change in options.pop("changes", ()))
        return cls(d["instruction"], d["robot"], d["world"], d["model"], d["seed"], changes, options)


@dataclass(frozen=True)
class Parts:
    """What a run needs beside robot and model.

    Args:
        apply_event: carries out a scripted event on the scene.
        judge: the true state's verdict at the end.
        subscribers: displays and recordings.
        budget: bounds.
        triggers: reasons to ask for a new policy.
        on_text: told each piece of a reply as it is written.
        epoch: fencing epoch of the lease.
        confirm: asks a person whether to go on with what may be a misunderstanding; None where nobody is there.
    """

    apply_event: Callable[[str], Any] | None = None
    judge: Callable[[], bool | None] | None = None
    subscribers: Sequence[Subscriber] = ()
    budget: Budget = field(default_factory=Budget)
    triggers: Sequence[Trigger] = TRIGGERS
    on_text: Callable[[str], None] | None = None
    epoch: int = 0
    confirm: Callable[[str], bool] | None = None


class Session:
    """One run, ready to go.

    Args:
        out: its directory.
        spec: what it is made from.
        robot: the robot; it can look when perception is wrapped around it.
        model: writes policies.
        parts: everything else.
        resumed: events of a run to be taken over.

    Raises:
        UsageError: the directory holds a run already, the instruction is out of bounds, or the model was made for another
            robot.
        JournalError: the directory cannot be written.
    """

    def __init__(
        self, out: str | Path, spec: Spec, robot: Robot, model: Model, parts: Parts, resumed: Sequence[Event] = ()
    ) -> None:
        self.out, self.spec, self.parts, self._events = Path(out), spec, parts, list(resumed)
        self._instruction = clean_instruction(spec.instruction)
        schedule = Schedule(spec.changes, parts.apply_event)
        if not resumed and (self.out / JOURNAL).exists() and read_events(self.out, blobs=False):
            raise UsageError(f"{str(self.out)!r} holds a run already.", "Choose another directory, or resume that run.")
        self.run_id: str = resumed[0].data["run_id"] if resumed else uuid.uuid4().hex[:12]
        # The robot first: one that does not answer must leave no empty journal behind.
        self.body = Body(robot, parts.budget, f"{self.run_id}.{len(resumed)}")
        self.gate = Gate.of(model, self.body.manifest)
        self.journal = Journal(self.out / JOURNAL, must_exist=bool(resumed))
        try:
            self.memory = RunMemory(self.body.manifest.primitives)
            self.bus = Bus(self.journal, [self.memory], parts.subscribers)
            self.steps = Steps(self.body, self.bus, self.memory, self.run_id, parts.epoch)
            self.planner = Planner(
                model,
                self.body.manifest,
                self.bus,
                self.memory,
                parts.budget,
                parts.on_text,
                gate=self.gate,
                confirm=parts.confirm,
                names=robot.grounder.names if isinstance(robot, PerceivingRobot) else None,
            )
            self.loop = Loop(
                self.body,
                self.planner,
                self.steps,
                self.bus,
                self.memory,
                parts.budget,
                schedule,
                parts.triggers,
                parts.judge,
                self.gate,
            )
        except BaseException:
            self.journal.close()
            raise

    def instruct(self, text: str) -> str:
        """Give a new instruction, from any thread, and return it cleaned; it holds from the next step boundary on.

        Words for stopping, and sentences that only forbid, stop robot and run at once.

        Raises:
            NotUnderstood: a question, or a sentence that asks for nothing; the run goes on.
            UsageError: out of bounds.
        """
        text = clean_instruction(text)
        why = self.gate.sentence(text, follows=True)
        if why is not None and why.code in (STOP, "forbids"):
            self.loop.stop(str(why))
            return text
        taken = self.loop.inbox.put(text)  # noted in the journal at the next boundary, also where it is no instruction
        if why is not None and why.code in HARMLESS:
            raise why
        return taken

    def stop(self) -> None:
        """Stop robot and run, from any thread."""
        self.loop.stop()

    def run(self) -> Outcome:
        """Run to the end, from the start or from where the other process left it, and close the journal."""
        try:
            if not self._events:
                self._begin()
                return self.loop.run()
            for event in self._events:
                self.bus.show(event)
            try:
                recover(self._events, self.body, self.memory, self.bus, self.steps)
            except Hold as hold:
                return self.loop.finish(Outcome("stopped", str(hold), error=hold))
            return self.loop.run()
        finally:
            for subscriber in self.parts.subscribers:
                close = getattr(subscriber, "close", None)
                if callable(close):
                    close()
            self.planner.close()
            self.body.close()
            self.journal.close()

    def _begin(self) -> None:
        options = {**self.spec.options, "changes": [c.to_json() for c in self.spec.changes]}
        data = {
            "run_id": self.run_id,
            "instruction": self._instruction,
            "robot": self.spec.robot,
            "world": self.spec.world,
            "seed": self.spec.seed,
            "model": self.spec.model,
            "versions": {
                "vlp": __version__,
                "python": platform.python_version(),
                "manifest": self.body.manifest.version,
            },
            "options": options,
            "budget": asdict(self.parts.budget),
        }
        start = [Event("run-started", data), Event("instruction", {"text": self._instruction, "source": "person"})]
        snapshot = self.body.ask("snapshot")
        if snapshot is not None:
            start.append(Event("snapshot", {"after": "start"}, blob=snapshot))
        self.bus.emit(*start)


def read_run(out: str | Path) -> tuple[Spec, list[Event]]:
    """Return what a run in a directory was made from, and its events, for a `Session` that takes it over.

    Raises:
        UsageError: no journal, a damaged one, or a run that has ended.
    """
    events = read_events(out)
    return Spec.from_event(check_resumable(events)), events
