"""Tasks of the home: for every family the expert's policy reaches the goal, from the start and from every state midway."""

from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from jsonschema import validate

from vlp.episodes.assemble import manifest_in
from vlp.primitives.manifest import Argument, Primitive
from vlp.primitives.schema import MAX_STEPS, policy_schema
from vlp.primitives.standard import make_manifest
from vlp.sim import open_world
from vlp.sim.worlds.home.sampling import sample_home
from vlp.sim.worlds.home.tasks import steps
from vlp.sim.worlds.home.tasks.expert import all_steps, plan
from vlp.sim.worlds.home.tasks.families import draw_task, families
from vlp.sim.worlds.home.tasks.goals import Enough, place_under, relation_of, takes
from vlp.sim.worlds.home.tasks.reading import read_task
from vlp.sim.worlds.home.tasks.symbolic import execute, midway
from vlp.sim.worlds.home.tasks.task import HomeTask
from vlp.sim.worlds.home.tasks.tasks import HomeTasks
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
def test_what_is_held_at_the_start_is_dealt_with_first(family: str) -> None:
    rng = Random(family)
    for begun in TRUTHS[:30]:
        loose = [name for name in begun.objects if takes().get(place_under(begun, name)) == "on" and not begun.inside(name)]
        name = rng.choice(loose)
        truth = after(steps.go_to(place_under(begun, name)), steps.locate(name), steps.grasp(name), start=begun)
        truth = replace(truth, at=rng.choice((truth.at, "start", "")))
        task = draw_task(truth, rng, "train", {family: 1.0})
        if task is not None:
            then, failure = execute(plan(truth, task), truth)
            assert not failure and task.success(truth, then.truth, then.said), task


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


TRUTH = TRUTHS[1]
"""Two people on the sofa and one by the window; drawer with a red mug and cupboard with an apple, both shut; lamp off."""


def task_of(family: str, **about: str) -> HomeTask:
    return families()[family].build(TRUTH, about)


def after(*made: dict[str, Any], start: HomeTruth = TRUTH) -> HomeTruth:
    """Return the state after steps that all succeed."""
    then, failure = execute({"subtasks": [{"name": "do", "steps": list(made)}]}, start)
    assert not failure
    return then.truth


def bring(name: str, place: str) -> list[dict[str, Any]]:
    fetch = [steps.go_to(place_under(TRUTH, name)), steps.locate(name), steps.grasp(name)]
    return [*fetch, steps.go_to(place), steps.place(place, relation_of(place))]


def open_at(place: str, handle: str) -> list[dict[str, Any]]:
    return [steps.go_to(place), steps.locate(handle), steps.open_(handle)]


DRAWER = open_at("drawer", "drawer handle")


@pytest.mark.parametrize(
    ("made", "why"),
    [
        ([steps.go_to("drawer"), steps.locate("red mug")], "no red mug in view from the drawer"),
        ([*DRAWER, steps.go_to("kitchen table"), steps.locate("red mug")], "no red mug in view from the kitchen table"),
        ([steps.go_to("coffee table"), steps.locate("drawer handle")], "no drawer handle in view"),
        ([*bring("tomato soup", "sofa")[:2], steps.go_to("sofa"), steps.grasp("tomato soup")], "no tomato soup"),
        ([*bring("tomato soup", "sofa")[:3], *DRAWER], "the hand holds the tomato soup"),
        ([*bring("tomato soup", "sofa")[:3], steps.go_to("button"), steps.press("button")], "the hand holds the tomato soup"),
        ([*bring("tomato soup", "drawer")], "the drawer cannot be reached"),
        ([*bring("white bowl", "sofa")], "the plum is on the white bowl"),
        ([steps.go_to("kitchen table"), steps.locate("Jane")], "no Jane in view"),
        ([steps.go_to("sofa"), steps.locate("Jane"), steps.handover("Jane")], "the hand is empty"),
        ([steps.go_to("kitchen"), steps.read("gauge")], "no gauge in view"),
        ([steps.press("button")], "within reach"),
        ([steps.check("on", "plum", "coffee table")], "is not on the coffee table"),
        ([steps.say("it shows", "reading")], "not bound"),
        ([{"do": "fly"}], "no such primitive"),
    ],
)  # fmt: skip
def test_what_a_robot_would_report_as_failed_fails(made: list[dict[str, Any]], why: str) -> None:
    _, failure = execute({"subtasks": [{"name": "do", "steps": made}]}, TRUTH)
    assert why in failure


