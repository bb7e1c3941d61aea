"""A reply token by token, with log-probabilities: what is compared to see whether two models are the same one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from vlp.core.messages import Message

TOP = 5
"""How many of the most likely tokens are told at each step."""


@dataclass(frozen=True)
class Trace:
    """A greedy reply without a grammar.

    Args:
        prompt_tokens: length of the prompt, image tokens counted.
        tokens: ids of the reply, the one that ends the turn included where the model wrote it.
        tops: for each of them, the log-probabilities of the most likely tokens at that step, by id; its own is among them.
        ended: whether the model ended its turn; False when the limit cut it.
    """

    prompt_tokens: int
    tokens: tuple[int, ...]
    tops: tuple[dict[int, float], ...]
    ended: bool


class Traceable(Protocol):
    """A model whose tokens and log-probabilities can be seen."""

    def trace(self, messages: Sequence[Message], *, max_tokens: int = 256, timeout_s: float = 120.0) -> Trace:
        """Return the greedy reply; raises MissingComponent when it cannot be had."""
        ...
