"""The protocol of a robot: four methods, and what they may give back."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal, Protocol, get_args

import numpy as np

from vlp.core.errors import did_you_mean
from vlp.core.observation import Intrinsics, Located, Observation, RobotState
from vlp.primitives.manifest import Manifest, Primitive

MAX_BYTES = 1_000_000
"""Most bytes of JSON that a result, or what a robot knows of itself, may have."""
MAX_INTEGER = 2**63
HELD = ("lease-held", "no-lease", "stale-epoch")
"""Codes of results that say that another one commands the robot: no new policy mends that."""
UNKNOWN = ("robot-unreachable", "outcome-unknown", "no-answer", "lease-lost")
"""Codes of results that say nothing about what the robot did: such a step has not finished."""

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


def methods() -> tuple[str, ...]:
    """Return the names of what a robot has or may have; no primitive is called so, since a policy would reach past the step."""
    four = ("describe", "observe", "execute", "stop")
    return (
        *four,
        "reset_stop",
        "cancel",
        "result_of",
        "health",
        "snapshot",
        "restore",
        "reachable",
        "observe_state",
        "words",
        "correct",
    )


def offered(robot: Robot, method: str) -> Callable[..., Any] | None:
    """Return a method of the robot or of the one it wraps (its attribute `robot`), None when none has it."""
    inner: Any = robot
    while inner is not None:
        found = getattr(inner, method, None)
        if callable(found):
            return found
        inner = getattr(inner, "robot", None)
    return None


def innermost(robot: Any) -> Any:
    """Return the robot inside all that wraps it."""
    while (inner := getattr(robot, "robot", None)) is not None:
        robot = inner
    return robot


def plain(value: Any) -> Any:
    """Return data as JSON can carry it: numpy as numbers and lists, tuples as lists, None for numbers out of bounds."""
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, dict):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bool | None):
        return value
    if isinstance(value, int):
        return value if abs(value) < MAX_INTEGER else None
    return str(value).encode("utf-8", "replace").decode()


def plain_result(result: Any) -> StepResult:
    """Return what `execute` gave back as plain data; a success with a number out of bounds, or too large, becomes a failure.

    Raises:
        ValueError: it is no result; says what was found and what was expected.
    """
    if not isinstance(result, StepResult):
        raise ValueError(f"it gave back {in_words(result)}; expected a StepResult")
    for name in ("key", "status", "code", "message"):
        if not isinstance(getattr(result, name), str):
            raise ValueError(f"{name} of its result is {in_words(getattr(result, name))}; expected text")
    if result.status not in get_args(Status):
        raise ValueError(f"status of its result is {result.status[:40]!r}; expected one of {', '.join(get_args(Status))}")
    if not isinstance(result.done, dict):
        raise ValueError(f"done of its result is {in_words(result.done)}; expected a dict")
    if not _is_number(result.duration_s):
        raise ValueError(f"duration_s of its result is {in_words(result.duration_s)}; expected a number")
    odd = next(filter(None, (not_finite(getattr(result, name), name) for name in ("done", "value", "duration_s"))), "")
    data = {name: plain(getattr(result, name)) for name in ("key", "done", "value", "code", "message")}
    clean = replace(result, **data, duration_s=plain(result.duration_s) or 0.0)
    fault = f"the robot gave back a number that is not finite: {odd}." if odd else ""
    if (size := _size(data)) > MAX_BYTES:
        fault = f"the robot gave back a result of {size:,} bytes; at most {MAX_BYTES:,} are taken."
        clean = replace(clean, done={}, value=None, code=clean.code[:100], message=clean.message[:1000])
    if not fault or result.status != "succeeded":
        return clean
    return replace(clean, status="failed", value=None, code="bad-result", message=fault)


def raised(error: BaseException) -> str:
    """Return what a robot raised in words, without a full stop; whatever it is, and however it words itself."""
    try:
        said = " ".join("".join(c if c.isprintable() else " " for c in str(error)).split())[:200]
    except BaseException:  # its words are the robot's program too
        said = ""
    return f"{type(error).__name__}: {said}".rstrip(".: ")


def _size(data: Any) -> int:
    return len(json.dumps(data))


def plain_observation(seen: Any) -> Observation:
    """Return what `observe` gave back with its state as plain data.

    Raises:
        ValueError: it is no observation; says what was found and what was expected.
    """
    state = _state_in(seen)
    rgb, texts = seen.rgb, seen.scene_text
    if not (isinstance(rgb, np.ndarray) and rgb.dtype == np.uint8 and rgb.ndim == 3 and rgb.shape[2] == 3 and rgb.size):
        raise ValueError(f"rgb is {in_words(rgb)}; expected an image of (height, width, 3) in uint8")
    for name, kind in (("depth_m", np.ndarray), ("intrinsics", Intrinsics), ("camera_in_base", np.ndarray)):
        if not isinstance(getattr(seen, name), kind | None):
            raise ValueError(f"{name} is {in_words(getattr(seen, name))}; expected None or {kind.__name__}")
    if not (isinstance(texts, list | tuple) and all(isinstance(text, str) for text in texts)):
        raise ValueError(f"scene_text is {in_words(texts)}; expected a tuple of texts")
    if not _is_number(seen.stamp_s) or not_finite(seen.stamp_s, "stamp_s"):
        raise ValueError(f"stamp_s is {in_words(seen.stamp_s)}; expected a finite number of seconds")
    return replace(seen, state=state, stamp_s=plain(seen.stamp_s), scene_text=tuple(plain(list(texts))))


def state_now(robot: Robot) -> RobotState:
    """Return the state of a robot as plain data, without its images where it can leave them out.

    A wrapper that has no `observe_state` of its own is asked for an observation, whatever the robot inside has: the state in
    it may be another one.

    Raises:
        ValueError: what it gave back is none; says what was found and what was expected.
    """
    asked = getattr(robot, "observe_state", None)
    return plain_state(asked()) if callable(asked) else _state_in(robot.observe())


def _state_in(seen: Any) -> RobotState:
    """Return the state in what `observe` gave back; its images are not looked at."""
    if not isinstance(seen, Observation):
        raise ValueError(f"it gave back {in_words(seen)}; expected an Observation")
    return plain_state(seen.state)


def plain_state(state: Any) -> RobotState:
    """Return a state as plain data.

    Raises:
        ValueError: it is none; says what was found and what was expected.
    """
    from pydantic import ValidationError

    if not isinstance(state, RobotState):
        raise ValueError(f"state is {in_words(state)}; expected a RobotState")
    data = state.to_json()
    if odd := not_finite(data, "state"):
        raise ValueError(f"{odd}; expected a finite number")
    data = plain(data)
    if (size := _size(data)) > MAX_BYTES:
        raise ValueError(f"state has {size:,} bytes; expected at most {MAX_BYTES:,}")
    try:
        return _states().validate_python(data)
    except ValidationError as error:
        name, *inside = map(str, error.errors()[0]["loc"])
        where, given = f"state.{name}", getattr(state, name)
        if inside and isinstance(given, Mapping):
            where, given = f"{where}.{inside[0]}", given.get(inside[0])
        raise ValueError(f"{where} is {in_words(given)}; expected {state_fields()[name]}") from None


def state_fields() -> dict[str, str]:
    """Return what each field of a `RobotState` is to be, in words."""
    return {
        "at": 'text: the name of a place, or ""',
        "holding": 'text: the phrase of what is held, or ""',
        "joints_rad_or_m": "a dict of numbers by joint",
        "base_in_world": "(x, y, yaw) in metres and radians",
        "gripper_m": "a number of metres, or None",
        "hand_in_base": "(x, y, z) in metres, or None",
        "own": "a dict of text, numbers and booleans by name",
        "facts": "a dict of booleans by fact",
    }


@cache
def _states() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(RobotState)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def in_words(value: Any) -> str:
    """Return the words for a value that is not what was expected."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.shape} in {value.dtype}"
    if isinstance(value, int) and abs(value) >= MAX_INTEGER:
        return "an int of more than 63 bits"
    return "None" if value is None else f"the {type(value).__name__} {' '.join(repr(value).split())[:60]}"


