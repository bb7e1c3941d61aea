"""From the text that a model writes to a policy or a report: JSON within bounds, then the manifest's own schema."""

import json
import math
import re
from collections.abc import Callable
from typing import Any

from vlp.core.errors import Report, did_you_mean
from vlp.policy.model import Policy
from vlp.primitives.manifest import Manifest
from vlp.primitives.schema import MAX_STEPS, Schema, policy_schema

MAX_BYTES = 32 * 1024


class _Refused(Exception):
    """A fault found by a hook of the JSON parser."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.hint = code, message, hint


def parse_policy(text: str | bytes, manifest: Manifest) -> tuple[Policy | None, Report]:
    """Return the policy that a text spells, or None and what is wrong with it.

    Args:
        text: compact or spaced JSON; bytes must be UTF-8.
        manifest: whose primitives and places the policy may use.

    Returns:
        a policy and an empty report, or None and a report with at least one issue.
    """
    data, report = parse_json(text)
    if report.ok:
        validator(manifest)(data, report)
    if report.ok:
        count_steps(data, report)
    return (Policy.from_json(data) if report.ok else None), report


def parse_json(text: str | bytes) -> tuple[Any, Report]:
    """Return plain data and a report: limits of size, depth and count first, then JSON without duplicate keys."""
    report = Report()
    decoded = _decode(text, report)
    if decoded is not None and not decoded.strip():
        report.add("", "not-json", "it is empty.", "Write one JSON object.")
        return None, report
    if decoded is None or not _scan(decoded, report):
        return None, report
    try:
        data = json.loads(decoded, object_pairs_hook=_unique, parse_constant=_constant, parse_float=_float, parse_int=_int)
    except _Refused as fault:
        report.add("", fault.code, fault.message, fault.hint)
    except json.JSONDecodeError as error:
        hint = "Write one JSON object and nothing else."
        if decoded.count('"goal"') > 1:
            report.add("", "two-policies", "more than one policy, and it is not said which is meant.", hint)
        else:
            report.add("", "not-json", f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}.", hint)
    except (ValueError, RecursionError) as error:
        report.add("", "not-json", f"not JSON: {str(error)[:120]}.", "Write one JSON object and nothing else.")
    else:
        return data, report
    return None, report


def count_steps(data: Any, report: Report) -> None:
    """Report a policy with more steps in all than a plan may have: the one limit that a schema cannot state."""
    steps = sum(len(subtask["steps"]) for subtask in data.get("subtasks", ()))
    if steps > MAX_STEPS:
        report.add("/subtasks", "too-many", f"{steps} steps in all; at most {MAX_STEPS}.", "Plan only what is asked for.")


def _decode(text: str | bytes, report: Report) -> str | None:
    if len(text) > MAX_BYTES:
        report.add("", "too-large", f"{len(text):,} bytes; at most {MAX_BYTES:,} are read.", "Write a shorter policy.")
        return None
    try:
        data = text.encode() if isinstance(text, str) else text
        decoded = text if isinstance(text, str) else text.decode()
    except (UnicodeDecodeError, UnicodeEncodeError) as error:
        report.add("", "not-utf8", f"not UTF-8 text: {error.reason} at position {error.start}.")
        return None
    if len(data) > MAX_BYTES:
        report.add("", "too-large", f"{len(data):,} bytes; at most {MAX_BYTES:,} are read.", "Write a shorter policy.")
        return None
    if "\\u" in decoded and re.search(r"\\u[dD][89a-fA-F]", decoded):
        report.add("", "bad-characters", "a \\u escape of a surrogate.", "Write the character itself.")
        return None
    return decoded


def _scan(text: str, report: Report) -> bool:
    """Walk once over the tokens and stop at the first limit passed; whether this is JSON is the parser's to say."""
    depth = 0
    tokens = re.finditer(r'"(?:[^"\\]|\\.)*+("?)|([\[{])|([\]}])|[-+.0-9A-Za-z]++', text, re.DOTALL)
    for count, token in enumerate(tokens):
        opening, closing, closed_quote = token.group(2), token.group(3), token.group(1)
        if opening:
            depth += 1
        elif closing:
            depth -= 1
        elif closed_quote == "":
            report.add("", "not-json", "not JSON: a string is not closed.", "Was the text cut off?")
            return False
        elif closed_quote is None and token.end() - token.start() > 24:
            report.add("", "number-too-long", "a number or word of more than 24 characters.")
            return False
        if depth > 8:
            report.add("", "too-deep", "nested deeper than 8 levels.", "A policy needs five.")
            return False
        if count >= 2048:  # the largest policy that the schema admits in 32 KiB has fewer
            report.add("", "too-many", "more than 2,048 values and keys.", "Write a shorter policy.")
            return False
    return True


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _Refused("duplicate-key", f"the key {key[:60]!r} appears twice in one object.", "Keep one.")
            seen.add(key)
    return data


