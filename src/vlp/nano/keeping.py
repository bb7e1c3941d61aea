"""A policy in words, as one would answer a person, and the grammar of the policies that keep to them.

    pick up the red can, put the red can in the bin
    {"goal":...,"subtasks":[{"name":"pick up the red can","steps":[...]},{"name":"put the red can in the bin","steps":[...]}]}

A model that says what it would do before it writes a policy (`vlp.nano.sighted`) is held to it: one subtask for each clause,
in that order. What is said right can else be lost in writing: things of a list are left out.
"""

import re
from collections.abc import Mapping
from typing import Any

from vlp.primitives.schema import MAX_STRING, MAX_SUBTASKS, TEXT, Schema

AND = ", "
"""What stands between two clauses."""

DONE = "it is so"
"""What is said where nothing is to be done."""


def policy_words(policy: Mapping[str, Any]) -> str:
    """Return a policy in words: the names of its subtasks in full, or why it cannot be.

    Args:
        policy: a policy document.

    Raises:
        KeyError, TypeError: its subtasks have no names.
    """
    return policy.get("cannot") or AND.join(each["name"] for each in named_in_full(policy).get("subtasks", ())) or DONE


def named_in_full(policy: Mapping[str, Any]) -> dict[str, Any]:
    """Return a policy with each subtask named by a clause: what is held by its name instead of "it", and no comma.

    A small model that goes through a list finds its place again by the thing; "put it in the bin" stands many times.
    """
    subtasks, held = list[dict[str, Any]](), ""
    for subtask in policy.get("subtasks", ()):
        name = subtask["name"].replace(AND, " ")
        subtasks.append({**subtask, "name": re.sub(r"\bit\b", f"the {held}", name) if held else name})
        for step in subtask["steps"]:
            if step["do"] == "grasp":
                held = str(step.get("target", "")).removeprefix("$").replace("_", " ")
            elif step["do"] in ("place", "release"):
                held = ""
    return {**policy, "subtasks": subtasks} if "subtasks" in policy else dict(policy)


def keeping(schema: Schema, words: str) -> Schema:
    """Return the grammar of the policies that do what the words say.

    Args:
        schema: a grammar of policies (`vlp.primitives.schema.policy_schema`); any other comes back as it is.
        words: what was said; a denial admits "cannot" alone. Where no policy can keep them (no words, too many, too long;
            nothing to do although a check has just failed) the grammar comes back as it is.
    """
    clauses = [] if words == DONE else words.split(AND)
    able = len(clauses) <= MAX_SUBTASKS and all(len(c) < MAX_STRING and re.search(TEXT["pattern"], c) for c in clauses)
    if not able:
        return schema
    kinds = [kept for each in schema.get("anyOf", ()) if (kept := _kept(each, clauses, words)) is not None]
    return {**schema, "$defs": {"steps": _steps(schema)}, "anyOf": kinds} if kinds else schema


def _kept(kind: Schema, clauses: list[str], words: str) -> Schema | None:
    """Return one kind of policy with what is said in it fixed; None where nothing said can be."""
    properties = kind.get("properties", {})
    if "cannot" in properties:
        return {**kind, "properties": {**properties, "cannot": _said(words)}} if clauses else None
    if re.search(r"^(there is no|nothing can)\b|\b(cannot|can not|can't)\b", words):  # no name of a subtask
        return None
    if "subtasks" not in properties:
        return kind
    subtasks = properties["subtasks"]
    if len(clauses) < subtasks["minItems"]:
        return None
    each = {**subtasks["items"], "properties": {**subtasks["items"]["properties"], "steps": {"$ref": "#/$defs/steps"}}}
    shapes = [*subtasks.get("prefixItems", []), *[each] * len(clauses)][: len(clauses)]
    named = [_named(shape, clause) for shape, clause in zip(shapes, clauses, strict=True)]
    whole = {"type": "array", "prefixItems": named, "items": False, "minItems": len(named), "maxItems": len(named)}
    return {**kind, "properties": {**properties, "subtasks": whole}}


def _named(subtask: Schema, clause: str) -> Schema:
    return {**subtask, "properties": {**subtask["properties"], "name": _said(clause)}}


def _said(text: str) -> Schema:
    """Return the grammar of a text that was said, with a full stop or without.

    With one way to go on, a server's grammar writes all up to the next choice itself, cut into other tokens than the model
    learned (`","steps":[{"do":"` is one of them), and what it writes then is wrong.
    """
    return {"enum": [text, f"{text}."]}


def _steps(schema: Schema) -> Schema | None:
    """Return the grammar of any subtask's steps, None in a grammar without."""
    found = (each.get("properties", {}).get("subtasks") for each in schema.get("anyOf", ()))
    return next((each["items"]["properties"]["steps"] for each in found if each), None)
