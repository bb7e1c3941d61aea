"""The expert in the place of the model: the same runtime, with policies written from the true state."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from jsonschema import Draft202012Validator

from vlp.core.messages import Message
from vlp.models.protocol import Capabilities, Reply
from vlp.primitives.manifest import Manifest
from vlp.sim.expert import for_robot, plan
from vlp.sim.language.relations import OUT_OF_SIGHT, elsewhere
from vlp.sim.language.task import Task
from vlp.sim.truth import Truth


class ExpertModel:
    """A `Model` that reads nothing of its prompt but a check that failed: upper baseline of what a model could write.

    Args:
        truth: gives the true state now.
        task: gives the task in force now.
        manifest: the robot's; None for one with the standard primitives.
    """

    name = "expert"
    profile = "brief"
    can = Capabilities(reads=False)
    """It goes by the task that a sentence was read as, not by its words."""

    def __init__(self, truth: Callable[[], Truth], task: Callable[[], Task | None], manifest: Manifest | None = None) -> None:
        self._truth = truth
        self._task = task
        self._manifest = manifest

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
        """Return the expert's policy; what it claims against a check that failed, it does again, as the grammar asks.

        A check can err: a cube 3 cm off the middle of its block was said not to stand on it, and "it is so" is refused then.
        """
        start = time.perf_counter()
        task = self._task()
        if task is None:
            policy: dict[str, Any] = {"goal": "what was said", "cannot": "the instruction belongs to no task"}
        else:
            policy = self._plan(self._truth(), task)
            if grammar is not None and _claims(policy) and not Draft202012Validator(grammar).is_valid(policy):
                policy = self._plan(_undone(self._truth(), task, messages), replace(task, satisfied=False))
        text = json.dumps(policy, separators=(",", ":"))
        if on_text:
            on_text(text)
        return Reply(text, {"total": time.perf_counter() - start})

    def _plan(self, truth: Truth, task: Task) -> dict[str, Any]:
        policy = plan(truth, task)
        return for_robot(policy, self._manifest) if self._manifest is not None else policy


def _claims(policy: dict[str, Any]) -> bool:
    """Return whether a policy changes nothing."""
    return all(step["do"] == "check" for subtask in policy.get("subtasks", ()) for step in subtask["steps"])


def _undone(truth: Truth, task: Task, messages: Sequence[Message]) -> Truth:
    """Return the state as if what the failed check looked at lay elsewhere."""
    said = "\n".join(message.text for message in messages)
    in_sight = [n for n in task.subjects if n in truth.objects and truth.objects[n].support not in OUT_OF_SIGHT]
    doubted = [name for name in in_sight if f"failed: check {name} " in said] or in_sight
    return elsewhere(truth, doubted, 10.0)  # farther than any relation allows
