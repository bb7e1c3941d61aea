"""Sentences that are not acted on at once: they ask for harm, or their deed hangs on what no robot sees."""

import re
from collections.abc import Mapping, Sequence
from functools import cache

from vlp.understanding.lexicon import english, forms, listed, tokens
from vlp.understanding.prohibitions import split


def harmful(text: str) -> str:
    """Return the words of a sentence that ask for harm, "" where none do; "do not hit the cat" asks for none.

    Args:
        text: a cleaned instruction.
    """
    asked, said, _ = _harm()
    for pattern, words in ((asked, split(text)[0]), (said, " ".join(tokens(text)))):
        if match := pattern.search(words):
            return match[0].strip()
    return ""


def without_denied(text: str) -> str:
    """Return a sentence without the words that forbid harm to somebody, which nothing here does: "do not hit anybody"."""
    denied = _harm()[2]
    words = " ".join(tokens(text))
    return denied.sub("", words) if denied.search(words) else text


def hanging(text: str) -> list[str]:
    """Return the words of a sentence on which its deed hangs and that neither looking nor a step settles.

    "if the door is open", "when you are in the kitchen" and "after that" are none of them.

    Args:
        text: a cleaned instruction.
    """
    spared, patterns = _conditions()
    words = spared.sub(" ", " ".join(tokens(text)))
    return [match[0].strip(" ,") for match in patterns.finditer(words)]


@cache
def _conditions() -> tuple[re.Pattern[str], re.Pattern[str]]:
    table = english()["conditions"]
    words = {**table, "living": "|".join(sorted(listed("harm", "living")))}
    return _spelled(table["spared"], words), _spelled(table["hang"], words)


@cache
def _harm() -> tuple[re.Pattern[str], ...]:
    """Return what asks for harm in what a sentence asks for besides its prohibitions, and in all of it; what denies it."""
    table = english()["harm"]
    verbs = {
        name: "(?:" + "|".join(sorted({form for verb in table[name].split() for form in forms(verb)})) + ")"
        for name in ("hurt", "fling", "pour", "thrust", "move", "ruin")
    }
    parts, living, pronouns = ("|".join(listed("harm", name)) for name in ("parts", "living", "pronouns"))
    ends = rf"(?= *$| [^\w ]| (?:{'|'.join(listed('harm', 'ends'))})\b)"  # nothing that makes a thing of it: "the dog bed"
    toys = "|".join(listed("harm", "not_living"))
    lead = rf"(?:(?!(?:{toys})\b)[a-z]+ ){{0,3}}?"
    who_else = rf"{lead}(?:{living})\b(?: over there)?{ends}"
    who = rf"(?:{lead}(?:{living}|{parts})|{pronouns}|her)\b(?: over there)?{ends}"
    words = {**verbs, "who": who, "who_else": who_else, "parts": parts, "ends": ends, "children": table["children"]}
    denied = [r"\b(?:do not|must not|never|without) <hurt> <who>\s?[,;.!]?"]
    return _spelled(table["asked"], words), _spelled(table["said"], words), _spelled(denied, words)


def _spelled(patterns: Sequence[str], words: Mapping[str, str]) -> re.Pattern[str]:
    """Return one expression of patterns in which each <name> stands for its words; these may have names in them."""
    spelled = "|".join(patterns)
    for _ in range(3):
        spelled = re.sub(r"<(\w+)>", lambda match: f"(?:{words[match[1]]})", spelled)
    return re.compile(spelled)
