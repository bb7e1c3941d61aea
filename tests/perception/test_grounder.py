"""Grounders return what matches, best first, and say clearly what they cannot do."""

import numpy as np
import pytest

from vlp.core.errors import MissingComponent, UsageError
from vlp.models.protocol import NoReply, Reply
from vlp.perception.grounder import (
    ANYTHING,
    ModelGrounder,
    OracleGrounder,
    Sources,
    make_grounder,
    matches,
)

RGB = np.zeros((480, 640, 3), dtype=np.uint8)
BOXES = {"red cube": (1.0, 2.0, 30.0, 40.0), "red bowl": (50.0, 60.0, 90.0, 99.0), "blue cube": (0.0, 0.0, 9.0, 9.0)}


class Writer:
    """A model that writes one text."""

    def __init__(self, text):
        self.text, self.asked = text, []

    def generate(self, messages, **options):
        self.asked.append(messages)
        return Reply(self.text)


@pytest.mark.parametrize(
    ("phrase", "names"),
    [
        ("red cube", {"red cube"}),
        ("cube", {"red cube", "blue cube"}),
        ("red", {"red cube", "red bowl"}),
        ("thing", {"red cube", "blue cube"}),
        (ANYTHING, set(BOXES)),
        ("green cube", set()),
        ("red cub", set()),
    ],
)
def test_a_phrase_finds_what_it_names_and_nothing_else(phrase, names):
    assert {d.phrase for d in OracleGrounder(lambda: BOXES).ground(RGB, phrase)} == names
    assert {name for name in BOXES if matches(phrase, name)} == names


@pytest.mark.parametrize("text", ["[]", " [ ]", "[1,2,NaN,4]", "[9,9,1,1]", "[700,10,900,90]"])
def test_numbers_that_span_nothing_are_no_box(text):
    assert ModelGrounder(Writer(text)).ground(RGB, "red cube") == []


@pytest.mark.parametrize("text", ["", "no", "{}", "[1,2,3]", "[10,20", '["a",1,2,3]', "[" * 30000])
def test_garbage_from_a_model_does_not_mean_that_the_thing_is_not_there(text):
    """Against: "no red cube in this image" said of a reply that was cut off, or of prose."""
    with pytest.raises(NoReply, match=r"asked for the red cube, the model wrote .* instead of a box") as caught:
        ModelGrounder(Writer(text)).ground(RGB, "red cube")
    assert len(str(caught.value)) < 250


def test_a_models_box_is_in_the_pixels_it_sees_and_a_kind_is_asked_name_by_name():
    writer = Writer("[10,20,30,250]")
    writer.seen_size = lambda width, height: (width // 2, height // 2)
    found = ModelGrounder(writer).ground(RGB, "cube")
    assert {d.box for d in found} == {(20.0, 40.0, 60.0, 480.0)}
    assert len(found) == 8 and found[0].phrase == "red cube"


def test_grounders_are_made_by_name():
    grounder = make_grounder("oracle", Sources(boxes=lambda: BOXES))
    assert [d.box for d in grounder.ground(RGB, "red cube")] == [BOXES["red cube"]]
    with pytest.raises(UsageError, match="Did you mean 'oracle'"):
        make_grounder("oracel", Sources())
    for name in ("oracle", "model"):
        with pytest.raises(MissingComponent):
            make_grounder(name, Sources())
