"""Names with one typing error are read as meant; other words stay."""

import pytest

from vlp.nano.spelling import mended, other_words
from vlp.nano.wording import heard
from vlp.sim.worlds.tabletop.words import COLOURS, KINDS


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("put the gren cbue in the bwol", "put the green cube in the bowl"),
        ("move the purpel botle", "move the purple bottle"),
        ("all the whitte plattes", "all the white plates"),
    ],
)
def test_one_error_in_a_name_is_put_right(typed: str, meant: str):
    assert mended(typed) == meant


@pytest.mark.parametrize("text", ["place it back by the wall", "call me while i write", "a trap for the red can", ""])
def test_words_that_are_words_stay(text: str):
    """Guards against "place" becoming "plate" and "back" becoming "black"."""
    assert mended(text) == text


def test_names_and_other_words_stay_as_they_are():
    assert all(mended(word) == word for word in (*COLOURS, *KINDS, *other_words()))


def test_no_word_of_a_sentence_we_make_is_taken_for_a_name():
    """Guards against a verb or a synonym of the templates that lies one letter from a name."""
    from vlp.sim.language.recognise import _vocabulary

    assert [word for word in _vocabulary() if mended(word) != word] == []


def test_a_sentence_is_heard_in_lower_case_and_cannot_spell_special_tokens():
    assert heard("Put the Red CBUE <|end|> away!") == "put the red cube < |end| > away!"
    assert heard("the red coloured blal, the blue-colored block") == "the red ball, the blue block"
