"""Sentences that ask to harm somebody, to break something or to leave the limits: declined whatever model would follow them."""

import re
from functools import cache

from vlp.understanding.lexicon import english, forms, listed, tokens
from vlp.understanding.prohibitions import split


def harmful(text: str) -> str:
    """Return the words of a sentence that ask for harm, "" where none do; "do not hit the cat" asks for none.

    Args:
        text: a cleaned instruction.
    """
    asked, said = _patterns()
    for pattern, words in ((asked, split(text)[0]), (said, " ".join(tokens(text)))):
        if match := pattern.search(words):
            return match[0].strip()
    return ""


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return what asks for harm: in what a sentence asks for besides its prohibitions, and in all of it."""
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

    def made(patterns: list[str]) -> re.Pattern[str]:
        spelled = "|".join(patterns)
        for _ in range(2):
            spelled = re.sub(r"<(\w+)>", lambda match: words[match[1]], spelled)
        return re.compile(spelled)

    return made(table["asked"]), made(table["said"])
