"""The words of a language that matter to a robot, read from data, and the ways to name things with them."""

import re
import tomllib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import Any

from vlp.core.messages import Names

WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*", re.UNICODE)
BREAKS = ",;:.!?"
"""Punctuation between clauses; dashes set off by spaces and brackets count as commas."""


def tokens(text: str) -> list[str]:
    """Return the words of a sentence in lower case, each mark of `BREAKS` as a token of its own, and all else one by one.

    Args:
        text: a cleaned instruction.
    """
    plain = unicodedata.normalize("NFKC", with_apostrophes(text)).lower()
    plain = re.sub(english()["contractions"]["parted"], r"\1n't", plain)
    plain = re.sub(r"[\u2013\u2014]|\s--?\s|[()\n]|\.{2,}|…", " , ", plain)
    found: list[str] = []
    for piece in re.findall(rf"{WORD.pattern}|\d+(?:[.,]\d+)*|[^\s]", plain):
        found += _spelled_out(piece) if WORD.fullmatch(piece) else [] if piece == "'" else [piece]
    return found


def with_apostrophes(text: str) -> str:
    """Return a text with one sign for all that is typed as an apostrophe; NFKC would part "don´t" at it."""
    return re.sub("[’‘‛`´ʹʻʼʽˈ′＇]", "'", text)


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


@cache
def singulars(word: str) -> frozenset[str]:
    """Return what a word may be the plural of, itself included: "knives" of "knife", "glasses" of "glass"."""
    found = {word, english()["plurals"].get(word, word)}
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        found.add(word[:-1])
        endings = {"es": ("",), "ies": ("y",), "ves": ("f", "fe")}
        found |= {word.removesuffix(e) + one for e, ones in endings.items() if word.endswith(e) for one in ones}
    return frozenset(found)


@cache
def english() -> dict[str, Any]:
    """Return the tables of `english.toml`."""
    return tomllib.loads(resources.files("vlp.understanding").joinpath("english.toml").read_text("utf-8"))


@cache
def listed(table: str, name: str) -> frozenset[str]:
    """Return the words of one list of `english.toml`."""
    return frozenset(english()[table][name].split())


def role(name: str) -> frozenset[str]:
    """Return the words that play a part in a sentence, from the table `roles`."""
    return listed("roles", name)


NAME = "THING"
ALL = "THING_ALL"
"""What a rewritten phrase says of all that there is, without a name of its own."""


@dataclass(frozen=True)
class Mention:
    """A thing or things that a sentence names.

    Args:
        text: the words.
        kind: the kind of thing; "" where any may be meant ("the red one", "everything").
        colour: the colour; "" for any.
        whole: whether it means all that there is ("everything").
    """

    text: str
    kind: str = ""
    colour: str = ""
    whole: bool = False

    def fits(self, phrase: str) -> bool:
        """Return whether a phrase of a policy, such as "red cube", may be what is meant."""
        colour, _, kind = phrase.rpartition(" ")
        return self.kind in ("", kind) and self.colour in ("", colour)


def known_words(found: Sequence[str], lexicon: Lexicon) -> tuple[list[str], list[str]]:
    """Return the tokens with typing errors mended, and those that nothing explains, "coffee" without a mug among them."""
    mended = [token if token in BREAKS else lexicon.mended(token) if is_word(token) else None for token in found]
    words = [token if known is None else known for token, known in zip(found, mended, strict=True)]
    unknown = [
        token
        for i, (token, known) in enumerate(zip(found, mended, strict=True))
        if known is None
        or (known in lexicon.describing_alone and not _describes(known, words, i, lexicon))
        or _compound(words, i, lexicon)
    ]
    return words, unknown


def _compound(words: Sequence[str], i: int, lexicon: Lexicon) -> bool:
    """Return whether two kinds of thing make one that nobody knows: "the bowl tray"; "the mug can be put" is none."""
    if i == 0 or words[i] not in lexicon.kinds or words[i - 1] not in lexicon.kinds:
        return False
    modal = words[i] == "can" and words[i + 1 : i + 2] != [] and words[i + 1] in role("after_can")
    return not modal and not _describes(words[i - 1], words, i - 1, lexicon) and not _place_at(words, i - 1, lexicon)


def cut_names(words: Sequence[str], lexicon: Lexicon) -> tuple[str, list[Mention]]:
    """Return the sentence with each name cut out and each place by its own word, and the names."""
    out, names, i = list[str](), list[Mention](), 0
    while i < len(words):
        length, mention = _name_at(words, i, lexicon)
        place = "" if mention is not None or _is_verb(words, i, lexicon) else _place_at(words, i, lexicon)
        after_article = bool(out) and out[-1] in role("articles")
        if mention is not None:
            names.append(mention)
            out.append(NAME)
        elif place and (after_article or words[i] not in role("behind_article")):
            while out and out[-1] in role("articles"):
                out.pop()
            out.append(lexicon.places[place].upper())
            length = place.count(" ") + 1
        else:
            out.append(words[i])
        i += max(length, 1)
    return " ".join(out), names


