"""Whole situations for text-only training: a state, what was done so far, an instruction, and the expert's policy."""

from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from vlp.sim.expert import plan
from vlp.sim.language.changes import RANKED, sample_change
from vlp.sim.language.families import sample_task
from vlp.sim.language.random_truth import sample_truth
from vlp.sim.language.task import Split, Task
from vlp.sim.symbolic import StepFailed, Table, do_step, steps_of
from vlp.sim.truth import Truth


@dataclass(frozen=True)
class Situation:
    """What a model is shown, and the right answer.

    Args:
        truth: the state now.
        task: the instruction in force, with `before` when it corrects an earlier one.
        policy: the expert's policy from here, in the language's key order.
        done: steps carried out before, since the first instruction.
    """

    truth: Truth
    task: Task
    policy: dict[str, Any]
    done: tuple[dict[str, Any], ...] = field(default=())


def sample_situation(
    rng: Random,
    split: Split = "train",
    truth: Truth | None = None,
    progress_rate: float = 0.25,
    change_rate: float = 0.25,
    weights: dict[str, float] | None = None,
) -> Situation:
    """Return a random situation.

    Args:
        rng: the source of chance; the same state of it gives the same situation.
        split: "train", or "test" for phrasings that are never trained on.
        truth: the state at the beginning; None draws one.
        progress_rate: how often part of the task is done already.
        change_rate: how often the instruction has just been changed.
        weights: families and how often to draw them; None takes the default.
    """
    for _ in range(50):
        start = truth or sample_truth(rng)
        task = sample_task(start, rng, split, weights)
        if task is None:
            continue
        chance = rng.random()
        if chance >= progress_rate + change_rate:
            return Situation(start, task, plan(start, task))
        now, done = progress(start, task, rng)
        if chance < change_rate:
            change = sample_change(now, task, rng, split)
            if change is not None:
                return Situation(now, change, plan(now, change), done)
        elif done and (task.cannot or clear_midway(start, now, task)):
            task = replace(task, satisfied=not task.cannot and all(goal.holds(now) for goal in task.goals))
            return Situation(now, task, plan(now, task), done)
    raise RuntimeError("no situation in 50 draws: the state given allows no task")


def progress(truth: Truth, task: Task, rng: Random) -> tuple[Truth, tuple[dict[str, Any], ...]]:
    """Return the state after a random number of the expert's steps (possibly none or all), and those steps."""
    steps = [step for _, step in steps_of(plan(truth, task))]
    count = rng.randint(0, len(steps)) if steps else 0
    table = Table.of(truth)
    for i, step in enumerate(steps[:count]):
        try:
            do_step(table, step)
        except StepFailed:
            return table.truth, tuple(steps[:i])
    return table.truth, tuple(steps[:count])


def clear_midway(start: Truth, now: Truth, task: Task) -> bool:
    """Return whether state and instruction alone still tell what is to be done.

    The leftmost can is another one once the first is put away; a swap half done has lost a place; what is in the bin
    cannot be seen.
    """
    moved = [n for n in task.subjects if start.objects[n] != now.objects[n]]
    if task.family in (*RANKED, "swap") and moved:
        return task.family != "swap" and now.holding in task.subjects
    if any(goal.target == "bin" for goal in task.goals):
        return task.family == "clear" or not all(goal.holds(now) for goal in task.goals)
    return True
