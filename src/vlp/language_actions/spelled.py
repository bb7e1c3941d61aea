"""What all vocabularies do alike with the text of a model: JSON within bounds, and faults that say what a chunk looks like."""

import json
from typing import Any

from vlp.core.errors import Issue, Report
from vlp.policy.parse import parse_json


def spell(value: Any) -> str:
    """Return a value as compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def read_spelled(text: str, kind: type, example: str) -> tuple[Any, Report]:
    """Return the JSON value of a text, or None and a report.

    Args:
        text: what a model or a person wrote.
        kind: `list` or `str`.
        example: of a chunk as it should be written, for the hint.
    """
    data, report = parse_json(text)
    hint = f"Write it like {example} and nothing else."
    if report.ok and not isinstance(data, kind):
        found = "null" if data is None else type(data).__name__
        report.add("", "wrong-type", f"found {found}; expected a JSON {'list' if kind is list else 'string'}.", hint)
    report.issues = [Issue(each.path, each.code, each.message, hint) for each in report.issues]
    return (data if report.ok else None), report
