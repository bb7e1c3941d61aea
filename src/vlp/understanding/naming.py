"""The names of things in a sentence, cut out of it: "put the red cube in the bin" is "put THING in BIN", and a red cube."""

from collections.abc import Sequence
from dataclasses import dataclass

from vlp.understanding.english import listed, role
from vlp.understanding.lexicon import Lexicon, act_of
from vlp.understanding.words import BREAKS, is_word

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
