"""From a typed sentence back to a task of the home: the templates of all families and changes, turned round.

Case, punctuation and politeness do not matter. What belongs to no family is no task.
"""

import re
from collections.abc import Iterator
from functools import cache

from vlp.sim.language.recognise import MAX_CHARACTERS, plain_text, without_politeness
from vlp.sim.language.wording import pieces
from vlp.sim.worlds.home.tasks.changes import home_changes
from vlp.sim.worlds.home.tasks.families import NotHere, families
from vlp.sim.worlds.home.tasks.task import HomeTask
from vlp.sim.worlds.home.tasks.wording import names, rows, templates
from vlp.sim.worlds.home.true_state import HomeTruth


def read_task(sentence: str, truth: HomeTruth, before: HomeTask | None = None) -> HomeTask | None:
    """Return the task that a sentence means in a home, or None when it belongs to no family.

    Args:
        sentence: as a person typed it.
        truth: the state when it was typed.
        before: the task in force, which it may change; None for none.
    """
    if before is not None and (task := _read_change(sentence, truth, before)) is not None:
        return task
    family, about = next(_readings(sentence, "families"), ("", {}))
    return families()[family].build(truth, about, sentence) if family else None


def _read_change(sentence: str, truth: HomeTruth, before: HomeTask) -> HomeTask | None:
    """Return what a sentence makes of the task before, None where it changes nothing of it."""
    for name, about in _readings(sentence, "changes"):
        try:
            return home_changes()[name].build(truth, before, about, sentence)
        except NotHere:
            continue
    return None


def _readings(sentence: str, section: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield (row of a section, what its slots are about) for every template that a sentence fits."""
    if len(sentence) > MAX_CHARACTERS:
        return
    plain = plain_text(sentence)
    for text in dict.fromkeys((plain, _bare(plain), without_politeness(_bare(plain)))):
        for name, pattern in _patterns(section):
            if (match := pattern.fullmatch(text)) is not None:
                yield name, {slot: _meant(slot)[said] for slot, said in match.groupdict().items() if slot != "onto"}


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
def _patterns(section: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return (row, pattern of the sentence) of every template of a section, in the order of its table."""
    names = {"families": families, "changes": home_changes}[section]()
    found = templates(section)
    return tuple((name, re.compile(_regex(template))) for name in names for row in found[name] for template in row)


def _regex(template: str) -> str:
    parts = []
    for slot, choices in pieces(template.removeprefix("!")):
        if choices:
            parts.append("(?:" + "|".join(re.escape(plain_text(choice)) for choice in choices) + ")")
        else:
            words = ("on", "onto", "in", "into") if slot == "onto" else sorted(_meant(slot), key=len, reverse=True)
            parts.append(f"(?P<{slot}>{'|'.join(map(re.escape, words))})")
    return " *".join(parts)