def test_what_had_not_to_be_moved_must_stay() -> None:
    task = task_of("put", thing="tomato soup", place="kitchen table")
    right = after(*bring("tomato soup", "kitchen table"))
    assert task.success(TRUTH, right) and not task.success(TRUTH, TRUTH)
    assert not task.success(TRUTH, after(*bring("banana", "sofa"), start=right))  # another thing
    assert not task.success(TRUTH, after(*DRAWER, start=right))  # left open
    assert not task.success(TRUTH, after(steps.go_to("button"), steps.press("button"), start=right))
    assert not task.success(TRUTH, after(*bring("banana", "sofa")[:3], start=right))  # still held
    spilt = replace(right, balls={**right.balls, "orange cup": right.balls["orange cup"] - 1, "floor": 1})
    assert not task.success(TRUTH, spilt)
    lost = replace(right, objects={name: item for name, item in right.objects.items() if name != "tomato soup"})
    assert task.success(TRUTH, lost)  # a person took it


def test_a_drawer_that_stands_out_is_shut_before_the_cupboard_below_it_is_opened() -> None:
    """Guards against a handle that was looked for seven times: the drawer, open by two thirds, hid it."""
    thing = "striped mug"
    inside = replace(TRUTH.objects[thing], support="cupboard", relation="in")
    opened = {"drawer": 0.67, "cabinet door": 0.0}
    ajar = replace(TRUTH, at="start", objects={**TRUTH.objects, thing: inside}, opened=opened)
    moves = [("close", "$drawer_handle"), ("open", "$cabinet_door_handle"), ("close", "$cabinet_door_handle")]
    made = list(all_steps(plan(ajar, families()["put"].build(ajar, {"thing": thing, "place": "sofa"}))))
    assert [(step["do"], step["target"]) for step in made if step["do"] in ("open", "close")] == moves
    for goal_place in ("sofa", "drawer"):
        task = families()["put"].build(ajar, {"thing": thing, "place": goal_place})
        then, failure = execute(plan(ajar, task), ajar)
        assert not failure and task.success(ajar, then.truth)
    _, failure = execute({"subtasks": [{"name": "do", "steps": open_at("cupboard", "cabinet door handle")}]}, ajar)
    assert "no cabinet door handle in view" in failure
    elsewhere = families()["put"].build(ajar, {"thing": "banana", "place": "sofa"})
    moved = after(*bring("banana", "sofa"), start=ajar)
    assert elsewhere.success(ajar, moved) and not elsewhere.success(ajar, replace(moved, opened={**opened, "drawer": 0.0}))


def test_what_lay_on_a_thing_that_had_to_go_may_lie_elsewhere_but_not_in_the_bin() -> None:
    task = task_of("put", thing="white bowl", place="sofa")
    aside = after(*bring("plum", "kitchen table"))
    assert task.success(TRUTH, after(*bring("white bowl", "sofa"), start=aside))
    thrown = after(*bring("plum", "bin"))
    assert not task.success(TRUTH, after(*bring("white bowl", "sofa"), start=thrown))


def test_readings_and_places_must_be_told_rightly() -> None:
    shown = TRUTH.gauges["needle"]
    assert task_of("inspect", dial="gauge").success(TRUTH, TRUTH, [f"the gauge shows {shown + 0.2:g}"])
    for said in ([], ["the gauge shows nothing"], [f"the gauge shows {shown + 1}"]):
        assert not task_of("inspect", dial="gauge").success(TRUTH, TRUTH, said)
    find = task_of("find", thing="red mug")
    assert find.success(TRUTH, TRUTH, ["The red mug is in the drawer"])
    assert not find.success(TRUTH, TRUTH, ["The red mug is on the shelf", "something else is in the drawer"])


@pytest.mark.parametrize(
    ("family", "about", "why"),
    [
        ("put", {"thing": "cola can", "place": "sofa"}, "there is no cola can"),
        ("hand", {"thing": "plum", "person": "Simone"}, "Simone is not here"),
        ("put_away", {"thing": "cereal box"}, "the cereal box does not fit into the drawer"),
        ("take_out", {"thing": "apple", "inside": "drawer", "place": "sofa"}, "there is no apple in the drawer"),
    ],
)
def test_what_cannot_be_done_is_answered_so_and_nothing_may_move(family: str, about: dict[str, str], why: str) -> None:
    task = task_of(family, **about)
    assert plan(TRUTH, task)["cannot"] == task.cannot == why
    assert task.success(TRUTH, TRUTH) and not task.success(TRUTH, after(*bring("plum", "sofa")))


