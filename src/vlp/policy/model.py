"""The policy language as data: a policy, its steps, the plan it becomes, and both in words and as lines of a tree."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from vlp.core.errors import lookup
from vlp.core.observation import Box


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