def _name_at(words: Sequence[str], start: int, lexicon: Lexicon) -> tuple[int, Mention | None]:
    """Return how many words from `start` on name a thing, and the thing; (0, None) where none is named."""
    i, colour, marks = start, "", set[str]()
    while i < len(words):
        word = words[i]
        if word in lexicon.colours:
            colour, marks = lexicon.colours[word], marks | {"colour"}
        elif word in listed("things", "sizes") and (
            i + 1 == len(words) or words[i + 1] not in ("of", "the", "a")
        ):  # "left of the"
            marks.add("size")
        elif word in listed("things", "quantifiers"):
            marks.add("the" if word in role("articles") else "all")
        elif not (
            (word == "of" and ("all" in marks or words[i - 1] in ("one", "each")))
            or (word in role("coloured") and colour)
            or _describes(word, words, i, lexicon)
        ):
            break
        i += 1
    head = words[i] if i < len(words) else ""
    if head in lexicon.kinds:
        following = words[i + 1] if i + 1 < len(words) else ""
        before = words[i - 1] if i > start else ""
        modal = head == "can" and (
            not marks or (following in role("after_can") and before not in ("the", "a", *lexicon.colours))
        )
        if modal and before in lexicon.kinds:  # "the tin can be put", and no tin can
            return _mention(words, start, i, lexicon.kinds[before], colour)
        if modal or _place_at(words, i, lexicon) or (not marks and _is_verb(words, i, lexicon)):
            return 0, None
        return _mention(words, start, i + 1, lexicon.kinds[head], colour)
    if head in listed("things", "all") or (
        head in listed("things", "generic") and (marks or head.endswith("s") or head == "stuff")
    ):
        end, said = _said_colour(words, i + 1, lexicon)
        plural = head in listed("things", "all") or "all" in marks or head.endswith("s") or head == "stuff"
        return _mention(words, start, end, "", said or colour, whole=plural and not (said or colour or "size" in marks))
    if head in listed("things", "pronouns") and (colour or "size" in marks):
        return _mention(words, start, i + 1, "", colour)
    if colour or ("size" in marks and words[i - 1] == "one"):  # "the red", "the small one"
        return _mention(words, start, i, "", colour)
    if words[start] in role("whole") and i > start and words[i - 1] in role("pronouns"):  # "all of this"
        return _mention(words, start, i, whole=True)
    final = start > 0 and words[start - 1] == "after"  # "after all"
    if words[start] == "all" and not final and i == start + 1 and (head in role("relations") or head in BREAKS or not head):
        return _mention(words, start, i, whole=True)
    if words[start] in (*role("whole"), "the") and head in (*role("pronouns"), "lot", "rest", "others", "remainder"):
        end, said = _said_colour(words, i + 1, lexicon)
        return _mention(words, start, end, "", said, whole=not said)
    return 0, None


def _mention(
    words: Sequence[str], start: int, end: int, kind: str = "", colour: str = "", whole: bool = False
) -> tuple[int, Mention | None]:
    return (end - start, Mention(" ".join(words[start:end]), kind, colour, whole)) if end > start else (0, None)


def _said_colour(words: Sequence[str], i: int, lexicon: Lexicon) -> tuple[int, str]:
    """Return the colour that follows a general word, as in "everything red" or "all that is red", and where it ends."""
    skipped = i
    while skipped < len(words) and words[skipped] in ("that", "which", "is", "are"):
        skipped += 1
    if skipped < len(words) and words[skipped] in lexicon.colours:
        return skipped + 1, lexicon.colours[words[skipped]]
    return i, ""


def _place_at(words: Sequence[str], i: int, lexicon: Lexicon) -> str:
    """Return the word or words for a named place that stand at a position, "" where none do."""
    return next((p for p in lexicon.places if list(words[i : i + p.count(" ") + 1]) == p.split()), "")


def _describes(word: str, words: Sequence[str], i: int, lexicon: Lexicon) -> bool:
    """Return whether a word stands before a kind that it may describe, as "coffee" before "mug"."""
    kinds = lexicon.describing.get(word)
    following = next((w for w in words[i + 1 : i + 3] if w in lexicon.kinds), None)
    between = words[i + 1] if words[i + 2 : i + 3] == [following] else following  # "coffee mug", "little coffee mug"
    beside = between == following or between in lexicon.describing or between in lexicon.colours
    return kinds is not None and following is not None and beside and ("" in kinds or lexicon.kinds[following] in kinds)


def _is_verb(words: Sequence[str], i: int, lexicon: Lexicon) -> bool:
    """Return whether a word that also names a thing is a verb here: "bin the can", "box it"."""
    following = words[i + 1] if i + 1 < len(words) else ""
    before = words[i - 1] if i else ","
    starts = before in BREAKS or before in ("and", "then", "please", "to", "you", "so", "just", "or")
    objects = (*role("articles"), "it", "them", "all", "everything", "both", "every")
    names = following in objects or following in lexicon.colours
    return words[i] in act_of() and starts and names and before not in ("in", "into")
