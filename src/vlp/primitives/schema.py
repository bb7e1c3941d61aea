"""The JSON Schema of a robot's policies, compiled from its manifest: grammar, validator and documentation in one.

Every keyword used here is one that llguidance compiles, so that constrained decoding admits exactly what the validator
accepts (but for counts over the whole policy, which a schema cannot state).
"""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from vlp.core.errors import UsageError
from vlp.primitives.facts import UNARY
from vlp.primitives.manifest import Argument, Manifest, Primitive

Schema = dict[str, Any]

MAX_STRING = 200
MAX_SUBTASKS = 24
MAX_STEPS = 120

STEP = 0.01
"""Metres or radians between the numbers that constrained decoding can choose from."""

CHECK = "check"
"""The primitive that tells whether something is so."""

NAME = "[a-z][a-z0-9_]{0,31}"
PHRASE: Schema = {
    "type": "string",
    "pattern": "^[A-Za-z0-9'-]+( [A-Za-z0-9'-]+)*$",
    "maxLength": 64,
    "description": "a phrase of letters, digits, ' and -, its words parted by one space",
}
TEXT: Schema = {
    "type": "string",
    # Control characters, line separators and marks that reverse the writing direction would let text from a model
    # forge lines in terminals and generated files.
    "pattern": r"^[^\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+$",
    "maxLength": MAX_STRING,
    "description": "one line of text without control characters",
}
REFERENCE: Schema = {"type": "string", "pattern": rf"^\${NAME}$", "description": "a $name bound by an earlier step"}
RESULT: Schema = {
    "type": "string",
    "pattern": f"^{NAME}$",
    "description": "a name of lower-case letters, digits and _, starting with a letter, at most 32 long",
}

ARGUMENT_TYPES: dict[str, Callable[[Argument, Manifest], Schema]] = {
    "phrase": lambda argument, manifest: PHRASE,
    "subject": lambda argument, manifest: PHRASE,  # a named place is spelled like a phrase
    "text": lambda argument, manifest: TEXT,
    "reference": lambda argument, manifest: REFERENCE,
    "target": lambda argument, manifest: (
        {"anyOf": [REFERENCE, {"enum": list(manifest.places)}]} if manifest.places else REFERENCE
    ),
    "place": lambda argument, manifest: {"enum": list(manifest.places)},
    "choice": lambda argument, manifest: {"enum": list(argument.choices)},
    "number": lambda argument, manifest: {"type": "number", **_range(argument, manifest)},
    "integer": lambda argument, manifest: {"type": "integer", **_range(argument, manifest)},
    "boolean": lambda argument, manifest: {"type": "boolean"},
    "list": lambda argument, manifest: _array(_entry(argument, manifest), 1, argument.max_items),
}


def policy_schema(manifest: Manifest, refuted: bool = False) -> Schema:
    """Return the JSON Schema of every policy for a robot.

    Args:
        manifest: what the robot says of itself.
        refuted: whether a check has just failed, whoever writes the policy: then a policy may not claim that nothing is to be
            done, nor begin by checking again; `vlp.policy.checks` refuses the same.

    Raises:
        UsageError: the manifest has no primitives, or a name or type in it that no policy could spell.
    """
    if not manifest.primitives:
        raise UsageError(f"the manifest of {manifest.robot!r} has no primitives.", "A policy needs at least one.")
    steps = [schema for primitive in manifest.primitives.values() for schema in step_schemas(primitive, manifest)]
    pair = {"type": "array", "prefixItems": [PHRASE, _box()], "items": False, "minItems": 2, "maxItems": 2}
    subtask = _object({"name": TEXT, "steps": _array({"anyOf": steps}, 1, MAX_STEPS)})
    subtasks = _array(subtask, 0, MAX_SUBTASKS)
    others = [step for step in steps if step["properties"]["do"]["const"] != CHECK]
    if refuted and others:
        begun = {"prefixItems": [{"anyOf": others}], **_array({"anyOf": steps}, 1, MAX_STEPS)}
        first = _object({"name": TEXT, "steps": begun})
        subtasks = {"prefixItems": [first], **_array(subtask, 1, MAX_SUBTASKS)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"policy for {manifest.robot}",
        "anyOf": [
            _object(
                {"goal": TEXT, "seen": _array(pair, 0, 32), "subtasks": subtasks},
                optional=("seen",),
            ),
            _object({"goal": TEXT, "cannot": TEXT}),
        ],
    }


def guided(schema: Schema) -> Schema:
    """Return the schema for constrained decoding with llguidance: compact JSON, and numbers of bounded length.

    Numbers in a narrow range become a list of values in steps of `STEP`; llguidance would else admit digits without
    end, and refuses some short numbers of a range (0.1 in 0.02 to 0.15). All that it admits fits the schema given.
    """
    compact = {"whitespace_flexible": False, "item_separator": ",", "key_separator": ":"}
    return {**_stepped(schema), "x-guidance": compact}


