import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlp.prompt.target import IGNORED, loss_labels, policy_text


def test_a_policy_is_written_without_white_space_and_in_its_own_order() -> None:
    policy = {
        "goal": "the caf\u00e9 is open",
        "subtasks": [{"name": "a b", "steps": [{"do": "lift", "height_m": 0.1}]}],
    }
    text = policy_text(policy)
    assert text == '{"goal":"the caf\u00e9 is open","subtasks":[{"name":"a b","steps":[{"do":"lift","height_m":0.1}]}]}'
    assert json.loads(text) == policy


def test_a_number_that_is_none_is_never_a_target() -> None:
    with pytest.raises(ValueError):
        policy_text({"goal": float("nan")})


@given(st.lists(st.integers(0, 99), min_size=1), st.lists(st.integers(0, 99), min_size=1))
def test_only_the_models_own_tokens_count(prompt: list[int], target: list[int]) -> None:
    labels = loss_labels(prompt, target)
    assert len(labels) == len(prompt) + len(target)
    assert labels[len(prompt) :] == target and set(labels[: len(prompt)]) == {IGNORED}
