"""The policy language as data: a policy, the plan it becomes, what its steps change, and what a new plan changes about it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from vlp.core.errors import lookup
from vlp.core.observation import Box, Located
from vlp.primitives.facts import Condition, Fact, Facts, measured, spatial
from vlp.primitives.manifest import Manifest, Primitive


@dataclass(frozen=True)
class PolicyStep:
    """One primitive with its arguments.

    Args:
        do: the primitive's name.
        arguments: by name, in the order they are written; never "do" or "as".
        as_: the name that its result is bound to, "" for none.
    """

    do: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    as_: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "arguments", MappingProxyType(dict(self.arguments)))

    def __reduce__(self) -> tuple[Any, ...]:
        return PolicyStep, (self.do, dict(self.arguments), self.as_)

    def __hash__(self) -> int:
        return hash(self.key)

    @cached_property
    def key(self) -> str:
        """The step's compact text: two steps are the same step when their keys are equal."""
        return _dumps(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return the step as plain data, keys in the order of the language."""
        return {"do": self.do, **self.arguments, **({"as": self.as_} if self.as_ else {})}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "PolicyStep":
        """Return the step of plain data that fits the schema; raises KeyError or TypeError on anything else."""
        arguments = {name: value for name, value in data.items() if name not in ("do", "as")}
        return cls(data["do"], arguments, data.get("as", ""))


@dataclass(frozen=True)
class Subtask:
    """A named part of the way to the goal: steps done one after the other."""

    name: str
    steps: tuple[PolicyStep, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the subtask as plain data."""
        return {"name": self.name, "steps": [step.to_json() for step in self.steps]}


@dataclass(frozen=True)
class Policy:
    """What a model answers to an instruction.

    Args:
        goal: a short sentence that is true when the task is done.
        subtasks: in order; empty when the goal holds already.
        seen: the phrases and boxes the policy rests on; empty when none were given.
        cannot: why it cannot be done; "" when it can. There are no subtasks then.
    """

    goal: str
    subtasks: tuple[Subtask, ...] = ()
    seen: tuple[tuple[str, Box], ...] = ()
    cannot: str = ""

    @property
    def steps(self) -> tuple[PolicyStep, ...]:
        """Every step, in order."""
        return tuple(step for subtask in self.subtasks for step in subtask.steps)

    @property
    def question(self) -> str:
        """What a policy asks that does nothing else: its answer is a new instruction. "" of every other policy."""
        alone = self.steps[0] if len(self.steps) == 1 else None
        return str(alone.arguments.get("question", "")) if alone and alone.do == "ask" else ""

    def to_json(self) -> dict[str, Any]:
        """Return the policy as plain data, keys in the order of the language."""
        if self.cannot:
            return {"goal": self.goal, "cannot": self.cannot}
        seen = [[phrase, list(box)] for phrase, box in self.seen]
        return {
            "goal": self.goal,
            **({"seen": seen} if seen else {}),
            "subtasks": [subtask.to_json() for subtask in self.subtasks],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Policy":
        """Return the policy of plain data that fits the schema; raises KeyError, TypeError or ValueError otherwise."""
        return cls(
            goal=data["goal"],
            subtasks=tuple(
                Subtask(subtask["name"], tuple(PolicyStep.from_json(step) for step in subtask["steps"]))
                for subtask in data.get("subtasks", ())
            ),
            seen=tuple((phrase, (x1, y1, x2, y2)) for phrase, (x1, y1, x2, y2) in data.get("seen", ())),
            cannot=data.get("cannot", ""),
        )


def compact(policy: Policy) -> str:
    """Return the canonical text of a policy: the language's key order, no white space."""
    return _dumps(policy.to_json())


@dataclass(frozen=True)
class PlanStep:
    """A step of a plan.

    Args:
        id: "1.2" is the second step of the first subtask.
        subtask: the subtask's name.
        step: what to do.
    """

    id: str
    subtask: str
    step: PolicyStep

    def __str__(self) -> str:
        return f"{self.id} {say(self.step)}"


@dataclass(frozen=True)
class Plan:
    """A policy that has passed the checks, its steps numbered.

    Args:
        policy: what was checked.
        manifest_version: version of the manifest it was checked against.
    """

    policy: Policy
    manifest_version: str = ""

    @cached_property
    def steps(self) -> tuple[PlanStep, ...]:
        """Every step with its id, in order."""
        return tuple(_numbered(self.policy))

    def step(self, step_id: str) -> PlanStep:
        """Return the step of an id such as "1.2"; raises UsageError for an unknown one."""
        return lookup(step_id, {step.id: step for step in self.steps}, "step")

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain data."""
        return {"policy": self.policy.to_json(), "manifest_version": self.manifest_version}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Plan":
        """Return the plan that `to_json` wrote; it is trusted to have been checked."""
        return cls(Policy.from_json(data["policy"]), data["manifest_version"])


def say(step: PolicyStep) -> str:
    """Return a step as one readable line, e.g. `place $green_bowl relation=in`."""
    words = [step.do]
    for number, (name, value) in enumerate(step.arguments.items()):
        words.append(f"{value}" if number == 0 and isinstance(value, str) else f"{name}={value}")
    return " ".join(words) + (f" -> ${step.as_}" if step.as_ else "")


def _numbered(policy: Policy) -> Iterator[PlanStep]:
    for i, subtask in enumerate(policy.subtasks, 1):
        for j, step in enumerate(subtask.steps, 1):
            yield PlanStep(f"{i}.{j}", subtask.name, step)


def _dumps(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


MARKS: dict[str, str] = {
    "": "·",
    "running": "▶",
    "succeeded": "✓",
    "failed": "✗",
    "timeout": "✗",
    "rejected": "✗",
    "stopped": "■",
    "dropped": "-",
}
"""One mark per state of a step; a state without a row shows as it is spelled."""


def tree_lines(plan: Plan | Policy, states: Mapping[str, str] | None = None) -> list[str]:
    """Return a plan as plain lines.

    Args:
        plan: a plan, or a policy that has not been checked.
        states: by step id, words of `MARKS`; a step without one is still to come.
    """
    policy = plan.policy if isinstance(plan, Plan) else plan
    states = states or {}
    lines = [_line(policy.goal)]
    if policy.cannot:
        return [*lines, f"└─ cannot: {_line(policy.cannot)}"]
    if not policy.subtasks:
        return [*lines, "└─ nothing to do: it holds already"]
    for i, subtask in enumerate(policy.subtasks, 1):
        last = i == len(policy.subtasks)
        lines.append(f"{'└─' if last else '├─'} {i} {_line(subtask.name)}")
        for j, step in enumerate(subtask.steps, 1):
            state = states.get(f"{i}.{j}", "")
            branch = "└─" if j == len(subtask.steps) else "├─"
            lines.append(f"{'   ' if last else '│  '}{branch} {MARKS.get(state, state)} {i}.{j} {_line(say(step))}")
    return lines


def _line(text: str) -> str:
    """Return text without anything that could move the cursor or forge a line."""
    return "".join(c if c.isprintable() else "?" for c in text)


@dataclass(frozen=True)
class State:
    """What is known before the first step.

    Args:
        at: the named place the robot stands at, "" when unknown.
        holding: the phrase of the held object, "" when the hand is empty.
        facts: what primitives have made true and what still holds, but for hand and place.
        known: where things were last seen, by phrase.
        refuted: whether the last step was a check, and failed.
        names: the phrase that each `$name` stands for; a new policy begins without any.
        stale: the names whose thing has moved since it was located.
    """

    at: str = ""
    holding: str = ""
    facts: frozenset[Fact] = frozenset()
    known: Mapping[str, Located] = field(default_factory=dict)
    refuted: bool = False
    names: Mapping[str, str] = field(default_factory=dict)
    stale: frozenset[str] = frozenset()


class Situation:
    """A symbolic state that steps change one after the other: facts, and what names stand for.

    Args:
        state: where it starts.
        primitives: declarations by name, whose `needs` and `makes` are applied.
    """

    def __init__(self, state: State, primitives: Mapping[str, Primitive]) -> None:
        self.primitives = primitives
        self.facts = Facts(state.facts, state.holding, state.at)
        self.names, self.stale = dict(state.names), set(state.stale)
        self.moved: set[str] = set()
        """What has been moved since the start, by phrase."""

    @property
    def held(self) -> str:
        """The phrase of what is held, "" when the hand is empty."""
        return self.facts.held

    def phrase_of(self, value: str) -> str:
        """Return what an argument speaks of: the phrase behind a reference, else the phrase or place itself."""
        if not value.startswith("$"):
            return value
        return self.names.get(value[1:], value[1:].replace("_", " "))

    def said(self, step: PolicyStep) -> dict[str, Any]:
        """Return a step's arguments, defaults included, with phrases in place of references."""
        filled = self.primitives[step.do].filled(step.arguments)
        return {name: self.phrase_of(value) if isinstance(value, str) else value for name, value in filled.items()}

    def unmet(self, step: PolicyStep) -> list[Condition]:
        """Return the conditions among the step's needs that do not hold now, with the step's words in them."""
        said = self.said(step)
        needs = [Condition.parse(need).grounded(said, self.held) for need in self.primitives[step.do].needs]
        return [need for need in needs if not self.facts.holds(need)]

    def apply(self, step: PolicyStep) -> list[Fact]:
        """Take the step's effects for true, bind its result, and return the facts it made."""
        primitive = self.primitives[step.do]
        made = self.facts.apply(primitive, self.said(step))
        self.moved |= self.facts.moved
        self.stale |= {name for name, phrase in self.names.items() if phrase in self.facts.moved}
        if step.as_:
            named = next((a.name for a in primitive.arguments if a.type in ("phrase", "text")), "")
            self.names[step.as_] = str(step.arguments.get(named, ""))
            self.stale.discard(step.as_)
        return made


def walk(policy: Policy) -> Iterator[tuple[str, PolicyStep]]:
    """Yield every step with its path in the document, in order."""
    for i, subtask in enumerate(policy.subtasks):
        for j, step in enumerate(subtask.steps):
            yield f"/subtasks/{i}/steps/{j}", step


def references(step: PolicyStep) -> list[tuple[str, str]]:
    """Return the step's references as (argument's name, name referred to)."""
    return [(name, v[1:]) for name, v in step.arguments.items() if isinstance(v, str) and v.startswith("$")]


@dataclass(frozen=True)
class PolicyDiff:
    """The difference of two plans. Kept and dropped steps together are the old plan, kept and added ones the new.

    Args:
        old_goal, new_goal: the two goals.
        kept: pairs of the same step in the old and in the new plan, in order.
        dropped: steps of the old plan only, in order; those among `done` were finished and are not repeated.
        added: steps of the new plan only, in order.
        undone: finished steps of the old plan whose effect the new plan takes back.
        done: ids of the finished steps of the old plan.
    """

    old_goal: str
    new_goal: str
    kept: tuple[tuple[PlanStep, PlanStep], ...]
    dropped: tuple[PlanStep, ...]
    added: tuple[PlanStep, ...]
    undone: tuple[PlanStep, ...]
    done: frozenset[str]

    @property
    def empty(self) -> bool:
        """True when goal and steps are the same."""
        return self.old_goal == self.new_goal and not self.dropped and not self.added

    def to_json(self) -> dict[str, Any]:
        """Return the diff as plain data, steps by id and text."""
        return {
            "old_goal": self.old_goal,
            "new_goal": self.new_goal,
            "kept": [[old.id, new.id] for old, new in self.kept],
            "dropped": [str(step) for step in self.dropped],
            "added": [str(step) for step in self.added],
            "undone": [str(step) for step in self.undone],
            "done": sorted(self.done),
        }

    def __str__(self) -> str:
        if self.empty:
            return "no change"
        lines = [f"goal: {self.old_goal}"]
        if self.new_goal != self.old_goal:
            lines.append(f"  ->  {self.new_goal}")
        lines += [f"undo  {step}" for step in self.undone]
        lines += [f"done  {step}" for step in self.dropped if step.id in self.done and step not in self.undone]
        lines += [f"-     {step}" for step in self.dropped if step.id not in self.done]
        lines += [f"=     {new}" + ("" if old.id == new.id else f" (was {old.id})") for old, new in self.kept]
        lines += [f"+     {step}" for step in self.added]
        return "\n".join(lines)


def diff(old: Plan, new: Plan, manifest: Manifest, done: Iterable[str] = ()) -> PolicyDiff:
    """Return what the new plan changes about the old one.

    Args:
        old: the plan that was being executed.
        new: the plan that takes over.
        manifest: its primitives' effects tell what finished steps made true.
        done: ids of the old plan's steps that have succeeded.
    """
    finished = frozenset(done)
    pairs = _common(old.steps, new.steps)
    kept_old, kept_new = {a.id for a, _ in pairs}, {b.id for _, b in pairs}
    return PolicyDiff(
        old_goal=old.policy.cannot or old.policy.goal,
        new_goal=new.policy.cannot or new.policy.goal,
        kept=tuple(pairs),
        dropped=tuple(step for step in old.steps if step.id not in kept_old),
        added=tuple(step for step in new.steps if step.id not in kept_new),
        undone=_undone(old, new, finished, manifest),
        done=finished,
    )


def _common(old: tuple[PlanStep, ...], new: tuple[PlanStep, ...]) -> list[tuple[PlanStep, PlanStep]]:
    """Return the longest common subsequence of two lists of steps, the earliest one in the old list."""
    length = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in reversed(range(len(old))):
        for j in reversed(range(len(new))):
            same = old[i].step.key == new[j].step.key
            length[i][j] = length[i + 1][j + 1] + 1 if same else max(length[i + 1][j], length[i][j + 1])
    pairs: list[tuple[PlanStep, PlanStep]] = []
    i = j = 0
    while i < len(old) and j < len(new):
        if old[i].step.key == new[j].step.key:
            pairs.append((old[i], new[j]))
            i, j = i + 1, j + 1
        elif length[i + 1][j] >= length[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs


def _undone(old: Plan, new: Plan, done: frozenset[str], manifest: Manifest) -> tuple[PlanStep, ...]:
    """Return the finished steps that made something true which no longer holds after the new plan."""
    situation = Situation(State(), manifest.primitives)
    made_by: dict[Fact, PlanStep] = {}
    for step in old.steps:
        if step.id in done and step.step.do in manifest.primitives:
            made_by |= {fact: step for fact in situation.apply(step.step)}
    standing = {fact: step for fact, step in made_by.items() if fact in situation.facts.known}
    held = situation.held
    situation.names.clear()
    for step in new.steps:
        if step.step.do in manifest.primitives:
            situation.apply(step.step)
    known = situation.facts.known
    lost = {step.id for fact, step in standing.items() if not measured(fact) and fact not in known}
    if held and held not in new.policy.goal and _put_back(held, known, manifest):
        lost |= {step.id for fact, step in standing.items() if fact == ("holding", held)}
    return tuple(step for step in old.steps if step.id in lost)


def _put_back(held: str, known: set[Fact], manifest: Manifest) -> bool:
    """Return whether what was held has been put down where no goal asked for it: in view, or back at its old spot."""
    where = [fact for fact in known if spatial(fact) and fact[1] == held]
    in_view = {place.name for place in manifest.places.values() if place.visible}
    return ("holding", held) not in known and all(fact[2] in in_view or fact[0] == "at" for fact in where)