def test_what_becomes_impossible_midway_is_said() -> None:
    task = task_of("put", thing="tomato soup", place="kitchen table")
    thrown = after(*bring("tomato soup", "bin"))
    assert plan(thrown, task)["cannot"] == "there is no tomato soup"


def test_what_a_person_took_is_not_asked_for_any_more() -> None:
    tidy = task_of("tidy")
    then, _ = execute(plan(TRUTH, tidy), TRUTH)
    rest = {name: item for name, item in then.truth.objects.items() if name != "puzzle cube"}
    left = replace(then.truth, objects=rest)
    assert plan(left, tidy)["subtasks"] == [] and tidy.success(TRUTH, left)


def test_what_is_in_the_hand_is_put_down_and_told_of() -> None:
    held = after(*bring("plum", "sofa")[:3])
    find = families()["find"].build(held, {"thing": "plum"})
    then, failure = execute(plan(held, find), held)
    assert not failure and find.success(held, then.truth, then.said)


def test_what_is_so_already_is_left_alone_whatever_is_held() -> None:
    held = after(*bring("plum", "sofa")[:3])
    put = families()["put"].build(held, {"thing": "banana", "place": "kitchen table"})
    assert put.satisfied and plan(held, put)["subtasks"] == [] and put.success(held, held)


@pytest.mark.parametrize("family", families())
def test_after_what_people_do_meanwhile_the_task_is_finished_all_the_same(family: str) -> None:
    """A person switches the lamp and moves a thing, one of the task's where it has some, in the midst of it."""
    rng = Random(family)
    for truth, task in drawn(family):
        states = list(midway(plan(truth, task), truth))
        now, said = rng.choice(states)
        movable = [n for n in task.subjects or now.objects if takes().get(place_under(now, n)) == "on" and not now.inside(n)]
        name = rng.choice([name for name in movable if name != now.holding] or ["lamp"])
        moved = dict(now.objects)
        if name in moved:
            moved[name] = replace(moved[name], support=rng.choice(("sofa", "cabinet", "shelf: lower")), relation="on")
        now = replace(now, objects=moved, lamp_on=not now.lamp_on)
        start = truth.rebased(now, (name, "lamp"))
        then, failure = execute(plan(now, task), now)
        assert not failure and task.success(start, then.truth, [*said, *then.said]), task


def test_a_doubted_thing_is_put_there_again() -> None:
    task = task_of("put", thing="tomato soup", place="kitchen table")
    done = after(*bring("tomato soup", "kitchen table"))
    assert [step["do"] for step in all_steps(plan(done, task))] == []
    assert "place" in [step["do"] for step in all_steps(plan(done, task, ["tomato soup"]))]


def taken(policy: dict[str, Any]) -> list[str]:
    """Return what a policy looks for, in order."""
    return [step["object"] for step in all_steps(policy) if step["do"] == "locate"]


def test_a_robot_that_must_see_takes_what_stands_in_front_first() -> None:
    """Guards against a can behind a bottle of which 14 pixels showed: it was grasped for seven times."""
    for truth, task in drawn("tidy"):
        order = taken(plan(truth, task, opening_m=0.13))
        for table in ("coffee table", "kitchen table"):
            depths = [truth.objects[name].position_in_world[0] for name in order if truth.objects[name].support == table]
            assert all(behind > front - 0.011 for front, behind in pairwise(depths)), task.instruction


def test_what_could_not_be_taken_is_tried_after_all_else() -> None:
    """Guards against a policy that begins with what just failed: six new policies did nothing else."""
    for truth, task in drawn("tidy", least=10):
        first, second, *_ = order = taken(plan(truth, task))
        assert taken(plan(truth, task, put_off=[first, second]))[-2:] == [first, second]
        assert sorted(taken(plan(truth, task, put_off=[first]))) == sorted(order)


