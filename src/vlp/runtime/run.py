"""A run put together: what is to be done, robot, model, journal and loop; and how one whose process died is taken over."""

from __future__ import annotations

import contextlib
import ctypes
import math
import platform
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from vlp import __version__
from vlp.core.errors import SimulationFault, UsageError, VlpError
from vlp.core.files import write_whole
from vlp.core.messages import Instruction, Names
from vlp.journal import Event, Journal, Subscriber, read_events
from vlp.models.protocol import Model
from vlp.prompt.render import find_wording
from vlp.robot.protocol import UNKNOWN, Robot, Status, Step, StepResult
from vlp.runtime.body import Body, Budget
from vlp.runtime.early import Early
from vlp.runtime.lessons.in_run import RunLessons
from vlp.runtime.lessons.store import LessonStore
from vlp.runtime.loop import Change, Judge, Loop
from vlp.runtime.memory import RunMemory, reading
from vlp.runtime.planner import Planner
from vlp.runtime.retrying import Retrying
from vlp.runtime.sequencer import Sequencer
from vlp.runtime.story import Outcome
from vlp.runtime.triggers import TRIGGERS, Trigger
from vlp.runtime.verifying import Verifier
from vlp.understanding.gate import Gate

if TYPE_CHECKING:
    from vlp.runtime.confirming import Confirming, Proposal, Said

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

    def started(self, run_id: str, manifest_version: str, instance: str) -> list[Event]:
        """Return the events that begin a run; the second one holds the instruction."""
        versions = {"vlp": __version__, "python": platform.python_version(), "manifest": manifest_version}
        data = {name: getattr(self, name) for name in ("robot", "world", "model", "seed")}
        data |= {"run_id": run_id, "versions": versions, "budget": asdict(self.budget), "instance": instance}
        data["options"] = {**self.options, "changes": [change.to_json() for change in self.changes]}
        return [Event("run-started", data), Event("instruction", asdict(self.instruction))]

    @classmethod
    def of(cls, events: Sequence[Event]) -> Spec:
        """Return the spec of a run from its events."""
        data = events[0].data
        said = next(event.data for event in events if event.kind == "instruction")
        options = dict(data["options"])
        changes = tuple(Change.from_json(change) for change in options.pop("changes", ()))
        names = {name: data[name] for name in ("robot", "world", "model", "seed")}
        odd = [n for n, limit in data.get("budget", {}).items() if not (type(limit) in (int, float) and 0 <= limit < math.inf)]
        confirm = options.get("confirm", "ask")
        if odd or confirm not in ("ask", "yes", "always"):
            raise ValueError(f"{odd[0]} is {data['budget'][odd[0]]!r}" if odd else f"confirm is {confirm!r}")
        return cls(Instruction(**said), **names, changes=changes, budget=Budget(**data.get("budget", {})), options=options)


