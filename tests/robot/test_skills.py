"""A robot out of skills: a method for each primitive, which nothing may hide."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from vlp.core.errors import UsageError
from vlp.core.observation import Observation
from vlp.primitives.manifest import Manifest
from vlp.primitives.standard import STANDARD, make_manifest
from vlp.robot.protocol import Step
from vlp.robot.skills import SkillRobot

ROOT = Path(__file__).parents[2]
MANIFEST = make_manifest("porter", ["go_to", "place"], ["dock"])


class Porter(SkillRobot):
    def __init__(self, manifest: Manifest = MANIFEST) -> None:
        super().__init__(manifest)

    def observe(self) -> Observation:
        raise NotImplementedError

    def go_to(self, place: str) -> None:
        self.at = place

    def place(self, target: Any, relation: str) -> None:
        pass


class Before(Porter):
    def __init__(self) -> None:
        self.place = "dock"  # type: ignore[assignment]
        super().__init__()


class After(Porter):
    def __init__(self) -> None:
        super().__init__()
        self.place = "dock"  # type: ignore[assignment]


class OfTheClass(Porter):
    place = "dock"  # type: ignore[assignment]


@pytest.mark.parametrize("kind", [Before, After, OfTheClass])
def test_data_that_hides_the_method_of_a_primitive_is_refused_at_opening(kind: type[Porter]) -> None:
    """`execute` raised "TypeError: 'str' object is not callable", for the template's own `self.place = "dock"`."""
    with pytest.raises(UsageError) as raised:
        kind()
    said = f"{kind.__name__}.place is the str 'dock', which hides the method of the primitive 'place'."
    assert str(raised.value) == f"{said} Give that attribute another name."


def test_other_attributes_are_free_and_a_skill_may_be_replaced_by_another() -> None:
    porter = Porter(make_manifest("porter", ["go_to"], ["dock"]))
    porter.place = "dock"  # type: ignore[assignment]
    porter.go_to = lambda place: "there"  # type: ignore[assignment]
    assert porter.execute(Step("go_to", {"place": "dock"}, "k")).value == "there"


@pytest.mark.parametrize("file", [files("vlp.robot").joinpath("new_robot.txt"), *sorted((ROOT / "examples").glob("*.py"))])
def test_what_people_copy_hides_no_standard_primitive(file: Any) -> None:
    """Against: a robot begun from the template, to which `place` could not be added."""
    set_there = {
        name for line in re.findall(r"^ +(self\..*?) = ", file.read_text(), re.M) for name in re.findall(r"self\.(\w+)", line)
    }
    assert not set_there & STANDARD.keys()
