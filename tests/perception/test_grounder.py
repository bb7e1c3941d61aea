"""Grounders return what matches, best first, and say clearly what they cannot do."""

import numpy as np
import pytest

from vlp.core.errors import MissingComponent, UsageError
from vlp.core.observation import Described
from vlp.perception.grounder import ANYTHING, Sources, make_grounder
from vlp.perception.looks import matches
from vlp.perception.oracle_grounder import OracleGrounder

RGB = np.zeros((480, 640, 3), dtype=np.uint8)
BOXES = {"red cube": (1.0, 2.0, 30.0, 40.0), "red bowl": (50.0, 60.0, 90.0, 99.0), "blue cube": (0.0, 0.0, 9.0, 9.0)}


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


def test_a_thing_whose_name_is_a_word_of_another_is_found_by_its_own():
    """An orange was looked for, and the orange cup was found."""
    boxes = {"orange cup": (0.0, 0.0, 9.0, 9.0), "orange": (50.0, 60.0, 90.0, 99.0)}
    assert [d.phrase for d in OracleGrounder(lambda: boxes).ground(RGB, "orange")] == ["orange"]


def test_people_are_found_by_name_or_looks_and_are_no_things():
    """Guards against a person who counts as a thing left on the table."""
    boxes = {**BOXES, "Jane": (5.0, 5.0, 60.0, 200.0)}
    known = {"Jane": Described(("person", "person waving"), 1.5), "red cube": Described(("toy",))}
    oracle = OracleGrounder(lambda: boxes, lambda: known)
    for phrase, names in (("Jane", {"Jane"}), ("person waving", {"Jane"}), ("toy", {"red cube"}), (ANYTHING, set(BOXES))):
        assert {d.phrase for d in oracle.ground(RGB, phrase)} == names
    assert oracle.ground(RGB, "person")[0].facing_rad == 1.5 and oracle.ground(RGB, "person sitting") == []


def test_grounders_are_made_by_name():
    grounder = make_grounder("oracle", Sources(boxes=lambda: BOXES))
    assert [d.box for d in grounder.ground(RGB, "red cube")] == [BOXES["red cube"]]
    with pytest.raises(UsageError, match="Did you mean 'oracle'"):
        make_grounder("oracel", Sources())
    for name in ("oracle", "model"):
        with pytest.raises(MissingComponent):
            make_grounder(name, Sources())