def read_run(out: str | Path) -> tuple[Spec, list[Event]]:
    """Return what a run in a directory was made from, and its events, for a `Run` that takes it over.

    Raises:
        UsageError: no journal, a damaged one, or a run that has ended.
    """
    events = read_events(out)
    check_resumable(events)
    with reading():
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
        looked: whether a person has looked at the robot since then: nothing that was known of it counts any more.
        early: whether a policy's first step is begun while the rest is still written, where it only looks (`runtime.early`).
        verify: whether the effects of each action are asked of the world before it counts as done (`runtime.verifying`).
        sequencer: decides whether a step that failed is tried again before a new policy is asked for; None never does.
        lessons: what earlier runs teach, shown to the model and added to; None for neither.
        remembers: whether a new policy is written from what was said, done and seen before; without, from the last sentence and
            what is seen now alone, to measure what memory is worth. What cannot be undone is not done twice in any case.

    Raises:
        UsageError: the directory holds a run already, or the model was made for another robot, or a step is to begin early and
            a person to be asked before the first one, or lessons are to be told to what remembers nothing.
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
        looked: bool = False,
        early: bool = False,
        verify: bool = False,
        sequencer: Sequencer | None = None,
        lessons: LessonStore | None = None,
        remembers: bool = True,
    ) -> None:
        self.spec, self._past, self._looked = spec, list(past), looked
        _check_options(early and confirm == "always", lessons is not None and not remembers)
        events = [change.what for change in spec.changes if isinstance(change.what, str)]
        if events and judge is None:
            raise UsageError(f"this robot's world takes no events: {events[0][:100]!r}.")
        journal = Path(out) / JOURNAL
        if not past and journal.exists() and read_events(out, blobs=False):
            raise UsageError(f"{str(out)!r} holds a run already.", "Choose another directory, or resume that run.")
        self.run_id: str = past[0].data["run_id"] if past else uuid.uuid4().hex[:12]
        # A robot may remember steps that a repaired journal has lost: keys begin anew there.
        anew = [event.data["keys"] for event in past if event.kind == "trigger" and "keys" in event.data]
        keys = anew[-1] if anew else self.run_id
        # The robot first: one that does not answer must leave no empty journal behind.
        tag = f"{keys}.{len(past)}"
        self.body = Body(robot, spec.budget, tag)
        if hold_as := self.body.offers("hold_as"):
            hold_as(f"vlp-{self.run_id}")
        self.gate = Gate.of(model, self.body.manifest)
        self.memory = RunMemory(self.body.manifest.primitives)
        followers = [*([judge] if judge else []), *subscribers]
        self.journal = Journal(journal, bool(past), [self.memory], followers)
        known = getattr(robot, "names", None)
        names = known if isinstance(known, Names) else None
        reachable = self.body.reachable if self.body.offers("reachable") else None
        always = isinstance(confirm, str)
        doubts = (lambda question: True) if isinstance(confirm, str) else confirm  # whoever is asked anyway is asked once
        begins = Early(self.body, self.journal, self.memory, tag) if early else None
        recalls = None
        if lessons is not None:
            told = find_wording(model.profile).recalls
            recalls = RunLessons(lessons, self.body.manifest, self.memory, self.journal, told)
        self.planner = Planner(
            model,
            self.body.manifest,
            self.journal,
            self.memory,
            spec.budget,
            on_text,
            self.gate,
            doubts,
            names,
            reachable,
            begins,
            recalls,
            remembers,
        )
        self.confirming: Confirming | None = None
        if always:
            from vlp.runtime.confirming import Confirming

            self.confirming = Confirming(self.body, self.planner, self.journal, self.memory, self.gate)
        retrying = Retrying(self.body, self.journal, self.memory, sequencer) if sequencer else None
        verifier = Verifier(self.body, self.memory) if verify else None
        self.loop = Loop(
            keys, self.body, self.planner, self.journal, self.memory, spec.changes, judge, triggers, self.confirming,
            verifier, retrying,
        )  # fmt: skip

    def instruct(self, text: str) -> Instruction:
        """Give a new instruction, from any thread, and return it; it holds from the next step boundary on.

        Words for stopping, warnings ("my hand is in the box") and sentences that only forbid stop robot and run at once. While
        a skill moves the hand, words that spell a move of it ("a bit more left") are its next one, and no instruction.

        Raises:
            NotUnderstood: a question, or a sentence that asks for nothing; the run goes on.
            UsageError: out of bounds.
        """
        said = Instruction.of(text)
        why = self.gate.sentence(said.text, follows=True)
        warns = why is not None and why.harmless and self.loop.alarming(said.text)
        if why is not None and (why.stops or why.code == "forbids" or warns):
            self.stop(f"{'it may be a warning' if warns else str(why).rstrip('.')}; said: {said.text!r}")
            return said
        correct = self.body.offers("correct_skill")
        if correct is not None and correct(said.text, moves_only=True):
            return said
        self.loop.instruct(said)  # noted in the journal at the next boundary, also where it is no instruction
        if why is not None and why.harmless:
            raise why
        return said

    @property
    def proposal(self) -> Proposal | None:
        """What a person is asked to agree to now; None while nobody is asked."""
        return self.confirming.desk.proposal if self.confirming else None

    def answer(self, said: Said, by: str = "api", revision: int | None = None) -> None:
        """Answer the question whether to carry out `proposal`, from any thread.

        Args:
            said: True or "yes" starts the policy; False or "no" ends the run. A policy, as an object, a document or its JSON
                text, takes the place of the one that was shown and is asked about in its turn. Any other sentence is a new
                instruction. Words for stopping stop robot and run, whether anybody is asked or not.
            by: through what it came, for the journal.
            revision: of the policy that whoever answers was shown (`proposal.revision`); a yes needs it.

        Raises:
            UsageError: nobody is asked, or about another policy, or it was answered already; a policy that fails the checks; a
                sentence out of bounds. After a refusal the question stays open.
            NotUnderstood: a sentence that may not move the robot; the question stays open.
        """
        if self.confirming is None:
            raise UsageError("this run asks nobody before it moves.", 'Make it with confirm="always".')
        self.confirming.answer(said, by, self.stop, revision)

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
            outcome = self.loop.run()
            if isinstance(outcome.error, SimulationFault) and outcome.error.dump:
                write_whole(self.journal.path.with_name("simulation_fault.json"), outcome.error.dump)
            return outcome
        except Hold as hold:
            return self.loop.finish(Outcome("stopped", str(hold), error=hold))
        finally:
            self.journal.close()
            self.planner.close()
            self.body.close()
            _give_back()

    def _begin(self) -> None:
        start = self.spec.started(self.run_id, self.body.manifest.version, self.body.instance())
        snapshot = self.body.ask("snapshot")
        if snapshot is not None:
            start.append(Event("snapshot", {"after": "start"}, blob=snapshot))
        self.journal.emit(*start)

    def _take_over(self) -> None:
        """Go through the past, and bring robot and memory to one state.

        Raises:
            Hold: that cannot be done.
            MissingComponent: the robot is stopped, or held by somebody else; the run is as it was.
        """
        for event in self._past:
            self.journal.show(event)
        self.body.take()  # refused before anything is written down, a robot that is latched or held costs the run nothing
        recover(self._past, self.loop, self._looked)


