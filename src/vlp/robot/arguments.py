"""Checks a step's arguments against the manifest: before it is sent, and again where it arrives."""

import math
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from vlp.core.errors import Report, did_you_mean
from vlp.core.observation import Located
from vlp.primitives.manifest import Argument, Manifest, Primitive
from vlp.primitives.schema import MAX_STRING, bounds
from vlp.robot.protocol import shape_fault

Fault = tuple[str, str, str]
"""Code, message and hint."""


def check_arguments(primitive: str, arguments: Any, manifest: Manifest) -> Report:
    """Return what is wrong with the arguments of one step, references already replaced by `Located` data.

    Args:
        primitive: name of the primitive.
        arguments: what was sent; anything at all.
        manifest: what the robot says of itself.
    """
    report = Report()
    if not isinstance(primitive, str) or primitive not in manifest.primitives:
        report.add("/do", "unknown-primitive", f"unknown primitive {_show(primitive)}.", _near(primitive, manifest.primitives))
        return report
    if not isinstance(arguments, dict):
        report.add("/arguments", "wrong-type", f"arguments must be an object, found {_show(arguments)}.")
        return report
    declared = manifest.primitives[primitive]
    known = {argument.name: argument for argument in declared.arguments}
    for name in arguments:
        if name not in known:
            report.add("/arguments", "unknown-argument", f"{primitive} has no argument {_show(name)}.", _near(name, known))
    for name, argument in known.items():
        if name in arguments:
            _check_one(argument, arguments[name], declared, manifest, report)
        elif not argument.optional:
            report.add(f"/arguments/{name}", "missing-argument", f"{primitive} needs {name!r}: {argument.doc}")
    return report


def _check_one(argument: Argument, value: Any, primitive: Primitive, manifest: Manifest, report: Report) -> None:
    checker = CHECKERS.get(argument.type)
    if checker is None:
        fault = ("unknown-type", f"the manifest gives {argument.name!r} the unknown type {argument.type!r}.", "")
    else:
        fault = checker(argument, value, manifest)
    located = isinstance(value, dict) and argument.result == "object"
    if fault is None and located and primitive.reaches:
        fault = _workspace(value, manifest)
    if fault is not None:
        report.add(f"/arguments/{argument.name}", *fault)


def _text(argument: Argument, value: Any, manifest: Manifest) -> Fault | None:
    if not isinstance(value, str):
        return "wrong-type", f"expected text, found {_show(value)}.", ""
    if not value.strip() or len(value) > MAX_STRING:
        return "bad-text", f"expected 1 to {MAX_STRING} characters, found {len(value)}.", ""
    if not value.isprintable():
        return "bad-text", "expected printable characters on one line.", ""
    return None


def _place(argument: Argument, value: Any, manifest: Manifest) -> Fault | None:
    if isinstance(value, str) and value in manifest.places:
        return None
    return "unknown-place", f"expected a place, found {_show(value)}.", _near(value, manifest.places)


def _choice(argument: Argument, value: Any, manifest: Manifest) -> Fault | None:
    if isinstance(value, str) and value in argument.choices:
        return None
    return "unknown-choice", f"{argument.name} cannot be {_show(value)}.", _near(value, argument.choices)


def _number(argument: Argument, value: Any, manifest: Manifest) -> Fault | None:
    if not _is_number(value):
        return "wrong-type", f"expected a finite number, found {_show(value)}.", ""
    least, most = bounds(argument, manifest)
    low, high = -math.inf if least is None else least, math.inf if most is None else most
    if low <= value <= high:
        return None
    return "out-of-bounds", f"{argument.name} is {_show(value)}; it must be in [{low:g}, {high:g}].", ""


def _integer(argument: Argument, value: Any, manifest: Manifest) -> Fault | None:
    if not isinstance(value, int):
        return "wrong-type", f"expected a whole number, found {_show(value)}.", ""
    return _number(argument, value, manifest)


