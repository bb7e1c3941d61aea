"""The tasks that the world `home` offers."""

from collections.abc import Sequence
from random import Random
from typing import Any

from vlp.primitives.manifest import Manifest
from vlp.sim.expert import for_robot
from vlp.sim.truth import Truth
from vlp.sim.worlds.home.tasks import steps
from vlp.sim.worlds.home.tasks.expert import plan
from vlp.sim.worlds.home.tasks.families import draw_task
from vlp.sim.worlds.home.tasks.reading import read_task
from vlp.sim.worlds.home.tasks.task import HomeTask, home
from vlp.sim.worlds.tasks import Split, WorldTask


class HomeTasks:
    """`vlp.sim.worlds.tasks.Tasks` of the world `home`."""

    def draw(self, truth: Truth, rng: Random, split: Split = "train") -> HomeTask | None:
        """Return a task of a family drawn by weight."""
        return draw_task(home(truth), rng, split)

    def read(self, sentence: str, truth: Truth, before: WorldTask | None = None) -> HomeTask | None:
        """Return what a sentence means by itself; it takes the place of the task before and corrects no part of it."""
        del before
        return read_task(sentence, home(truth))

    def policy(
        self, truth: Truth, task: WorldTask, manifest: Manifest | None = None, doubted: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Return the canonical policy, or `cannot` where the robot lacks a primitive that it needs."""
        if not isinstance(task, HomeTask):
            raise TypeError(f"a {type(task).__name__} is no task of the home")
        policy = plan(home(truth), task, doubted)
        return policy if manifest is None else for_robot(_to_whom(policy, manifest), manifest)


def _to_whom(policy: dict[str, Any], manifest: Manifest) -> dict[str, Any]:
    """Return a policy whose `handover` names nobody where the robot's takes no target: it hands to who is before it."""
    handover = manifest.primitives.get("handover")
    if handover is None or any(argument.name == "target" for argument in handover.arguments):
        return policy
    unnamed = [
        {**subtask, "steps": [steps.handover("") if step["do"] == "handover" else step for step in subtask["steps"]]}
        for subtask in policy.get("subtasks", ())
    ]
    return {**policy, "subtasks": unnamed} if unnamed else policy
