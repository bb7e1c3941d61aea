"""Words that may mean what a robot's own words say, by the senses of WordNet: "picture" for `take_photo`."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from typing import Any, TypeGuard

from vlp.understanding.lexicon import english, forms, singulars


def means(own: str, word: str) -> bool:
    """Return whether a word may mean what a word of the robot's says, or something narrower, in whatever form.

    Args:
        own: a word of a primitive's name (see `own_words`) or of an argument.
        word: what a person said.
    """
    return word in _spellings(own)


def own_words(primitive: str) -> list[str]:
    """Return the words of a primitive's name; a verb with its particle is one of them: "turn_on", and not "turn"."""
    return re.findall(r"[a-z]+(?:_(?:up|down|on|off|out)(?![a-z]))?", primitive.lower())


def number(word: str) -> str:
    """Return the digits of a number that is written as a word, "twice" included, else the word."""
    table = english()["numbers"]
    numbers, tens = table["words"].split(), table["tens"].split()
    if word in tens:
        return str(30 + 10 * tens.index(word))
    return str(numbers.index(word)) if word in numbers else {"twice": "2"}.get(word, word)


def counts(words: Sequence[str]) -> list[str]:
    """Return the words that say a number of something, or which one of a row: "floor two", "the second floor".

    "First" says what is done first, and "one" stands for a thing: "the red one", "one of them".
    """
    table = english()["numbers"]
    known = {*table["words"].split(), *table["tens"].split()} - {"zero", "one"}
    found = [word for word in words if word in known]
    for word, behind in zip(words, [*words[1:], ""], strict=False):
        if (
            word in table["ordinals"].split()[2:]
            and re.fullmatch("[a-z]{3,}", behind)
            and behind not in ("and", "then", "time")
        ):
            found.append(word)
    return found


def place_in_row(word: str) -> str:
    """Return the digits of a number or an ordinal that is written as a word, else the word."""
    row = english()["numbers"]["ordinals"].split()
    return str(row.index(word)) if word in row else number(word)


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether a value is a number, and no choice between yes and no."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def measures(text: str, argument: str, value: float) -> Iterator[tuple[str, str]]:
    """Yield the numbers with their units in a text that are a value, in whatever unit of one kind: "2 min" of `time_s` 120.

    Words such as "a few" stand for any number.

    Args:
        text: in small letters, as `tokens` parts it.
        argument: the name of an argument, with its unit.
        value: of this argument.
    """
    for family in english()["units"].values():
        sizes = {name: float(size) for size, names in family.items() for name in names.split()}
        size = next((sizes[part] for part in reversed(re.findall(r"[^\W_]+", argument.lower())) if part in sizes), None)
        if size is None:
            continue
        for said in re.finditer(rf"(\d+(?:\.\d+)?|[a-z]+) ({'|'.join(sizes)})\b", text):
            amount = number(said[1])
            if not amount[0].isdigit():
                yield "", said[2]
            elif abs(float(amount) * sizes[said[2]] - value * size) <= 1e-6 * abs(value * size):
                yield said[1], said[2]


@cache
def _spellings(own: str) -> frozenset[str]:
    """Return every form of the words that may mean a word."""
    table = _synonyms()
    found = {word for one in singulars(own) for word in table.get(one, "").split()}
    return frozenset(form for word in found for form in (*forms(word), word + "s"))


@cache
def _synonyms() -> dict[str, str]:
    lines = resources.files("vlp.understanding").joinpath("synonyms.txt").read_text("utf-8").splitlines()
    return dict(line.split(": ", 1) for line in lines if not line.startswith("#"))
