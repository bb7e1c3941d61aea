"""What people can ask for in a world: tasks by chance or by their sentence, what happens midway, and the expert's policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from vlp.primitives.manifest import Manifest
from vlp.sim.truth import Truth

if TYPE_CHECKING:
    from vlp.sim.simulation import Simulation

Split = Literal["train", "test"]
"""Whose phrasings are used: those of training, or those kept for test, which no model is trained on."""


class WorldTask(Protocol):
    """An instruction with its meaning in one world, and the test for it on the true state."""

    @property
    def family(self) -> str:
        """The family of tasks that it belongs to."""
        ...

    @property
    def instruction(self) -> str:
        """The sentence."""
        ...

    @property
    def cannot(self) -> str:
        """Why it cannot be done, "" when it can."""
        ...

    @property
    def satisfied(self) -> bool:
        """Whether all of it was so when it was said."""
        ...

    @property
    def subjects(self) -> Sequence[str]:
        """The things that it is about, by phrase."""
        ...

    def success(self, start: Truth, now: Truth, said: Sequence[str] = ()) -> bool:
        """Return whether it is done.

        Args:
            start: the true state when the instruction was given.
            now: the true state at the end.
            said: what the robot has told people since, in order.
        """
        ...

    def unmet(self, now: Truth, said: Sequence[str] = ()) -> str:
        """Return the first of what must be true in the end and is not, in words; "" where all of it is so."""
        ...


@dataclass(frozen=True)
class ScriptedEvent:
    """One thing that a person does or says while the robot works, as plain data.

    Args:
        step: it happens once so many steps have ended since the start of the run, before the next one begins.
        kind: "instruct", or the first word of one of the world's events.
        args: {"instruction"} for "instruct", else what the event is about, e.g. {"object"}.
        task: the task in force from then on, for "instruct" only.
        change: what kind of change it is, a row of `vlp.sim.worlds.changes.change_kinds`; "" where nobody says.
        within_s: it happens so many seconds into the next step, by the robot's clock; 0 before that step begins.
    """

    step: int
    kind: str
    args: dict[str, str] = field(default_factory=dict)
    task: WorldTask | None = None
    change: str = field(default="", repr=False)  # what is drawn is pinned by its repr, which is older
    within_s: float = field(default=0.0, repr=False)


@dataclass(frozen=True)
class DoneStep:
    """A step that a robot has carried out.

    Args:
        do: the primitive.
        arguments: with what each `$name` stood for in its place.
        done: what the robot reports.
        value: what was bound by "as"; None for nothing.
        at: the named place where the robot stands now, "" between places.
        base_m: x, y of its base in the world.
    """

    do: str
    arguments: Mapping[str, Any]
    done: Mapping[str, Any]
    value: Any
    at: str
    base_m: tuple[float, float]


@dataclass(frozen=True)
class Cue:
    """What a person is to begin with.

    Args:
        how: a word of the world's, e.g. "leads".
        place: where to, "" for nowhere in particular.
    """

    how: str
    place: str = ""


@runtime_checkable
class AccountedTask(WorldTask, Protocol):
    """A task that is judged by what was done and said on the way too."""

    def after(self, deed: DoneStep, now: Truth) -> AccountedTask:
        """Return the task with a deed in its account; `now` is the true state after it."""
        ...

    def refused(self, reason: str) -> AccountedTask:
        """Return the task with the robot's refusal in its account."""
        ...

    def due(self) -> Mapping[str, Cue]:
        """Return what people are to do by now, by name."""
        ...

    def cue(self, simulation: Simulation, name: str) -> None:
        """Let a person begin with what is due."""
        ...


class Tasks(Protocol):
    """The tasks of one world. A task goes back only to the world that it came from."""

    @property
    def kinds(self) -> Mapping[str, Mapping[str, float]]:
        """The families that each kind of episode draws from, with how often; see `vlp.episodes.cases.Kind`."""
        ...

    def start(self, scene: Any) -> Truth:
        """Return the true state of a scene that nobody has touched yet, without physics."""
        ...

    def draw(
        self, truth: Truth, rng: Random, split: Split = "train", odds: Mapping[str, float] | None = None
    ) -> WorldTask | None:
        """Return a task, or None when the state allows none of those drawn.

        Args:
            truth: the state to speak about.
            rng: the source of chance.
            split: whose phrasings are used.
            odds: families and how often to draw them; None takes those of tasks that can be done and are not done yet.
        """
        ...

    @property
    def changes(self) -> Mapping[str, Mapping[str, float]]:
        """The kinds of change that people bring about here, rows of `vlp.sim.worlds.changes.change_kinds`.

        Each has the families that it is drawn from, with how often; none for those of dynamic episodes.
        """
        ...

    def disturb(
        self,
        truth: Truth,
        task: WorldTask,
        rng: Random,
        split: Split = "train",
        change: str = "",
        manifest: Manifest | None = None,
    ) -> ScriptedEvent | None:
        """Return what a person does or says midway, such that the task in force stays feasible; None where nothing fits.

        Args:
            truth: the state when the task begins.
            task: what is being done.
            rng: the source of chance.
            split: whose phrasings a new instruction takes.
            change: the only kind of change to draw, one of `changes`; "" draws one.
            manifest: of a robot: what it cannot do is not asked for by a `change`. None asks for whatever can be done.
        """
        ...

    def holds(self, truth: Truth, relation: str, subject: str, other: str = "") -> bool:
        """Return whether a relation of the `check` primitive is true."""
        ...

    def read(self, sentence: str, truth: Truth, before: WorldTask | None = None) -> WorldTask | None:
        """Return the task that a sentence means.

        Args:
            sentence: as a person typed it.
            truth: the true state when it was typed.
            before: the task in force, which the sentence may correct; None for none.

        Returns:
            None when it belongs to no family or is not clear.
        """
        ...

    def policy(
        self,
        truth: Truth,
        task: WorldTask,
        manifest: Manifest | None = None,
        doubted: Sequence[str] = (),
        put_off: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Return the expert's policy for a task from any state midway, as plain data in the form of the policy language.

        Args:
            truth: the true state now.
            task: what is to be done.
            manifest: the robot's; what it cannot do is answered by `cannot`. None for all primitives that the task needs.
            doubted: things of which a check has denied that they are where they should be; they are put there again.
            put_off: things that could not be taken, the last one last; where the order is free, others come first.
        """
        ...

    def able(self, truth: Truth, task: WorldTask, manifest: Manifest) -> bool:
        """Return whether a robot can do all of a task from a state; what it cannot do is not asked for in episodes.

        Args:
            truth: the true state.
            task: what is to be done.
            manifest: the robot's.
        """
        ...