def _stepped(node: Any) -> Any:
    if isinstance(node, list):
        return [_stepped(item) for item in node]
    if not isinstance(node, dict):
        return node
    low, high = node.get("minimum"), node.get("maximum")
    if node.get("type") == "number" and low is not None and high is not None and (high - low) / STEP <= 1000:
        inside = (round(i * STEP, 6) for i in range(math.floor(low / STEP), math.ceil(high / STEP) + 1))
        return {"enum": sorted({low, high, *(value for value in inside if low <= value <= high)})}
    return {key: _stepped(item) for key, item in node.items()}


def step_schemas(primitive: Primitive, manifest: Manifest) -> list[Schema]:
    """Return the schemas of one step: one, or one for each way in which the relation's word shapes the rest.

    A `place` relation with a named place is bound to what that place can take, and `check` takes no object with a
    relation of one thing; so the grammar cannot write what the checks would refuse.
    """
    _spellable(primitive, manifest)
    arguments = {a.name: ARGUMENT_TYPES[a.type](a, manifest) for a in primitive.arguments}
    optional = {a.name for a in primitive.arguments if a.optional}
    variants = _relation_variants(primitive, manifest) or [{}]
    return [_step(primitive, arguments, optional, variant) for variant in variants]


def _step(primitive: Primitive, arguments: dict[str, Schema], optional: set[str], variant: dict[str, Schema | None]) -> Schema:
    shaped = {**arguments, **variant}
    properties = {"do": {"const": primitive.name}, **{name: s for name, s in shaped.items() if s is not None}}
    if primitive.result:
        properties["as"] = RESULT
    return _object(properties, tuple(optional - set(variant)))


def _relation_variants(primitive: Primitive, manifest: Manifest) -> list[dict[str, Schema | None]]:
    """Return, for a primitive with a relation, replacements of argument schemas (None: left out); else nothing."""
    by_type = {a.type: a for a in primitive.arguments}
    relation = next((a for a in primitive.arguments if a.name == "relation" and a.type == "choice"), None)
    if relation is None:
        return []
    if "target" in by_type:
        places = {p.name: [r for r in p.relations if r in relation.choices] for p in manifest.places.values()}
        usable = {place: words for place, words in places.items() if words}
        what = " or ".join(("a $name bound by an earlier step", *map(repr, usable)))
        target = by_type["target"].name
        named: list[dict[str, Schema | None]] = [
            {target: {"const": place}, "relation": {"enum": words}} for place, words in usable.items()
        ]
        return [{target: {**REFERENCE, "description": what}}, *named]
    if "subject" in by_type:
        of_two = [word for word in relation.choices if word not in UNARY]
        of_one = [word for word in relation.choices if word in UNARY]
        name = by_type["subject"].name
        two: dict[str, Schema | None] = {"relation": {"enum": of_two}, name: PHRASE}
        one: dict[str, Schema | None] = {"relation": {"enum": of_one}, name: None}
        return [variant for variant, words in ((two, of_two), (one, of_one)) if words]
    return []


def _range(argument: Argument, manifest: Manifest) -> Schema:
    low, high = bounds(argument, manifest)
    return {**({} if low is None else {"minimum": low}), **({} if high is None else {"maximum": high})}


def bounds(argument: Argument, manifest: Manifest) -> tuple[float | None, float | None]:
    """Return the lowest and the highest number that an argument takes; the limits of the body bound it too."""
    limit: float | None = getattr(manifest.limits, argument.limit, None) if argument.limit else None
    highest = [value for value in (argument.maximum, limit) if value is not None]
    return argument.minimum, min(highest) if highest else None


def _entry(argument: Argument, manifest: Manifest) -> Schema:
    return ARGUMENT_TYPES[argument.items](replace(argument, type=argument.items), manifest)


def _spellable(primitive: Primitive, manifest: Manifest) -> None:
    """Refuse names from a manifest that could not stand in a policy or in the code generated from it."""
    names = [primitive.name, *(a.name for a in primitive.arguments)]
    bad = [name for name in names if not re.fullmatch(NAME, name) or name in ("do", "as")]
    if bad:
        raise UsageError(f"the manifest's name {bad[0][:80]!r} cannot be used in a policy.", f"Names must match {NAME}.")
    unknown = [a.type for a in primitive.arguments if a.type not in ARGUMENT_TYPES]
    unknown += [
        f"list of {a.items}"
        for a in primitive.arguments
        if a.type == "list" and a.items not in ("phrase", "place", "text", "number", "integer")
    ]
    if not manifest.places and any("place" in (a.type, a.items) for a in primitive.arguments):
        raise UsageError(f"{primitive.name!r} takes a place, and {manifest.robot!r} has none.", "Declare its places.")
    if unknown:
        raise UsageError(
            f"primitive {primitive.name!r} has an argument of unknown type {unknown[0][:80]!r}.",
            f"Known: {', '.join(ARGUMENT_TYPES)}.",
        )


def _box() -> Schema:
    pixel = {"type": "number", "minimum": 0, "maximum": 8192}
    return {"type": "array", "items": pixel, "minItems": 4, "maxItems": 4}


def _array(items: Schema, low: int, high: int) -> Schema:
    return {"type": "array", "items": items, "minItems": low, "maxItems": high}


def _object(properties: dict[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
