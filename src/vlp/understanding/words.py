"""A sentence as words: case, apostrophes and contractions evened out, punctuation kept where it parts clauses."""

import re
import unicodedata

from vlp.understanding.english import english

WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*", re.UNICODE)
BREAKS = ",;:.!?"
"""Punctuation between clauses; dashes set off by spaces and brackets count as commas."""


def tokens(text: str) -> list[str]:
    """Return the words of a sentence in lower case, each mark of `BREAKS` as a token of its own, and all else one by one.

    Args:
        text: a cleaned instruction.
    """
    plain = unicodedata.normalize("NFKC", text).lower()
    plain = re.sub("[’‘`´ʼ]", "'", plain)
    plain = re.sub(r"[\u2013\u2014]|\s--?\s|[()\n]|\.{2,}|…", " , ", plain)
    found: list[str] = []
    for piece in re.findall(rf"{WORD.pattern}|\d+(?:[.,]\d+)*|[^\s]", plain):
        found += _spelled_out(piece) if WORD.fullmatch(piece) else [] if piece == "'" else [piece]
    return found


def is_word(token: str) -> bool:
    """Return whether a token is a word of letters."""
    return WORD.fullmatch(token) is not None


def _spelled_out(word: str) -> list[str]:
    """Return a word without contractions: "don't" as "do not", "mug's" as "mug"."""
    short = english()["contractions"]
    if word in short["words"]:
        return short["words"][word].split()
    for ending, spelled in short["endings"].items():
        if word.endswith(ending) and len(word) > len(ending):
            return [*_spelled_out(word.removesuffix(ending)), *spelled.split()]
    if word.endswith("'s"):
        stem = word.removesuffix("'s")
        return [stem, "is"] if stem in short["is"]["words"].split() else [stem]
    return [part for part in word.split("-") if part] if "-" in word else [word]
