"""A robot out of skills: a method for each primitive; the rest of the contract is written here once for every body."""

import inspect
import json
import threading
import time
from typing import Any, ClassVar

from vlp.core.errors import TaskFailed, UsageError
from vlp.primitives.facts import BUILT_IN, Facts, sensed_facts, told_by_state
from vlp.primitives.manifest import Manifest, Primitive
from vlp.robot.arguments import check_arguments
from vlp.robot.keys import Once
from vlp.robot.protocol import Step, StepResult, in_words, methods


class SkillFailed(TaskFailed):
    """Raised by a skill that could not do what it was asked.

    Args:
        code: a stable word for the failure, e.g. "door-closed".
        message: one sentence for people and for the model.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class SkillRobot:
    """Keys, refusals and the stop latch of a robot; a subclass adds `observe` and one method for each primitive.

    The step `{"do": "go_to", "place": "dock"}` calls `self.go_to(place="dock")`, with the defaults of arguments that were left
    out and references already replaced by what they stand for. What the method returns is the value of the step. It raises
    `SkillFailed` where it fails, and calls `pause` or looks at `stopped` wherever it takes time.

    Args:
        manifest: what the robot can do.

    Attributes:
        once: the keys of steps and their results.
        stopped: set from `stop` until `reset_stop`.

    Raises:
        UsageError: a primitive has no method, one that cannot be called with its arguments or that data hide, or the name of
            what this class has itself; or `observe` is missing.
    """

    simulated: ClassVar[tuple[str, ...]] = ()
    """Of a robot that exists in this program alone: the attributes, plain data, that are its whole state, so that a killed run
    is restored from the journal. A robot with hardware leaves it empty: its state outlives the program."""

    def __init__(self, manifest: Manifest) -> None:
        self.once = Once()
        self.stopped = threading.Event()
        self.manifest = manifest
        for name in manifest.primitives:
            if hasattr(SkillRobot, name) or name in (
                *methods(),
                "once",
                "stopped",
                "manifest",
            ):  # else {"do": "stop"} would close the latch
                said = f"{type(self).__name__}: no primitive can be called {name!r}, which every robot has."
                raise UsageError(said, "Give the primitive another name.")
        missing = [name for name in ("observe", *manifest.primitives) if getattr(self, name, None) is None]
        if missing:
            hint = "Write one method for each primitive, named like it, with its arguments."
            raise UsageError(f"{type(self).__name__} has no method {', '.join(missing)}.", hint)
        for primitive in manifest.primitives.values():
            self._refuse_data(primitive.name, getattr(self, primitive.name))
            _check_signature(f"{type(self).__name__}.{primitive.name}", getattr(self, primitive.name), primitive)
        if self.simulated:
            self.snapshot, self.restore = self._snapshot, self._put_back

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; raises UsageError for data under the name of a primitive, whose method it would hide."""
        if name in getattr(vars(self).get("manifest"), "primitives", ()):
            self._refuse_data(name, value)
        super().__setattr__(name, value)

    def _refuse_data(self, name: str, value: Any) -> None:
        if not callable(value):
            said = f"{type(self).__name__}.{name} is {in_words(value)}, which hides the method of the primitive {name!r}."
            raise UsageError(said, "Give that attribute another name.")

    def describe(self) -> Manifest:
        """Return what the robot says of itself."""
        return self.manifest

    def execute(self, step: Step) -> StepResult:
        """Carry out a step, once per key; what the manifest does not allow is rejected."""
        return self.once.run(step, self._act)

    def result_of(self, key: str) -> StepResult | None:
        """Return how the step with this key ended, None when none did."""
        return self.once.result_of(key)

    def stop(self) -> None:
        """Latch, from any thread. A subclass with a driver also brakes here."""
        self.stopped.set()

    def reset_stop(self) -> None:
        """Open the latch."""
        self.stopped.clear()

    def pause(self, seconds: float) -> None:
        """Wait while something moves; raises SkillFailed as soon as the robot is stopped."""
        if self.stopped.wait(seconds):
            raise SkillFailed("stopped", "the robot is stopped.")

    def _snapshot(self) -> bytes:
        return json.dumps([{name: getattr(self, name) for name in self.simulated}, self.once.to_json()]).encode()

    def _put_back(self, snapshot: bytes) -> None:
        state, keys = json.loads(snapshot)
        for name in self.simulated:
            setattr(self, name, state[name])
        self.once.load(keys)

    def _act(self, step: Step) -> StepResult:
        report = check_arguments(step.do, step.arguments, self.manifest)
        if not report.ok:
            return StepResult(step.key, "rejected", code=report.issues[0].code, message=str(report.issues[0]))
        if self.stopped.is_set():
            return StepResult(step.key, "stopped", code="stopped", message="the robot is stopped.")
        primitive = self.manifest.primitives[step.do]
        arguments = primitive.filled(step.arguments)
        if unmet := self._unmet(primitive, arguments):
            return StepResult(step.key, "rejected", code="unmet-need", message=unmet)
        began_s = time.monotonic()
        status, value, code, message = self._done(step.do, arguments)
        return StepResult(step.key, status, arguments, value, code, message, time.monotonic() - began_s)

    def _unmet(self, primitive: Primitive, arguments: dict[str, Any]) -> str:
        """Return which need the robot's own state contradicts, "" for none: where it stands, what it holds and senses.

        A state that names no place says nothing of where the robot stands.
        """
        if not primitive.needs:
            return ""
        robot: Any = self  # `observe` is a subclass's
        state = robot.observe().state
        facts, sensed = Facts(), sensed_facts(state.facts)
        facts.measure(state.holding, state.at, sensed)
        said = {name: value.get("phrase", "") if isinstance(value, dict) else value for name, value in arguments.items()}
        for need in told_by_state(primitive, sensed):
            if need.words[0] == "at" and not state.at:
                continue
            asked = need.grounded(said, state.holding)
            if need.words[0] not in BUILT_IN:
                if sensed.get(asked.words, asked.positive) is not asked.positive:
                    return f"{primitive.name} needs {str(asked)!r}; the robot senses that it is otherwise."
            elif not facts.holds(asked):
                holds = f"holds {state.holding}" if state.holding else "its hand is empty"
                return f"{primitive.name} needs {str(asked)!r}; the robot stands at {state.at or 'no named place'}, {holds}."
        return ""

    def _done(self, do: str, arguments: dict[str, Any]) -> tuple[Any, Any, str, str]:
        try:
            return "succeeded", getattr(self, do)(**arguments), "", ""
        except SkillFailed as failed:
            if self.stopped.is_set():
                return "stopped", None, "stopped", "the robot was stopped."
            return "failed", None, failed.code, failed.message


def _check_signature(called: str, method: Any, primitive: Primitive) -> None:
    """Refuse a method that could not be called with what its primitive declares; nothing is called here."""
    try:
        signature = inspect.signature(method)
    except (TypeError, ValueError):  # built in: it does not tell
        return
    given = [
        [a.name for a in primitive.arguments],
        [a.name for a in primitive.arguments if a.required or a.default is not None],
    ]
    for names in given:
        try:
            signature.bind(**dict.fromkeys(names))
        except TypeError as error:
            declared = ", ".join(names) or "nothing"
            raise UsageError(
                f"{called}{signature} cannot be called with {declared}, as its primitive declares: {error}.",
                "Name its parameters like the declared arguments; one that may be left out needs a default.",
            ) from None
