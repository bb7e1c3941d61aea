"""From a typed sentence back to a task: the templates and tables of all families, turned round.

Case, punctuation, politeness and small typing errors do not matter. What belongs to no family is no task.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache

from vlp.core.errors import closest
from vlp.core.messages import plural
from vlp.sim.language.families import PLAIN
from vlp.sim.language.phrasings import Phrasings, phrasings
from vlp.sim.language.references import ORDERS, Unclear, resolve
from vlp.sim.language.task import Task
from vlp.sim.language.wording import pieces, words
from vlp.sim.truth import Truth
from vlp.sim.worlds.tabletop.words import COLOURS, KINDS, PUT_RELATION

MAX_CHARACTERS = 300
"""Longer sentences are no task of ours; matching stays quick."""


def recognise(instruction: str, truth: Truth) -> Task | None:
    """Return the task that an instruction means in a world, or None when it belongs to no family or is not clear.

    Args:
        instruction: as a person typed it.
        truth: the state when it was typed.
    """
    if len(instruction) > MAX_CHARACTERS:
        return None
    plain = plain_text(instruction)
    for text in dict.fromkeys((plain, _mended(plain))):
        for bare in _unwrapped(text):
            for family, arguments in _readings(bare):
                task = PLAIN[family].build(truth, _sensible(truth, arguments))
                if task is not None:
                    return replace(task, family=_family(family, arguments), instruction=instruction)
    return None


def plain_text(text: str) -> str:
    """Return the sentence in lower case without punctuation and doubled spaces."""
    return " ".join(re.sub(r"[^a-z' ]", " ", text.lower().replace("’", "'")).split())


def without_politeness(text: str) -> str:
    """Return plain text without "please", "could you" and the like around it."""
    return _unwrapped(text)[0]


def _unwrapped(text: str) -> list[str]:
    """Return plain text with all, fewer and none of the polite words around it taken away: "next" may be one of its own."""
    texts = [text]
    for _ in range(3):
        for before, after in _polite():
            if text.startswith(before) and text.endswith(after) and len(text) > len(before) + len(after):
                text = text[len(before) : len(text) - len(after)].strip()
        texts.append(text)
    return list(dict.fromkeys(reversed(texts)))


def parse_reference(text: str) -> str:
    """Return the reference (see `references`) that words stand for, "" when they are none of ours."""
    match = _names(True, False).fullmatch(text)
    return _reference(match) if match else ""


def without_names(text: str) -> Iterator[tuple[str, list[re.Match[str]]]]:
    """Yield plain text with "@" in the place of every name in it, and these: in all ways to tell names from other words.

    "The can left of the bowl" is one name, or two with a relation between them; "can" is a name, or a verb where no "the" and
    no colour stands before it.
    """
    for plain in (True, False):
        for relative in (False, True):
            yield _cut(text, _names(relative, plain))


def _cut(text: str, pattern: re.Pattern[str]) -> tuple[str, list[re.Match[str]]]:
    names: list[re.Match[str]] = []

    def cut(match: re.Match[str]) -> str:
        names.append(match)
        return "@"

    return pattern.sub(cut, text), names


def _readings(text: str) -> Iterable[tuple[str, dict[str, str]]]:
    """Yield (family, arguments) for every template that the text fits, with its names cut out."""
    for skeleton, found in without_names(text):
        names = [_reference(match) for match in found]
        for family, slots, pattern in _patterns():
            match = pattern.fullmatch(text if not slots else skeleton)
            if match is None:
                continue
            said = dict(zip(slots, names, strict=False))
            if "rel" in match.groupdict():
                said["relation"] = _relation_words()[match["rel"]]
            yield family, {**PLAIN[family].implied, **said}


def _reference(match: re.Match[str]) -> str:
    found = {re.sub(r"\d+$", "", name): value for name, value in match.groupdict().items() if value}
    form = next(name for name in found if name.startswith("form")).removeprefix("form_")
    if form.startswith("ranked_"):
        return f"{form.removeprefix('ranked_')} {_named(found)}"
    return {"simple": _named, "relative": _relative_name, "every": _every_name}[form](found)


def _sensible(truth: Truth, arguments: dict[str, str]) -> dict[str, str]:
    """Return the arguments with the relation that goes with the target: "on the bowl" means in it."""
    relation, b = arguments.get("relation", ""), arguments.get("b", "")
    if relation not in ("in", "on"):
        return arguments
    try:
        target = (resolve(truth, b) or [b])[0]
    except Unclear:
        return arguments
    places = {"bin": "in", "table": "on"}
    return {**arguments, "relation": places.get(target) or PUT_RELATION.get(target.rpartition(" ")[2], relation)}


def _family(family: str, arguments: dict[str, str]) -> str:
    """Return the family by what the references are: "put" sentences are those of several families."""
    a, b = arguments.get("a", ""), arguments.get("b", "")
    first = a.partition(" ")[0]
    if family not in ("put", "throw", "unload"):
        return family
    if a == "every thing" and b == "bin":
        return "clear"
    if a.count(" ") == 3:
        return "relative"
    named = {"every": "group", **dict.fromkeys(ORDERS, "spatial"), "biggest": "size", "smallest": "size"}
    return named.get(first) or {"bin": "throw", "table": "unload"}.get(b, "put")


def _mended(text: str) -> str:
    """Return the text with words that occur in no template replaced by the nearest that do."""
    known = _vocabulary()
    return " ".join(w if w in known or len(w) < 3 else closest(w, known) or w for w in text.split())


# What follows is made once, on first use.


@cache
def _polite() -> tuple[tuple[str, str], ...]:
    """Return what politeness puts before and after a sentence, the longest first."""
    rows = [t.partition("{t}") for row in phrasings("instructions", "around")["polite"] for t in row]
    pairs = {(plain_text(before), plain_text(after)) for before, _, after in rows}
    return tuple(sorted(pairs, key=lambda pair: -len(pair[0]) - len(pair[1])))


@cache
def _vocabulary() -> tuple[str, ...]:
    sections = ("kinds", "colours", "relations", "superlatives", "groups", "beside")
    texts = [t for section in sections for said in words(section).values() for row in said for t in row]
    texts += [plural(t) for said in words("kinds").values() for row in said for t in row]
    texts += [t for row in phrasings("instructions", "around")["polite"] for t in row]
    texts += [t for family in PLAIN.values() for row in family.sentences for t in row]
    plain = re.sub(r"\{\w*\}|[^a-z' ]", " ", " ".join(texts).lower())
    return tuple(sorted(set(plain.split())))


@cache
def _patterns() -> tuple[tuple[str, tuple[str, ...], re.Pattern[str]], ...]:
    """Return (family, slots in order, pattern of the sentence with its names cut out) of every template."""
    found: dict[tuple[str, tuple[str, ...]], str] = {}
    for family in PLAIN.values():
        for template in (*family.sentences.train, *family.sentences.test):
            for count in (2, 3) if "{things}" in template else (0,):
                found.setdefault(template_regex(template, count), family.name)
    return tuple((family, slots, re.compile(regex)) for (regex, slots), family in found.items())


def template_regex(template: str, count: int = 0) -> tuple[str, tuple[str, ...]]:
    """Return the regular expression of a template with its names cut out, and its slots; {things} stands for so many names."""
    parts, slots = [], []
    for slot, choices in pieces(template.removeprefix("!")):
        if choices:
            parts.append("(?:" + "|".join(re.escape(plain_text(c)) for c in choices) + ")")
        elif slot == "rel":
            parts.append(f"(?P<rel>{_alternatives(_relation_words())})")
        else:
            names = "abc"[:count] if slot == "things" else (slot,)
            slots += names
            parts.append("@ ?" * (len(names) - 2) + "@ and @" if len(names) > 1 else "@")
    return " *".join(parts), tuple(slots)


def _alternatives(words: Iterable[str]) -> str:
    return "|".join(sorted({re.escape(w) for w in words}, key=len, reverse=True))


@cache
def _relation_words() -> dict[str, str]:
    return {w: name for name, rows in words("relations").items() for row in rows for w in row}


def _inverse(rows: Mapping[str, Phrasings], names: Iterable[str]) -> dict[str, str]:
    return {w: name for name in names for row in rows[name] for w in row}


@cache
def _kinds() -> dict[str, str]:
    return _inverse(words("kinds"), [*KINDS, "thing", "bin", "table"])


@cache
def _plurals() -> dict[str, str]:
    return {plural(w): kind for w, kind in _kinds().items() if kind not in ("bin", "table")}


@cache
def _colours() -> dict[str, str]:
    return _inverse(words("colours"), COLOURS)


def _noun(suffix: str) -> str:
    return f"(?:(?P<colour{suffix}>{_alternatives(_colours())}) )?(?P<kind{suffix}>{_alternatives(_kinds())})"


@cache
def _names(relative: bool, plain: bool) -> re.Pattern[str]:
    """Return the pattern of every way to name things; the group that begins with "form" tells which it is.

    Args:
        relative: whether "the can left of the blue bowl" counts as one name.
        plain: whether a thing by its kind alone needs an article.
    """
    the = "(?:(?:the|a|an) )?"
    forms = [_relative_pattern(the)] if relative else []
    for i, (name, rows) in enumerate(words("superlatives").items()):
        templates = sorted((t for row in rows for t in row), key=len, reverse=True)
        options = "|".join(_around(t, str(10 * i + j + 10)) for j, t in enumerate(templates))
        forms.append(f"(?P<form_ranked_{name}>{the}(?:{options}))")
    marked = f"(?=(?:the|a|an|{_alternatives(_colours())}) )" if plain else ""
    forms += [_every_pattern(), f"(?P<form_simple>{marked}{the}{_noun('')})"]
    return re.compile(rf"\b(?:{'|'.join(forms)})\b")


def _relative_pattern(the: str) -> str:
    between = {plain_text(re.sub(r"\{\w+\}", "", t)) for row in words("beside")["relative"] for t in row} - {""}
    other = _noun("2").replace("kind2", "other2").replace("colour2", "mark2")
    relations = _alternatives(_relation_words())
    return f"(?P<form_relative>{the}{_noun('1')} (?:(?:{_alternatives(between)}) )?(?P<rel>{relations}) the {other})"


def _around(template: str, suffix: str) -> str:
    before, _, after = template.partition("{n}")
    return re.escape(before) + _noun(suffix) + re.escape(after)


def _every_pattern() -> str:
    kinds, plurals, colours = _alternatives(_kinds()), _alternatives(_plurals()), _alternatives(_colours())
    options, number = [], 200
    for template in sorted((t for r in words("groups").values() for row in r for t in row), key=len, reverse=True):
        number += 1
        regex = re.escape(template).replace(re.escape("{n}s"), f"(?P<plural{number}>{plurals})")
        regex = regex.replace(re.escape("{n}"), f"(?P<kind{number}>{kinds})")
        regex = regex.replace(re.escape("{c}"), f"(?P<colour{number}>{colours})")
        options.append(regex)
    return f"(?P<form_every>{'|'.join(options)})"


def _named(found: dict[str, str], colour: str = "colour", kind: str = "kind") -> str:
    name = _kinds()[found[kind]]
    return f"{_colours()[found[colour]]} {name}" if colour in found else name


def _relative_name(found: dict[str, str]) -> str:
    return f"{_named(found)} {_relation_words()[found['rel']]} {_named(found, 'mark', 'other')}"


def _every_name(found: dict[str, str]) -> str:
    kind = _plurals()[found["plural"]] if "plural" in found else _kinds().get(found.get("kind", ""), "thing")
    return f"every {_colours()[found['colour']]} {kind}" if "colour" in found else f"every {kind}"
