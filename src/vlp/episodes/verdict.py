"""The true state's own answer: whether the task that an instruction means in a simulated world is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vlp.core.messages import Instruction
from vlp.episodes.world_events import happen
from vlp.journal import Event
from vlp.sim.worlds.tasks import AccountedTask, DoneStep

if TYPE_CHECKING:
    from vlp.sim.simulation import Simulation
    from vlp.sim.truth import Truth
    from vlp.sim.worlds.tasks import Cue, WorldTask


class Verdict:
    """Follows a run in a simulated world, lets scripted events happen, and judges (see `vlp.runtime.loop.Judge`).

    Args:
        simulation: the world.
        asked: the first instruction, or its task where that is known; None, or a sentence that belongs to no family of tasks,
            has no verdict, nor has any in a world without tasks.
        following: the tasks of the scripted instructions, in order; others are read from their words.
        final: what is judged in the end; None for the task in force.
        seed: decides what events leave open.
        restore: brings the simulated robot to a snapshot, for a run that is taken over: its past is gone through again.

    Attributes:
        start: the true state from which it is judged: what a person moved counts as having stood there.
        disturbed: what people moved, by phrase.
        happened: how many scripted events of the world there were.
        said: what the robot has told people since the instruction in force.
    """

    def __init__(
        self,
        simulation: Simulation,
        asked: Instruction | WorldTask | None,
        following: Sequence[WorldTask] = (),
        *,
        final: WorldTask | None = None,
        seed: int = 0,
        restore: Callable[[bytes], None] | None = None,
    ) -> None:
        self._simulation = simulation
        self._following = list(following)
        self._final = final
        self._seed = seed
        self._restore = restore
        self.happened = 0
        self._sentences = 0
        self._moved_before: tuple[str, ...] = ()
        self._task: WorldTask | None = None
        self._heard: list[tuple[str | WorldTask | None, Truth]] = []
        self.said: list[str] = []
        self._begun: dict[str, Any] = {}
        self._ended: Event | None = None
        self.disturbed: list[str] = []
        self._hear(asked.text if isinstance(asked, Instruction) else asked)
        if isinstance(asked, AccountedTask):
            self._cue(asked, {})

    @property
    def task(self) -> WorldTask | None:
        """The task in force; sentences are read here, when somebody wants to know, each by the state it was said in."""
        tasks = self._simulation.world.tasks
        for heard, then in self._heard:
            if isinstance(heard, str):
                self._task = tasks.read(heard, then, self._task) if tasks else None
                if isinstance(self._task, AccountedTask):
                    self._cue(self._task, {})
            else:
                self._task = heard
        self._heard.clear()
        return self._task

    @property
    def alone(self) -> WorldTask | None:
        """What the last sentence means by itself as things are now: the task for whoever remembers nothing."""
        task, tasks = self.task, self._simulation.world.tasks
        return tasks.read(task.instruction, self._simulation.truth()) if task and tasks else None

    def apply(self, text: str, settle: bool = True) -> list[str]:
        """Carry out a scripted event and return the phrases of what was moved; arguments as in `happen`."""
        self.happened += 1
        moved = happen(self._simulation, text, np.random.default_rng([self._seed, self.happened]), settle)
        self._disturb(moved)
        return list(moved)

    def on_event(self, event: Event) -> None:
        """Take note of new instructions, of what people are told and, in a run taken over, of what was before."""
        if event.kind == "instruction":
            self._sentences += 1
            if self._sentences > 1:
                self._instruct(event)
        elif event.kind == "step-started":
            self._begun = dict(event.data["arguments"])
        elif event.kind == "step-finished" and event.data["status"] == "succeeded":
            if self._restore is None:
                self._done(event)
            else:  # the world comes to the state after it with the snapshot that follows
                self._ended = event
        elif event.kind == "policy" and (reason := event.data["policy"]["policy"].get("cannot")):
            if isinstance(task := self.task, AccountedTask):
                self._account(task.refused(reason))
        elif self._restore is not None:
            self._again(event)

    def __call__(self) -> bool | None:
        """Return whether the task is done now; None when nobody can say."""
        task = self.task if isinstance(self.task, AccountedTask) else self._final or self.task
        return None if task is None else task.success(self.start, self._simulation.truth(), self.said)

    def _done(self, event: Event) -> None:
        """Take note of a step that succeeded: of what was said, and of all of it for a task that keeps an account."""
        do, result = event.data["do"], event.data["result"]
        self.said += [str(result["done"]["said"])] if do == "say" else []
        if isinstance(task := self.task, AccountedTask):
            x, y, _ = self._simulation.embodiment.base(self._simulation.data)
            deed = DoneStep(do, self._begun, result["done"], result["value"], self._simulation.at(), (x, y))
            self._account(task.after(deed, self._simulation.truth()))

    def _account(self, task: AccountedTask) -> None:
        """Put a task with a longer account in the place of the one in force, and let people begin with what is due by now."""
        before = self.task.due() if isinstance(self.task, AccountedTask) else {}
        self._task = task
        self._cue(task, before)

    def _cue(self, task: AccountedTask, before: Mapping[str, Cue]) -> None:
        for name in sorted(set(task.due()) - set(before)):
            task.cue(self._simulation, name)

    def _instruct(self, event: Event) -> None:
        scripted = event.data["source"].startswith("scheduled") and self._following
        self._hear(self._following.pop(0) if scripted else event.data["text"])

    def _hear(self, said: str | WorldTask | None) -> None:
        self.start = self._simulation.truth()
        self.said = []
        self._heard.append((said, self.start))

    def _disturb(self, moved: Sequence[str]) -> None:
        self.disturbed += moved
        self.start = self.start.rebased(self._simulation.truth(), moved)

    def _again(self, event: Event) -> None:
        """Go through the past of a run that is taken over; it ends with the event that says so."""
        assert self._restore is not None
        if event.kind == "world-event":
            self.happened += 1
            self._moved_before = tuple(event.data.get("detail") or ())
        elif event.kind == "snapshot" and event.blob is not None:
            self._restore(event.blob)
            if self._ended is not None:
                self._done(self._ended)
            self._ended = None
            self._disturb(self._moved_before)
            self._moved_before = ()
        elif event.kind == "run-resumed":
            self._restore = None
