"""Primitives as Markdown, from their declarations: the tables in the documentation are this text."""

import json
from collections.abc import Iterable

from vlp.primitives.manifest import Argument, Primitive


def describe_primitives(primitives: Iterable[Primitive]) -> str:
    """Return two Markdown tables: the primitives, and their arguments."""
    listed = list(primitives)
    rows = [
        "| do | kind | what it does | result | needs | makes | time limit | may be interrupted |",
        "|" + " --- |" * 8,
    ]
    for p in listed:
        needs, makes = ", ".join(p.needs), ", ".join(p.makes)
        midway = "midway" if p.interruptible else "at its end"
        cells = (f"`{p.name}`", p.kind, p.doc, p.result, needs, makes, f"{p.timeout_s:g} s", midway)
        rows.append(f"| {' | '.join(cells)} |".replace("|  |", "| - |").replace("|  |", "| - |"))
    rows += ["", "| do | argument | takes | meaning |", "|" + " --- |" * 4]
    for p in listed:
        rows += [f"| `{p.name}` | `{a.name}` | {takes(a)} | {a.doc} |" for a in p.arguments]
        if p.result:
            rows.append(f"| `{p.name}` | `as` | a name | The name that later steps use for the result, as `$name`. |")
    return "\n".join(rows) + "\n"


def takes(argument: Argument) -> str:
    """Return what an argument takes, in Markdown: its type, its bounds, and what holds where it is left out."""
    what = {
        "choice": ", ".join(f"`{word}`" for word in argument.choices),
        "number": _between(argument, "a number"),
        "integer": _between(argument, "a whole number"),
        "list": f"a list of {argument.items} entries, at most {argument.max_items}",
        "phrase": "a phrase",
        "reference": "`$name`",
        "target": "`$name` or a place",
        "place": "a place",
        "subject": "a phrase or a place",
        "text": "text",
        "boolean": "true or false",
    }.get(argument.type, argument.type)
    left_out = "may be left out" if argument.default is None else f"`{json.dumps(argument.default)}` when left out"
    return f"{what}; {left_out}" if argument.optional else what


def _between(argument: Argument, otherwise: str) -> str:
    low, high = argument.minimum, argument.maximum
    if low is None:
        return otherwise if high is None else f"{otherwise}, at most {high:g}"
    return f"{otherwise}, at least {low:g}" if high is None else f"{low:g} to {high:g}"
