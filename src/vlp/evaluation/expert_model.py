"""The expert in the place of the model: the same runtime, with policies written from the true state."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from vlp.core.messages import Message
from vlp.models.protocol import Reply
from vlp.sim.expert import plan
from vlp.sim.tasks.task import Task
from vlp.sim.truth import Truth


class ExpertModel:
    """A `Model` that does not read its prompt: upper baseline of what a model could write.

    Args:
        truth: gives the true state now.
        task: gives the task in force now.
    """

    profile = "brief"

    def __init__(self, truth: Callable[[], Truth], task: Callable[[], Task | None]) -> None:
        self._truth = truth
        self._task = task

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
        """Return the expert's policy; every argument but `on_text` is ignored."""
        start = time.perf_counter()
        task = self._task()
        if task is None:
            policy: dict[str, Any] = {"goal": "what was said", "cannot": "the instruction belongs to no task"}
        else:
            policy = plan(self._truth(), task)
        text = json.dumps(policy, separators=(",", ":"))
        if on_text:
            on_text(text)
        return Reply(text, {"total": time.perf_counter() - start})
