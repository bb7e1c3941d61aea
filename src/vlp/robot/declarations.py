"""What a robot declares is checked without asking it for anything: words, bounds, conditions, places, limits."""

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable

from vlp.core.errors import Report, UsageError, did_you_mean
from vlp.primitives.facts import SPATIAL, faults
from vlp.primitives.manifest import Argument, Manifest, Primitive
from vlp.primitives.schema import bounds, policy_schema
from vlp.robot.arguments import CHECKERS
from vlp.robot.protocol import BUILT_IN, FIELD_TYPES, methods

MAX_NAME, MAX_DOC = 64, 1000

LOOK_ALIKE = str.maketrans("аеорсухіјѕԁһкмтнв" + "οαινρτυχκ", "aeopcyxijsdhkmthb" + "oaivptuxk")
"""Cyrillic and Greek letters, and the Latin ones that they are taken for."""


def check_declarations(manifest: Manifest) -> Report:
    """Return what in a manifest contradicts itself, can never be met, or cannot be written or read by people and models."""
    report, path = Report(), "/describe"
    if not manifest.robot or not manifest.version:
        report.add(path, "unnamed", "robot and version must not be empty.")
    if not manifest.primitives:
        report.add(path, "empty", "the manifest has no primitive.")
    for name, primitive in manifest.primitives.items():
        _check_primitive(report, f"{path}/primitives/{name}", name, primitive, manifest)
    for name, message, hint in faults(manifest):
        report.add(f"{path}/primitives/{name}", "condition", message, hint)
    if manifest.primitives:
        try:
            policy_schema(manifest)
        except UsageError as error:
            report.add(path, "schema", error.message, error.hint)
    _check_results(report, manifest)
    _check_places(report, manifest)
    _check_limits(report, manifest)
    return report


def _check_primitive(report: Report, where: str, name: str, primitive: Primitive, manifest: Manifest) -> None:
    if primitive.name != name:
        report.add(where, "name", f"it is filed as {name!r} but named {primitive.name!r}.")
    if name in methods():
        report.add(where, "name", f"{name!r} is what a robot's own method is called.", "Give the primitive another name.")
    if not 0 < primitive.timeout_s < math.inf:
        report.add(where, "timeout", f"timeout_s is {primitive.timeout_s}; it must be finite and above 0.")
    if primitive.result not in (*BUILT_IN, *manifest.results):
        known = (*filter(None, BUILT_IN), *manifest.results)
        report.add(where, "result", f"unknown result type {primitive.result!r}.", did_you_mean(primitive.result, known))
    _check_doc(report, where, primitive.doc)
    for twice in _twice(a.name for a in primitive.arguments):
        report.add(where, "argument", f"it declares the argument {twice!r} twice.", "Give each argument a name of its own.")
    for argument in primitive.arguments:
        _check_argument(report, f"{where}/{argument.name}", argument, manifest)


def _check_argument(report: Report, at: str, argument: Argument, manifest: Manifest) -> None:
    if argument.type not in CHECKERS:
        report.add(at, "type", f"unknown type {argument.type!r}.", did_you_mean(argument.type, CHECKERS))
        return
    _check_doc(report, at, argument.doc)
    numbers = [name for name, value in manifest.limits.declared().items() if isinstance(value, int | float)]
    if argument.limit and argument.limit not in numbers:
        hint = did_you_mean(argument.limit, numbers) if numbers else ""
        report.add(at, "limit", f"it is bounded by {argument.limit!r}, which the robot does not declare as a number.", hint)
        return
    known = ("object", "answer", *manifest.results)
    if argument.result and argument.result not in known:
        report.add(at, "result", f"no result type {argument.result!r}.", did_you_mean(argument.result, known))
    if argument.type == "choice":
        _check_choices(report, at, argument)
    low, high = bounds(argument, manifest)
    if "integer" in (argument.type, argument.items) and low is not None and high is not None:
        low, high = math.ceil(low), math.floor(high)
    if low is not None and high is not None and low > high:
        least, most = bounds(argument, manifest)
        what = "whole number" if "integer" in (argument.type, argument.items) else "number"
        report.add(at, "bounds", f"no {what} is at least {least:g} and at most {most:g}.", "Mend its minimum and maximum.")
    if argument.type == "list" and argument.max_items < 1:
        report.add(at, "max-items", f"max_items is {argument.max_items}; no list is that short.", "Set it to 1 or more.")
    if argument.default is not None:
        wrong = CHECKERS[argument.type](argument, argument.default, manifest)
        if wrong:
            report.add(at, "default", f"its default does not fit it: {wrong[1]}")


def _check_choices(report: Report, at: str, argument: Argument) -> None:
    if not argument.choices:
        report.add(at, "choices", "a choice without choices: nothing fits it.", "Declare `choices`.")
    for word in argument.choices:
        if fault := _name_fault(word):
            report.add(at, "choices", f"the choice {word[:40]!r} {fault}.", "Choose a word that a policy can write.")
    for twice in _twice(argument.choices):
        report.add(at, "choices", f"the choice {twice[:40]!r} stands there twice.", "Leave one of them out.")


