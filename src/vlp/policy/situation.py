"""The small symbolic state that preconditions and effects are checked on: what is held, and where things are.

The checker walks a policy through it, the diff looks in it for finished work that a new policy takes back.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from vlp.core.located import Located
from vlp.policy.model import Policy, PolicyStep
from vlp.primitives.declare import Primitive
from vlp.primitives.facts import Condition, Fact, Facts


@dataclass(frozen=True)
class Bound:
    """What a `$name` stands for: the type of the result, the phrase asked for, and whether it has moved since."""

    type: str
    phrase: str
    moved: bool = False


@dataclass(frozen=True)
class State:
    """What is known before the first step.

    Args:
        at: the named place the robot stands at, "" when unknown.
        holding: the phrase of the held object, "" when the hand is empty.
        facts: what primitives have made true and what still holds, but for hand and place.
        known: where things were last seen, by phrase.
        refuted: whether the last step was a check, and failed.
        names: what names stand for; a new policy begins without any.
    """

    at: str = ""
    holding: str = ""
    facts: frozenset[Fact] = frozenset()
    known: Mapping[str, Located] = field(default_factory=dict)
    refuted: bool = False
    names: Mapping[str, Bound] = field(default_factory=dict)


class Situation:
    """A symbolic state that steps change one after the other: facts, and what names stand for.

    Args:
        state: where it starts.
        primitives: declarations by name, whose `needs` and `makes` are applied.
    """

    def __init__(self, state: State, primitives: Mapping[str, Primitive]) -> None:
        self.primitives = primitives
        self.facts = Facts(state.facts, state.holding, state.at)
        self.names: dict[str, Bound] = dict(state.names)
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
        bound = self.names.get(value[1:])
        return bound.phrase if bound else value[1:].replace("_", " ")

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
        for name, bound in self.names.items():
            if bound.phrase in self.facts.moved:
                self.names[name] = replace(bound, moved=True)
        if step.as_:
            named = next((a.name for a in primitive.arguments if a.type in ("phrase", "text")), "")
            self.names[step.as_] = Bound(primitive.result, str(step.arguments.get(named, "")))
        return made


def walk(policy: Policy) -> Iterator[tuple[str, PolicyStep]]:
    """Yield every step with its path in the document, in order."""
    for i, subtask in enumerate(policy.subtasks):
        for j, step in enumerate(subtask.steps):
            yield f"/subtasks/{i}/steps/{j}", step


def references(step: PolicyStep) -> list[tuple[str, str]]:
    """Return the step's references as (argument's name, name referred to)."""
    return [(name, v[1:]) for name, v in step.arguments.items() if isinstance(v, str) and v.startswith("$")]
