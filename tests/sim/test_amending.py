"""Amendments at the table: one more thing, one thing less, all of a colour or kind left alone."""

from collections.abc import Iterator
from random import Random

import pytest

from vlp.sim.expert import plan
from vlp.sim.language.amending import amendments, recognise_amendment
from vlp.sim.language.families import sample_task
from vlp.sim.language.random_truth import sample_truth
from vlp.sim.language.task import Goal, Split, Task
from vlp.sim.symbolic import SymbolicTable, do_step, steps_of
from vlp.sim.truth import Truth
from vlp.sim.worlds.tabletop.scripted import expected, sample_event
from vlp.sim.worlds.tabletop.tasks import TableTasks
from vlp.understanding.stopping import says_stop


def drawn(change: str, split: Split) -> Iterator[tuple[Truth, Task, Task]]:
    """Yield the state midway, the task before and the amended one, of 300 scenes."""
    for seed in range(300):
        rng = Random(f"{change} {seed} {split}")
        truth = sample_truth(rng)
        task = sample_task(truth, rng, split, TableTasks().kinds["dynamic"])
        event = sample_event(truth, task, rng, split, change=change) if task else None
        if task and event:
            assert isinstance(event.task, Task) and event.change == change
            yield expected(truth, task)[event.step].truth, task, event.task


@pytest.mark.parametrize("change", amendments())
@pytest.mark.parametrize("split", ["train", "test"])
def test_an_amendment_is_read_as_it_was_meant_and_can_be_done(change: str, split: Split) -> None:
    """Guards against "leave the can" being read as a put, or "and the mug too" as a task that drops the first."""
    found = list(drawn(change, split))
    assert len(found) > 30
    wrong: list[str] = []
    for state, before, task in found:
        read = TableTasks().read(task.instruction, state, before)
        if read is None or set(read.goals) != set(task.goals):
            wrong.append(f"{before.instruction} / {task.instruction} / {read and read.goals}")
        assert not says_stop(task.instruction)
        table = SymbolicTable.of(state)
        for _, step in steps_of(plan(state, task)):
            do_step(table, step)
        assert task.success(state, table.truth)
    assert len(wrong) <= 0.05 * len(found), wrong  # a typing error may make another word of a name


def test_what_was_put_away_and_is_not_wanted_any_more_goes_back_to_the_table() -> None:
    found = ((truth, task) for truth, task, _ in drawn("added", "train") if len(task.goals) == 1)
    truth, task = next((truth, task) for truth, task in found if task.goals[0].target not in ("bin", "table"))
    goal = task.goals[0]
    done = expected(truth, task)[-1].truth
    back = recognise_amendment(f"leave the {goal.subject}", task, done)
    assert back is not None and back.goals == (Goal("on", goal.subject, "table"),)
    assert recognise_amendment("leave the purple bottle that nobody asked for", task, done) is None
