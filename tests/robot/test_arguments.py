"""Arguments are right exactly when the manifest says so."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlp.core.observation import Located
from vlp.robot.arguments import check_arguments
from vlp.sim.fake.robot import fake_manifest

MANIFEST = fake_manifest()
CUBE = Located("red cube", (1, 2, 3, 4), (0.5, 0.1, 0.445), (0.05, 0.05, 0.05), 0.0, 0.9, 1.0).to_json()

GOOD: list[tuple[str, dict[str, Any]]] = [
    ("home", {}),
    ("go_to", {"place": "start"}),
    ("look_at", {"target": "table"}),
    ("look_at", {"target": {**CUBE, "position_in_world": [3.0, 0.0, 0.4]}}),  # looking reaches further than the hand
    ("grasp", {"target": CUBE}),
    ("lift", {"height_m": 0.02}),
    ("lift", {"height_m": 0.3}),
    ("place", {"target": CUBE, "relation": "left_of"}),
    ("place", {"target": "bin", "relation": "in"}),
    ("check", {"relation": "holding", "subject": "red cube"}),
    ("check", {"relation": "in", "subject": "red cube", "object": "bin"}),
    ("ask", {"question": "which one?"}),
]

BAD: list[tuple[Any, Any, str]] = [
    (None, {}, "unknown-primitive"),
    ("Grasp", {}, "unknown-primitive"),
    ("home", [], "wrong-type"),
    ("home", None, "wrong-type"),
    ("home", {"fast": True}, "unknown-argument"),
    ("go_to", {}, "missing-argument"),
    ("go_to", {"place": "bim"}, "unknown-place"),
    ("go_to", {"place": ["bin"]}, "unknown-place"),
    ("grasp", {"target": "$red_cube"}, "wrong-type"),
    ("grasp", {"target": {}}, "bad-located"),
    ("grasp", {"target": {**CUBE, "extra": 1}}, "bad-located"),
    ("grasp", {"target": {**CUBE, "box": [1, 2, 3]}}, "bad-located"),
    ("grasp", {"target": {**CUBE, "position_in_world": [0.5, 0.1, math.nan]}}, "bad-located"),
    ("grasp", {"target": {**CUBE, "position_in_world": [0.5, 0.1, 10**400]}}, "bad-located"),
    ("grasp", {"target": {**CUBE, "size_m": [0, 0.05, 0.05]}}, "bad-located"),
    ("grasp", {"target": {**CUBE, "score": 1.5}}, "bad-located"),
    ("grasp", {"target": {**CUBE, "phrase": "x" * 201}}, "bad-text"),
    ("grasp", {"target": {**CUBE, "position_in_world": [0.5, 2.0, 0.445]}}, "out-of-workspace"),
    ("place", {"target": "moon", "relation": "on"}, "unknown-place"),
    ("place", {"target": CUBE, "relation": "under"}, "unknown-choice"),
    ("lift", {"height_m": 0.0199}, "out-of-bounds"),
    ("lift", {"height_m": math.nan}, "wrong-type"),
    ("lift", {"height_m": math.inf}, "wrong-type"),
    ("lift", {"height_m": True}, "wrong-type"),
    ("locate", {"object": ""}, "bad-text"),
    ("locate", {"object": "red\ncube"}, "bad-text"),
    ("locate", {"object": 3}, "wrong-type"),
    ("ask", {"question": "x" * 201}, "bad-text"),
]


@pytest.mark.parametrize(("do", "arguments"), GOOD)
def test_good_arguments_pass(do: str, arguments: dict[str, Any]) -> None:
    assert check_arguments(do, arguments, MANIFEST).ok


@pytest.mark.parametrize(("do", "arguments", "code"), BAD)
def test_bad_arguments_are_named(do: Any, arguments: Any, code: str) -> None:
    issues = check_arguments(do, arguments, MANIFEST).issues
    assert code in [issue.code for issue in issues]
    assert all(issue.message and len(str(issue)) < 1000 for issue in issues)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["bin", "in", "red cube"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
FIELDS = st.sampled_from(sorted({argument.name for p in MANIFEST.primitives.values() for argument in p.arguments}))
LOCATEDS = st.fixed_dictionaries({name: ANYTHING | st.just(value) for name, value in CUBE.items()})


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(MANIFEST.primitives)), st.dictionaries(FIELDS, ANYTHING | LOCATEDS, max_size=3))
def test_anything_is_judged_without_an_error_and_what_passes_can_be_read(do: str, arguments: dict[str, Any]) -> None:
    if check_arguments(do, arguments, MANIFEST).ok:
        for argument in MANIFEST.primitives[do].arguments:
            value = arguments.get(argument.name)
            if isinstance(value, dict):
                located = Located.from_json(value)
                assert all(map(math.isfinite, (*located.position_in_world, *located.size_m, located.yaw_rad)))
            if argument.type == "number" and argument.minimum is not None and argument.maximum is not None:
                assert argument.minimum <= arguments[argument.name] <= argument.maximum
