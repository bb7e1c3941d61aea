"""Symbolic execution fails where the robot would, and judges policies by what they do, not by their words."""

import pytest

from vlp.sim.language.relations import holds
from vlp.sim.language.task import Goal, Task
from vlp.sim.symbolic import execute, is_right
from vlp.sim.truth import TrueObject, Truth


def item(phrase: str, x: float, y: float, support: str = "table") -> TrueObject:
    colour, kind = phrase.split()
    size = (0.15, 0.15, 0.06) if kind == "bowl" else (0.05, 0.05, 0.05)
    return TrueObject(colour, kind, (x, y, 0.46), size, support=support)


THINGS = [item("red cube", 0.5, 0.2), item("blue can", 0.5, -0.2), item("red ball", 0.7, 0.25)]
ITEMS = [*THINGS, item("green bowl", 0.65, 0.0)]
START = Truth({i.phrase: i for i in ITEMS})
PUT = Task("put", {}, (Goal("in", "red cube", "green bowl"),))


def locate(phrase: str) -> dict:
    return {"do": "locate", "object": phrase, "as": phrase.replace(" ", "_")}


def grasp(phrase: str) -> dict:
    return {"do": "grasp", "target": "$" + phrase.replace(" ", "_")}


def place(target: str, relation: str) -> dict:
    return {"do": "place", "target": target, "relation": relation}


def policy(*steps: dict) -> dict:
    return {"goal": "x", "subtasks": [{"name": "y", "steps": list(steps)}]}


GOOD = [locate("green bowl"), locate("red cube"), grasp("red cube"), place("$green_bowl", "in")]


def test_any_right_policy_counts_whatever_its_words_and_order() -> None:
    assert is_right(policy(*GOOD), START, PUT) == (True, "")
    assert is_right(policy({"do": "home"}, *GOOD, {"do": "home"}), START, PUT)[0]


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ([locate("blue bowl")], "no blue bowl in view"),
        ([grasp("red cube")], "not bound"),
        ([locate("green bowl"), grasp("green bowl")], "cannot be grasped"),
        ([place("table", "on")], "hand is empty"),
        ([*GOOD[1:3], locate("red ball"), place("$red_ball", "on")], "nothing can be put on"),
        ([locate("red cube"), grasp("red cube"), grasp("red cube")], "the hand holds"),
        ([{"do": "check", "relation": "in", "subject": "red cube", "object": "green bowl"}], "is not in"),
        ([{"do": "fly"}], "no such primitive"),
        ([{"do": "place"}], "malformed"),
        ([locate("blue can"), grasp("blue can"), locate("green bowl"), place("$green_bowl", "in")], "not reached"),
        (GOOD[:3], "not reached"),
        ([*GOOD, locate("blue can"), grasp("blue can"), place("$green_bowl", "in")], "something else"),
    ],
)
def test_wrong_policies_are_told_why(steps: list[dict], why: str) -> None:
    right, said = is_right(policy(*steps), START, PUT)
    assert not right and (why in said or "hand is empty" in said)


def test_what_carries_something_cannot_be_grasped() -> None:
    covered = Truth({**START.objects, "blue can": item("blue can", 0.5, 0.2, "red cube")})
    _, failures = execute(policy(locate("red cube"), grasp("red cube")), covered)
    assert "is on the red cube" in failures[0]


def test_a_name_bound_before_its_thing_moved_does_not_lead_to_it() -> None:
    steps = [locate("red cube"), grasp("red cube"), place("table", "on"), grasp("red cube")]
    assert "not where it was seen" in execute(policy(*steps), START)[1][0]


@pytest.mark.parametrize("relation", ["next_to", "left_of", "right_of", "behind", "in_front_of"])
def test_a_place_beside_makes_its_relation_true(relation: str) -> None:
    steps = [locate("red cube"), grasp("red cube"), locate("blue can"), place("$blue_can", relation)]
    now, failures = execute(policy(*steps), START)
    assert not failures and holds(now, relation, "red cube", "blue can")


def test_impossible_and_satisfied_tasks_must_be_answered_without_moving() -> None:
    impossible = Task("impossible", {}, cannot="there is no blue bowl")
    assert is_right({"goal": "x", "cannot": "there is no blue bowl"}, START, impossible)[0]
    assert not is_right(policy(*GOOD), START, impossible)[0]
    assert not is_right({"goal": "x", "subtasks": []}, START, impossible)[0]
    satisfied = Task("satisfied", {}, (Goal("on", "red cube", "table"),), satisfied=True)
    assert is_right({"goal": "x", "subtasks": []}, START, satisfied)[0]
    assert not is_right(policy(locate("red cube"), grasp("red cube")), START, satisfied)[0]
    assert not is_right({"goal": "x", "cannot": "no"}, START, satisfied)[0]
    assert not is_right({"goal": "x", "cannot": "no"}, START, PUT)[0]


def test_the_state_given_is_not_changed() -> None:
    before = dict(START.objects)
    execute(policy(*GOOD), START)
    assert START.objects == before and not START.holding