def _constant(word: str) -> float:
    raise _Refused("not-finite", f"{word} is not a number a policy may hold.", "Write a finite number.")


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise _Refused("not-finite", f"{digits} is too large for a number.", "Write a finite number.")
    return value


def _int(digits: str) -> int:
    return int(digits)


Validate = Callable[[Any, str, Report], None]
"""Adds issues about a value at a path to a report."""

MAX_ISSUES = 12
"""After so many the rest is not looked at: a reader mends the first ones, and time stays bounded."""

_compiled: dict[str, tuple[Manifest, Callable[[Any, Report], None]]] = {}


def validator(manifest: Manifest) -> Callable[[Any, Report], None]:
    """Return the function that adds to a report what is wrong with plain data as a policy for this manifest.

    The last few manifests are kept compiled by version; the whole manifest is compared, as versions come from outside.
    """
    kept = _compiled.get(manifest.version)
    if kept is not None and (kept[0] is manifest or kept[0] == manifest):
        return kept[1]
    validate = compile_schema(policy_schema(manifest))

    def check(data: Any, report: Report) -> None:
        validate(data, "", report)

    if len(_compiled) >= 8:
        _compiled.clear()
    _compiled[manifest.version] = (manifest, check)
    return check


def compile_schema(schema: Schema) -> Validate:
    """Return the validator of a schema that uses the keywords of `vlp.primitives.schema`."""
    if "anyOf" in schema:
        return _any_of(schema["anyOf"])
    if "const" in schema:
        return _words([schema["const"]])
    if "enum" in schema:
        return _words(schema["enum"])
    types: dict[str, Callable[[Schema], Validate]] = {
        "object": _object,
        "array": _array,
        "string": _string,
        "number": _number,
        "integer": _integer,
        "boolean": _boolean,
    }
    return types[schema["type"]](schema)


def shorten(value: Any) -> str:
    """Return a value as text of at most 60 characters, for messages."""
    if isinstance(value, dict):
        return f"an object with {len(value)} keys"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = repr(value[:60] if isinstance(value, str) else value)
    return text if len(text) <= 60 else text[:57] + "..."


def _object(schema: Schema) -> Validate:
    properties = {name: compile_schema(s) for name, s in schema["properties"].items()}
    required: list[str] = schema["required"]

    def validate(value: Any, path: str, report: Report) -> None:
        if not isinstance(value, dict):
            report.add(path, "wrong-type", f"found {shorten(value)}; expected an object.")
            return
        for name in required:
            if name not in value:
                report.add(path, "missing-key", f"{name!r} is missing.", f"Needed here: {', '.join(required)}.")
        for name, item in value.items():
            if len(report.issues) >= MAX_ISSUES:
                return
            if name in properties:
                properties[name](item, f"{path}/{name}", report)
            else:
                report.add(path, "unknown-key", f"unknown key {name[:60]!r}.", did_you_mean(name[:40], properties))

    return validate


def _array(schema: Schema) -> Validate:
    low, high = schema["minItems"], schema["maxItems"]
    first = [compile_schema(s) for s in schema.get("prefixItems", ())]
    rest = compile_schema(schema["items"]) if schema["items"] else None

    def validate(value: Any, path: str, report: Report) -> None:
        if not isinstance(value, list):
            report.add(path, "wrong-type", f"found {shorten(value)}; expected a list.")
            return
        if not low <= len(value) <= high:
            wanted = f"{low}" if low == high else f"{low} to {high}"
            report.add(path, "wrong-count", f"found {len(value)} items; expected {wanted}.")
            return
        for i, item in enumerate(value):
            if len(report.issues) >= MAX_ISSUES:
                return
            check = first[i] if i < len(first) else rest
            if check is not None:
                check(item, f"{path}/{i}", report)

    return validate


def _string(schema: Schema) -> Validate:
    fits = re.compile(schema["pattern"].removeprefix("^").removesuffix("$")).fullmatch
    high: int = schema.get("maxLength", 1 << 20)
    what: str = schema.get("description", "a string")

    def validate(value: Any, path: str, report: Report) -> None:
        if not isinstance(value, str):
            report.add(path, "wrong-type", f"found {shorten(value)}; expected {what}.")
        elif len(value) > high:
            report.add(path, "too-long", f"found {len(value)} characters; at most {high}.")
        elif not fits(value):
            report.add(path, "bad-characters", f"found {shorten(value)}; expected {what}.")

    return validate


