"""A task of the home of which one thing comes before the others: the end does not show that, an account of deeds does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from vlp.sim.truth import Truth
from vlp.sim.worlds.home.tasks.accounts import entry_of
from vlp.sim.worlds.home.tasks.task import HomeTask, home
from vlp.sim.worlds.tasks import Cue, DoneStep

if TYPE_CHECKING:
    from vlp.sim.simulation import Simulation


@dataclass(frozen=True)
class OrderedTask(HomeTask):
    """A `vlp.sim.worlds.tasks.AccountedTask`: a task whose first thing is taken before any other.

    Args:
        first: that thing.
        taken: what the robot has taken since the sentence, in order.
    """

    first: str = ""
    taken: tuple[str, ...] = ()

    @classmethod
    def of(cls, task: HomeTask, first: str) -> OrderedTask:
        """Return a task with a thing that comes first."""
        return cls(**{field.name: getattr(task, field.name) for field in fields(HomeTask)}, first=first)

    def success(self, start: Truth, now: Truth, said: Sequence[str] = ()) -> bool:
        """Return whether all of it is done, and was begun with the thing that comes first."""
        return self.taken[:1] == (self.first,) and super().success(start, now, said)

    def unmet(self, now: Truth, said: Sequence[str] = ()) -> str:
        """Return what was taken before the thing that comes first, else the first goal that is not reached."""
        before = self.taken[0] if self.taken and self.taken[0] != self.first else ""
        return f"the {before} was taken before the {self.first}" if before else super().unmet(now, said)

    def after(self, deed: DoneStep, now: Truth) -> OrderedTask:
        """Return the task with what a deed took in its account."""
        entry = entry_of(deed, home(now))
        return replace(self, taken=(*self.taken, entry.what)) if entry is not None and entry.did == "took" else self

    def refused(self, reason: str) -> OrderedTask:
        """Return the task as it is: a refusal takes nothing."""
        del reason
        return self

    def due(self) -> Mapping[str, Cue]:
        """Return nothing: nobody walks for it."""
        return {}

    def cue(self, simulation: Simulation, name: str) -> None:
        """Do nothing."""


def followed(task: HomeTask, policy: Mapping[str, Any]) -> HomeTask:
    """Return a task as it is once a policy was carried out, with what that takes in its account if it keeps one."""
    if not isinstance(task, OrderedTask):
        return task
    named, taken = dict[str, str](), list[str]()
    for step in (step for part in policy.get("subtasks", ()) for step in part["steps"]):
        if "as" in step:
            named[step["as"]] = step.get("object", "")
        taken += [named.get(step["target"][1:], "")] if step["do"] == "grasp" else []
    return replace(task, taken=(*task.taken, *taken))