def test_a_robot_is_asked_for_nothing_of_which_it_can_do_a_part_only() -> None:
    """Guards against a teddy bear 10 cm wide, which ANYmal's hand does not take: a quarter of its tables."""
    bear = next(truth for truth in TRUTHS if place_under(truth, "teddy bear") == "coffee table")
    tidy, tasks = families()["tidy"].build(bear, {}), HomeTasks()
    assert tasks.able(bear, tidy, manifest_in("hsr", "home")) and not tasks.able(bear, tidy, manifest_in("anymal", "home"))
    assert "cannot" not in tasks.policy(bear, tidy, manifest_in("anymal", "home"))  # the rest of it is done


def test_where_a_board_of_the_shelf_is_full_the_next_thing_goes_to_another_one() -> None:
    """Guards against a sixth thing for a board of 0.9 m: "no free spot", and six new policies with the same board."""
    truth = truth_of(sample_home(10_000_001))
    task = next(task for i in range(9) if (task := draw_task(truth, Random(i), odds={"tidy": 1.0})) is not None)
    places = [step["target"] for step in all_steps(plan(truth, task)) if step["do"] == "place"]
    put = [place for place in places if place.startswith("shelf")]
    assert sum(place_under(truth, name) == "shelf: middle" for name in truth.objects) == 3
    assert put[0] == "shelf" and set(put[1:]) == {"shelf: upper", "shelf: lower"}


def test_what_a_check_denies_of_a_table_that_is_laid_is_put_there_again() -> None:
    """Guards against an empty policy, refused three times: a run of 100 steps failed at the last look over the table."""
    truth, task = drawn("lay", least=1)[0]
    then, _ = execute(plan(truth, task), truth)
    laid = next(goal for goal in task.goals if isinstance(goal, Enough)).there(then.truth)[0]
    again = list(all_steps(plan(then.truth, task, [laid])))
    assert [step["do"] for step in again[:4]] == ["locate", "grasp", "lift", "place"] and again[0]["object"] == laid
    assert again[3]["target"] == "kitchen table"


def test_setting_the_table_is_a_long_task() -> None:
    lengths: dict[str, list[int]] = {"1": [], "6": []}
    for number, found in lengths.items():
        for truth in (*TRUTHS, *(truth_of(sample_home(seed)) for seed in range(120, 200))):
            task = families()["lay"].build(truth, {"number": number})
            lacking = [goal for goal in task.goals if not goal.holds(truth)]
            if not task.cannot and len(lacking) >= 2:
                found.append(len(list(all_steps(plan(truth, task)))))
    assert min(lengths["1"]) >= 12 and max(lengths["6"]) > 90  # as far as there are things
    drawn_ones = [task for truth, task in drawn("lay") if len(list(all_steps(plan(truth, task)))) < 12]
    assert not drawn_ones and max(lengths["6"]) <= MAX_STEPS


def test_the_policy_is_written_for_the_robot_that_is_to_follow_it() -> None:
    basic = ("go_to", "locate", "grasp", "lift", "place", "check")
    can = {
        "opens": Primitive("open", "action", "Open.", (Argument("target", "reference", "The handle."),)),
        "hands": Primitive("handover", "action", "Hand over."),
    }
    places = open_world("home").places
    tasks = HomeTasks()
    plain = make_manifest("porter", basic, places)
    put = tasks.policy(TRUTH, task_of("put", thing="tomato soup", place="kitchen table"), plain)
    assert "cannot" not in put and validate(put, policy_schema(plain)) is None
    for family, about, lacks in (
        ("take_out", {"thing": "red mug", "inside": "drawer", "place": "sofa"}, "open"),
        ("lamp", {"state": "on"}, "press"),
        ("hand", {"thing": "tomato soup", "person": "Jane"}, "locate person"),
        ("inspect", {"dial": "gauge"}, "read"),
        ("find", {"thing": "banana"}, "say"),
    ):
        assert tasks.policy(TRUTH, task_of(family, **about), plain)["cannot"] == f"this robot cannot {lacks}"
    opener = make_manifest("opener", (*basic, can["opens"]), places)
    assert tasks.policy(TRUTH, task_of("put_away", thing="plum"), opener)["cannot"] == "this robot cannot close"
    giver = make_manifest("giver", (*basic, can["hands"]), places)
    given = tasks.policy(TRUTH, task_of("hand", thing="tomato soup", person="Jane"), giver)
    assert list(all_steps(given))[-1] == {"do": "handover"}  # this one hands to who is before it
    validate(given, policy_schema(giver))
