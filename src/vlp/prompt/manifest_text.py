"""A manifest as compact text, made from the declarations."""

import json

from vlp.primitives.declare import Argument, Primitive
from vlp.primitives.manifest import Manifest
from vlp.prompt.bounds import plain
from vlp.prompt.examples import places_of


def manifest_text(manifest: Manifest) -> str:
    """Return one line per primitive: name, typed arguments, what is bound with "as", purpose, needs and effects."""
    return "\n".join(_line(primitive) for primitive in manifest.primitives.values())


def places_text(manifest: Manifest) -> str:
    """Return one line that names the places, with what can be put there."""
    takes: dict[str, list[str]] = {}
    for primitive in manifest.primitives.values():
        for place, relations in places_of(primitive, manifest).items():
            takes.setdefault(place, []).extend(word for word in relations if word not in takes.get(place, ()))
    told = [
        f"{json.dumps(plain(place, 40), ensure_ascii=False)} ({_put(takes[place]) if place in takes else 'only to go to'})"
        for place in manifest.places
    ]
    return ", ".join(told) or "none"


def _put(relations: list[str]) -> str:
    return f"things can be put {' or '.join(relations)} it"


def _line(primitive: Primitive) -> str:
    arguments = [_argument(a) for a in primitive.arguments]
    if primitive.result:
        arguments.append(f"as: name of the {primitive.result}")
    conditions = "".join(
        f" {word}: {', '.join(texts)}." for word, texts in (("Needs", primitive.needs), ("Makes", primitive.makes)) if texts
    )
    return f"- {plain(primitive.name, 40)}({plain(', '.join(arguments), 400)}): {plain(primitive.doc + conditions, 300)}"


def _argument(argument: Argument) -> str:
    optional = "" if argument.required else "?"
    if argument.choices:
        return f"{argument.name}{optional}: {'|'.join(argument.choices)}"
    if argument.minimum is not None or argument.maximum is not None:
        low = "" if argument.minimum is None else f"{argument.minimum:g}"
        high = "" if argument.maximum is None else f"{argument.maximum:g}"
        return f"{argument.name}{optional}: {low}..{high}"
    words = {"reference": "$name", "target": "$name|place", "subject": "phrase|place"}
    return f"{argument.name}{optional}: {words.get(argument.type, argument.type)}"
