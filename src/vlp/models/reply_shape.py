"""How a server is asked for JSON, strictest first, and how the JSON is found in what it writes.

schema    response_format with the schema as it is: the server's grammar holds the reply
wrapped   the same inside an object's property, in the part of JSON Schema that strict servers take
free      no response_format: the JSON is looked for in free text, and whoever asked checks it
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]

WRAPPER = "reply"
KEPT = ("type", "description", "enum", "anyOf", "items", "minimum", "maximum", "minItems", "maxItems", "$ref")
"""The keywords that OpenAI's strict mode takes, beside those of objects; what the others say is checked by whoever asked."""
MOST_NUMBERS = 20
"""A longer list of numbers is told by its bounds: strict servers count every value of a list."""
MOST_STARTS = 200
"""How many brackets are tried as the beginning of the JSON in a text."""


@dataclass(frozen=True)
class ReplyShape:
    """One way of asking for JSON.

    Args:
        name: see above.
        fields: from a schema to what the request says about it.
        read: from what was written, and the schema, to the JSON in it; text without any comes back as it is.
    """

    name: str
    fields: Callable[[Schema], dict[str, Any]]
    read: Callable[[str, Schema], str]


def json_in(text: str, schema: Schema) -> str:
    """Return the JSON in a text: all of it where it is JSON, else the longest value of a kind that the schema admits."""
    if _parsed(text) is not _NOTHING:
        return text
    kinds, found = _kinds(schema), ""
    decoder, at = json.JSONDecoder(), 0
    for _ in range(MOST_STARTS):
        at = min((place for place in (text.find("{", at), text.find("[", at)) if place >= 0), default=-1)
        if at < 0:
            break
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        if isinstance(value, kinds) and _entries_fit(value, schema) and end - at > len(found):
            found = text[at:end]
        at = end
    return found or text


def _entries_fit(value: Any, schema: Schema) -> bool:
    """Return whether a list could be one of the schema's: numbers out of a list of objects that was cut off are none."""
    return not isinstance(value, list) or schema.get("items", {}).get("type") != "object" or all(type(v) is dict for v in value)


def strict(schema: Schema) -> Schema:
    """Return a schema in the part of JSON Schema that strict servers take; it admits all that the schema does, and more.

    A property that may be left out may be null instead, as every property must be required.
    """
    if "properties" in schema:
        needed = schema.get("required", ())
        properties = {
            name: strict(each) if name in needed else {"anyOf": [strict(each), {"type": "null"}]}
            for name, each in schema["properties"].items()
        }
        return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    kept = {key: value for key, value in schema.items() if key in KEPT}
    if "const" in schema:
        kept["enum"] = [schema["const"]]
    if "enum" in kept:
        kept = _enumeration(kept)
    if "anyOf" in kept:
        kept["anyOf"] = [strict(each) for each in kept["anyOf"]]
    first, items = schema.get("prefixItems", []), schema.get("items")
    every = [strict(each) for each in (*first, *([items] if isinstance(items, dict) else []))]
    if every:
        kept["items"] = every[0] if len(every) == 1 else {"anyOf": every}
    return kept


def _whole(schema: Schema) -> dict[str, Any]:
    return _format(schema)


def _wrapped(schema: Schema) -> dict[str, Any]:
    definitions = {name: strict(each) for name, each in schema.get("$defs", {}).items() if isinstance(each, dict)}
    inside = strict({key: value for key, value in schema.items() if key != "$defs"})
    whole = {"type": "object", "properties": {WRAPPER: inside}, "required": [WRAPPER], "additionalProperties": False}
    return _format({**whole, **({"$defs": definitions} if definitions else {})})


def _format(schema: Schema) -> dict[str, Any]:
    told = {"name": "reply", "schema": schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": told}}


def _unwrap(text: str, schema: Schema) -> str:
    """Return what stands in the wrapper, without the nulls; a text without a wrapper as `json_in` finds it."""
    found = json_in(text, {"type": "object"})
    data = _parsed(found)
    if not isinstance(data, dict) or list(data) != [WRAPPER]:
        return json_in(text, schema)
    return json.dumps(_without_nulls(data[WRAPPER]), separators=(",", ":"), ensure_ascii=False)


def _enumeration(kept: Schema) -> Schema:
    values = kept["enum"]
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if numbers and len(values) > MOST_NUMBERS:
        rest = {key: value for key, value in kept.items() if key != "enum"}
        return {**rest, "type": "number", "minimum": min(values), "maximum": max(values)}
    kind = "number" if numbers else "string" if all(isinstance(value, str) for value in values) else None
    return {**({"type": kind} if kind else {}), **kept}


def _kinds(schema: Schema) -> tuple[type, ...]:
    """Return the kinds of value that a schema admits at its root."""
    named = {each.get("type", "object" if "properties" in each else "") for each in (schema, *schema.get("anyOf", ()))}
    return tuple({"object": dict, "array": list}[name] for name in ("object", "array") if name in named) or (dict, list)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


_NOTHING = object()


def _parsed(text: str) -> Any:
    """Return the value of JSON without a key twice, `_NOTHING` for any other text."""
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return _NOTHING


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


SHAPES: tuple[ReplyShape, ...] = (
    ReplyShape("schema", _whole, json_in),
    ReplyShape("wrapped", _wrapped, _unwrap),
    ReplyShape("free", lambda schema: {}, json_in),
)
"""Strictest first."""
