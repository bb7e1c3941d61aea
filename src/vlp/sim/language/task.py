"""What a task is: an instruction, what must be true at its end, and the test for that on the true state."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import hypot
from random import Random
from typing import Any

from vlp.sim.language.phrasings import Phrasings, phrasings
from vlp.sim.language.relations import holds, rests_on
from vlp.sim.language.wording import word
from vlp.sim.truth import Truth
from vlp.sim.worlds.tasks import Split


@dataclass(frozen=True)
class Goal:
    """One thing that must be true in the end.

    Args:
        relation: a relation of `place` or "holding".
        subject: phrase of the thing to be moved.
        target: phrase of the thing it goes to, or "table" or "bin"; "" for holding.
        spot: x, y in metres in the world frame, for "at": where the target stood when the task began.
    """

    relation: str
    subject: str
    target: str = ""
    spot: tuple[float, float] | None = None

    def holds(self, truth: Truth) -> bool:
        """Return whether the goal is reached."""
        if self.spot is None:
            return holds(truth, self.relation, self.subject, self.target)
        item = truth.objects.get(self.subject)
        if item is None:
            return False
        x, y, _ = item.position_in_world
        return item.support != "hand" and hypot(x - self.spot[0], y - self.spot[1]) <= 0.06


@dataclass(frozen=True)
class Task:
    """An instruction with its meaning in one world.

    Args:
        family: its name in `FAMILIES`, or "change" for a correction of an earlier instruction.
        arguments: references as strings by slot, e.g. {"a": "leftmost can", "relation": "in", "b": "green bowl"}.
        goals: what must be true in the end.
        ordered: whether the goals must be reached in the order given (stacks), else from left to right.
        cannot: why it cannot be done; "" when it can.
        satisfied: whether all of it is true already.
        instruction: the sentence.
        before: the instruction that this one corrects or replaces; "" for none.
    """

    family: str
    arguments: dict[str, str]
    goals: tuple[Goal, ...] = ()
    ordered: bool = False
    cannot: str = ""
    satisfied: bool = False
    instruction: str = ""
    before: str = ""

    @property
    def ranked(self) -> bool:
        """Whether the instruction names its thing by place or size, so that it is another one once a thing has moved."""
        return self.family in ("spatial", "relative", "size")

    @property
    def subjects(self) -> tuple[str, ...]:
        """The things to be moved, in the order of the goals."""
        return tuple(goal.subject for goal in self.goals)

    def success(self, start: Truth, now: Truth, said: Sequence[str] = ()) -> bool:
        """Return whether the task is done: all goals hold and nothing else was put anywhere but out of the way.

        A thing that a person took from the world has no goal any more.

        Args:
            start: the true state when the instruction was given.
            now: the true state at the end.
            said: what the robot has told people; no task here asks for it.
        """
        del said
        if self.cannot or self.satisfied:
            return untouched(start, now)
        if not all(goal.holds(now) for goal in self.goals if goal.subject in now.objects):
            return False
        held_is_wanted = any(goal.relation == "holding" for goal in self.goals)
        return (held_is_wanted or not now.holding) and self._others_in_place(start, now)

    def unmet(self, now: Truth, said: Sequence[str] = ()) -> str:
        """Return where the first thing is that is not where it should be, "" for none."""
        del said
        open_goals = [goal for goal in self.goals if goal.subject in now.objects and not goal.holds(now)]
        if not open_goals:
            return ""
        item = now.objects[open_goals[0].subject]
        return f"the {open_goals[0].subject} is {item.relation} the {item.support}"

    def _others_in_place(self, start: Truth, now: Truth) -> bool:
        involved = {name for goal in self.goals for name in (goal.subject, goal.target)}
        for name, item in start.objects.items():
            if name in self.subjects or name not in now.objects or now.objects[name].support == item.support:
                continue
            in_the_way = item.support == "hand" or any(rests_on(start, name, other) for other in involved)
            if now.objects[name].support != "table" or not in_the_way:
                return False
        return True


def untouched(start: Truth, now: Truth) -> bool:
    """Return whether nothing was moved: same supports, same thing in hand, positions within 2 cm."""
    if start.holding != now.holding:
        return False
    for name, item in start.objects.items():
        other = now.objects.get(name)
        if other is None or other.support != item.support:
            return False
        (ax, ay, _), (bx, by, _) = item.position_in_world, other.position_in_world
        if item.support != "hand" and hypot(ax - bx, ay - by) > 0.02:
            return False
    return True


@dataclass(frozen=True)
class Family:
    """One kind of instruction.

    Args:
        name: its key in `FAMILIES`.
        often: how often it is drawn by `sample_task`, in relation to the others.
        propose: draws arguments that make a clear instruction in a world, or None when the world has none.
        build: gives the meaning of arguments in a world: a task without words, or None when they are not clear.
        said_as: the family of `instructions.toml` whose sentences it uses; "" for its own.
        implied: what its sentences leave unsaid.
    """

    name: str
    often: float
    propose: Callable[[Truth, Random], dict[str, str] | None]
    build: Callable[[Truth, dict[str, str]], Task | None]
    said_as: str = ""
    implied: Mapping[str, str] = field(default_factory=dict)

    @property
    def sentences(self) -> Phrasings:
        """Templates of sentences (see `vlp.sim.language.wording`)."""
        return phrasings("instructions", "families")[self.said_as or self.name]

    def sample(self, truth: Truth, rng: Random, split: Split) -> Task | None:
        """Return a task of this family that can be done and is not done yet, or None when the world allows none."""
        arguments = self.propose(truth, rng)
        task = self.build(truth, arguments) if arguments is not None else None
        if task is None or task.cannot or task.satisfied:
            return None
        return replace(task, family=self.name, instruction=self.word(arguments, rng, split))

    def word(self, arguments: dict[str, Any] | None, rng: Random, split: Split) -> str:
        """Return a sentence for arguments."""
        return word(rng.choice(self.sentences.of(split)), arguments or {}, rng, split)
