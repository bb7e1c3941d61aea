"""The protocol of a robot: four methods, what one may offer beyond them, and a robot of one's own by "module:Class"."""

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from vlp.core.errors import MissingComponent, UsageError, VlpError, did_you_mean
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


def offered(robot: Robot, method: str) -> Callable[..., Any] | None:
    """Return a method of the robot or of the one it wraps (its attribute `robot`), None when none has it."""
    inner: Any = robot
    while inner is not None:
        found = getattr(inner, method, None)
        if callable(found):
            return found
        inner = getattr(inner, "robot", None)
    return None


def is_own(name: str) -> bool:
    """Return whether a robot's name is of the form "module:Class", and not a URL."""
    module, colon, attribute = name.partition(":")
    return bool(colon) and attribute.isidentifier() and all(part.isidentifier() for part in module.split("."))


def own_robot(name: str) -> Robot:
    """Return the robot that a class or a function makes when it is called without arguments.

    Args:
        name: "module:Class"; modules in the present directory are found too.

    Raises:
        UsageError: no such module or class, or what it makes is no robot.
        MissingComponent: the module or the class does not load.
    """
    module_name, _, attribute = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name + ".").startswith(error.name + "."):
            raise MissingComponent(f"the robot {name!r} needs {error.name}.", "Install it.") from None
        raise UsageError(f"there is no module {error.name!r}.", "Run the command where it lies, or install it.") from None
    except Exception as error:
        raise MissingComponent(f"the module {module_name!r} does not load: {_said(error)}.") from None
    maker = getattr(module, attribute, None)
    if not callable(maker):
        known = [n for n, value in vars(module).items() if isinstance(value, type) and value.__module__ == module.__name__]
        raise UsageError(f"{module_name} has no class {attribute!r}.", did_you_mean(attribute, known) if known else "")
    try:
        robot: Any = maker()
    except VlpError:
        raise
    except Exception as error:
        hint = "It is called without arguments: give them defaults."
        raise MissingComponent(f"the robot {name!r} cannot be made: {_said(error)}.", hint) from None
    lacks = [method for method in ("describe", "observe", "execute", "stop") if not callable(getattr(robot, method, None))]
    if lacks:
        raise UsageError(
            f"{name} is no robot: it lacks {', '.join(lacks)}.", "A robot has describe, observe, execute and stop."
        )
    return robot


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}".rstrip(".")
