"""Changes of mind midway in the home: each is read as it was meant, can be done from where it is said, and undoes what was."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from vlp.sim.worlds.home.catalogue import products
from vlp.sim.worlds.home.sampling import sample_home
from vlp.sim.worlds.home.tasks import steps
from vlp.sim.worlds.home.tasks.changes import home_changes
from vlp.sim.worlds.home.tasks.expert import plan
from vlp.sim.worlds.home.tasks.families import draw_task, families
from vlp.sim.worlds.home.tasks.goals import place_under, relation_of
from vlp.sim.worlds.home.tasks.ordered import OrderedTask, followed
from vlp.sim.worlds.home.tasks.scripted import draws, sample_event
from vlp.sim.worlds.home.tasks.symbolic import execute, midway
from vlp.sim.worlds.home.tasks.task import HomeTask
from vlp.sim.worlds.home.tasks.tasks import HomeTasks
from vlp.sim.worlds.home.tasks.wording import templates
from vlp.sim.worlds.home.true_state import HomeTruth, truth_of
from vlp.sim.worlds.tasks import DoneStep, ScriptedEvent, Split
from vlp.understanding.stopping import says_stop

TRUTHS = [truth_of(sample_home(seed)) for seed in range(100)]
Drawn = tuple[HomeTruth, HomeTask, ScriptedEvent]


def drawn(change: str, split: Split = "train", least: int = 20) -> list[Drawn]:
    """Return the state midway, the task and the event of a kind of change, in the first homes that allow one."""
    return [found for found, _ in zip(_draw(change, split), range(least), strict=False)]


def _draw(change: str, split: Split) -> Iterator[Drawn]:
    rng = Random(f"{change} {split}")
    for truth in TRUTHS:
        for _ in range(6):
            task = draw_task(truth, rng, split, HomeTasks().changes[change] or HomeTasks().kinds["dynamic"])
            event = sample_event(truth, task, rng, split, change) if task else None
            if task and event:
                yield list(midway(plan(truth, task), truth))[event.step][0], task, event
                break


@pytest.mark.parametrize("change", home_changes())
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_change_of_mind_is_read_as_it_was_meant(change: str, split: Split) -> None:
    """Guards against a correction that is read by itself, as if nothing had been asked before, or as another kind of change."""
    found = drawn(change, split)
    assert len(found) >= 12
    for state, before, event in found:
        read = HomeTasks().read(event.args["instruction"], state, before)
        assert read == event.task, f"{before.instruction} / {event.args['instruction']}"


@pytest.mark.parametrize("change", home_changes())
def test_the_expert_does_what_is_wanted_now_from_the_state_midway(change: str) -> None:
    """Guards against a change that the task before does as well, which nobody need hear, and one that cannot be done."""
    for state, before, event in drawn(change):
        task = event.task
        assert isinstance(task, HomeTask)
        end, _ = execute(plan(state, before), state)
        assert not followed(task, plan(state, before)).success(state, end.truth), event
        then, failure = execute(plan(state, task), state)
        assert not failure and followed(task, plan(state, task)).success(state, then.truth), f"{before.instruction} / {event}"


@pytest.mark.parametrize("change", draws())
def test_events_keep_the_task_feasible(change: str) -> None:
    for state, before, event in drawn(change, least=6):
        assert event.change == change and event.step >= 1
        if event.kind != "instruct":
            assert "cannot" not in plan(state, before)


def test_no_change_of_mind_stops_the_robot() -> None:
    """Guards against "wait, the plum": whatever begins with a word for stopping stops the robot, and nothing else is done."""
    slots = dict(thing="the plum", place="the sofa", onto="on", person="Jane", colour="blue", category="the fruit")
    said = [row for rows in templates("changes").values() for split in rows for row in split]
    told = [text.removeprefix("!").format(**slots).replace("[", "").replace("]", "").replace("|", " ") for text in said]
    assert len(told) > 80 and not [text for text in told if says_stop(text)]


TRUTH = TRUTHS[1]
"""Two people on the sofa and one by the window; plum and more on the coffee table."""


def task_of(family: str, **about: str) -> HomeTask:
    return families()[family].build(TRUTH, about)


def after(*made: dict[str, Any], start: HomeTruth = TRUTH) -> HomeTruth:
    then, failure = execute({"subtasks": [{"name": "do", "steps": list(made)}]}, start)
    assert not failure
    return then.truth


def taken(name: str) -> list[dict[str, Any]]:
    return [steps.go_to(place_under(TRUTH, name)), steps.locate(name), steps.grasp(name)]


def put(name: str, place: str) -> list[dict[str, Any]]:
    return [*taken(name), steps.go_to(place), steps.place(place, relation_of(place))]


def loose() -> list[str]:
    """Return things that a hand can take, on the kitchen table."""
    there = [name for name, item in TRUTH.objects.items() if item.support == "kitchen table" and not TRUTH.inside(name)]
    return [name for name in there if products()[name].portable]


def read(sentence: str, state: HomeTruth, before: HomeTask) -> HomeTask:
    task = HomeTasks().read(sentence, state, before)
    assert isinstance(task, HomeTask), sentence
    return task


def test_what_was_done_for_the_sentence_before_is_undone_first() -> None:
    """Guards against two things on the coffee table where one of them was a slip of the tongue."""
    wrong, right = loose()[:2]
    before = task_of("put", thing=wrong, place="coffee table")
    state = after(*put(wrong, "coffee table"))
    task = read(f"no, the {right}", state, before)
    policy = plan(state, task)
    grasped = [step["target"] for part in policy["subtasks"] for step in part["steps"] if step["do"] == "grasp"]
    assert grasped == [f"${name.replace(' ', '_')}" for name in (wrong, right)]
    then, _ = execute(policy, state)
    assert place_under(then.truth, wrong) == "kitchen table" and place_under(then.truth, right) == "coffee table"
    assert task.success(state, then.truth) and not task.success(state, after(*put(right, "coffee table"), start=state))


def test_put_it_back_means_where_it_was_when_the_first_sentence_came() -> None:
    name = loose()[0]
    before = task_of("put", thing=name, place="coffee table")
    state = after(*taken(name))
    other = read("no, on the shelf", state, before)
    there = after(steps.go_to("shelf"), steps.place("shelf", "on"), start=state)
    back = read("put it back where it was", there, other)
    then, _ = execute(plan(there, back), there)
    assert place_under(then.truth, name) == "kitchen table" and back.success(there, then.truth)


def test_what_was_opened_for_the_sentence_before_is_shut_again() -> None:
    truth = next(t for t in TRUTHS if t.opened["drawer"] == 0.0)
    before = draw_task(truth, Random(0), "train", {"put_away": 1.0})
    assert before is not None
    state = list(midway(plan(truth, before), truth))[-3][0]  # it has put the thing into the drawer, and not shut it yet
    assert state.opened["drawer"] == 1.0 and place_under(state, before.arguments["thing"]) == "drawer"
    task = read("put it back where it was", state, before)
    then, _ = execute(plan(state, task), state)
    assert then.truth.opened["drawer"] == 0.0 and task.success(state, then.truth)


def test_a_sentence_that_changes_nothing_of_the_task_is_no_change() -> None:
    """Guards against "leave the plum" being taken for done when nobody had asked for the plum."""
    wrong, other = loose()[:2]
    before = task_of("put", thing=wrong, place="coffee table")
    assert HomeTasks().read(f"leave the {other}", TRUTH, before) is None
    assert HomeTasks().read(f"no, the {wrong}", TRUTH, before) is None
    assert HomeTasks().read("put it back where it was", TRUTH, None) is None


def test_a_whole_sentence_midway_stands_for_itself() -> None:
    name, other = loose()[:2]
    before = task_of("put", thing=name, place="coffee table")
    task = read(f"no, put the {other} on the sofa", after(*taken(name)), before)
    assert task.family == "put" and not task.undo and name not in task.subjects


def test_what_comes_first_is_judged_by_what_was_taken_and_in_which_order() -> None:
    """Guards against an order that nobody sees in the end state: all of it was done, and the plum last."""
    state, before, event = drawn("reordered", least=1)[0]
    task = event.task
    assert isinstance(task, OrderedTask) and task.goals and task.taken == ()
    policy, usual = plan(state, task), plan(state, before)
    then, end = execute(policy, state)[0].truth, execute(usual, state)[0].truth
    right, late = followed(task, policy), followed(task, usual)
    assert right.success(state, then) and not late.success(state, end)
    assert isinstance(late, OrderedTask) and late.unmet(end) == f"the {late.taken[0]} was taken before the {task.first}"
    assert not right.success(state, state)  # it was begun rightly, and not done

    def deed(do: str) -> DoneStep:
        return DoneStep(do, {}, {}, None, "coffee table", (0.0, 0.0))

    held = replace(state, holding=task.first)
    assert task.after(deed("lift"), held) == task and task.after(deed("grasp"), held).taken == (task.first,)


def test_what_comes_first_must_be_one_of_several_that_are_left() -> None:
    wrong, other = loose()[:2]
    before = task_of("put", thing=wrong, place="coffee table")
    assert HomeTasks().read(f"the {wrong} first", TRUTH, before) is None
    assert HomeTasks().read(f"the {other} first", TRUTH, before) is None
