"""Each idempotency key is carried out once."""

import json
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from vlp.robot.protocol import Step, StepResult


def fingerprint(step: Step) -> str:
    """Return what makes two steps the same request: the primitive and its arguments."""
    return json.dumps([step.do, step.arguments], sort_keys=True, separators=(",", ":"), default=str)


class Once:
    """A memory of finished steps by key; a key that is known is answered from it and never acted on again.

    Rejected steps did nothing and are not remembered. Steps run one at a time: a second call with a key that is still
    running waits and gets the same result.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done: dict[str, tuple[str, StepResult]] = {}

    def run(self, step: Step, act: Callable[[Step], StepResult]) -> StepResult:
        """Return the remembered result of the step's key, or the result of `act(step)`.

        A key that was used for another primitive or other arguments is rejected with code "key-reused".
        """
        with self._lock:
            if step.key in self._done:
                seen, result = self._done[step.key]
                if seen == fingerprint(step):
                    return result
                message = "this key was used for another step; use a new key for each step."
                return StepResult(step.key, "rejected", code="key-reused", message=message)
            result = act(step)
            if result.status != "rejected":
                self._done[step.key] = (fingerprint(step), result)
            return result

    def result_of(self, key: str) -> StepResult | None:
        """Return the result of a finished key, None when nothing finished under it."""
        entry = self._done.get(key)
        return entry[1] if entry else None

    def to_json(self) -> dict[str, Any]:
        """Return the memory as plain data."""
        return {key: [seen, asdict(result)] for key, (seen, result) in dict(self._done).items()}

    def load(self, data: dict[str, Any]) -> None:
        """Replace the memory by what `to_json` returned."""
        self._done = {key: (seen, StepResult(**result)) for key, (seen, result) in data.items()}
