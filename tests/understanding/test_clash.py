"""Two sentences in a row: whether both can be done, or the second corrects the first or goes on from it."""

import pytest

from vlp.nano.names import NAMES
from vlp.understanding.gate import Gate

KNOWN = frozenset(("locate", "grasp", "lift", "place", "pour", "open", "close", "turn_on", "turn_off", "go_to", "ask"))
GENERAL, STRICT = Gate(None, KNOWN, reads=True), Gate(NAMES, KNOWN, reads=True)
CUBE = "put the red cube in the green bowl"


@pytest.mark.parametrize(
    ("first", "second", "about"),
    [
        (CUBE, "put the red cube on the tray", "red cube"),
        (CUBE, "the cube should be on the tray, please", "cube"),
        ("bring the plum to Mary", "give the plum to John", "plum"),
        ("put the mug on the shelf", "put the mug in the bin", "mug"),
        ("put the ball and the can in the box", "put the can on the plate", "can"),
        ("take the lemonade can and put it in the basket", "Could you put the lemonade can onto the sofa?", "lemonade can"),
        ("onto the sofa is where the pear should go", "I would like the pear in the basket", "pear"),
        ("see to it that the blue brick is on the shelf", "see to it that the blue brick is on the sofa", "blue brick"),
        ("open the drawer", "close the drawer", "drawer"),
        ("switch on the lamp", "turn the lamp off", "lamp"),
        ("clear the table, not the red mug", "put the red mug in the bin", "red mug"),
        ("put the red mug in the bin", "clear the table but leave the red mug where it is", "red mug"),
    ],
)
def test_what_two_sentences_want_differently_is_told(first: str, second: str, about: str) -> None:
    assert GENERAL.clash(first, second) == about


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (CUBE, CUBE),
        (CUBE, "put the cube in the bowl"),
        (CUBE, "put the blue cube on the tray"),
        (CUBE, "no, put the red cube on the tray"),
        (CUBE, "actually, put the red cube on the tray"),
        (CUBE, "put the red cube on the tray instead"),
        (CUBE, "I need the red cube, set it down in the green bowl"),
        (CUBE, "then put the red cube on the tray"),
        (CUBE, "and put the blue cube on the tray too"),
        (CUBE, "put it on the tray"),
        (CUBE, "leave the red cube alone"),
        ("open the drawer", "close the door"),
        ("clear the table", "put the red mug on the tray"),
        ("clear the table, not the red mug", "put the blue mug in the bin"),
        ("put the banana in the green bowl", "put the apple in the red bowl"),
    ],
)
def test_corrections_sequels_and_other_things_are_no_contradiction(first: str, second: str) -> None:
    """Guards against a question about every change of mind."""
    assert GENERAL.clash(first, second) == ""


def test_whoever_knows_other_words_for_a_thing_finds_it_in_both_sentences() -> None:
    said = ("could you put the violet bottle in the red bowl", "place the purple flask on the tray")
    assert GENERAL.clash(*said) == "" and STRICT.clash(*said) == "purple bottle"
    assert STRICT.clash(said[0], "place the green flask on the tray") == ""
    assert STRICT.clash(said[0], "oh, the purple flask belongs on the tray") == ""
    assert (
        STRICT.clash("see that the yellow tin is on the plate", "see to it that the yellow can is in the box") == "yellow can"
    )


def test_scripted_replies_go_by_no_words() -> None:
    assert Gate(None, KNOWN).clash(CUBE, "put the red cube on the tray") == ""
