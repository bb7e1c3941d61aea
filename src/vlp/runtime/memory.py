"""What a run knows, folded from its events: the same fold serves a live run and one read back from a journal."""

import contextlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import dist
from typing import Any, NamedTuple

from vlp.core.errors import UsageError
from vlp.core.observation import Located, RobotState
from vlp.journal import Event
from vlp.policy.model import Plan, PlanStep, PolicyStep, Situation, State
from vlp.primitives.facts import Fact, Facts, sensed_facts
from vlp.primitives.manifest import Primitive
from vlp.primitives.schema import CHECK
from vlp.prompt.render import Memory, StepRecord, summed_up
from vlp.understanding.final import plain
from vlp.understanding.prohibitions import declines

SAME_SPOT_M = 0.05
"""A thing seen less than this from where it was believed to be has not moved."""
KEPT_STEPS = 60
KEPT_FAILURES = 12


@contextlib.contextmanager
def reading() -> Iterator[None]:
    """Tell as one sentence what goes wrong while events are read that no run can have written; raises UsageError."""
    try:
        yield
    except (ArithmeticError, AssertionError, AttributeError, LookupError, StopIteration, TypeError, ValueError) as error:
        said = f"the journal holds what no run writes: {type(error).__name__}: {str(error)[:100]}"
        raise UsageError(f"{said.rstrip('. :')}.", "Was it changed by hand, or by another program?") from None


@dataclass
class Progress:
    """Where the run stands in its present plan.

    Args:
        revision: number of policies so far.
        plan: the present one; None before the first.
        instruction: the instruction it was written for.
        finished: how many of its steps succeeded.
        failed: whether the step after those was tried and did not succeed.
        in_flight: the `step-started` without its `step-finished`.
        bindings: results by the name given with "as".
        triggers: sentences by name since the present plan began.
        replans: policies since the last instruction, after the first.
        claim: what the present policy says of the task (see `claim_of`).
        gave_up: whether it says "cannot" after something went wrong, not at once.
        steps: steps finished in the whole run, failed ones included.
        said: texts of scripted changes that have happened, in order.
        asks: answers of the person since an action was last tried, or a step failed.
        agreed: whether a person who was asked said yes to the present plan.
    """

    revision: int = 0
    plan: Plan | None = None
    instruction: str = ""
    finished: int = 0
    failed: bool = False
    in_flight: Event | None = None
    bindings: dict[str, Any] = field(default_factory=dict)
    triggers: dict[str, str] = field(default_factory=dict)
    replans: int = -1
    claim: str = ""
    gave_up: bool = False
    steps: int = 0
    said: list[str] = field(default_factory=list)
    asks: int = 0
    agreed: bool = False

    @property
    def remaining(self) -> Sequence[PlanStep]:
        """Steps still to do, the next one first."""
        return self.plan.steps[self.finished :] if self.plan else ()

    @property
    def done(self) -> Sequence[PlanStep]:
        """Steps of the present plan that succeeded."""
        return self.plan.steps[: self.finished] if self.plan else ()


class ForGood(NamedTuple):
    """What is known of a deed that cannot be undone.

    Args:
        times: how often a step of it was begun.
        sure: whether the last one was done; one that failed or was stopped may have been, for all anybody knows.
        instructions: how many there were by then.
    """

    times: int
    sure: bool
    instructions: int


