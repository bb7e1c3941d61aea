"""The true state's own answer: whether the task that an instruction means in a simulated world is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from vlp.core.messages import Instruction
from vlp.episodes.world_events import happen
from vlp.journal import Event

if TYPE_CHECKING:
    from vlp.sim.language.task import Task
    from vlp.sim.simulation import Simulation
    from vlp.sim.truth import Truth


class Verdict:
    """Follows a run in a simulated world, lets scripted events happen, and judges (see `vlp.runtime.loop.Judge`).

    Args:
        simulation: the world.
        asked: the first instruction, or its task where that is known; None, or a sentence that belongs to no family of tasks,
            has no verdict.
        following: the tasks of the scripted instructions, in order; others are read from their words.
        final: what is judged in the end; None for the task in force.
        seed: decides what events leave open.
        restore: brings the simulated robot to a snapshot, for a run that is taken over: its past is gone through again.

    Attributes:
        start: the true state from which it is judged: what a person moved counts as having stood there.
        disturbed: what people moved, by phrase.
    """

    def __init__(
        self,
        simulation: Simulation,
        asked: Instruction | Task | None,
        following: Sequence[Task] = (),
        *,
        final: Task | None = None,
        seed: int = 0,
        restore: Callable[[bytes], None] | None = None,
    ) -> None:
        self._simulation = simulation
        self._following = list(following)
        self._final = final
        self._seed = seed
        self._restore = restore
        self._events = 0
        self._sentences = 0
        self._moved_before: tuple[str, ...] = ()
        self._task: Task | None = None
        self._heard: list[tuple[str | Task | None, Truth]] = []
        self.disturbed: list[str] = []
        self._hear(asked.text if isinstance(asked, Instruction) else asked)

    @property
    def task(self) -> Task | None:
        """The task in force; sentences are read here, when somebody wants to know, each by the state it was said in."""
        from vlp.sim.language.corrections import recognise_correction
        from vlp.sim.language.recognise import recognise

        for said, then in self._heard:
            if not isinstance(said, str):
                self._task = said
            else:
                self._task = recognise(said, then) if self._task is None else recognise_correction(said, self._task, then)
        self._heard.clear()
        return self._task

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
        task = self._final or self.task
        return None if task is None else task.success(self.start, self._simulation.truth())

    def _instruct(self, event: Event) -> None:
        scripted = event.data["source"].startswith("scheduled") and self._following
        self._hear(self._following.pop(0) if scripted else event.data["text"])

    def _hear(self, said: str | Task | None) -> None:
        self.start = self._simulation.truth()
        self._heard.append((said, self.start))

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
