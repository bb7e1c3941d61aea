import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlp.prompt.target import IGNORED, box_text, loss_labels, policy_text, target_message


def test_a_policy_is_written_without_white_space_and_in_its_own_order() -> None:
    policy = {
        "goal": "the caf\u00e9 is open",
        "subtasks": [{"name": "a b", "steps": [{"do": "lift", "height_m": 0.1}]}],
    }
    text = policy_text(policy)
    assert text == '{"goal":"the caf\u00e9 is open","subtasks":[{"name":"a b","steps":[{"do":"lift","height_m":0.1}]}]}'
    assert json.loads(text) == policy
    assert target_message(policy).role == "assistant"


def test_a_number_that_is_none_is_never_a_target() -> None:
    with pytest.raises(ValueError):
        policy_text({"goal": float("nan")})


@given(st.lists(st.integers(0, 99), min_size=1), st.lists(st.integers(0, 99), min_size=1))
def test_only_the_models_own_tokens_count(prompt: list[int], target: list[int]) -> None:
    labels = loss_labels(prompt, target)
    assert len(labels) == len(prompt) + len(target)
    assert labels[len(prompt) :] == target and set(labels[: len(prompt)]) == {IGNORED}


def test_a_box_is_whole_pixels() -> None:
    assert box_text((1.4, 2.6, 30.0, 40.2)) == "[1,3,30,40]"
    assert box_text((-3.0, 0.0, 5.0, 6.0)) == "[0,0,5,6]"
