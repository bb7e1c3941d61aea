"""The words that are known: English commands from `english.toml`, and the names of things that somebody brings along."""

import re
from functools import cache, cached_property
from importlib import resources

from vlp.core.names import Names
from vlp.understanding.english import english

LEAST_LETTERS = 4
"""Shorter words have too many neighbours to be misspellings: "can" and "cat"."""


@cache
def real_words() -> frozenset[str]:
    """Return English words one typing error away from a known one that are no typing errors: "cat", "bowel", "place"."""
    return frozenset(resources.files("vlp.understanding").joinpath("real_words.txt").read_text("utf-8").split())


@cache
def denial_spellings() -> frozenset[str]:
    """Return the spellings near "don't", "never" and the like, also with an error in the first letter: "ont", "evern"."""
    short = english()["contractions"]["words"]
    spelled = [word for word, meant in short.items() if meant.endswith(" not")] + ["never", "don't", "won't", "not"]
    plain = {word.replace("'", "") for word in spelled if len(word) > 3}
    wrong = {w for word in plain for w in (*neighbours(word), word[1] + word[0] + word[2:], word[1:])}
    return frozenset(word for word in wrong if len(word) > 2) - neighbours("want")


@cache
def misspelt_denials() -> frozenset[str]:
    """Return the misspellings of denials that are no words themselves: "cat" is none of "can't"."""
    return denial_spellings() - real_words() - Lexicon().known


@cache
def act_of() -> dict[str, frozenset[str]]:
    """Return every form of a verb that moves things -> what it may mean (the tables of `acts`)."""
    found: dict[str, set[str]] = {}
    for act, verbs in english()["acts"].items():
        for verb in verbs.split():
            for form in forms(verb):
                found.setdefault(form, set()).add(act)
    return {form: frozenset(acts) for form, acts in found.items()}


@cache
def verbs(kind: str) -> frozenset[str]:
    """Return every form of the verbs of one kind that move nothing: "look", "tell" or "other"."""
    return frozenset(form for verb in english()["verbs"][kind].split() for form in forms(verb))


def forms(verb: str) -> set[str]:
    """Return the forms of a verb; "stripped" and not "striped": what does not exist may be another word."""
    short = len(re.findall("[aeiouy]+", verb)) == 1 and re.search(r"[^aeiou][aeiou][bdgklmnprt]$", verb)
    stem = verb + verb[-1] if short else verb if verb.endswith("ee") else verb.removesuffix("e")
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return {verb, verb + "ing", verb[:-1] + "ies", verb[:-1] + "ied"}
    third = verb + "es" if verb.endswith(("s", "x", "sh", "ch")) else verb + "s"
    irregular = english()["irregular"]
    past = irregular[verb].split() if verb in irregular else [stem + "ed"]
    return {verb, third, stem + "ing", *past}


class Lexicon:
    """Every word that is known, with the names that were brought along.

    Args:
        names: words for things; None for a model that says itself what it knows.
    """

    def __init__(self, names: Names | None = None) -> None:
        self.names = names or Names()

    @cached_property
    def kinds(self) -> dict[str, str]:
        """Word for a kind of thing, one or several -> kind."""
        found: dict[str, str] = {}
        for kind, words in self.names.kinds.items():
            for word in words.split(", "):
                found |= {word: kind, plural(word): kind}
        return found

    @cached_property
    def colours(self) -> dict[str, str]:
        """Word for a colour -> colour."""
        return {word: colour for colour, words in self.names.colours.items() for word in words.split(", ")}

    @cached_property
    def places(self) -> dict[str, str]:
        """Word or words for a named place -> place, the longest first."""
        found = {word: place for place, words in self.names.places.items() for word in words.split(", ")}
        return dict(sorted(found.items(), key=lambda item: -len(item[0])))

    @cached_property
    def describing(self) -> dict[str, frozenset[str]]:
        """Word that may stand before a kind -> the kinds; "" among them stands for all."""
        found: dict[str, set[str]] = {}
        for kind, words in self.names.describing.items():
            for word in words.split():
                found.setdefault(word, set()).add(kind)
        return {word: frozenset(kinds) for word, kinds in found.items()}

    @cached_property
    def _plain(self) -> frozenset[str]:
        """Every word that is known by itself."""
        tables = english()
        listed = " ".join([*tables["words"].values(), *tables["things"].values(), tables["negation"]["words"]])
        spelled = " ".join([*english()["contractions"]["words"].values(), *self.kinds, *self.colours, *self.places])
        moving = act_of().keys() | verbs("look") | verbs("tell") | verbs("other")
        return frozenset((*listed.split(), *spelled.split(), *moving))

    @cached_property
    def known(self) -> frozenset[str]:
        """Every known word."""
        return self._plain | self.describing.keys()

    @cached_property
    def describing_alone(self) -> frozenset[str]:
        """The words that are known before some kinds alone."""
        return frozenset(self.describing) - self._plain

    def mended(self, word: str) -> str | None:
        """Return the known word that a word is, or is one typing error away from; None for an unknown word.

        What may be a misspelt denial is one: "dotn put it there" must move nothing.
        """
        if word in self.known:
            return word
        if word in misspelt_denials():
            return "not"
        if len(word) < LEAST_LETTERS - 1 or word in real_words():
            return None
        found = (near for near in neighbours(word) if near in self._mendable)
        return min(
            found, key=lambda near: (*self._rank(near)[:1], sorted(near) != sorted(word), *self._rank(near)), default=None
        )

    def _rank(self, word: str) -> tuple[bool, bool, str]:
        """Return what decides between known words that a word may be: names of things come first, then verbs of action."""
        return word not in self.kinds and word not in self.colours, word not in act_of(), word

    @cached_property
    def _mendable(self) -> frozenset[str]:
        return frozenset(word for word in self.known if len(word) >= LEAST_LETTERS)


def neighbours(word: str) -> set[str]:
    """Return the spellings one typing error away, with the same first letter."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    cuts = [(word[:i], word[i:]) for i in range(1, len(word) + 1)]
    return {
        *(a + b[1:] for a, b in cuts if b),
        *(a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1),
        *(a + c + b[1:] for a, b in cuts if b for c in letters),
        *(a + c + b for a, b in cuts for c in letters),
    }


def plural(noun: str) -> str:
    """Return the plural of a noun."""
    if noun.endswith(("x", "sh", "ch", "ss")):
        return noun + "es"
    return noun if noun.endswith("ice") else noun + "s"
