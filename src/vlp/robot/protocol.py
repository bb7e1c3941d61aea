"""The four methods that make something a robot."""

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from vlp.core.observation import Observation
from vlp.primitives.manifest import Manifest

Status = Literal["succeeded", "failed", "stopped", "timeout", "rejected"]


@dataclass(frozen=True)
class Step:
    """One primitive with its arguments, as sent to a robot.

    Args:
        do: the primitive's name.
        arguments: its arguments. References are resolved before sending: where the policy says `$red_cube`, the robot
            receives the located object itself (see `Located`) as plain data.
        key: idempotency key; the same key never acts twice.
        epoch: fencing epoch of the lease under which it is sent.
        timeout_s: time limit; None takes the primitive's own.
    """

    do: str
    arguments: dict[str, Any]
    key: str
    epoch: int = 0
    timeout_s: float | None = None


@dataclass(frozen=True)
class StepResult:
    """What was really done.

    Args:
        key: the step's key.
        status: how it ended.
        done: arguments after clipping to limits, and what was reached (plain data).
        value: the result of a perception (plain data), None otherwise.
        code: a stable word for the failure, e.g. "slipped", "unreachable", "not-found"; "" on success.
        message: one sentence for people and for the model; "" on success.
        duration_s: time it took by the robot's own clock (simulated time in simulation).
    """

    key: str
    status: Status
    done: dict[str, Any] = field(default_factory=dict)
    value: Any = None
    code: str = ""
    message: str = ""
    duration_s: float = 0.0


class Robot(Protocol):
    """A robot body, simulated, remote or fake."""

    def describe(self) -> Manifest:
        """Return what the robot says of itself."""
        ...

    def observe(self) -> Observation:
        """Return what the robot perceives now."""
        ...

    def execute(self, step: Step) -> StepResult:
        """Carry out one step and return what was really done. Blocks; never raises for a failed step."""
        ...

    def stop(self) -> None:
        """Stop all motion at once and latch, from any thread, whatever else hangs."""
        ...
