"""The tasks that the world `home` offers."""

import math
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from vlp.primitives.manifest import Manifest
from vlp.sim.expert import for_robot
from vlp.sim.language.household.reading import read_command
from vlp.sim.language.household.sample import kinds, sample_command
from vlp.sim.language.relations import holds
from vlp.sim.truth import Truth
from vlp.sim.worlds.home.spoken import household_of
from vlp.sim.worlds.home.tasks import steps
from vlp.sim.worlds.home.tasks.errands import plan_command
from vlp.sim.worlds.home.tasks.expert import left_undone, plan
from vlp.sim.worlds.home.tasks.families import draw_task, families
from vlp.sim.worlds.home.tasks.goals import is_at, place_under, takes
from vlp.sim.worlds.home.tasks.household import HouseholdTask, household_family
from vlp.sim.worlds.home.tasks.reading import read_task
from vlp.sim.worlds.home.tasks.scripted import draws, sample_event
from vlp.sim.worlds.home.tasks.task import HomeTask, home
from vlp.sim.worlds.home.true_state import HomeTruth, truth_of
from vlp.sim.worlds.tasks import ScriptedEvent, Split, WorldTask


class HomeTasks:
    """`vlp.sim.worlds.tasks.Tasks` of the world `home`."""

    @property
    def kinds(self) -> dict[str, dict[str, float]]:
        """The families of each kind of episode; while a dial is read or something is found, nothing is changed."""
        often = {name: family.often for name, family in families().items()}
        dynamic = {name: often[name] for name in ("put", "put_away", "hand", "tidy")}
        return {"static": often, "dynamic": dynamic, "household": dict.fromkeys(map(household_family, kinds()), 1.0)}

    def start(self, scene: Any) -> HomeTruth:
        """Return the true state of a home that nobody has touched yet."""
        return truth_of(scene)

    def draw(
        self, truth: Truth, rng: Random, split: Split = "train", odds: Mapping[str, float] | None = None
    ) -> HomeTask | HouseholdTask | None:
        """Return a task of a family drawn by weight; each kind of household command is a family too."""
        commands = {household_family(kind): kind for kind in kinds()}
        if odds is None or not set(odds) <= set(commands):
            return draw_task(home(truth), rng, split, odds)
        kind = commands[rng.choices(list(odds), list(odds.values()))[0]]
        command = sample_command(household_of(home(truth)), rng, split, kind)
        return None if command is None else HouseholdTask(command, household_of(home(truth)), home(truth))

    @property
    def changes(self) -> dict[str, dict[str, float]]:
        """What can change midway; the only containers that a person moves are those that are poured into."""
        return {name: {"pour": 1.0} if name == "container-moved" else {} for name in draws()}

    def disturb(
        self,
        truth: Truth,
        task: WorldTask,
        rng: Random,
        split: Split = "train",
        change: str = "",
        manifest: Manifest | None = None,
    ) -> ScriptedEvent | None:
        """Return what a person does or says midway, see `vlp.sim.worlds.home.tasks.scripted`."""
        return sample_event(home(truth), _own(task), rng, split, change, _opening_m(manifest))

    def holds(self, truth: Truth, relation: str, subject: str, other: str = "") -> bool:
        """Return whether a relation is true; a thing on another one is at that one's place, too."""
        if takes().get(other) == relation:
            return is_at(place_under(home(truth), subject), other)
        return holds(truth, relation, subject, other)

    def read(self, sentence: str, truth: Truth, before: WorldTask | None = None) -> HomeTask | HouseholdTask | None:
        """Return what a sentence means, or what it makes of the task before; a household command is replaced, not changed."""
        household = household_of(home(truth))
        if (task := read_task(sentence, home(truth), before if isinstance(before, HomeTask) else None)) is not None:
            return task
        command = read_command(sentence, household)
        return None if command is None else HouseholdTask(command, household, home(truth))

    def policy(
        self,
        truth: Truth,
        task: WorldTask,
        manifest: Manifest | None = None,
        doubted: Sequence[str] = (),
        put_off: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Return the canonical policy, or `cannot` where the robot lacks a primitive that it needs."""
        opening_m = _opening_m(manifest)
        if isinstance(task, HouseholdTask):
            policy = plan_command(home(truth), task, opening_m)
        else:
            policy = plan(home(truth), _own(task), doubted, opening_m, put_off)
        return policy if manifest is None else for_robot(_suited(policy, manifest), manifest)

    def able(self, truth: Truth, task: WorldTask, manifest: Manifest) -> bool:
        """Return whether a robot can do all of a task: of a command the first reason against it is the policy's."""
        if isinstance(task, HomeTask) and left_undone(home(truth), task, _opening_m(manifest)):
            return False
        return "cannot" not in self.policy(truth, task, manifest)


def _opening_m(manifest: Manifest | None) -> float:
    return math.inf if manifest is None else manifest.limits.gripper_opening_m or math.inf


def _own(task: WorldTask) -> HomeTask:
    if not isinstance(task, HomeTask):
        raise TypeError(f"a {type(task).__name__} is no task of the home")
    return task


def _suited(policy: dict[str, Any], manifest: Manifest) -> dict[str, Any]:
    """Return a policy with its steps as a robot's primitives take them.

    A `handover` without a target goes to whoever is before the robot, who is not looked for. A robot that can `inspect` does so
    before it reads; one that cannot `look` finds people in the picture that it has.
    """
    handover = manifest.primitives.get("handover")
    unnamed = handover is not None and not any(argument.name == "target" for argument in handover.arguments)

    def suited(step: dict[str, Any], part: dict[str, Any]) -> list[dict[str, Any]]:
        nobody = unnamed and any(other["do"] == "handover" for other in part["steps"])
        if (nobody and step["do"] in ("look", "locate_person")) or (step["do"] == "look" and "look" not in manifest.primitives):
            return []
        if step["do"] == "handover" and unnamed:
            return [steps.handover("")]
        return [steps.inspect("gauges"), step] if step["do"] == "read" and "inspect" in manifest.primitives else [step]

    subtasks = [
        {**part, "steps": [own for step in part["steps"] for own in suited(step, part)]} for part in policy.get("subtasks", ())
    ]
    return {**policy, "subtasks": subtasks} if subtasks else policy