class RunMemory:
    """Folds events into progress and knowledge.

    Args:
        primitives: the robot's, by name; their declared effects say what a finished step changed.

    Attributes:
        progress: where the run stands.
        knowledge: what the robot has been told, has done and believes: all of it, while the model is told a bounded part.
        situation: what holds by the steps that succeeded: the same fold that policies are checked with.
        tells_place: whether the robot has ever said where it stands; the "" of one that never does says nothing.
        sensed: what the robot sensed of its own facts when it was last observed.
        declined: the robot's question to which the person, in the last sentence, did not say yes; "" for none.
        made: the facts that the last step made, by its declaration.
        undoable: final steps that were done, or may have been, as `deed_text` writes them: none is done twice unasked.
        asked_anew: how many instructions came before the last one that is no answer.
        handled: what has been in the hand since that one.
        planned_for: how many instructions there were when the present plan was written.
        planned_on_s: when the image of the present plan was taken, in seconds since the epoch.
        ways: in which the next step, which failed, has been tried again.
        early: the key under which the first step of the present plan was begun while the rest was written; "" for none.
        recalled: what lessons were looked for since the last policy; None for nothing yet.
    """

    def __init__(self, primitives: Mapping[str, Primitive]) -> None:
        self.primitives = primitives
        self.progress = Progress()
        self.knowledge = Memory(())
        self.situation = Situation(State(), primitives)
        self.tells_place = False
        self.sensed: dict[Fact, bool] = {}
        self.undoable: dict[str, ForGood] = {}
        self.made: list[Fact] = []
        self.asked_anew = 0
        self.handled: set[str] = set()
        self.declined = ""
        self.planned_for = 0
        self.planned_on_s = 0.0
        self.early = ""
        self.ways: tuple[str, ...] = ()
        self.recalled: dict[str, Any] | None = None

    def on_event(self, event: Event) -> None:
        """Take one event in; kinds without a row in the table change nothing."""
        fold = _FOLDS.get(event.kind)
        if fold:
            fold(self, event)

    def memory(self) -> Memory:
        """Return what the model may know: the latest steps and failures, and why a new policy is asked for."""
        k, trigger = self.knowledge, "; ".join(self.progress.triggers.values())
        facts = tuple(sorted(self.situation.facts.lasting - self.sensed.keys()))
        last = {"steps": k.steps[-KEPT_STEPS:], "failures": k.failures[-KEPT_FAILURES:]}
        earlier = summed_up(k.steps[:-KEPT_STEPS])[-100:]  # by their names
        return replace(k, **last, earlier=earlier, trigger=trigger, facts=facts)

    def _know(self, **news: Any) -> None:
        self.knowledge = replace(self.knowledge, **news)

    def _fail(self, why: str) -> None:
        self._know(failures=(*self.knowledge.failures, why))

    def state(self, refuted: bool = False) -> State:
        """Return what is known now, as policies and steps are checked on it."""
        k = self.knowledge
        return State(k.at, k.holding, self.situation.facts.lasting, dict(k.beliefs), refuted)

    def felt(self, state: RobotState) -> tuple[str, str]:
        """Return where the robot stands and what it holds by its own state, in the words of what is known."""
        at = state.at or ("" if self.tells_place else self.knowledge.at)
        return at, (state.holding == "something" and self.knowledge.holding) or state.holding

    def key(self, keys: str, step: PlanStep) -> str:
        """Return the key of a step of the present plan: the same in any process.

        Args:
            keys: with which the run's keys begin.
            step: the step.
        """
        first = self.progress.plan is not None and self.progress.plan.steps[0].id == step.id
        again = f".{len(self.ways)}" if self.ways else ""
        return self.early if self.early and first and not again else f"{keys}.{self.progress.revision}.{step.id}{again}"

    def references(self, step: PlanStep) -> dict[str, Located]:
        """Return the located things that a step refers to, by argument, as they were when they were located."""
        declared = {a.name: a.type for a in self.primitives[step.step.do].arguments}
        written = step.step.arguments.items()
        names = {n: str(v)[1:] for n, v in written if declared.get(n) in ("reference", "target") and str(v)[:1] == "$"}
        bound = {argument: self.progress.bindings.get(name) for argument, name in names.items()}
        return {argument: thing for argument, thing in bound.items() if isinstance(thing, Located)}

    def nothing_lost(self) -> None:
        """Forget what a repaired journal may have lost: the robot is again as it was before that."""
        for name in self.primitives:
            self.undoable.pop(_lost(name), None)

    def resolve(self, step: PlanStep) -> dict[str, Any]:
        """Return a step's arguments as a robot takes them: each reference replaced by what is known of it.

        The latest sight of a thing is used while it has not moved; "at" means the spot of the first one.
        """
        declared = self.primitives[step.step.do]
        arguments = declared.filled(step.step.arguments)
        for argument in declared.arguments:
            name = str(arguments.get(argument.name, ""))[1:]
            if argument.type in ("reference", "target") and name in self.progress.bindings:
                arguments[argument.name] = self.progress.bindings[name]
        for name, first in self.references(step).items():
            latest = self.knowledge.beliefs.get(first.phrase, first)
            moved = dist(latest.position_in_world, first.position_in_world) > SAME_SPOT_M
            arguments[name] = (first if moved or arguments.get("relation") == "at" else latest).to_json()
        return arguments

    # The folds, one per kind.

    def _instruction(self, event: Event) -> None:
        self._know(instructions=(*self.knowledge.instructions, event.data["text"]))
        self.progress.replans = -1
        question = event.data.get("question", "")
        self.declined = question if declines(question, event.data["text"]) else ""
        if question:  # an answer is no new beginning
            self.progress.asks += 1
        else:
            self.progress.asks, self.asked_anew = 0, len(self.knowledge.instructions) - 1
            self.handled = {self.knowledge.holding} - {""}
        if event.data["source"].startswith("scheduled"):
            self.progress.said.append(event.data["source"])

    def _observation(self, event: Event) -> None:
        state = event.data["state"]
        if event.data["purpose"] == "plan":
            self.planned_on_s = event.wall_s
        at, holding = state.get("at", ""), state.get("holding", "")
        self.tells_place = self.tells_place or bool(at)
        at, holding = self.felt(RobotState(at, holding))
        self._know(at=at, holding=holding)
        self.sensed = sensed_facts(state.get("facts", {}))
        self.situation.facts.measure(holding, at, self.sensed)

    def _policy(self, event: Event) -> None:
        p = self.progress
        self.situation.names.clear()  # what a name stands for ends with its policy
        self.planned_for = len(self.knowledge.instructions)
        self.early, self.ways, self.recalled = event.data.get("early", ""), (), None
        self.progress = Progress(
            revision=event.data["revision"],
            plan=event.live or Plan.from_json(event.data["policy"]),
            instruction=self.knowledge.instruction,
            replans=p.replans + ("by" not in event.data),  # a person's own edit is no try of the model
            claim=event.data["claim"],
            gave_up=event.data["claim"] == "cannot" and bool(p.triggers.keys() - {"new-instruction"}),
            steps=p.steps,
            said=p.said,
            asks=p.asks,
        )

    def _lessons(self, event: Event) -> None:
        self.recalled = event.data["asked"]
        self._know(lessons=tuple(str(lesson["text"]) for lesson in event.data["shown"]))

    def _confirmed(self, event: Event) -> None:
        self.progress.agreed = event.data["answer"] == "yes"

    def _started(self, event: Event) -> None:
        self.progress.in_flight = event

    def _retry(self, event: Event) -> None:
        self.progress.failed, self.ways = False, (*self.ways, event.data["how"])
        for name, located in event.data["bound"].items():
            found = Located.from_json(located)
            self.progress.bindings[name] = found
            self._saw(found)

    def _trigger(self, event: Event) -> None:
        self.progress.triggers[event.data["name"]] = event.data["detail"]
        if event.data["name"] == "journal-repaired":  # whatever cannot be undone may be among what is lost
            for name in (p.name for p in self.primitives.values() if p.final):
                self.undoable[_lost(name)] = ForGood(1, False, len(self.knowledge.instructions))
        if event.data["name"] == "not-done":
            for fact in self.made:
                self.situation.facts.refute(fact)
        if event.data.get("forgets"):  # nothing is left of what was done before
            self.situation.facts = Facts(holding=self.knowledge.holding, at=self.knowledge.at)
            self._know(beliefs={}, gone=())
        if event.data["name"] not in ("new-instruction", "step-failed"):
            self._fail(event.data["detail"])

    def _belief(self, event: Event) -> None:
        phrase, located = event.data["phrase"], event.data["located"]
        before = self.knowledge.beliefs.get(phrase)
        moved = before is not None and located is not None and dist(before.position_in_world, located["position_in_world"])
        if located is None or (moved and moved > SAME_SPOT_M):
            self.situation.facts.move(phrase)
        if located is None:
            self._forget(phrase)
            self._know(gone=tuple(dict.fromkeys((*self.knowledge.gone, phrase))))
        else:
            self._saw(Located.from_json({**located, "phrase": phrase}))

    def _note(self, event: Event) -> None:
        if str(event.data.get("source", "")).startswith("scheduled"):  # a scripted sentence that was not taken
            self.progress.said.append(event.data["source"])

    def _world_event(self, event: Event) -> None:
        self.progress.said.append(event.data["source"])

    def _finished(self, event: Event) -> None:
        data, p = event.data, self.progress
        p.in_flight = None
        p.steps += 1
        assert p.plan is not None
        step = p.plan.step(data["id"])
        result = data["result"]
        done = StepRecord(
            do=step.step.do,
            arguments=dict(step.step.arguments),
            status=data["status"],
            message=result["message"],
            subtask=step.subtask,
            bound=step.step.as_,
            value=_told(result["value"], self.primitives[step.step.do].result),
            code=result["code"],
        )
        self._know(steps=(*self.knowledge.steps, done))
        if self.primitives[step.step.do].final and data["status"] != "rejected":
            this = deed_text(step.step, self.situation)
            times = self.undoable[this].times + 1 if this in self.undoable else 1
            sure = data["status"] == "succeeded" or result["code"] == "bad-result"
            self.undoable[this] = ForGood(times, sure, len(self.knowledge.instructions))
        if data["status"] != "succeeded" or self.primitives[step.step.do].kind == "action":
            p.asks = 0
        if data["status"] == "succeeded":
            self._effects(step, result["value"])
            p.finished += 1
            self.ways = ()
        else:
            p.failed = True
            if step.step.do == CHECK and result["code"] == "check-failed":
                said = self.situation.said(step.step)
                self.situation.facts.refute(tuple(str(said[n]) for n in ("relation", "subject", "object") if n in said))
            said = " ".join(str(v) for v in step.step.arguments.values())
            self._fail(f"{step.step.do} {said}: {result['message']}")
            if result["code"] == "not-found":
                self._belief(Event("belief", {"phrase": str(step.step.arguments.get("object", "")), "located": None}))

    def _effects(self, step: PlanStep, value: Any) -> None:
        primitive, name = self.primitives[step.step.do], step.step.as_
        bound: Any = value
        if primitive.result == "object":
            bound = Located.from_json(value)
            self._saw(bound)
        elif primitive.result == "objects":
            bound = [Located.from_json(item) for item in value]
            for located in bound:
                self._saw(located)
        if name:
            self.progress.bindings[name] = bound
        self.made = self.situation.apply(step.step)
        if isinstance(bound, Located) and name:  # the grounder may know more than what was asked for
            self.situation.names[name] = bound.phrase
        for thing in self.situation.facts.moved:
            self._forget(thing)
        self._know(holding=self.situation.held, at=self.situation.facts.at)
        self.handled |= {self.situation.held} - {""}

    def _saw(self, located: Located) -> None:
        gone = tuple(phrase for phrase in self.knowledge.gone if phrase != located.phrase)
        self._know(beliefs={**self.knowledge.beliefs, located.phrase: located}, gone=gone)

    def _forget(self, phrase: str) -> None:
        self._know(beliefs={name: at for name, at in self.knowledge.beliefs.items() if name != phrase})


