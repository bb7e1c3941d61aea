"""A diff loses no step, and names finished work that the new goal takes back."""

import json
import random

from hypothesis import given, settings
from hypothesis import strategies as st
from policy_texts import MANIFEST, pick, plan, policy, put

from vlp.evaluation.stress.random_policies import random_policy
from vlp.policy.checks import check_policy
from vlp.policy.model import Plan, State, diff

BOWL = plan(policy("the red cube is in the green bowl", pick("red cube"), put("red cube", "green bowl")))
PLATE = plan(policy("the red cube is on the blue plate", pick("red cube"), put("red cube", "blue plate", "on")))


def random_plan(seed: int) -> Plan:
    checked, report = check_policy(json.dumps(random_policy(random.Random(seed), MANIFEST, 3)), MANIFEST)
    assert checked is not None, str(report)
    return checked


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 2**32), st.integers(0, 30))
def test_kept_and_dropped_are_the_old_plan_kept_and_added_the_new(a: int, b: int, finished: int) -> None:
    old, new = random_plan(a), random_plan(b)
    change = diff(old, new, MANIFEST, [step.id for step in old.steps[:finished]])
    order_old = {step.id: i for i, step in enumerate(old.steps)}
    order_new = {step.id: i for i, step in enumerate(new.steps)}
    assert sorted([k.id for k, _ in change.kept] + [s.id for s in change.dropped], key=order_old.__getitem__) == list(order_old)
    assert sorted([k.id for _, k in change.kept] + [s.id for s in change.added], key=order_new.__getitem__) == list(order_new)
    assert [k.id for k, _ in change.kept] == sorted((k.id for k, _ in change.kept), key=order_old.__getitem__)
    assert all(k.step == n.step for k, n in change.kept)
    assert {step.id for step in change.undone} <= {step.id for step in old.steps[:finished]}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_a_plan_differs_from_itself_in_nothing(seed: int) -> None:
    some = random_plan(seed)
    change = diff(some, some, MANIFEST)
    assert change.empty
    assert (change.dropped, change.added, change.undone) == ((), (), ())
    assert str(change) == "no change"


def test_a_finished_put_that_the_new_goal_takes_back_is_undone() -> None:
    change = diff(BOWL, PLATE, MANIFEST, [step.id for step in BOWL.steps])
    assert [step.id for step in change.undone] == ["2.2"]
    assert "undo  2.2 place $green_bowl relation=in" in str(change)
    assert diff(BOWL, BOWL, MANIFEST, [step.id for step in BOWL.steps]).undone == ()


def test_a_change_of_mind_before_the_put_keeps_the_pick_and_undoes_nothing() -> None:
    rest = plan(policy("the red cube is on the blue plate", put("red cube", "blue plate", "on")), State(holding="red cube"))
    change = diff(BOWL, rest, MANIFEST, ["1.1", "1.2", "1.3"])
    assert change.undone == ()
    assert [step.id for step in change.dropped] == ["1.1", "1.2", "1.3", "2.1", "2.2", "2.3"]
    assert "done  1.2 grasp $red_cube" in str(change)
    assert "-     2.2 place $green_bowl relation=in" in str(change)


def test_putting_back_what_the_new_goal_does_not_speak_of_undoes_the_grasp() -> None:
    back = {"name": "put the red cube back", "steps": [{"do": "place", "target": "table", "relation": "on"}]}
    other = plan(policy("the green ball is in the bin", back, pick("green ball"), put("green ball", "bin")),
                 State(holding="red cube"))  # fmt: skip
    assert [step.id for step in diff(BOWL, other, MANIFEST, ["1.1", "1.2"]).undone] == ["1.2"]


def test_a_diff_is_plain_data_with_the_goals_and_the_ids() -> None:
    data = json.loads(json.dumps(diff(BOWL, PLATE, MANIFEST, ["1.1"]).to_json()))
    assert data["kept"] == [["1.1", "1.1"], ["1.2", "1.2"], ["1.3", "1.3"]]
    assert data["new_goal"] == "the red cube is on the blue plate"
    assert data["added"][0] == "2.1 locate blue plate -> $blue_plate"


def test_a_policy_that_cannot_shows_why_in_place_of_its_goal() -> None:
    cannot = plan('{"goal":"g","cannot":"there is no blue bowl"}')
    assert "->  there is no blue bowl" in str(diff(BOWL, cannot, MANIFEST))
