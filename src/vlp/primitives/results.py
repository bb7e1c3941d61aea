"""What a step gives back: built-in result types, and those that a robot declares with the type of each field."""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from vlp.core.errors import did_you_mean
from vlp.core.located import Located
from vlp.primitives.declare import Primitive
from vlp.primitives.manifest import Manifest

MAX_TEXT = 1000


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT


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
            return f"{name!r} has the unknown type {kind!r}; {did_you_mean(kind, FIELD_TYPES).rstrip('.')}"
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
    "answer": lambda value: "" if _text(value) else f"expected text of at most {MAX_TEXT} characters",
}
"""Result types that every robot has, and "" for a primitive that gives nothing that can be named."""
