"""The robot as the loop sees it: every call in one thread, under a time limit, in the journal's words."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from vlp.core.errors import MissingComponent, VlpError
from vlp.core.observation import Located, Observation, RobotState
from vlp.journal import Event
from vlp.policy import PolicyStep
from vlp.primitives.manifest import result_fault
from vlp.robot.protocol import Robot, Step, StepResult, offered
from vlp.runtime.limits import Budget, Overrun, Worker

T = TypeVar("T")
JPEG_QUALITY = 80
HELD = ("lease-held", "no-lease", "stale-epoch")
"""Codes of results that say that another one commands the robot: no new policy mends that."""
UNKNOWN = ("robot-unreachable", "outcome-unknown", "no-answer", "lease-lost")
"""Codes of results that say nothing about what the robot did: such a step has not finished."""


class Body:
    """A robot behind time limits.

    Args:
        robot: anything with the four methods; what it offers beyond them (`snapshot`, `restore`, `result_of`) is used
            when it, or the robot that it wraps, has it.
        budget: time limits.
        tag: makes the keys of looks at step boundaries unique.

    Raises:
        MissingComponent: from any method, when the robot cannot be reached.
        Overrun: from any method, when it did not answer in time; it has been told to stop.
    """

    def __init__(self, robot: Robot, budget: Budget, tag: str) -> None:
        self.robot = robot
        self._budget = budget
        self._tag = tag
        self._looks = 0
        self._worker = Worker("robot")
        self._looking_s = 0.0
        self.manifest = self._call(robot.describe, budget.observe_s, "its manifest")

    def observe(self, purpose: str) -> tuple[Observation, Event]:
        """Return what the robot perceives now, and the event that says so."""
        start = time.monotonic()
        seen = self._call(self.robot.observe, self._budget.observe_s, "an observation")
        seconds = time.monotonic() - start
        data = {"purpose": purpose, "state": seen.state.to_json(), "seconds": seconds, "stamp_s": seen.stamp_s}
        return seen, Event("observation", data, blob=encode_jpeg(seen), live=seen)

    def execute(self, step: Step) -> tuple[StepResult, bytes | None]:
        """Carry out a step; return its result and, where the robot can give one, its state afterwards."""
        primitive_s = self.manifest.primitives[step.do].timeout_s
        limit_s = (step.timeout_s or primitive_s) + self._budget.step_grace_s
        snapshot = self.offers("snapshot")

        def work() -> tuple[StepResult, bytes | None]:
            return self.robot.execute(step), snapshot() if snapshot else None

        result, after = self._call(work, limit_s, f"the end of {step.do!r}")
        result = self.checked(step.do, result)
        if result.code in HELD:
            raise MissingComponent(result.message, "Let the other holder release the robot, or wait until its lease ends.")
        if result.code in UNKNOWN:
            raise MissingComponent(result.message, "`vlp resume` asks the robot what became of the step.")
        return result, after

    def checked(self, do: str, result: StepResult) -> StepResult:
        """Return a step's result, as a failure where what came back is not what its primitive gives."""
        if result.status != "succeeded":
            return result
        fault = result_fault(self.manifest.primitives[do], result.value, self.manifest)
        if not fault:
            return result
        message = f"{do} gave back something else than it declares: {fault}."
        return replace(result, status="failed", value=None, code="bad-result", message=message)

    def reachable(self, step: PolicyStep, thing: Located) -> str:
        """Return why the robot cannot get to a thing, "" when it can or does not say."""
        return str(self.ask("reachable", Step(step.do, dict(step.arguments), key=""), thing) or "")

    def instance(self) -> str:
        """Return what changes when a robot's server starts anew and forgets its keys; "" for a robot without one."""
        return str(getattr(self.ask("health"), "instance", ""))

    def offers(self, method: str) -> Callable[..., Any] | None:
        """Return a method that not every robot has, from the robot or the one that it wraps; None when none has it."""
        return offered(self.robot, method)

    def ask(self, method: str, *arguments: Any) -> Any:
        """Return the answer of a method that not every robot has; None when it has not."""
        found = self.offers(method)
        if found is None:
            return None
        return self._call(lambda: found(*arguments), self._budget.observe_s, f"an answer to {method!r}")

    def call(self, work: Callable[[], T], what: str) -> T:
        """Return `work()`, carried out in the robot's thread."""
        return self._call(work, self._budget.observe_s, what)

    def stop(self) -> None:
        """Stop the robot, from any thread."""
        self.robot.stop()

    def close(self) -> None:
        """Let the thread end."""
        self._worker.close()

    # Fresh looks for triggers.

    def state(self) -> RobotState:
        """Return proprioception."""
        start = time.monotonic()
        seen = self._call(self.robot.observe, self._budget.observe_s, "an observation")
        self._looking_s += time.monotonic() - start
        return seen.state

    def locate(self, phrase: str) -> Located | None:
        """Return where a thing is now, None when it is not in view."""
        result = self._perceive("locate", phrase)
        return Located.from_json(result.value) if result.status == "succeeded" else None

    def things(self) -> list[Located]:
        """Return every thing in view; nothing for a robot that cannot find all."""
        if "find_all" not in self.manifest.primitives:
            return []
        result = self._perceive("find_all", "thing")
        return [Located.from_json(item) for item in result.value] if result.status == "succeeded" else []

    def spent(self) -> float:
        """Return the seconds that looks took since this was asked last."""
        seconds, self._looking_s = self._looking_s, 0.0
        return seconds

    def _perceive(self, do: str, phrase: str) -> StepResult:
        self._looks += 1
        step = Step(do, {"object": phrase}, key=f"{self._tag}.look.{self._looks}")
        limit_s = self.manifest.primitives[do].timeout_s + self._budget.step_grace_s
        start = time.monotonic()
        result = self.checked(do, self._call(lambda: self.robot.execute(step), limit_s, f"the end of {do!r}"))
        self._looking_s += time.monotonic() - start
        return result

    def _call(self, work: Callable[[], T], limit_s: float, what: str) -> T:
        try:
            return self._worker.call(work, limit_s, what)
        except Overrun:
            with contextlib.suppress(VlpError):
                self.robot.stop()
            raise


def encode_jpeg(seen: Observation) -> bytes:
    """Return an observation's image as JPEG bytes."""
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(seen.rgb).save(buffer, format="JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
