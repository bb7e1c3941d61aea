"""Household commands in the home: hand-made accounts of what a robot did, and whether that is what was asked for."""

from dataclasses import replace
from random import Random

import pytest

from vlp.sim.language.household.command import Command, Part
from vlp.sim.language.household.sample import kinds, sample_command
from vlp.sim.worlds.home.sampling import sample_home
from vlp.sim.worlds.home.spoken import household_of
from vlp.sim.worlds.home.tasks.commands import PARTS_DONE, AccountEntry, numbers, undone
from vlp.sim.worlds.home.true_state import HomeObject, HomeTruth, truth_of

SCENE = sample_home(1)
START = truth_of(SCENE)
HOUSEHOLD = household_of(START)
"""Morgan stands in the living room, Jane and Axel sit on the sofa; coffee table with one food, kitchen table with two."""


def command(*parts: tuple[str, dict[str, str]], cannot: str = "") -> Command:
    return Command("by hand", tuple(Part(do, about) for do, about in parts), "", cannot)


def brought(name: str, support: str, holder: str = "") -> HomeTruth:
    """Return the state after a thing was brought somewhere, or into a person's hand."""
    item = START.objects[name]
    assert isinstance(item, HomeObject)
    people = dict(START.persons)
    if holder:
        people[holder] = replace(people[holder], holds=name)
    return replace(START, objects={**START.objects, name: replace(item, support=support)}, persons=people)


SOUP_TO_SOFA = command(("take", {"thing": "tomato soup", "from": "coffee table"}), ("put", {"to": "sofa"}))
SOUP_TO_JANE = command(
    ("take", {"thing": "tomato soup", "from": "coffee table"}), ("deliver", {"person": "Jane", "room": "living room"})
)
TOOK, TOOK_OTHER = (
    AccountEntry("took", "tomato soup", where="coffee table"),
    AccountEntry("took", "milk carton", where="coffee table"),
)
JANE, MORGAN = AccountEntry("met", whom="Jane", where="sofa"), AccountEntry("met", whom="Morgan", where="living room")
FOLLOWED = AccountEntry("followed", whom="me", where="kitchen")
GUIDED = AccountEntry("guided", whom="me", where="sofa")


def test_a_thing_must_have_been_taken_and_lie_where_it_was_to_be_put() -> None:
    assert undone(SOUP_TO_SOFA, HOUSEHOLD, START, brought("tomato soup", "sofa"), [TOOK]) == ""
    assert "not at the sofa" in undone(SOUP_TO_SOFA, HOUSEHOLD, START, brought("tomato soup", "cabinet"), [TOOK])
    assert "did not take" in undone(SOUP_TO_SOFA, HOUSEHOLD, START, brought("tomato soup", "sofa"), [])
    assert "did not take" in undone(SOUP_TO_SOFA, HOUSEHOLD, START, brought("tomato soup", "sofa"), [TOOK_OTHER])
    both = replace(
        brought("tomato soup", "sofa"),
        objects={**brought("tomato soup", "sofa").objects, "banana": brought("banana", "sofa").objects["banana"]},
    )
    assert undone(SOUP_TO_SOFA, HOUSEHOLD, START, both, [TOOK]) == "moved the banana"
    holding = replace(brought("tomato soup", "sofa"), holding="banana")
    assert undone(SOUP_TO_SOFA, HOUSEHOLD, START, holding, [TOOK]) == "still holds the banana"


def test_a_thing_must_be_in_the_hand_of_the_person_meant() -> None:
    given = AccountEntry("handed", "tomato soup", "Jane", "sofa")
    assert undone(SOUP_TO_JANE, HOUSEHOLD, START, brought("tomato soup", "Jane's hand", "Jane"), [TOOK, given]) == ""
    assert "does not hold" in undone(SOUP_TO_JANE, HOUSEHOLD, START, brought("tomato soup", "floor"), [TOOK, given])
    assert "did not give" in undone(
        SOUP_TO_JANE, HOUSEHOLD, START, brought("tomato soup", "Jane's hand", "Jane"), [given, TOOK]
    )
    wrong = replace(given, whom="Axel")
    assert "did not give Jane" in undone(
        SOUP_TO_JANE, HOUSEHOLD, START, brought("tomato soup", "Axel's hand", "Axel"), [TOOK, wrong]
    )
    me = command(("bring", {"thing": "tomato soup", "from": "coffee table", "person": "me"}))
    assert HOUSEHOLD.commander == "Morgan"
    for told in ("me", "Morgan"):
        now = brought("tomato soup", "Morgan's hand", "Morgan")
        assert undone(me, HOUSEHOLD, START, now, [TOOK, replace(given, whom=told)]) == ""
    kept = undone(me, HOUSEHOLD, START, brought("tomato soup", "hand"), [TOOK, replace(given, whom="me")])
    assert kept == "bring: Morgan does not hold the tomato soup"


def test_what_is_found_by_its_category_is_what_is_given() -> None:
    asked = command(("find", {"thing": "food", "room": "living room"}), ("take", {}), ("put", {"to": "sofa"}))
    found = AccountEntry("found", "tomato soup", where="coffee table")
    assert undone(asked, HOUSEHOLD, START, brought("tomato soup", "sofa"), [found, TOOK]) == ""
    assert "did not take" in undone(asked, HOUSEHOLD, START, brought("milk carton", "sofa"), [found, TOOK_OTHER])
    kitchen = AccountEntry("found", "mustard bottle", where="kitchen table")
    assert "did not find the food" in undone(asked, HOUSEHOLD, START, START, [kitchen])


