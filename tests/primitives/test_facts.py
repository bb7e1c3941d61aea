"""What primitives need and make true is read in one place."""

from dataclasses import replace

import pytest

from vlp.core.observation import RobotState
from vlp.policy.checks import check_policy
from vlp.policy.model import State
from vlp.primitives.facts import Condition, Facts, denied, faults
from vlp.primitives.manifest import Argument, Primitive
from vlp.primitives.standard import STANDARD, make_manifest

DOOR = Argument("door", "choice", "Which door.", choices=("front", "back"))
OPEN = Primitive("open", "action", "Open a door.", (DOOR,), needs=("not open door",), makes=("open door",))
CLOSE = Primitive("close", "action", "Close a door.", (DOOR,), needs=("open door",), makes=("not open door",))
PORTER = make_manifest("porter", [OPEN, CLOSE], ["hall"])


def policy(*steps: str) -> str:
    written = ",".join(f'{{"do":"{do}","door":"{door}"}}' for do, door in (step.split() for step in steps))
    return f'{{"goal":"g","subtasks":[{{"name":"n","steps":[{written}]}}]}}'


def codes(text: str, *facts: tuple[str, ...]) -> list[str]:
    return [issue.code for issue in check_policy(text, PORTER, State(facts=frozenset(facts)))[1].issues]


def test_a_fact_holds_until_a_primitive_makes_it_false() -> None:
    assert codes(policy("open front", "close front", "open front")) == []
    assert codes(policy("open front", "open front")) == ["unmet-need"]
    assert codes(policy("open front", "close back")) == ["unmet-need"]
    assert codes(policy("close front"), ("open", "front")) == []


@pytest.mark.parametrize(
    ("name", "state", "found"),
    [
        ("open", RobotState(), None),
        ("open", RobotState(facts={"open front": True}), None),
        ("open", RobotState(facts={"open front": False}), "open front"),
        ("open", RobotState(facts={"open back": False}), None),
        ("close", RobotState(facts={"open front": True}), "not open front"),
        ("place", RobotState(holding="red cube"), "hand empty"),
        ("place", RobotState(), None),
        ("go_to", RobotState("hall"), "at bin"),
        ("go_to", RobotState("bin"), None),
        ("go_to", RobotState(), None),
    ],
)
def test_the_robots_own_state_may_deny_what_a_primitive_makes(name: str, state: RobotState, found: str | None) -> None:
    primitive = {"open": OPEN, "close": CLOSE, **STANDARD}[name]
    effect = denied(primitive, {"door": "front", "place": "bin", "target": "bowl", "relation": "in"}, state)
    assert (effect and str(effect)) == found


def test_a_message_names_the_primitives_that_make_it_so_and_no_hand() -> None:
    """A robot without a hand was told that "the hand is empty"."""
    _, report = check_policy(policy("close front"), PORTER)
    said = str(report)
    assert "close needs 'open front'" in said and "Done by: open." in said and "hand" not in said


def test_a_misspelt_predicate_is_told_with_the_closest_match() -> None:
    bad = make_manifest("porter", [OPEN, replace(CLOSE, needs=("opne door",))])
    assert [(name, hint) for name, _, hint in faults(bad)] == [("close", "Did you mean 'open'?")]
    worse = make_manifest("porter", [OPEN, replace(CLOSE, makes=("not open doors",))])
    assert [(name, hint) for name, _, hint in faults(worse)] == [("close", "Did you mean 'door'?")]
    assert not list(faults(PORTER)) and not list(faults(make_manifest("all", STANDARD)))


def test_where_a_thing_was_ends_when_it_moves_and_what_the_robot_made_so_stays() -> None:
    facts = Facts([("in", "pea", "pot"), ("open", "front"), ("on", "pot", "stove"), ("left_of", "jar", "pot")])
    facts.apply(STANDARD["grasp"], {"target": "pot"})
    assert facts.lasting == {("in", "pea", "pot"), ("open", "front")} and facts.held == "pot" and facts.moved == {"pot"}
    facts.apply(STANDARD["place"], {"target": "sink", "relation": "in"})
    assert facts.lasting == {("in", "pea", "pot"), ("open", "front"), ("in", "pot", "sink")} and not facts.held


def test_what_the_robot_measures_replaces_what_was_believed_of_hand_and_place() -> None:
    facts = Facts([("open", "front")], holding="cup", at="hall")
    facts.measure("", "yard")
    assert (facts.held, facts.at, facts.lasting) == ("", "yard", {("open", "front")})
    assert facts.holds(Condition.parse("hand_empty")) and not facts.holds(Condition.parse("at hall"))
    assert facts.holds(Condition.parse("not at hall"))


def test_a_fact_with_too_few_words_names_nothing_held() -> None:
    """A robot that made "holding" without a thing broke its run with an IndexError, and its journal could not be read."""
    facts = Facts()
    facts.apply(replace(OPEN, makes=("holding",)), {})
    assert facts.held == "" and "behind 'holding'" in str(list(faults(make_manifest("m", [replace(OPEN, makes=("holding",))]))))