def _check_doc(report: Report, where: str, doc: str) -> None:
    if len(doc) > MAX_DOC:
        report.add(where, "doc", f"its doc has {len(doc):,} characters; expected one sentence, at most {MAX_DOC:,}.")
    elif not doc.isprintable():
        odd = next(letter for letter in doc if not letter.isprintable())
        report.add(where, "doc", f"its doc holds {odd!r}; expected printable characters on one line.")


def _check_results(report: Report, manifest: Manifest) -> None:
    for name, shape in manifest.results.items():
        where = f"/describe/results/{name}"
        if name in BUILT_IN:
            hint = f"Choose a name other than {', '.join(filter(None, BUILT_IN))}."
            report.add(where, "name", f"{name!r} is a result type that every robot has; it means what it means.", hint)
        for field, kind in shape.items():
            if kind not in FIELD_TYPES:
                report.add(where, "type", f"{field}: unknown type {kind!r}.", did_you_mean(kind, FIELD_TYPES))


def _check_places(report: Report, manifest: Manifest) -> None:
    seen: dict[str, str] = {}
    for name, place in manifest.places.items():
        where = f"/describe/places/{name[:MAX_NAME]}"
        if place.name != name:
            report.add(where, "name", f"it is filed as {name!r} but named {place.name!r}.")
        if fault := _name_fault(name):
            report.add(where, "name", f"the place {name[:40]!r} {fault}.", "Choose a name that a policy can write.")
        look = unicodedata.normalize("NFKC", name).casefold().translate(LOOK_ALIKE)
        if look in seen:
            said = f"the places {seen[look][:40]!a} and {name[:40]!a} look the same."
            report.add(where, "name", said, "Rename one, so that nobody sends the robot to the wrong one.")
        seen.setdefault(look, name)
        _check_doc(report, where, place.doc)
        if place.clearable and not (place.visible and place.relations):
            hint = "Declare `visible` and `relations`, or leave `clearable` out."
            report.add(where, "clearable", "whether a place is clear can be told only where what lies there is seen.", hint)
        for word in place.relations:
            if word not in SPATIAL:
                report.add(where, "relation", f"unknown relation {word!r}.", did_you_mean(word, SPATIAL))


def _name_fault(name: str) -> str:
    """Return why no policy could write a word, "" when it could."""
    if not name.strip():
        return "is empty"
    if len(name) > MAX_NAME:
        return f"has {len(name):,} characters; at most {MAX_NAME} can be written"
    if not name.isprintable() or name != name.strip():
        return "holds characters that cannot be seen"
    return "begins with $, like a reference to a result" if name.startswith("$") else ""


def _check_limits(report: Report, manifest: Manifest) -> None:
    """A limit that nothing can keep may not be declared: it would promise what nobody sees to."""
    primitives, limits = manifest.primitives.values(), manifest.limits
    bounded = {a.limit for p in primitives for a in p.arguments}
    reaches = any(p.reaches and a.type in ("reference", "target") for p in primitives for a in p.arguments)
    drives = any(effect.split()[:1] == ["at"] for p in primitives for effect in p.makes)
    keeps = {
        "workspace_min_m": (reaches, "no primitive goes to a located thing"),
        "workspace_max_m": (reaches, "no primitive goes to a located thing"),
        "workspace_at": (reaches, "no primitive goes to a located thing"),
        "base_speed_m_s": (drives, "no primitive makes 'at ...', so nothing drives"),
        "hand_speed_m_s": (reaches, "no primitive goes to a located thing"),
        "grip_force_n": (manifest.has_hand, "no primitive makes 'holding ...', so nothing is gripped"),
        "gripper_opening_m": (manifest.has_hand, "no primitive makes 'holding ...', so nothing is gripped"),
        "payload_kg": (manifest.has_hand, "no primitive makes 'holding ...', so nothing is carried"),
    }
    for name, value in limits.declared().items():
        where = f"/describe/limits/{name}"
        kept, why = keeps[name]
        if not kept and name not in bounded:
            hint = "Leave the limit out, or let an argument be bounded by it (`limit`)."
            report.add(where, "limit", f"nothing can keep it: {why}.", hint)
        if isinstance(value, int | float) and value <= 0:
            report.add(where, "limit", f"it is {value:g}; it must be above 0.", "Leave out a limit that the body has not.")
    if (limits.workspace_min_m is None) != (limits.workspace_max_m is None):
        report.add("/describe/limits", "workspace", "a workspace has two corners; one is missing.")
    box = limits.workspace
    if box is not None and not all(low < high for low, high in zip(*box, strict=True)):
        report.add("/describe/limits", "workspace", "workspace_min_m must be below workspace_max_m.")


def _twice(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
