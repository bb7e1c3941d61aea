"""The expert in the place of the model: the same runtime, with policies written from the true state."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from jsonschema import Draft202012Validator

from vlp.core.errors import UsageError
from vlp.core.messages import Message
from vlp.models.protocol import Capabilities, Reply
from vlp.primitives.manifest import Manifest
from vlp.sim.truth import Truth
from vlp.sim.worlds.tasks import Tasks, WorldTask


class ExpertModel:
    """A `Model` that reads nothing of its prompt but the step that failed: upper baseline of what a model could write.

    What it could not take it tries again after all else: what was in the way or in front of it may be gone then.

    Args:
        tasks: those of the world, whose expert it is.
        truth: gives the true state now.
        task: gives the task in force now.
        manifest: the robot's; None for one with every primitive that a task needs.

    Raises:
        UsageError: a world without tasks.
    """

    name = "expert"
    profile = "brief"
    can = Capabilities(reads=False)
    """It goes by the task that a sentence was read as, not by its words."""

    def __init__(
        self,
        tasks: Tasks | None,
        truth: Callable[[], Truth],
        task: Callable[[], WorldTask | None],
        manifest: Manifest | None = None,
    ) -> None:
        if tasks is None:
            raise UsageError("this world has no tasks, and so no expert.", "Name a model with --model.")
        self._tasks = tasks
        self._truth = truth
        self._task = task
        self._manifest = manifest
        self._put_off: list[str] = []

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
            truth = self._truth()
            failed = [*_failed("locate", task, messages), *_failed("grasp", task, messages)]
            self._put_off = [*(name for name in self._put_off if name not in failed), *failed]
            policy = self._tasks.policy(truth, task, self._manifest, put_off=self._put_off)
            if grammar is not None and _claims(policy) and not Draft202012Validator(grammar).is_valid(policy):
                doubted = _failed("check", task, messages) or list(task.subjects)
                policy = self._tasks.policy(truth, task, self._manifest, doubted, self._put_off)
        text = json.dumps(policy, separators=(",", ":"))
        if on_text:
            on_text(text)
        return Reply(text, {"total": time.perf_counter() - start})


def _claims(policy: dict[str, Any]) -> bool:
    """Return whether a policy changes nothing."""
    return all(step["do"] == "check" for subtask in policy.get("subtasks", ()) for step in subtask["steps"])


def _failed(do: str, task: WorldTask, messages: Sequence[Message]) -> list[str]:
    """Return the things of a task that the step which failed just now was about, where it is of that primitive."""
    said = "\n".join(message.text for message in messages)
    return [name for name in task.subjects if f"failed: {do} {name} " in said]
