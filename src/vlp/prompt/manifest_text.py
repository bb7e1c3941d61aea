"""A manifest as compact text, made from the declarations."""

import json

from vlp.primitives.declare import Argument, Primitive
from vlp.primitives.manifest import Manifest
from vlp.prompt.bounds import plain


def manifest_text(manifest: Manifest) -> str:
    """Return one line per primitive: name, typed arguments, result, purpose and needs."""
    places = "|".join(json.dumps(plain(place, 40)) for place in manifest.places)
    return "\n".join(_line(primitive, places) for primitive in manifest.primitives.values())


def _line(primitive: Primitive, places: str) -> str:
    arguments = ", ".join(_argument(a, places) for a in primitive.arguments)
    result = f" -> {primitive.result}" if primitive.result else ""
    needs = f" Needs: {', '.join(primitive.needs)}." if primitive.needs else ""
    return f"- {plain(primitive.name, 40)}({plain(arguments, 400)}){result}: {plain(primitive.doc + needs, 300)}"


def _argument(argument: Argument, places: str) -> str:
    optional = "" if argument.required else "?"
    if argument.choices:
        return f"{argument.name}{optional}: {'|'.join(argument.choices)}"
    if argument.minimum is not None or argument.maximum is not None:
        low = "" if argument.minimum is None else f"{argument.minimum:g}"
        high = "" if argument.maximum is None else f"{argument.maximum:g}"
        return f"{argument.name}{optional}: {low}..{high}"
    words = {"reference": "$name", "target": f"$name|{places}", "place": places, "subject": f"phrase|{places}"}
    return f"{argument.name}{optional}: {words.get(argument.type, argument.type)}"
