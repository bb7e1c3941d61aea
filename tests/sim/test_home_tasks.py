"""Tasks of the home: for every family the expert's policy reaches the goal, from the start and from every state midway."""

from dataclasses import replace
from random import Random

import pytest

from vlp.sim.worlds.home.sampling import sample_home
from vlp.sim.worlds.home.tasks.expert import all_steps, plan
from vlp.sim.worlds.home.tasks.families import draw_task, families
from vlp.sim.worlds.home.tasks.reading import read_task
from vlp.sim.worlds.home.tasks.symbolic import execute, midway
from vlp.sim.worlds.home.tasks.task import HomeTask
from vlp.sim.worlds.home.true_state import HomeTruth, truth_of
from vlp.sim.worlds.tasks import Split

TRUTHS = [truth_of(sample_home(seed)) for seed in range(120)]


def drawn(family: str, split: Split = "train", least: int = 30) -> list[tuple[HomeTruth, HomeTask]]:
    """Return a task of a family in each of the first 30 homes of the training split that allow one."""
    rng = Random(f"{family} {split}")
    found: list[tuple[HomeTruth, HomeTask]] = []
    for truth in TRUTHS:
        task = draw_task(truth, rng, split, {family: 1.0})
        found += [(truth, task)] if task is not None else []
        if len(found) == least:
            return found
    raise AssertionError(f"only {len(found)} homes allow {family}")


@pytest.mark.parametrize("family", families())
def test_the_experts_policy_reaches_the_goal_from_the_start_and_from_every_state_midway(family: str) -> None:
    for truth, task in drawn(family):
        policy = plan(truth, task)
        assert "cannot" not in policy and not task.success(truth, truth), task
        for i, (state, said) in enumerate(midway(policy, truth)):
            then, failure = execute(plan(state, task), state)
            assert not failure, f"{task.instruction}, from step {i}: {failure}"
            assert task.success(truth, then.truth, [*said, *then.said]), f"{task.instruction}, from step {i}"


@pytest.mark.parametrize("family", families())
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_sentence_is_read_as_the_task_that_it_was_made_for(family: str, split: Split) -> None:
    for truth, task in drawn(family, split):
        assert read_task(task.instruction, truth) == task, task.instruction


@pytest.mark.parametrize("family", families())
def test_what_is_done_already_is_done_no_more(family: str) -> None:
    for truth, task in drawn(family):
        then, _ = execute(plan(truth, task), truth)
        goals = [goal for goal in task.goals if goal.holds(truth) or not goal.holds(then.truth)]
        again = plan(then.truth, replace(task, goals=tuple(goal for goal in task.goals if goal not in goals)))
        assert not [step for step in all_steps(again)], task.instruction
