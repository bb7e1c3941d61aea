"""What a model is trained to write: the target text, and which tokens of a sample count in the loss."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_IT = re.compile(r"\bit\b")
IGNORED = -100
"""The label of a token that does not count."""


def policy_text(policy: Mapping[str, Any]) -> str:
    """Return a policy document as the compact JSON a model writes: no white space, keys in the given order."""
    return json.dumps(policy, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def policy_words(policy: Mapping[str, Any]) -> str:
    """Return a policy in words, as one would answer a person: "pick up the red can, put the red can in the bin", or why it
    cannot be.

    These are the names of its subtasks, with what is held by its name instead of "it": a small model that goes through them
    finds its place again by the thing, where "put it in the bin" stands many times (docs/log.md). Nothing to do is "it is so".
    """
    said, held = list[str](), ""
    for subtask in policy.get("subtasks", ()):
        said.append(_IT.sub(f"the {held}", subtask["name"]) if held else subtask["name"])
        for step in subtask["steps"]:
            if step["do"] == "grasp":
                held = str(step.get("target", "")).removeprefix("$").replace("_", " ")
            elif step["do"] in ("place", "release"):
                held = ""
    return policy.get("cannot") or ", ".join(said) or "it is so"


def loss_labels(prompt_ids: Sequence[int], target_ids: Sequence[int]) -> list[int]:
    """Return the labels of a sample: the model's own words and the token that ends its turn count, nothing else.

    Args:
        prompt_ids: everything up to and including the opening of the model's turn.
        target_ids: the target text and the end-of-turn token.
    """
    return [IGNORED] * len(prompt_ids) + list(target_ids)
