"""From a typed correction ("no, the blue bowl instead") to a task: made whole first, then read like any sentence."""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from vlp.sim.language.phrasings import phrasings, tables
from vlp.sim.language.recognise import (
    MAX_CHARACTERS,
    parse_reference,
    plain_text,
    recognise,
    template_regex,
    without_names,
    without_politeness,
)
from vlp.sim.language.task import Task
from vlp.sim.language.wording import words
from vlp.sim.truth import Truth
from vlp.sim.worlds.tabletop.words import CONTAINERS


def recognise_correction(text: str, before: Task, truth: Truth) -> Task | None:
    """Return the task that a new instruction means after an earlier one, or None when it is not clear.

    Args:
        text: as a person typed it; a whole instruction or a correction of the one before.
        before: the task that was in force.
        truth: the state when it was typed.
    """
    if len(text) > MAX_CHARACTERS:
        return None
    plain = plain_text(text)
    core = _trimmed(without_politeness(plain))
    for verb in ("take ", "use "):
        if parse_reference(core.removeprefix(verb)):  # a thing alone: the rest is as before
            core = core.removeprefix(verb)
    for sentence in (*_templates_read(plain, before), core, *_wholes(core, before)):
        task = recognise(sentence, truth)
        if task is not None:
            return replace(task, instruction=text, before=before.instruction)
    return recognise(text, truth)


def recognise_alone(text: str, truth: Truth) -> Task | None:
    """Return the task that an instruction means by itself, also with the opening of a correction ("no, put ..."); None else."""
    task = recognise(text, truth)
    if task is None and len(text) <= MAX_CHARACTERS:
        task = recognise(_trimmed(without_politeness(plain_text(text))), truth)
    return task and replace(task, instruction=text)


def _trimmed(text: str) -> str:
    """Return a sentence without what opens and ends a correction."""
    for _ in range(4):
        for opening in tables("corrections")["understood"]["openings"]:
            text = text.removeprefix(f"{opening} ")
        for ending in tables("corrections")["understood"]["endings"]:
            text = text.removesuffix(f" {ending}")
    return text.strip()


def _templates_read(plain: str, before: Task) -> Iterator[str]:
    """Yield the whole sentences of the templates that a correction fits of `corrections.toml`."""
    if not before.goals:
        return
    a, relation, b = _before(before)
    for skeleton, names in without_names(plain):
        for kind, pattern in _corrections():
            if (match := pattern.fullmatch(skeleton)) is None:
                continue
            name = names[-1][0] if names else ""
            if kind == "back":
                yield f"put {a} on the table"
            elif kind == "place":
                rel = match.groupdict().get("rel")
                if rel or parse_reference(name).rpartition(" ")[2] in (*CONTAINERS, "bin", "table"):
                    yield f"put {a} {rel or 'in'} {name}"
            else:
                yield f"put {name} {relation} {b}" if b else f"pick up {name}"


@cache
def _corrections() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return what each correction changes ("place", "thing" or "back") and its pattern, for every template."""
    changed = {"new_container": "place", "new_target": "place", "new_subject": "thing", "new_thing": "thing", "back": "back"}
    found: dict[str, str] = {}
    for name, kind in changed.items():
        for template in (template for row in phrasings("corrections", "kinds")[name] for template in row):
            for it in ("it", "them"):
                found.setdefault(template_regex(template.replace("{it}", it))[0], kind)
    return tuple((kind, re.compile(regex)) for regex, kind in found.items())


@cache
def _relations() -> str:
    """Return the words for relations as alternatives of a regular expression, the longest first."""
    found = {word for rows in words("relations").values() for row in rows for word in row}
    return "|".join(sorted(found, key=len, reverse=True))


def _before(task: Task) -> tuple[str, str, str]:
    """Return in words what an earlier instruction was to move, the relation, and to what ("" for a thing to be held)."""
    a = task.subjects[0] if len(task.subjects) == 1 else task.arguments.get("a", "")
    goal = task.goals[0]
    return _the(a), goal.relation.replace("_", " "), _the(goal.target) if goal.target else ""


def _wholes(core: str, before: Task) -> list[str]:
    """Return the sentences that a correction may stand for: what it leaves out is taken from the task before."""
    if not before.goals:
        return []
    a, relation, b = _before(before)
    there = f"{relation} {b}" if b else ""
    marked = re.sub(r"\b(it|them|that)\b", "@", core)
    if re.fullmatch("|".join(tables("corrections")["understood"]["back"]), marked):
        return [f"put {a} on the table"]
    whole = re.sub(r"\bthere$", there, marked).replace("@", a)
    place = re.sub(rf"^(?:{_relations()}) ", "", core)
    target = parse_reference(place)
    if place != core or target.rpartition(" ")[2] in (*CONTAINERS, "bin", "table"):
        given = core if place != core else f"in {core}"
        return [whole, f"put {a} {given}"]
    return [whole, f"put {core} {there}"] if there else [whole, f"pick up {core}"]


def _the(reference: str) -> str:
    """Return the words for a reference such as "red cube" or "every can"."""
    return reference if reference.startswith("every ") else f"the {reference}"
