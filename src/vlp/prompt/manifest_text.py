"""A manifest as compact text, made from the declarations."""

import json
from collections.abc import Callable

from vlp.primitives.declare import Argument, Primitive
from vlp.primitives.manifest import Manifest, Place
from vlp.primitives.schema import bounds
from vlp.prompt.bounds import plain


def manifest_text(manifest: Manifest) -> str:
    """Return one line per primitive: name, typed arguments, what is bound with "as", purpose, needs and effects."""
    return "\n".join(_line(primitive, manifest) for primitive in manifest.primitives.values())


def places_text(manifest: Manifest) -> str:
    """Return one line that names the places, with what can be put there."""
    return ", ".join(map(_place, manifest.places.values())) or "none"


def _place(place: Place) -> str:
    says = [f"things can be put {' or '.join(place.relations)} it" if place.relations else "only to go to"]
    says += [f"at most {place.capacity}"] if place.capacity is not None else []
    says += [place.doc] if place.doc else []
    return f"{json.dumps(plain(place.name, 40), ensure_ascii=False)} ({plain('; '.join(says), 160)})"


def _line(primitive: Primitive, manifest: Manifest) -> str:
    arguments = [_argument(a, manifest) for a in primitive.arguments]
    if primitive.result:
        fields = ", ".join(f"{name}: {kind}" for name, kind in manifest.results.get(primitive.result, {}).items())
        arguments.append(f"as: name of the {primitive.result}{f' {{{plain(fields, 120)}}}' if fields else ''}")
    conditions = "".join(
        f" {word}: {', '.join(texts)}." for word, texts in (("Needs", primitive.needs), ("Makes", primitive.makes)) if texts
    )
    return f"- {plain(primitive.name, 40)}({plain(', '.join(arguments), 400)}): {plain(primitive.doc + conditions, 300)}"


def _argument(argument: Argument, manifest: Manifest) -> str:
    default = f" = {json.dumps(argument.default)}" if argument.default is not None else ""
    return f"{argument.name}{'?' if argument.optional else ''}: {_TYPES[argument.type](argument, manifest)}{default}"


def _number(argument: Argument, manifest: Manifest) -> str:
    low, high = bounds(argument, manifest)
    if low is None and high is None:
        return argument.type
    whole = " whole" if argument.type == "integer" else ""
    return f"{'' if low is None else f'{low:g}'}..{'' if high is None else f'{high:g}'}{whole}"


def _reference(argument: Argument, manifest: Manifest) -> str:
    return "$name" if argument.result == "object" else f"$name of a {argument.result}"


_TYPES: dict[str, Callable[[Argument, Manifest], str]] = {
    "phrase": lambda argument, manifest: "phrase",
    "text": lambda argument, manifest: "text",
    "place": lambda argument, manifest: "place",
    "target": lambda argument, manifest: f"{_reference(argument, manifest)}|place",
    "subject": lambda argument, manifest: "phrase|place",
    "boolean": lambda argument, manifest: "true|false",
    "choice": lambda argument, manifest: "|".join(argument.choices),
    "number": _number,
    "integer": _number,
    "reference": _reference,
    "list": lambda argument, manifest: f"[{argument.items}, ...] at most {argument.max_items}",
}