def not_finite(value: Any, where: str) -> str:
    """Return the first number in data that is NaN, infinite or an integer of more than 63 bits; "" for none.

    The text has its place: "done.force_n is nan".

    Args:
        value: plain data, or numpy's.
        where: the name of the data.
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float):
        return "" if math.isfinite(value) else f"{where} is {value}"
    if isinstance(value, int) and abs(value) >= MAX_INTEGER:
        return f"{where} is an integer of more than 63 bits"
    inside: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        inside = [(f"{where}.{name}", item) for name, item in value.items()]
    elif isinstance(value, list | tuple):
        inside = [(f"{where}[{i}]", item) for i, item in enumerate(value)]
    return next((odd for name, item in inside if (odd := not_finite(item, name))), "")


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 1000


FIELD_TYPES: dict[str, Callable[[Any], bool]] = {
    "text": _text,
    "number": _number,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "texts": lambda value: isinstance(value, list) and len(value) <= 256 and all(map(_text, value)),
    "numbers": lambda value: isinstance(value, list) and len(value) <= 256 and all(map(_number, value)),
}
"""What a field of a result can be."""


def result_fault(primitive: Primitive, value: Any, manifest: Manifest) -> str:
    """Return what is wrong with the value that a primitive gave back after it succeeded, "" when nothing is.

    Args:
        primitive: its `result` names the type.
        value: plain data.
        manifest: declares the robot's own types.
    """
    own = manifest.results.get(primitive.result)
    if own is not None:
        return shape_fault(value, own)
    return BUILT_IN[primitive.result](value) if primitive.result in BUILT_IN else f"unknown result type {primitive.result!r}"


def shape_fault(value: Any, shape: Mapping[str, str]) -> str:
    """Return where a value is not an object with exactly these fields, "" when it is."""
    if not isinstance(value, dict):
        return f"expected an object with {', '.join(shape)}, found a {type(value).__name__}"
    for name, kind in shape.items():
        if name not in value:
            return f"{name!r} is missing"
        if kind not in FIELD_TYPES:
            return f"{name!r} has the unknown type {kind!r}. {did_you_mean(kind, FIELD_TYPES).rstrip('.')}"
        if not FIELD_TYPES[kind](value[name]):
            return f"{name} is {repr(value[name])[:60]}; expected {kind}"
    extra = sorted(set(value) - set(shape))
    return f"unknown field {extra[0][:60]!r}" if extra else ""


def _located(value: Any) -> str:
    try:
        Located.from_json(value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return f"not a located object: {f'{error} is missing' if isinstance(error, KeyError) else str(error)[:120]}"
    return ""


def _all_located(value: Any) -> str:
    if not isinstance(value, list):
        return f"expected a list of located objects, found a {type(value).__name__}"
    return next((fault for item in value if (fault := _located(item))), "")


BUILT_IN: dict[str, Callable[[Any], str]] = {
    "": lambda value: "",
    "object": _located,
    "objects": _all_located,
    "answer": lambda value: "" if _text(value) else f"expected text of at most {1000} characters",
}
"""Result types that every robot has, and "" for a primitive that gives nothing that can be named."""


def is_own(name: str) -> bool:
    """Return whether a robot's name is of the form "module:Class", and not a URL."""
    module, colon, attribute = name.partition(":")
    return bool(colon) and attribute.isidentifier() and all(part.isidentifier() for part in module.split("."))