def _number(schema: Schema) -> Validate:
    low, high = schema.get("minimum", float("-inf")), schema.get("maximum", float("inf"))

    def validate(value: Any, path: str, report: Report) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            report.add(path, "wrong-type", f"found {shorten(value)}; expected a number.")
        elif not low <= value <= high:
            report.add(path, "out-of-bounds", f"found {shorten(value)}; expected {low:g} to {high:g}.")

    return validate


def _integer(schema: Schema) -> Validate:
    bounded = _number(schema)

    def validate(value: Any, path: str, report: Report) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            report.add(path, "wrong-type", f"found {shorten(value)}; expected a whole number.")
        else:
            bounded(value, path, report)

    return validate


def _boolean(schema: Schema) -> Validate:
    def validate(value: Any, path: str, report: Report) -> None:
        if not isinstance(value, bool):
            report.add(path, "wrong-type", f"found {shorten(value)}; expected true or false.")

    return validate


def _words(words: list[str]) -> Validate:
    def validate(value: Any, path: str, report: Report) -> None:
        if not isinstance(value, str):
            report.add(path, "wrong-type", f"found {shorten(value)}; expected one of {', '.join(words)}.")
        elif value not in words:
            report.add(path, "unknown-word", f"unknown word {shorten(value)}.", did_you_mean(value[:40], words))

    return validate


def _any_of(schemas: list[Schema]) -> Validate:
    """Return a validator that picks an object's branch by "do" or by its keys, any other by the fewest issues."""
    if all("do" in s.get("properties", {}) for s in schemas):
        return _by_primitive(schemas)
    if all("properties" in s for s in schemas):
        return _by_keys(schemas)
    branches = [compile_schema(s) for s in schemas]

    def validate(value: Any, path: str, report: Report) -> None:
        nearest: Report | None = None
        for branch in branches:
            attempt = Report()
            branch(value, path, attempt)
            if attempt.ok:
                return
            if nearest is None or len(attempt.issues) < len(nearest.issues):
                nearest = attempt
        assert nearest is not None
        report.issues.extend(nearest.issues)

    return validate


def _by_keys(schemas: list[Schema]) -> Validate:
    branches = [(set(s["properties"]), compile_schema(s)) for s in schemas]

    def validate(value: Any, path: str, report: Report) -> None:
        keys = set(value) if isinstance(value, dict) else set()
        max(branches, key=lambda branch: len(branch[0] & keys))[1](value, path, report)

    return validate


def _by_primitive(schemas: list[Schema]) -> Validate:
    grouped: dict[str, list[Schema]] = {}
    for schema in schemas:
        grouped.setdefault(schema["properties"]["do"]["const"], []).append(schema)
    by_name = {name: _nearest_variant(group) for name, group in grouped.items()}

    def validate(value: Any, path: str, report: Report) -> None:
        if not isinstance(value, dict):
            report.add(path, "wrong-type", f"found {shorten(value)}; expected an object.")
        elif "do" not in value:
            report.add(path, "missing-key", "'do' is missing.", "Name a primitive with it.")
        elif not isinstance(value["do"], str):
            report.add(f"{path}/do", "wrong-type", f"found {shorten(value['do'])}; expected a primitive's name.")
        elif value["do"] not in by_name:
            name = value["do"]
            report.add(
                f"{path}/do",
                "unknown-primitive",
                f"unknown primitive {shorten(name)}.",
                did_you_mean(name[:40], by_name),
            )
        else:
            by_name[value["do"]](value, path, report)

    return validate


def _nearest_variant(schemas: list[Schema]) -> Validate:
    """Return the validator of the variants of one primitive; the one that agrees longest, read in order, was meant."""
    variants = [(compile_schema(schema), _agreement(schema)) for schema in schemas]
    if len(variants) == 1:
        return variants[0][0]

    def validate(value: Any, path: str, report: Report) -> None:
        for check, _ in variants:
            attempt = Report()
            check(value, path, attempt)
            if attempt.ok:
                return
        scores = [agreement(value) for _, agreement in variants]
        variants[scores.index(max(scores))][0](value, path, report)

    return validate


def _agreement(schema: Schema) -> Callable[[dict[str, Any]], int]:
    """Return the function that counts how many properties of an object fit before the first that does not."""
    checks = [(name, compile_schema(s)) for name, s in schema["properties"].items()]
    required = set(schema["required"])

    def agreement(value: dict[str, Any]) -> int:
        for i, (name, check) in enumerate(checks):
            attempt = Report()
            if name in value:
                check(value[name], "", attempt)
            if not attempt.ok or (name not in value and name in required):
                return i
        return len(checks)

    return agreement
