"""The arm of `examples/`: a robot with a gripper, and what the check tells of one that says too little of its hand."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vlp.core.observation import Observation, RobotState
from vlp.robot.conformance import check_robot, untried
from vlp.robot.protocol import Step, plain_state

sys.path.insert(0, str(Path(__file__).parents[2]))

from examples.arm import CUBE, MANIFEST, Arm

ROOT = Path(__file__).parents[2]


class SaysOtherwise(Arm):
    """An arm whose state has some fields otherwise."""

    def __init__(self, **other: Any) -> None:
        super().__init__()
        self.other = other

    def observe(self) -> Observation:
        seen = super().observe()
        return replace(seen, state=replace(seen.state, **self.other))


def test_the_example_is_a_robot_in_a_hundred_lines() -> None:
    assert str(check_robot(Arm())) == "ok"
    assert len((ROOT / "examples" / "arm.py").read_text().splitlines()) <= 100


@pytest.mark.parametrize("holding", ["", "cube"])
def test_a_grasp_that_the_state_does_not_tell_is_named(holding: str) -> None:
    """The check said "ok", and the next `place` was refused since "its hand is empty"."""

    class Untold(Arm):
        def observe(self) -> Observation:
            seen = super().observe()
            return replace(seen, state=replace(seen.state, holding=self.held and holding))

    issues = {(issue.path, issue.code): str(issue) for issue in check_robot(Untold()).issues}
    told = issues["/execute/grasp", "holding"]
    assert f"`holding` is {holding!r}; expected 'red cube'" in told and "Set it in `observe`" in told


def test_a_hand_that_is_never_empty_again_is_named() -> None:
    """Against: "ok" for an arm whose second `grasp` is refused, since its state still holds what it has put down."""

    class Keeps(Arm):
        def release(self) -> None:
            pass

    told = str(check_robot(Keeps()))
    assert "/execute/place: it succeeded, which makes 'hand empty', and the state denies it: at '', holding 'red cube'." in told


def test_what_a_grasp_must_tell_stands_beside_one_that_was_not_tried() -> None:
    grasp = replace(MANIFEST.primitives["grasp"], example=None)
    lines = list(untried(replace(MANIFEST, primitives={"grasp": grasp})))
    assert lines == [
        "grasp: it needs hand_empty; declare an `example` of arguments that are safe to try; "
        "after it the state's `holding` must name what is held."
    ]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("hand_in_base", np.eye(4), "an array of (4, 4) in float64; expected (x, y, z) in metres, or None"),
        ("hand_in_base", (0.1, 0.2), "the tuple (0.1, 0.2); expected (x, y, z)"),
        ("base_in_world", np.eye(3), "an array of (3, 3) in float64; expected (x, y, yaw) in metres and radians"),
        ("gripper_m", "open", "the str 'open'; expected a number of metres"),
        ("holding", None, "None; expected text: the phrase of what is held"),
        ("joints_rad_or_m", [0.0], "the list [0.0]; expected a dict of numbers by joint"),
        ("facts", {"open door": "yes, it is"}, "expected a dict of booleans by fact"),
    ],
)
def test_a_field_of_the_state_with_another_type_is_named(field: str, value: Any, said: str) -> None:
    """Against: "/observe: The truth value of an array with more than one element is ambiguous"."""
    told = str(check_robot(SaysOtherwise(**{field: value}), moves=False))
    assert f"/observe: state.{field}" in told and said in told


def test_an_array_of_three_numbers_is_a_point() -> None:
    state = RobotState(hand_in_base=np.array([0.1, 0.2, 0.3]))  # type: ignore[arg-type]
    assert plain_state(state).hand_in_base == (0.1, 0.2, 0.3)
    assert check_robot(SaysOtherwise(hand_in_base=state.hand_in_base), moves=False).ok


def test_a_thing_too_wide_for_the_gripper_is_a_failed_step() -> None:
    result = Arm().execute(Step("grasp", {"target": CUBE | {"size_m": [0.3, 0.2, 0.1]}}, "k"))
    assert (result.status, result.code) == ("failed", "too-wide")
