"""The true state's own answer: whether the task that an instruction means in a simulated world is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vlp.episodes.world_events import happen
from vlp.journal import Event

if TYPE_CHECKING:
    from vlp.sim.language.task import Task
    from vlp.sim.simulation import Simulation
    from vlp.sim.truth import Truth


class Verdict:
    """Follows a run in a simulated world: a subscriber, the judge, and the hand that carries out scripted events.

    Args:
        simulation: the world.
        task: the first instruction's task; None when it belongs to no family, and then there is no verdict.
        following: the tasks of the scripted instructions, in order; others are read from their words.
        seed: decides what events leave open.
        restore: brings the simulated robot to a snapshot, for a run that is taken over: its past is gone through again.

    Attributes:
        task: the one in force.
        start: the true state from which it is judged: what a person moved counts as having stood there.
        disturbed: what people moved, by phrase.
    """

    def __init__(
        self,
        simulation: Simulation,
        task: Task | None,
        following: Sequence[Task] = (),
        *,
        seed: int = 0,
        restore: Callable[[bytes], None] | None = None,
    ) -> None:
        self._simulation = simulation
        self._following = list(following)
        self._seed = seed
        self._restore = restore
        self._events = 0
        self._sentences = 0
        self._moved_before: tuple[str, ...] = ()
        self.task = task
        self.start: Truth = simulation.truth()
        self.disturbed: list[str] = []

    @classmethod
    def read(cls, simulation: Simulation, instruction: str, **options: Any) -> Verdict:
        """Return the verdict on the task that a typed sentence means, where it means one; options as in `Verdict`."""
        from vlp.sim.language.recognise import recognise

        return cls(simulation, recognise(instruction, simulation.truth()), **options)

    def apply(self, text: str) -> list[str]:
        """Carry out a scripted event and return the phrases of what was moved."""
        self._events += 1
        moved = happen(self._simulation, text, np.random.default_rng([self._seed, self._events]))
        self._disturb(moved)
        return list(moved)

    def on_event(self, event: Event) -> None:
        """Take note of new instructions and, in a run that is taken over, of what happened before."""
        if event.kind == "instruction":
            self._sentences += 1
            if self._sentences > 1:
                self._instruct(event)
        elif self._restore is not None:
            self._again(event)

    def __call__(self) -> bool | None:
        """Return whether the task is done now; None when nobody can say."""
        return None if self.task is None else self.task.success(self.start, self._simulation.truth())

    def _instruct(self, event: Event) -> None:
        from vlp.sim.language.corrections import recognise_correction
        from vlp.sim.language.recognise import recognise

        now, text = self._simulation.truth(), event.data["text"]
        if event.data["source"].startswith("scheduled") and self._following:
            self.task = self._following.pop(0)
        else:
            self.task = recognise(text, now) if self.task is None else recognise_correction(text, self.task, now)
        self.start = now

    def _disturb(self, moved: Sequence[str]) -> None:
        from vlp.episodes.events import rebase

        self.disturbed += moved
        self.start = rebase(self.start, self._simulation.truth(), tuple(moved))

    def _again(self, event: Event) -> None:
        """Go through the past of a run that is taken over; it ends with the event that says so."""
        assert self._restore is not None
        if event.kind == "world-event":
            self._events += 1
            self._moved_before = tuple(event.data.get("detail") or ())
        elif event.kind == "snapshot" and event.blob is not None:
            self._restore(event.blob)
            self._disturb(self._moved_before)
            self._moved_before = ()
        elif event.kind == "run-resumed":
            self._restore = None