def _boolean(argument: Argument, value: Any, manifest: Manifest) -> Fault | None:
    return None if isinstance(value, bool) else ("wrong-type", f"expected true or false, found {_show(value)}.", "")


def _list(argument: Argument, value: Any, manifest: Manifest) -> Fault | None:
    if not isinstance(value, list | tuple):
        return "wrong-type", f"expected a list, found {_show(value)}.", ""
    if not 1 <= len(value) <= argument.max_items:
        return "wrong-count", f"found {len(value)} entries; expected 1 to {argument.max_items}.", ""
    entry = CHECKERS[argument.items]
    return next((fault for item in value if (fault := entry(argument, item, manifest))), None)


def _reference(argument: Argument, value: Any, manifest: Manifest) -> Fault | None:
    if not argument.result:
        return None
    if argument.result == "answer":
        return _text(argument, value, manifest)
    if argument.result in manifest.results:
        wrong = shape_fault(value, manifest.results[argument.result])
        return (
            ("bad-result", f"not a result {argument.result!r}: {wrong}.", "Send what the earlier step returned.")
            if wrong
            else None
        )
    named = [field.name for field in fields(Located)]
    hint = f"Send the result of locate: an object with {', '.join(named)}."
    if not isinstance(value, dict):
        return "wrong-type", f"expected a located object, found {_show(value)}.", hint
    if set(value) != set(named):
        return "bad-located", "a located object has other fields.", hint
    shapes = {"box": 4, "position_in_world": 3, "size_m": 3}
    for name, length in shapes.items():
        numbers = value[name]
        if not isinstance(numbers, list | tuple) or len(numbers) != length or not all(map(_is_number, numbers)):
            return "bad-located", f"{name} must be {length} finite numbers, found {_show(numbers)}.", hint
    if not all(_is_number(value[name]) for name in ("yaw_rad", "score", "stamp_s")):
        return "bad-located", "yaw_rad, score and stamp_s must be finite numbers.", hint
    if not 0 <= value["score"] <= 1:
        return "bad-located", f"score must be in [0, 1], found {_show(value['score'])}.", hint
    if not all(abs(v) <= 100 for v in value["position_in_world"]) or not all(0 < v <= 100 for v in value["size_m"]):
        return "bad-located", "positions are within 100 m and sizes above 0.", hint
    try:
        Located.from_json(value)
    except (KeyError, TypeError, ValueError) as error:
        return "bad-located", f"not a located object: {str(error)[:200]}.", hint
    return _text(argument, value["phrase"], manifest)


def _target(argument: Argument, value: Any, manifest: Manifest) -> Fault | None:
    return _place(argument, value, manifest) if isinstance(value, str) else _reference(argument, value, manifest)


CHECKERS: dict[str, Callable[[Argument, Any, Manifest], Fault | None]] = {
    "phrase": _text,
    "text": _text,
    "subject": _text,
    "place": _place,
    "choice": _choice,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "list": _list,
    "reference": _reference,
    "target": _target,
}


def _workspace(located: dict[str, Any], manifest: Manifest) -> Fault | None:
    if manifest.limits.workspace is None:
        return None
    low, high = manifest.limits.workspace
    position = located["position_in_world"]
    if all(a <= p <= b for a, p, b in zip(low, position, high, strict=True)):
        return None
    where = ", ".join(f"{p:.2f}" for p in position)
    return (
        "out-of-workspace",
        f"({where}) m is outside the workspace {low} to {high}.",
        "Choose something within it.",
    )


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 1e9  # false for NaN too


def _show(value: Any) -> str:
    """Return a short, printable form of anything."""
    return repr(value)[:80] if isinstance(value, str | int | float | bool | None) else f"a {type(value).__name__}"


def _near(name: Any, known: Any) -> str:
    return did_you_mean(name, known) if isinstance(name, str) else f"Known: {', '.join(sorted(known))}."
