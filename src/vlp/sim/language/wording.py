"""From references and templates to sentences: synonyms, word order, politeness and typing errors.

A template has choices in square brackets and slots in braces: "[put|place] {a} {rel} {b}". One that begins with "!" is
not an imperative and takes no "please". Templates and words stand in the data files of this package.
"""

import re
from collections.abc import Mapping
from functools import cache
from random import Random

from vlp.core.messages import plural
from vlp.sim.language.phrasings import Phrasings, phrasings
from vlp.sim.worlds.tabletop.words import KINDS


def words(section: str) -> Mapping[str, Phrasings]:
    """Return what people call kinds, colours, relations, superlatives or groups of things: a section of `words.toml`."""
    return phrasings("words", section)


def pick(rows: Mapping[str, Phrasings], key: str, rng: Random, split: str) -> str:
    """Return one phrasing of a word."""
    return rng.choice(rows[key].of(split))


@cache
def pieces(template: str) -> tuple[tuple[str, list[str]], ...]:
    """Return a template in parts: ("", choices), with one choice for a literal, or (slot, [])."""
    parts: list[tuple[str, list[str]]] = []
    end = 0
    for match in re.finditer(r"\[([^\]]*)\]|\{(\w+)\}", template):
        parts.append(("", [template[end : match.start()]]))
        parts.append(("", match[1].split("|")) if match[1] is not None else (match[2], []))
        end = match.end()
    parts.append(("", [template[end:]]))
    return tuple(part for part in parts if part != ("", [""]))


def word(template: str, arguments: dict[str, str], rng: Random, split: str) -> str:
    """Return a finished sentence for a template.

    Args:
        template: see the module.
        arguments: references by slot ("a", "b", "c"; all of them for {things}) and "relation" for the slot {rel}.
        rng: the source of chance.
        split: "train" or "test".
    """
    said: list[str] = []
    for slot, choices in pieces(template.removeprefix("!")):
        if choices:
            said.append(rng.choice(choices))
        elif slot == "rel":
            said.append(pick(words("relations"), arguments["relation"], rng, split))
        elif slot == "things":
            said.append(listed([describe(arguments[name], rng, split) for name in "abc" if name in arguments]))
        else:
            said.append(describe(arguments[slot], rng, split))
    text = "".join(said)
    if not template.startswith("!") and rng.random() < 0.3:
        text = pick(phrasings("instructions", "around"), "polite", rng, split).replace("{t}", text)
    if rng.random() < (0.15 if split == "test" else 0.1):
        text = typo(text, rng)
    return _dress(text, rng)


def describe(reference: str, rng: Random, split: str) -> str:
    """Return words for a reference, e.g. "leftmost can" -> "the can furthest to the left" (see `references`)."""
    first, _, rest = reference.partition(" ")
    if first == "every":
        return _every(rest, rng, split)
    if first in words("superlatives"):
        return "the " + pick(words("superlatives"), first, rng, split).replace("{n}", noun(rest, rng, split))
    parts = reference.split()
    if len(parts) == 4:
        text = pick(words("beside"), "relative", rng, split).replace("{n}", noun(parts[0], rng, split))
        text = text.replace("{rel}", pick(words("relations"), parts[1], rng, split))
        return "the " + text.replace("{b}", "the " + noun(f"{parts[2]} {parts[3]}", rng, split))
    article = "" if len(parts) == 2 and rng.random() < 0.08 else "the "
    return article + noun(reference, rng, split)


def listed(names: list[str]) -> str:
    """Return "a", "a and b" or "a, b and c"."""
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def noun(name: str, rng: Random, split: str) -> str:
    """Return words without an article for "red cube", "cube", "red thing", "bin" and the like."""
    colour, _, kind = name.rpartition(" ")
    called = pick(words("kinds"), kind, rng, split)
    return f"{pick(words('colours'), colour, rng, split)} {called}" if colour else called


def _every(rest: str, rng: Random, split: str) -> str:
    if rest == "thing":
        return pick(words("groups"), "thing", rng, split)
    if rest in KINDS:
        text, name = pick(words("groups"), "kind", rng, split), pick(words("kinds"), rest, rng, split)
        return text.replace("{n}s", plural(name)).replace("{n}", name)
    colour = rest.split()[0]
    return pick(words("groups"), "colour", rng, split).replace("{c}", colour)


def typo(text: str, rng: Random) -> str:
    """Return the text with one typing error inside one of its longer words; short words and first letters stay."""
    said = text.split(" ")
    long = [i for i, w in enumerate(said) if len(w) > 3 and w.isalpha()]
    if not long:
        return text
    i = rng.choice(long)
    w = said[i]
    k = rng.randrange(1, len(w) - 1)
    said[i] = rng.choice((w[:k] + w[k + 1 :], w[:k] + w[k + 1] + w[k] + w[k + 2 :], w[:k] + w[k] + w[k:]))
    return " ".join(said)


def _dress(text: str, rng: Random) -> str:
    if rng.random() < 0.5:
        return text
    return text[0].upper() + text[1:] + rng.choice(("", ".", ".", "!"))
