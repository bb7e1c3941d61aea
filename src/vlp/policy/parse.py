"""Text from a model, a file or a request -> policy or report; limits come before parsing."""

import json
import math
import re
from typing import Any

from vlp.core.report import Report
from vlp.policy.model import Policy
from vlp.policy.validate import validator
from vlp.primitives.manifest import Manifest
from vlp.primitives.schema import MAX_STEPS

MAX_BYTES = 32 * 1024
MAX_DEPTH = 8
MAX_TOKENS = 2048
"""Brackets, strings and numbers together; the largest policy the schema admits in 32 KiB has fewer."""
MAX_NUMBER = 24

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+("?)|([\[{])|([\]}])|[-+.0-9A-Za-z]++', re.DOTALL)


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
    if decoded is None or not _scan(decoded, report):
        return None, report
    try:
        data = json.loads(decoded, object_pairs_hook=_unique, parse_constant=_constant, parse_float=_float, parse_int=_int)
    except _Refused as fault:
        report.add("", fault.code, fault.message, fault.hint)
    except json.JSONDecodeError as error:
        report.add(
            "", "not-json", f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}.",
            "Write one JSON object and nothing else.",
        )  # fmt: skip
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
    for count, token in enumerate(_TOKEN.finditer(text)):
        opening, closing, closed_quote = token.group(2), token.group(3), token.group(1)
        if opening:
            depth += 1
        elif closing:
            depth -= 1
        elif closed_quote == "":
            report.add("", "not-json", "not JSON: a string is not closed.", "Was the text cut off?")
            return False
        elif closed_quote is None and token.end() - token.start() > MAX_NUMBER:
            report.add("", "number-too-long", f"a number or word of more than {MAX_NUMBER} characters.")
            return False
        if depth > MAX_DEPTH:
            report.add("", "too-deep", f"nested deeper than {MAX_DEPTH} levels.", "A policy needs five.")
            return False
        if count >= MAX_TOKENS:
            report.add("", "too-many", f"more than {MAX_TOKENS:,} values and keys.", "Write a shorter policy.")
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
