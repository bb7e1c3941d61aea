"""What primitives need and make true is read in one place."""

from dataclasses import replace

import pytest

from vlp.core.errors import UsageError
from vlp.core.observation import RobotState
from vlp.policy.checks import check_policy
from vlp.policy.model import State
from vlp.primitives.facts import Condition, Facts, denied, faults, makers, sensing_faults
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


def lock(**more) -> Primitive:
    return Primitive("lock_box", "action", "Lock the box.", makes=("box locked",), **more)


GO = Primitive("go", "action", "Drive.", (Argument("place", "place", "Where."),), makes=("at place",))


@pytest.mark.parametrize(
    ("needs", "hint"),
    [
        (("box lokced",), "Did you mean 'box locked'?"),
        (("box shut",), "Made true are 'box locked'."),
        (("not box lokced",), "Did you mean 'not box locked'?"),
        (("at yrad",), "Did you mean 'at yard'?"),
        (("open frnot",), "Did you mean 'open front'?"),
        (("open front door",), "Did you mean 'open front'?"),
        (("box locked",), ""),
        (("box",), ""),
        (("not box locked",), ""),
        (("not box warm",), ""),  # nothing makes it so: it may be sensed
        (("at yard", "open front"), ""),
        (("not at hall", "not open back"), ""),
    ],
)
def test_words_behind_a_predicate_that_match_nothing_made_are_told(needs: tuple[str, ...], hint: str) -> None:
    """Against: "ok" for `needs=("box lokced",)`, and a run told that it is done by `lock_box`."""
    ship = Primitive("ship", "action", "Ship it.", needs=needs)
    robot = make_manifest("porter", [OPEN, CLOSE, GO, lock(), ship], ["hall", "yard"])
    assert [said for _, _, said in faults(robot)] == ([hint] if hint else [])
    if hint and not needs[0].startswith("not"):
        assert not makers(Condition.parse(needs[0]), {p.name: p for p in (OPEN, lock())})


def test_what_is_made_false_and_misspelt_is_told() -> None:
    unlock = Primitive("unlock_box", "action", "Unlock it.", makes=("not box lokced",))
    assert [hint for *_, hint in faults(make_manifest("b", [lock(), unlock]))] == ["Did you mean 'not box locked'?"]
    assert not list(faults(make_manifest("b", [lock(), replace(unlock, makes=("not box locked", "not box 2"))])))


def test_words_that_are_arguments_stand_for_their_values() -> None:
    """Against: a false alarm for conditions whose words are an argument's name, a door, a place or what is held."""
    target = Argument("target", "reference", "What.")
    weigh = Primitive("weigh", "action", "Weigh it.", (target,), needs=("holding target", "not wet target", "at hall"))
    wash = Primitive("wash", "action", "Wash it.", (target,), needs=("holding",), makes=("wet held",))
    shut = Primitive("shut", "action", "Shut it.", needs=("open front", "not in held box"), makes=("not open",))
    robot = make_manifest("all", [*STANDARD.values(), OPEN, CLOSE, weigh, wash, shut], ["hall"])
    assert not list(faults(robot))
    misspelt = replace(weigh, needs=("at hlal",))
    assert [hint for *_, hint in faults(make_manifest("all", [*STANDARD.values(), misspelt], ["hall"]))] == [
        "Did you mean 'at hall'?"
    ]
    assert makers(Condition(("in", "red cube", "bowl")), robot.primitives) == ["place"]
    assert makers(Condition(("open", "front"), False), robot.primitives) == ["close", "shut"]
    assert makers(Condition(("at", "hall")), robot.primitives) == ["go_to"]


@pytest.mark.parametrize(
    ("sensed", "hint"),
    [
        ("box lockd", "Did you mean 'box locked'?"),
        ("open frnt", "Did you mean 'open front'?"),
        ("box of eggs full", "write 'box of_eggs_full' there and here."),
        ("clean yrad", "Did you mean 'clean yard'?"),
        ("box locked", ""),
        ("open back", ""),
        ("clean yard", ""),
        ("wet anything at all", ""),
    ],
)
def test_a_sensed_fact_of_which_nothing_speaks_exactly_is_told(sensed: str, hint: str) -> None:
    """Against: "ok" for a robot that senses "box lockd", which no condition ever means."""
    clean = replace(GO, name="clean", makes=("clean place",))
    wash = Primitive("wash", "action", "Wash it.", (Argument("what", "text", "What."),), makes=("wet what",))
    full = Primitive("fill", "action", "Fill it.", makes=("box of eggs full",))
    robot = make_manifest("porter", [OPEN, lock(), clean, wash, full], ["hall", "yard"])
    told = [said for _, said in sensing_faults({sensed: True}, robot)]
    assert len(told) == bool(hint) and (not hint or hint in told[0])


@pytest.mark.parametrize("parts", [([OPEN], ["dock", "hall", "dock"]), ([OPEN, replace(CLOSE, name="open")], [])])
def test_a_name_that_is_given_twice_is_refused(parts: tuple[list[Primitive], list[str]]) -> None:
    """Against: the second one silently took the place of the first."""
    with pytest.raises(UsageError, match=r"porter names the (place 'dock'|primitive 'open') 2 times"):
        make_manifest("porter", *parts)


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
