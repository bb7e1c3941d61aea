"""Typing errors in the names of colours and kinds, put right before the embedded model reads a sentence.

To that model "red cube" is one token, and "red cbue" is not.
"""

import re
from functools import cache

from vlp.core.messages import plural
from vlp.nano.names import words
from vlp.sim.worlds.tabletop.words import COLOURS, KINDS


def mended(text: str) -> str:
    """Return the text with every word that is one typing error away from a name spelled like it.

    An error is a letter too many, too few or wrong, or two exchanged, never the first: "blok" is "block", "lock" is not.

    Args:
        text: a sentence in lower case.
    """
    return re.sub(r"[a-z]{3,}", lambda match: _mended(match[0]), text)


def _mended(word: str) -> str:
    return word if word in other_words() or word in _names() else _misspelt().get(word, word)


@cache
def other_words() -> frozenset[str]:
    """Return words near a name that are words themselves."""
    return frozenset(words()["spelling"]["other_words"].split())


@cache
def _names() -> frozenset[str]:
    return frozenset((*COLOURS, *KINDS, *map(plural, KINDS)))


@cache
def _misspelt() -> dict[str, str]:
    """Return misspelling -> name, without those that could be two words."""
    found: dict[str, set[str]] = {}
    for word in (*_names(), *other_words()):
        if len(word) > 3:  # shorter words have too many neighbours: "can" and "cat"
            for wrong in _errors(word):
                found.setdefault(wrong, set()).add(word)
    return {wrong: next(iter(words)) for wrong, words in found.items() if len(words) == 1 and words <= _names()}


def _errors(word: str) -> set[str]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    cuts = [(word[:i], word[i:]) for i in range(1, len(word) + 1)]
    return {
        *(a + b[1:] for a, b in cuts if b),
        *(a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1),
        *(a + c + b[1:] for a, b in cuts if b for c in letters),
        *(a + c + b for a, b in cuts for c in letters),
    }