def _check_options(early_and_asked: bool, lessons_forgotten: bool) -> None:
    """Refuse options that exclude each other; raises UsageError."""
    if early_and_asked:
        raise UsageError(
            "no step begins before a person has said yes, so none can begin early.", 'Leave out early, or confirm="always".'
        )
    if lessons_forgotten:
        raise UsageError("a run that remembers nothing is told no lessons.", "Leave out lessons.")


def _give_back() -> None:
    """Give freed memory back to the system: threads that end leave theirs with the allocator, 3 MB after each run."""
    with contextlib.suppress(AttributeError, OSError):  # an allocator that has no such thing
        ctypes.CDLL(None).malloc_trim(0)


class Hold(VlpError):
    """It cannot be known what the robot did; a person has to look."""


class Unsettled(Hold):
    """It cannot be known what became of the step in flight; the run goes on once a person has looked (`looked`)."""

    def __init__(self, why: str) -> None:
        super().__init__(f"{why} Look at the robot, then go on with `vlp resume --looked`.")


def check_resumable(events: Sequence[Event]) -> Event:
    """Return the event that started the run.

    Raises:
        UsageError: the journal holds no run, or one that has ended.
    """
    if not events or events[0].kind != "run-started":
        raise UsageError("the journal holds no run.", "Was the run killed before it began? Start it again.")
    ends = [e for e in events if e.kind == "run-finished"]
    taken_over = any(e.kind == "run-resumed" for e in events if ends and e.seq > ends[-1].seq)
    if ends and not taken_over and ends[-1].data["outcome"] in ("success", "failure", "timeout"):
        raise UsageError(f"this run has ended: {ends[-1].data['outcome']}.", "`vlp replay` shows it.")
    return events[0]


def recover(events: Sequence[Event], loop: Loop, looked: bool = False) -> None:
    """Bring robot and memory to one agreed state, so that the loop can go on.

    Args:
        events: the journal so far.
        loop: its memory takes the events in, and it writes the end of a step that turns out to have happened. A simulated robot
            is fresh, a remote one is as it was left, or as somebody left it meanwhile.
        looked: whether a person has looked at the robot.

    Raises:
        Hold: the state of the robot cannot be known.
    """
    body, memory = loop.body, loop.memory
    before, now = check_resumable(events).data["versions"].get("manifest"), body.manifest.version
    if before != now:
        raise Hold(f"the run began with manifest {before} of its robot; the robot's manifest is now {now}.")
    with reading():
        for event in events:
            if event.kind == "step-finished" and event.data["status"] not in get_args(Status):
                raise ValueError(f"status {event.data['status']!r}")
            memory.on_event(event)
        for step in memory.progress.remaining:
            memory.primitives[step.step.do]
    _recall(events, body)
    flight = memory.progress.in_flight
    snapshots = [e for e in events if e.kind == "snapshot" and e.blob is not None]
    news: list[Event] = []
    if snapshots:
        how = _restore(snapshots[-1], events, body)
        memory.nothing_lost()
    elif any(e.kind == "snapshot" for e in events):
        raise Hold("the last snapshots of the simulated robot are lost; its state cannot be restored.")
    else:
        how = "no step was in flight" if flight is None else _settle(flight, loop, looked)
        if "journal-repaired" in memory.progress.triggers:
            lost = _regain(events, loop)
            how = lost if flight is None else f"{how}; {lost}"
        news = _news(events, loop, looked)
    data = {"in_flight": flight.data["key"] if flight else None, "how": how, "instance": body.instance(), "looked": looked}
    loop.journal.emit(Event("run-resumed", data), *news)
    memory.progress.in_flight = None


