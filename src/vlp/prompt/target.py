"""What a model is trained to write: the target text, and which tokens of a sample count in the loss."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

IGNORED = -100
"""The label of a token that does not count."""


def policy_text(policy: Mapping[str, Any]) -> str:
    """Return a policy document as the compact JSON a model writes: no white space, keys in the given order."""
    return json.dumps(policy, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def loss_labels(prompt_ids: Sequence[int], target_ids: Sequence[int]) -> list[int]:
    """Return the labels of a sample: the model's own words and the token that ends its turn count, nothing else.

    Args:
        prompt_ids: everything up to and including the opening of the model's turn.
        target_ids: the target text and the end-of-turn token.
    """
    return [IGNORED] * len(prompt_ids) + list(target_ids)
