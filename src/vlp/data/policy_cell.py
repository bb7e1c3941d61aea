"""A policy as a table gives it: an object, its JSON text, or a file that holds it; what is often there instead is named."""

import json
import re
from typing import Any

from vlp.core.errors import UsageError
from vlp.data.own_files import OwnFiles
from vlp.data.tables import text_of
from vlp.policy.parse import MAX_BYTES


def policy_text(value: str | dict[str, Any], files: OwnFiles) -> str | bytes:
    """Return the JSON text of a policy, not checked any further.

    Args:
        value: an object, JSON text, or the name of a file.
        files: where such a file may lie.

    Raises:
        UsageError: no JSON object and no such file; says what it is, and how it should be.
    """
    if isinstance(value, dict):
        return json.dumps(value)
    text = _trimmed(value)
    if not text.startswith("{"):
        _refuse_no_object(text, "policy")
        text = _of_file(text, files)
        if isinstance(text, bytes):
            return text
    _refuse_no_object(text, "policy")
    return text


def _of_file(name: str, files: OwnFiles) -> str | bytes:
    try:
        path = files.find(name, "policy")
    except UsageError:
        if name.lower().endswith(".json"):
            raise
        said = f"policy: found {name[:60]!r}, which is no JSON object and no file of the folder."
        raise UsageError(said, "Write one JSON object, from { to }, or the name of a .json file.") from None
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"policy: {path.name!r} cannot be read: {error.strerror}.") from None
    return data if len(data) > MAX_BYTES else _trimmed(text_of(data, f"policy: {path.name}"))


def _trimmed(text: str) -> str:
    return text.strip().removeprefix("\ufeff").strip()


def _refuse_no_object(text: str, what: str) -> None:
    often = (
        (r"```|~~~", "it stands in a Markdown fence (```)", "Leave out the lines with the fence."),
        (r'"', "it is JSON text inside JSON text (encoded twice)", "Encode the object once: json.dumps(policy)."),
        (r"\[", "it is a list", "Give each row one object, without the brackets [ ]."),
        (r'\{\s*\\+"', 'a backslash stands before its quotes (\\")', 'In a CSV they are doubled instead: "".'),
        (r"\{\s*'", "its strings are in single quotes, as Python prints a dict", "Write it by json.dumps(policy)."),
        (r"'", "it stands in single quotes", "Leave them out."),
        (r"\{?\s*[“”„«»‘’‚]", "its quotes are typographic (“ ”)", 'Use plain ones ("), and switch off smart quotes.'),
        (r"\{?\s*&(quot|#34);", "its quotes are written as in HTML (&quot;)", 'Use plain ones (").'),
        (r"\{\{|\{%", "it is a template, not filled in", "Write the text that it stands for."),
        (r"(true|false|null|-?\d[\d.]*)$", "it is a single value", "Write the policy out."),
    )
    for pattern, found, remedy in often:
        if re.match(pattern, text):
            raise UsageError(f"{what}: {found}; expected one JSON object, {{...}}.", remedy)
