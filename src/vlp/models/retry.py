"""A model asked again when its server could not be reached."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from vlp.core.messages import Message
from vlp.models.protocol import Model, Reply, Unreachable


class RetryingModel:
    """Wraps a model: asks again after connection errors, and only those; a reply or a time-out is never repeated.

    Args:
        model: the model.
        attempts: how often it is asked at most.
        pause_s: wait before the second attempt; twice as long before each further one.
    """

    def __init__(self, model: Model, attempts: int = 3, pause_s: float = 0.5) -> None:
        self.model, self.attempts, self.pause_s = model, attempts, pause_s
        self.name = getattr(model, "name", "")
        self.profile = getattr(model, "profile", "full")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def generate(
        self,
        messages: Sequence[Message],
        *,
        grammar: dict[str, Any] | None = None,
        draft: str | None = None,
        max_tokens: int = 1024,
        timeout_s: float = 60.0,
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """Return the model's reply; all attempts share one time limit."""
        deadline_s = time.monotonic() + timeout_s
        for attempt in range(1, self.attempts + 1):
            left_s = deadline_s - time.monotonic()
            try:
                return self.model.generate(
                    messages, grammar=grammar, draft=draft, max_tokens=max_tokens, timeout_s=left_s, on_text=on_text
                )
            except Unreachable:
                wait_s = self.pause_s * 2 ** (attempt - 1)
                if attempt == self.attempts or time.monotonic() + wait_s >= deadline_s:
                    raise
                time.sleep(wait_s)
        raise AssertionError("unreachable")