def _news(events: Sequence[Event], loop: Loop, looked: bool) -> list[Event]:
    """Look, and return what the robot shows, and why a new policy is needed where it is not as the run left it."""
    body, memory = loop.body, loop.memory
    seen, event = body.observe("resume")
    known, now = [e.data["instance"] for e in events if "instance" in e.data], body.instance()
    if looked or (known and known[-1] != now):
        why = "a person looked at the robot" if looked else "the robot, or its server, was started anew"
        why = f"{why}: what was done and seen before no longer counts"
        return [event, Event("trigger", {"name": "robot-anew", "detail": why, "forgets": True})]
    at, holding = memory.felt(seen.state)
    before = memory.knowledge
    place, hold = at != before.at, holding != before.holding
    if memory.progress.plan is None or not (place or hold):
        return [event]
    told = [f"it stands at {at or 'no place'}, not at {before.at or 'no place'}"] if place else []
    told += [f"it holds {holding or 'nothing'}, not {before.holding or 'nothing'}"] if hold else []
    why = f"the robot is not as the run left it: {', and '.join(told)}"
    return [event, Event("trigger", {"name": "robot-moved", "detail": why})]


def _restore(snapshot: Event, events: Sequence[Event], body: Body) -> str:
    """Bring a simulated robot back; what is newer than its last snapshot has not happened in the restored state."""
    late = [e for e in events if e.seq > snapshot.seq and e.kind == "step-finished" and e.data["status"] != "rejected"]
    if late:
        raise Hold(f"step {late[-1].data['id']} finished after the last snapshot; its effect cannot be restored.")
    if body.offers("restore") is None:
        raise Hold("the journal keeps snapshots of a simulated robot, and this robot cannot take one back.")
    body.ask("restore", snapshot.blob)
    body.ask("reset_stop")  # whoever resumes a simulated run has seen why it stopped
    return f"the simulated robot was restored as it was after {snapshot.data['after']}"


def _recall(events: Sequence[Event], body: Body) -> None:
    """Tell a robot that remembers what it did, such as one with perception around it, the steps that finished."""
    recall = body.offers("recall")
    if recall is None:
        return
    sent = {e.data["key"]: e.data for e in events if e.kind == "step-started"}
    for event in events:
        if event.kind == "step-finished" and (start := sent.get(event.data["key"])):
            recall(Step(start["do"], start["arguments"], start["key"]), StepResult(**event.data["result"]))


def _regain(events: Sequence[Event], loop: Loop) -> str:
    """Write down again the steps of the present plan that a repaired journal has lost and the robot still knows by their keys.

    Returns:
        what is known of the lost steps, in words.
    """
    body, progress = loop.body, loop.memory.progress
    written = max((i for i, event in enumerate(events) if event.kind == "policy"), default=0)
    anew = [event.data["keys"] for event in events[:written] if event.kind == "trigger" and "keys" in event.data]
    keys = anew[-1] if anew else events[0].data["run_id"]
    known: list[str] = []
    while progress.remaining and not progress.failed:
        step = progress.remaining[0]
        result = body.ask("result_of", loop.memory.key(keys, step))
        if result is None or result.code in UNKNOWN:
            break
        result = body.checked(step.step.do, result)
        loop.ended(step, result, 0.0)
        known.append(f"{step.id} ({result.status})")
    told = f"the robot had ended step {', '.join(known)}; " if known else ""
    return f"{told}what else the lost part of the journal held, nobody knows"


def _settle(flight: Event, loop: Loop, looked: bool) -> str:
    """Ask the robot by key what became of the step in flight."""
    body, plan = loop.body, loop.memory.progress.plan
    key, step_id = flight.data["key"], flight.data["id"]
    asks = body.offers("result_of") is not None
    assert plan is not None
    step = plan.step(step_id)
    result = body.ask("result_of", key)
    result = body.checked(step.step.do, result) if result is not None else None
    lost = result is not None and result.code in UNKNOWN  # the robot's server died under the step: its keys say no more
    if (result is None or lost) and looked:
        message = "nobody knows what became of it; a person looked at the robot"
        loop.ended(step, StepResult(key, "failed", code="unknown", message=message), 0.0)
        return f"step {step_id} was in flight; a person looked at the robot"
    if not asks:
        raise Unsettled(f"step {step_id} was in flight, and this robot cannot be asked about it.")
    if lost or (result is None and body.instance() != flight.data.get("instance", "")):
        raise Unsettled(f"the robot, or its server, started anew while step {step_id} was in flight.")
    if result is None:
        return f"the robot has no result of step {step_id}; it is sent again under the same key"
    loop.ended(step, result, 0.0)
    return f"the robot had ended step {step_id}: {result.status}"
