"""What a name alone says of a thing."""

from dataclasses import replace

import numpy as np
import pytest

from vlp.perception.looks import colour_of, has_colour, is_colour, noun_of, shape_of


def test_the_last_word_is_the_noun_and_the_one_before_it_the_colour():
    assert (noun_of("red cube"), colour_of("red cube")) == ("cube", "red")
    assert (noun_of("striped red towel"), colour_of("striped red towel")) == ("", "red")
    assert colour_of("orange juice bottle") == "", "the juice is orange, not the bottle"
    assert colour_of("red") == "" and noun_of("") == "" and colour_of("") == ""


def test_a_noun_that_is_not_listed_is_round_and_holds_nothing():
    assert shape_of("towel").round and not shape_of("towel").container
    assert shape_of("green bowl").container and not shape_of("box").round
    assert replace(shape_of("plate"), shallow=False) == shape_of("bowl")


@pytest.mark.parametrize("colour, rgb", [("red", (200, 30, 30)), ("black", (20, 20, 22)), ("white", (230, 230, 225))])
def test_pixels_have_one_colour(colour: str, rgb: tuple[int, int, int]):
    pixel = np.array([[rgb]], np.uint8)
    named = [
        word for word in ("red", "green", "blue", "yellow", "orange", "purple", "white", "black") if has_colour(pixel, word)
    ]
    assert named == [colour] and is_colour(colour) and not is_colour("striped")