@pytest.mark.parametrize(
    ("part", "right", "wrong"),
    [
        (("go", {"to": "kitchen"}), AccountEntry("went", where="shelf: upper"), AccountEntry("went", where="sofa")),
        (("go", {"to": "shelf"}), AccountEntry("went", where="shelf: upper"), AccountEntry("went", where="kitchen")),
        (("meet", {"person": "Jane", "room": "living room"}), JANE, MORGAN),
        (("find_person", {"person": "standing", "room": "living room"}), MORGAN, JANE),
        (("count", {"category": "food", "from": "coffee table"}), "there is one food", "there are 2 foods"),
        (("compare", {"most": "lightest", "from": "kitchen table"}), "the plum is", "it is the banana"),
        (("compare_category", {"most": "lightest", "category": "dish", "from": "kitchen table"}), "the orange cup", "the plum"),
        (("count_persons", {"people": "sitting", "room": "living room"}), "2 people are sitting", "three people are sitting"),
        (("tell_about", {"attribute": "pose", "place": "coffee table"}), "they are standing", "they sit"),
        (("say", {"person": "me", "topic": "time"}), "it is 10:35", "it is late"),
        (("say", {"person": "me", "topic": "day"}), "today is Monday", "today is a day"),
        (("follow", {"person": "me", "room": "kitchen"}), FOLLOWED, replace(FOLLOWED, where="sofa")),
        (("guide", {"person": "me", "to": "sofa"}), GUIDED, replace(GUIDED, where="bin")),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_each_part_is_told_done_from_undone(
    part: tuple[str, dict[str, str]], right: AccountEntry | str, wrong: AccountEntry | str
) -> None:
    def told(deed: AccountEntry | str) -> AccountEntry:
        return AccountEntry("said", deed, "me") if isinstance(deed, str) else deed

    asked = command(part)
    assert undone(asked, HOUSEHOLD, START, START, []).startswith(part[0])
    assert undone(asked, HOUSEHOLD, START, START, [told(right)]) == ""
    assert undone(asked, HOUSEHOLD, START, START, [told(wrong)]).startswith(part[0])


def test_who_was_met_is_who_is_spoken_to_and_the_order_counts() -> None:
    asked = command(
        ("meet", {"person": "Jane", "room": "living room"}), ("answer", {}), ("guide", {"person": "them", "to": "bin"})
    )
    answered, guided = AccountEntry("said", "it is blue", "Jane"), AccountEntry("guided", whom="Jane", where="bin")
    assert undone(asked, HOUSEHOLD, START, START, [JANE, answered, guided]) == ""
    assert undone(asked, HOUSEHOLD, START, START, [MORGAN, JANE, MORGAN, answered, guided]) == ""  # others may be met, too
    assert "did not tell Jane" in undone(asked, HOUSEHOLD, START, START, [JANE, replace(answered, whom="Axel"), guided])
    assert "did not tell Jane" in undone(asked, HOUSEHOLD, START, START, [answered, JANE, guided])
    greeting = command(("greet", {"person": "Morgan", "room": "living room"}))
    assert undone(greeting, HOUSEHOLD, START, START, [MORGAN, AccountEntry("said", "Hello Morgan", "Morgan")]) == ""
    assert "greeting" in undone(greeting, HOUSEHOLD, START, START, [MORGAN])


def test_the_most_of_several_must_be_the_only_one_that_is_named() -> None:
    asked = command(("compare", {"most": "lightest", "from": "kitchen table"}))
    for text, right in (("It is the plum", True), ("the plum or the mustard bottle", False), ("the mustard bottle", False)):
        assert (undone(asked, HOUSEHOLD, START, START, [AccountEntry("said", text, "me")]) == "") is right


def test_of_what_is_not_there_who_commands_is_told() -> None:
    asked = command(
        ("take", {"thing": "cola can", "from": "sofa"}), ("put", {"to": "cabinet"}), cannot="there is no cola can at sofa"
    )
    told = AccountEntry("said", "There is no cola can on the sofa", "me")
    assert undone(asked, HOUSEHOLD, START, START, [told]) == ""
    assert "did not say" in undone(asked, HOUSEHOLD, START, START, [replace(told, whom="Jane")])
    assert undone(asked, HOUSEHOLD, START, START, [TOOK, told]) == "took the tomato soup"


def test_every_kind_of_command_has_a_test_that_inaction_does_not_pass() -> None:
    assert set(PARTS_DONE) == {part for parts in kinds().values() for part in parts}
    rng, seen = Random(0), set()
    for seed in range(12):
        scene = sample_home(seed)
        for kind in kinds():
            drawn = sample_command(household_of(truth_of(scene)), rng, kind=kind)
            if drawn is not None:
                seen.add(kind)
                assert undone(drawn, household_of(truth_of(scene)), truth_of(scene), truth_of(scene), []), drawn.sentence
    assert seen == set(kinds())


def test_numbers_are_read_as_digits_and_as_words() -> None:
    assert numbers("There are three, I think 3, not twelve or none.") == [3, 3, 12, 0]
