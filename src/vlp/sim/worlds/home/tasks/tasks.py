"""The tasks that the world `home` offers."""

from collections.abc import Sequence
from random import Random
from typing import Any

from vlp.primitives.manifest import Manifest
from vlp.sim.truth import Truth
from vlp.sim.worlds.home.tasks.expert import all_steps, plan
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
        if manifest is None:
            return policy
        lacking = [step["do"] for step in all_steps(policy) if step["do"] not in manifest.primitives]
        return {"goal": policy["goal"], "cannot": f"this robot cannot {lacking[0].replace('_', ' ')}"} if lacking else policy
