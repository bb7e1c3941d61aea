"""The tasks of the table: the families of `vlp.sim.language`, and the expert for them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from vlp.primitives.manifest import Manifest
from vlp.sim.expert import for_robot, plan
from vlp.sim.language.amending import recognise_amendment
from vlp.sim.language.corrections import recognise_alone, recognise_correction
from vlp.sim.language.families import PLAIN, sample_task
from vlp.sim.language.relations import OUT_OF_SIGHT, elsewhere, holds
from vlp.sim.language.task import Task
from vlp.sim.truth import Truth
from vlp.sim.worlds.tabletop.scene import Scene
from vlp.sim.worlds.tabletop.scripted import changes, sample_event
from vlp.sim.worlds.tabletop.true_state import truth_of
from vlp.sim.worlds.tasks import ScriptedEvent, Split, WorldTask


class TableTasks:
    """`vlp.sim.worlds.tasks.Tasks` of the world `tabletop`."""

    @property
    def kinds(self) -> dict[str, dict[str, float]]:
        """The families of each kind of episode; instructions that swap or pick up are not changed midway."""
        static = {name: family.often for name, family in PLAIN.items() if name != "unload"}
        return {
            "static": {**static, "unload": 0.5},
            "dynamic": {name: often for name, often in static.items() if name not in ("swap", "pick")},
            "cannot": {"impossible": 1.0},
            "satisfied": {"satisfied": 1.0},
        }

    def start(self, scene: Scene) -> Truth:
        """Return the true state of a table that nobody has touched yet."""
        return truth_of(scene)

    def draw(self, truth: Truth, rng: Random, split: Split = "train", odds: Mapping[str, float] | None = None) -> Task | None:
        """Return a task of one of the plain families, drawn by weight, or of those that are asked for."""
        plain = {family.name: family.often for family in PLAIN.values()}
        return sample_task(truth, rng, split, plain if odds is None else dict(odds))

    @property
    def changes(self) -> dict[str, dict[str, float]]:
        """What can change midway."""
        return {name: {} for name in changes()}

    def disturb(
        self,
        truth: Truth,
        task: WorldTask,
        rng: Random,
        split: Split = "train",
        change: str = "",
        manifest: Manifest | None = None,
    ) -> ScriptedEvent | None:
        """Return what a person does or says midway, see `vlp.sim.worlds.tabletop.scripted`."""
        del manifest  # every body that comes to a table can do whatever is asked for there
        return sample_event(truth, _own(task), rng, split, change=change)

    def holds(self, truth: Truth, relation: str, subject: str, other: str = "") -> bool:
        """Return whether a relation is true."""
        return holds(truth, relation, subject, other)

    def read(self, sentence: str, truth: Truth, before: WorldTask | None = None) -> Task | None:
        """Return what a sentence means, or what it makes of the task before."""
        if before is None:
            return recognise_alone(sentence, truth)
        return recognise_amendment(sentence, _own(before), truth) or recognise_correction(sentence, _own(before), truth)

    def policy(
        self,
        truth: Truth,
        task: WorldTask,
        manifest: Manifest | None = None,
        doubted: Sequence[str] = (),
        put_off: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Return the canonical policy, whose order is fixed; doubted things that are in sight count as lying elsewhere."""
        del put_off
        own = _own(task)
        policy = plan(*_doubting(truth, own, doubted)) if doubted else plan(truth, own)
        return for_robot(policy, manifest) if manifest is not None else policy

    def able(self, truth: Truth, task: WorldTask, manifest: Manifest) -> bool:
        """Return whether a robot can do all of a task."""
        return "cannot" not in self.policy(truth, task, manifest)


def _doubting(truth: Truth, task: Task, doubted: Sequence[str]) -> tuple[Truth, Task]:
    """Return state and task as if what is doubted lay elsewhere; all in sight where of that nothing is doubted."""
    in_sight = [n for n in task.subjects if n in truth.objects and truth.objects[n].support not in OUT_OF_SIGHT]
    denied = [name for name in in_sight if name in doubted] or in_sight
    far_m = 10.0  # farther than any relation allows
    return elsewhere(truth, denied, far_m), replace(task, satisfied=False)


def _own(task: WorldTask) -> Task:
    if not isinstance(task, Task):
        raise TypeError(f"a {type(task).__name__} is no task of the table")
    return task
