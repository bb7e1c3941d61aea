"""What comes back from a step is what its primitive declares, or it is named what is wrong with it."""

from typing import Any

import pytest

from vlp.core.observation import Located
from vlp.policy.checks import check_policy
from vlp.primitives.manifest import Argument, Primitive
from vlp.primitives.standard import make_manifest
from vlp.robot.protocol import result_fault

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
