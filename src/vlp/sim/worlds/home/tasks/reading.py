"""From a typed sentence back to a task of the home: the templates of all families, turned round.

Case, punctuation and politeness do not matter. What belongs to no family is no task.
"""

import re
from functools import cache

from vlp.sim.language.recognise import MAX_CHARACTERS, plain_text, without_politeness
from vlp.sim.language.wording import pieces
from vlp.sim.worlds.home.tasks.families import families
from vlp.sim.worlds.home.tasks.task import HomeTask
from vlp.sim.worlds.home.tasks.wording import names, rows, templates
from vlp.sim.worlds.home.true_state import HomeTruth


def read_task(sentence: str, truth: HomeTruth) -> HomeTask | None:
    """Return the task that a sentence means in a home, or None when it belongs to no family.

    Args:
        sentence: as a person typed it.
        truth: the state when it was typed.
    """
    if len(sentence) > MAX_CHARACTERS:
        return None
    plain = plain_text(sentence)
    for text in dict.fromkeys((plain, _bare(plain), without_politeness(_bare(plain)))):
        for family, pattern in _patterns():
            match = pattern.fullmatch(text)
            if match is not None:
                about = {slot: _meant(slot)[said] for slot, said in match.groupdict().items() if slot != "onto"}
                return families()[family].build(truth, about, sentence)
    return None


def _bare(text: str) -> str:
    """Return plain text without the words that the data file puts around a sentence, the longest first."""
    around = [tuple(map(plain_text, row.split("{t}"))) for row in rows("around")["polite"]]
    for before, after in sorted(around, key=lambda pair: -len("".join(pair))):
        if text.startswith(before) and text.endswith(after):
            return text[len(before) : len(text) - len(after)].strip()
    return text


@cache
def _meant(slot: str) -> dict[str, str]:
    """Return what the words of a slot mean; a place's own words go with or without an article."""
    said = {plain_text(words): name for name, words in names(slot).items()}
    return said | {words.removeprefix("the "): name for words, name in said.items()}


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return (family, pattern of the sentence) of every template, in the order of the families."""
    return tuple((name, re.compile(_regex(template))) for name in families() for row in templates()[name] for template in row)


def _regex(template: str) -> str:
    parts = []
    for slot, choices in pieces(template.removeprefix("!")):
        if choices:
            parts.append("(?:" + "|".join(re.escape(plain_text(choice)) for choice in choices) + ")")
        else:
            words = ("on", "onto", "in", "into") if slot == "onto" else sorted(_meant(slot), key=len, reverse=True)
            parts.append(f"(?P<{slot}>{'|'.join(map(re.escape, words))})")
    return " *".join(parts)
