"""What comes back from a step is what its primitive declares, or it is named what is wrong with it."""

import json
from typing import Any

import numpy as np
import pytest

from vlp.core.observation import Located, Observation, RobotState
from vlp.policy.checks import check_policy
from vlp.primitives.manifest import Argument, Primitive
from vlp.primitives.standard import make_manifest
from vlp.robot.protocol import MAX_BYTES, StepResult, plain_observation, plain_result, result_fault

MEASURE = Primitive("measure", "perception", "Measure.", (Argument("what", "text", "What."),), result="reading")
REPORT = Primitive("report", "action", "Report.", (Argument("of", "reference", "Which reading.", result="reading"),))
SHAPE = {"value_c": "number", "place": "text", "steady": "boolean", "samples": "numbers"}
ROBOT = make_manifest("rover", ["locate", "find_all", "ask", MEASURE, REPORT], results={"reading": SHAPE})
GOOD = {"value_c": 21.5, "place": "dock", "steady": True, "samples": [21, 22.0]}
CUP = Located("cup", (0, 0, 9, 9), (0.5, 0.0, 0.4), (0.1, 0.1, 0.1), 0.0, 0.9, 0.0).to_json()


@pytest.mark.parametrize(
    ("do", "value", "fault"),
    [
        ("measure", GOOD, ""),
        ("measure", {**GOOD, "value_c": "warm"}, "value_c is 'warm'; expected number"),
        ("measure", {**GOOD, "value_c": float("nan")}, "value_c is nan; expected number"),
        ("measure", {**GOOD, "steady": 1}, "steady is 1; expected boolean"),
        ("measure", {k: v for k, v in GOOD.items() if k != "place"}, "'place' is missing"),
        ("measure", {**GOOD, "extra": 1}, "unknown field 'extra'"),
        ("measure", 21.5, "expected an object"),
        ("locate", CUP, ""),
        ("locate", {}, "'phrase' is missing"),
        ("find_all", [CUP], ""),
        ("find_all", CUP, "expected a list"),
        ("ask", "the red one", ""),
        ("ask", 3, "expected text"),
    ],
)
def test_a_value_is_checked_against_the_declared_type(do: str, value: Any, fault: str) -> None:
    found = result_fault(ROBOT.primitives[do], value, ROBOT)
    assert fault in found if fault else not found


def test_a_reference_is_typed_by_the_result_it_stands_for() -> None:
    def codes(first: str) -> list[str]:
        text = f'{{"goal":"g","subtasks":[{{"name":"n","steps":[{first},{{"do":"report","of":"$x"}}]}}]}}'
        return [issue.code for issue in check_policy(text, ROBOT)[1].issues]

    assert codes('{"do":"measure","what":"air","as":"x"}') == []
    assert codes('{"do":"locate","object":"cup","as":"x"}') == ["wrong-result"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"done": {"x": 10**5000}}, "done.x is an integer of more than 63 bits"),
        ({"value": {"value_c": [-(2**63)]}}, r"value.value_c[0] is an integer of more than 63 bits"),
        ({"done": {"x": "A" * MAX_BYTES}}, "a result of 1,000,0"),
    ],
)
def test_a_result_out_of_bounds_is_a_failure_that_can_be_written_down(data: dict[str, Any], why: str) -> None:
    """A number of 5000 digits ended the run after the step was done, in the journal; 50 MB of text went into it."""
    taken = plain_result(StepResult("k", "succeeded", **data))
    assert (taken.status, taken.code, taken.value) == ("failed", "bad-result", None) and why in taken.message
    assert len(json.dumps(taken.done)) < 100


def test_no_text_of_a_result_is_half_a_character() -> None:
    """A lone surrogate in `code` or `key` broke report and replay; only `message` was cleaned."""
    odd = "a\ud800"
    taken = plain_result(StepResult(odd, "failed", {odd: odd}, code=odd, message=odd))
    assert json.dumps([taken.key, taken.done, taken.code, taken.message], ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("own", "why"),
    [({"x": "A" * 5_000_000}, "state has 5,000,"), ({"x": 10**5000}, "state.own.x is an integer of more than 63 bits")],
)
def test_a_state_out_of_bounds_is_a_fault_of_the_robot(own: dict[str, Any], why: str) -> None:
    """The same in what a robot knows of itself, which goes into every prompt and event."""
    seen = Observation(np.zeros((2, 2, 3), np.uint8), None, None, None, RobotState(own=own), 0.0)
    with pytest.raises(ValueError, match=why):
        plain_observation(seen)