def deed_text(step: PolicyStep, situation: Situation) -> str:
    """Return what a step does to what, as text that is the same for a step that does it again, however much of it."""
    said = {name: value for name, value in situation.said(step).items() if not isinstance(value, int | float)}
    said = {name: plain(value) if isinstance(value, str) else value for name, value in said.items()}
    return json.dumps([step.do, said], sort_keys=True, default=str)


def _lost(do: str) -> str:
    """Return a deed of a primitive of which nobody knows what it was done to: it is like any other of it (`alike`)."""
    return json.dumps([do, {"": ""}])  # no argument has this name


def alike(one: str, other: str) -> bool:
    """Return whether two deeds may be one in other words: by the same primitive, with a word in common in each argument."""
    (do, said), (did, before) = json.loads(one), json.loads(other)
    words = [[{*re.findall(r"\w+", str(value[name]))} for name in said if name in before] for value in (said, before)]
    return do == did and all(mine & theirs for mine, theirs in zip(*words, strict=True))


def _told(value: Any, result: str) -> str:
    """Return what the model is told of a result: an answer, or what the robot's own result type says; "" for things seen."""
    if isinstance(value, str):
        return value
    return "" if result in ("", "object", "objects") else json.dumps(value, ensure_ascii=False)


_FOLDS = {
    "instruction": RunMemory._instruction,
    "observation": RunMemory._observation,
    "lessons": RunMemory._lessons,
    "policy": RunMemory._policy,
    "confirm-answered": RunMemory._confirmed,
    "step-started": RunMemory._started,
    "step-finished": RunMemory._finished,
    "retry": RunMemory._retry,
    "trigger": RunMemory._trigger,
    "belief": RunMemory._belief,
    "world-event": RunMemory._world_event,
    "note": RunMemory._note,
}
