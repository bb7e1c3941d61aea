"""The small symbolic state that preconditions and effects are checked on: what is held, and where things are.

The checker walks a policy through it, the diff looks in it for finished work that a new policy takes back.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from vlp.core.located import Located
from vlp.policy.model import Policy, PolicyStep
from vlp.primitives.declare import Primitive

Fact = tuple[str, ...]
"""A predicate and its words: ("hand_empty",), ("holding", "red cube"), ("in", "red cube", "bin"), ("at", "table")."""

SOMETHING = "something"
"""What the hand holds when nobody knows what it is."""


@dataclass(frozen=True)
class State:
    """What is known before the first step.

    Args:
        at: the named place the robot stands at, "" when unknown.
        holding: the phrase of the held object, "" when the hand is empty.
        facts: relations that hold, as (relation, thing, other thing or place).
        known: where things were last seen, by phrase.
        refuted: whether the last step was a check, and failed.
    """

    at: str = ""
    holding: str = ""
    facts: frozenset[Fact] = frozenset()
    known: Mapping[str, Located] = field(default_factory=dict)
    refuted: bool = False


@dataclass(frozen=True)
class Bound:
    """What a `$name` stands for: the type of the result, the phrase asked for, and whether it has moved since."""

    type: str
    phrase: str
    moved: bool = False


class Situation:
    """A symbolic state that steps change one after the other.

    Args:
        state: where it starts.
        primitives: declarations by name, whose `needs` and `makes` are applied.
    """

    def __init__(self, state: State, primitives: Mapping[str, Primitive]) -> None:
        self.primitives = primitives
        self.facts: set[Fact] = set(state.facts)
        self.facts.add(("holding", state.holding) if state.holding else ("hand_empty",))
        if state.at:
            self.facts.add(("at", state.at))
        self.names: dict[str, Bound] = {}
        self.moved: set[str] = set()

    @property
    def held(self) -> str:
        """The phrase of what is held, "" when the hand is empty."""
        return next((fact[1] for fact in sorted(self.facts) if fact[0] == "holding"), "")

    def phrase_of(self, value: str) -> str:
        """Return what an argument speaks of: the phrase behind a reference, else the phrase or place itself."""
        if not value.startswith("$"):
            return value
        bound = self.names.get(value[1:])
        return bound.phrase if bound else value[1:].replace("_", " ")

    def unmet(self, step: PolicyStep) -> list[str]:
        """Return the conditions among the step's needs that do not hold now."""
        return [need for need in self.primitives[step.do].needs if not self._holds(self._ground(need, step))]

    def apply(self, step: PolicyStep) -> list[Fact]:
        """Take the step's effects for true, bind its result, and return the facts it made."""
        primitive = self.primitives[step.do]
        made = [self._ground(effect, step) for effect in primitive.makes]
        for fact in made:
            self._add(fact)
        if step.as_:
            named = next((a.name for a in primitive.arguments if a.type in ("phrase", "text")), "")
            self.names[step.as_] = Bound(primitive.result, str(step.arguments.get(named, "")))
        return made

    def _ground(self, condition: str, step: PolicyStep) -> Fact:
        """Return a declared condition with the step's values in place of the arguments' names."""
        return tuple(self._word(word, step) for word in condition.split())

    def _word(self, word: str, step: PolicyStep) -> str:
        if word == "held":
            return self.held or SOMETHING
        return self.phrase_of(str(step.arguments[word])) if word in step.arguments else word

    def _holds(self, fact: Fact) -> bool:
        return any(known[: len(fact)] == fact for known in self.facts)

    def _add(self, fact: Fact) -> None:
        """Add a fact and take away those that cannot hold beside it."""
        match fact:
            case ("hand_empty",):
                self._drop(lambda known: known[0] == "holding")
            case ("holding", thing):
                self._drop(lambda known: known[0] in ("hand_empty", "holding"))
                self._move(thing)
            case ("moved", thing):
                self._move(thing)
                return
            case ("at", _):
                self._drop(lambda known: known[0] == "at" and len(known) == 2)
            case (_, thing, _):
                self._move(thing)
        self.facts.add(fact)

    def _move(self, thing: str) -> None:
        """Forget where a thing was; what lies in or on it goes with it."""
        self.moved.add(thing)
        self._drop(lambda known: len(known) == 3 and known[1] == thing)
        self._drop(lambda known: len(known) == 3 and known[2] == thing and known[0] not in ("in", "on"))
        for name, bound in self.names.items():
            if bound.phrase == thing:
                self.names[name] = Bound(bound.type, bound.phrase, moved=True)

    def _drop(self, goes: Callable[[Fact], bool]) -> None:
        self.facts = {fact for fact in self.facts if not goes(fact)}


def walk(policy: Policy) -> Iterator[tuple[str, PolicyStep]]:
    """Yield every step with its path in the document, in order."""
    for i, subtask in enumerate(policy.subtasks):
        for j, step in enumerate(subtask.steps):
            yield f"/subtasks/{i}/steps/{j}", step


def references(step: PolicyStep) -> list[tuple[str, str]]:
    """Return the step's references as (argument's name, name referred to)."""
    return [(name, v[1:]) for name, v in step.arguments.items() if isinstance(v, str) and v.startswith("$")]
