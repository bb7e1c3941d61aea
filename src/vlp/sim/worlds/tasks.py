"""What people can ask for in a world: tasks by chance or by their sentence, and the expert's policy for them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Literal, Protocol

from vlp.primitives.manifest import Manifest
from vlp.sim.truth import Truth

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


class Tasks(Protocol):
    """The tasks of one world. A task goes back only to the world that it came from."""

    def draw(self, truth: Truth, rng: Random, split: Split = "train") -> WorldTask | None:
        """Return a task that can be done and is not done yet, or None when the state allows none of those drawn."""
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
        self, truth: Truth, task: WorldTask, manifest: Manifest | None = None, doubted: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Return the expert's policy for a task from any state midway, as plain data in the form of the policy language.

        Args:
            truth: the true state now.
            task: what is to be done.
            manifest: the robot's; what it cannot do is answered by `cannot`. None for all primitives that the task needs.
            doubted: things of which a check has denied that they are where they should be; they are put there again.
        """
        ...
