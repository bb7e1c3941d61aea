"""What a sentence says: the things it names, what it asks for, what it forbids, and the words that nothing explains.

put the red cube in the bowl, not on the plate
tokens      put the red cube in the bowl , not on the plate
skeleton    put THING in THING , not on THING          names: red cube, bowl, plate (places: TABLE, BIN)
clauses     put THING in THING | not on THING          asked: red cube, bowl    forbidden: plate
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise

from vlp.understanding.lexicon import Lexicon, act_of, english, verbs
from vlp.understanding.words import BREAKS, is_word, tokens

NAME = "THING"
ALL = "THING_ALL"
"""What a rewritten phrase says of all that there is, without a name of its own."""
SPLIT = re.compile(r"[,;.!?]|\b(?:but|instead of|rather than)\b")
"""Where one clause ends and the next begins; "but" belongs to neither."""
THEN = re.compile(r":|\b(?:and then|then|and|so|because|since)\b")
BE = frozenset(("is", "are", "was", "were", "am"))
SUBJECTS = frozenset(("i", "he", "she", "they", "we", "who", "someone", "somebody", "nobody", "everyone", "you"))
RELATIONS = frozenset(
    (
        *("in", "on", "into", "onto", "inside", "within", "atop", "upon", "next", "beside", "besides", "by", "near", "behind"),
        *("left", "right", "front", "before", "over", "under", "to", "with", "at", "alongside", "back"),
        *("away", "out", "off", "down", "together", "between", "instead", "there"),
    )
)
COLOURED = frozenset(("colour", "color", "coloured", "colored"))
MODALS = frozenset(
    (
        *("should", "must", "may", "can", "could", "would", "shall", "will", "do", "does", "did", "need", "is", "are", "ought"),
        *("have", "has"),
    )
)
AFTER_CAN = frozenset(("be", "go", "not", "i", "you", "we", "it", "have"))
WHOLE, PRONOUNS = ("all", "both", "every", "each", "any", "whole"), ("it", "them", "this", "that", "these", "those")
STUFF = frozenset(("trash", "garbage", "rubbish"))
"""Words for a place behind an article alone: "in the trash", but "all of it is trash"."""
ASKING_LEAVE = frozenset(("can", "could", "may", "might", "would", "will"))
GOING = frozenset(("go", "goes", "swap", "change", "trade", "end", "stand", "have", "let", "disappear"))
NEEDS_OBJECT = frozenset(("in", "into", "on", "onto", "inside", "to", "at", "behind", "near"))
"""What cannot follow directly on a verb that moves things."""
DEEDS = frozenset(
    ("gone", "empty", "clear", "rubbish", "trash", "waste", "garbage", "junk", "tower", "stack", "pile", "swap", "switch")
)
AWAY = frozenset(("off", "away", "from", "out", "into", "in", "up"))
PERSONS = frozenset(
    ("me", "him", "her", "us", "you", "yourself", "myself", "himself", "herself", "somebody", "someone", "everybody")
)
SPOTS = frozenset(
    ("where", "above", "top", "place", "places", "spot", "spots", "position", "positions", "other", "tower", "stack")
)
LEADING = frozenset(("and", "so", "but", "ok", "please", "robot", "well", "hey", "then", "now"))
"""What may stand before the word that tells whether a clause is a question."""
ARTICLES = frozenset(("the", "a", "an", "this", "that", "these", "those", "my", "your", "our"))


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


@dataclass(frozen=True)
class Clause:
    """One clause of the skeleton.

    Args:
        text: its words, names as THING.
        names: what the THINGs stand for, in order.
        negated: whether it forbids.
    """

    text: str
    names: tuple[Mention, ...] = ()
    negated: bool = False


@dataclass(frozen=True)
class Reading:
    """What a sentence says.

    Args:
        unknown: words and signs that nothing explains, as they were written.
        clauses: in order.
        asks: whether any clause asks for a deed or a state of things.
        question: whether it asks for an answer.
        forbids: whether some of it forbids.
        asked, forbidden: the things named where something is asked for, and where it is forbidden.
        refers: whether words such as "it" stand for what an earlier instruction named.
        places: the named places that are spoken of.
        named: whether it names what is to be moved, or a whole that implies it: "clear the table", "sort by colour".
        whither: whether it says where to.
        person: the words that would move a person or the robot itself, "" where there are none.
        condition, handover, harm: the words that state a condition, hand a thing to a person, or throw one at something; ""
            where there are none.
        acts: what the verbs may mean, keys of `acts` in english.toml.
    """

    unknown: tuple[str, ...] = ()
    clauses: tuple[Clause, ...] = ()
    asks: bool = False
    question: bool = False
    forbids: bool = False
    condition: str = ""
    handover: str = ""
    harm: str = ""
    acts: frozenset[str] = frozenset()
    asked: tuple[Mention, ...] = field(default=())
    forbidden: tuple[Mention, ...] = field(default=())
    refers: bool = False
    places: tuple[str, ...] = ()
    person: str = ""
    named: bool = False
    whither: bool = False


def read(text: str, lexicon: Lexicon, follows: bool = False) -> Reading:
    """Return what a sentence says.

    Args:
        text: a cleaned instruction.
        lexicon: the known words.
        follows: whether it comes after another instruction, to which "it" and "there" may refer.
    """
    words, unknown = _known(tokens(text), lexicon)
    skeleton, names = _named(words, lexicon)
    skeleton = _plainer(skeleton, names)
    clauses = _clauses(skeleton, names, follows)
    limits = {name: _first(pattern, skeleton) for name, pattern in english()["limits"].items()}
    positive = [c for c in clauses if not c.negated]
    acts = frozenset(act for c in positive for word in c.text.split() for act in act_of().get(word, ()))
    reason = [c.negated and any(re.search(p, c.text) for p in english()["negation"]["reasons"]) for c in clauses]
    asked = tuple(name for c, r in zip(clauses, reason, strict=True) if not c.negated or r for name in c.names)
    asking = [c for c in positive if _asks(c, follows)]
    if not asking and not any(_is_question(c.text) for c in clauses):  # "a tower, please: the red cube, the blue block"
        together = Clause(" ".join(c.text for c in positive), tuple(name for c in positive for name in c.names))
        asking = [together] if together.text and _asks(together, follows) else []
    ordered = any(_orders(part.split()) for c in asking for part in THEN.split(c.text))
    if text.rstrip().endswith("?") and not ordered and not follows:
        asking = []  # "the red cube in the bowl?"
    return Reading(
        unknown=tuple(dict.fromkeys(unknown)),
        clauses=tuple(clauses),
        asks=bool(asking),
        question=not asking and ("?" in text or any(_is_question(c.text) for c in clauses)),
        forbids=any(c.negated and not r for c, r in zip(clauses, reason, strict=True)),
        condition=limits["conditions"],
        handover=limits["handovers"],
        harm=limits["harm"],
        acts=acts,
        asked=asked,
        forbidden=tuple(name for c, r in zip(clauses, reason, strict=True) if c.negated and not r for name in c.names),
        person=_person(skeleton.split()),
        named=_names_enough(asked, acts, skeleton),
        whither=any(word in RELATIONS | SPOTS or _is_place(word) for word in skeleton.split()),
        refers=follows and bool(re.search(r"\b(it|them|that|there|this|one|those|these|back)\b", skeleton)),
        places=tuple(place for place in lexicon.names.places if place.upper() in skeleton.split()),
    )


def _names_enough(asked: Sequence[Mention], acts: frozenset[str], skeleton: str) -> bool:
    """Return whether a sentence names what is to be moved: for clearing and sorting a whole, or what is taken away."""
    words = skeleton.split()
    coloured = any(word.startswith(("colour", "color")) for word in words)
    if acts and acts <= {"clear", "sort"} and coloured:
        return True
    if acts == {"clear"}:
        return "TABLE" in words or any(name.whole for name in asked) or (bool(asked) and bool(AWAY & set(words)))
    if acts == {"sort"}:
        return bool(asked) or "TABLE" in words
    return bool(asked) or ("clear" in acts and "TABLE" in words) or ("sort" in acts and "TABLE" in words)


def _is_place(word: str) -> bool:
    return word.isupper() and word not in (NAME, ALL)


def _person(words: Sequence[str]) -> str:
    """Return the verb and its object where a person or the robot itself would be moved, "" where nobody would."""
    for verb, moved in pairwise(words):
        if verb in act_of() and moved in PERSONS and not act_of()[verb] & {"stack", "back"}:
            return f"{verb} {moved}"
    return ""


def _known(found: Sequence[str], lexicon: Lexicon) -> tuple[list[str], list[str]]:
    """Return the tokens with typing errors mended, and those that nothing explains, "coffee" without a mug among them."""
    mended = [token if token in BREAKS else lexicon.mended(token) if is_word(token) else None for token in found]
    words = [token if known is None else known for token, known in zip(found, mended, strict=True)]
    unknown = [
        token
        for i, (token, known) in enumerate(zip(found, mended, strict=True))
        if known is None or (known in lexicon.describing_alone and not _describes(known, words, i, lexicon))
    ]
    return words, unknown


def _named(words: Sequence[str], lexicon: Lexicon) -> tuple[str, list[Mention]]:
    """Return the sentence with each name cut out and each place by its own word, and the names."""
    out, names, i = list[str](), list[Mention](), 0
    while i < len(words):
        length, mention = _name_at(words, i, lexicon)
        place = "" if mention is not None or _is_verb(words, i, lexicon) else _place_at(words, i, lexicon)
        after_article = bool(out) and out[-1] in ARTICLES
        if mention is not None:
            names.append(mention)
            out.append(NAME)
        elif place and (after_article or words[i] not in STUFF):
            while out and out[-1] in ARTICLES:
                out.pop()
            out.append(lexicon.places[place].upper())
            length = place.count(" ") + 1
        else:
            out.append(words[i])
        i += max(length, 1)
    return " ".join(out), names


def _name_at(words: Sequence[str], start: int, lexicon: Lexicon) -> tuple[int, Mention | None]:
    """Return how many words from `start` on name a thing, and the thing; (0, None) where none is named."""
    things, i, colour, marks = _things(), start, "", set[str]()
    while i < len(words):
        word = words[i]
        if word in lexicon.colours:
            colour, marks = lexicon.colours[word], marks | {"colour"}
        elif word in things["sizes"] and (i + 1 == len(words) or words[i + 1] not in ("of", "the", "a")):  # "left of the"
            marks.add("size")
        elif word in things["quantifiers"]:
            marks.add("the" if word in ARTICLES else "all")
        elif not (
            (word == "of" and ("all" in marks or words[i - 1] in ("one", "each")))
            or (word in COLOURED and colour)
            or _describes(word, words, i, lexicon)
        ):
            break
        i += 1
    head = words[i] if i < len(words) else ""
    if head in lexicon.kinds:
        following = words[i + 1] if i + 1 < len(words) else ""
        before = words[i - 1] if i > start else ""
        modal = head == "can" and (not marks or (following in AFTER_CAN and before not in ("the", "a", *lexicon.colours)))
        if modal and before in lexicon.kinds:  # "the tin can be put", and no tin can
            return _mention(words, start, i, lexicon.kinds[before], colour)
        if modal or _place_at(words, i, lexicon) or (not marks and _is_verb(words, i, lexicon)):
            return 0, None
        return _mention(words, start, i + 1, lexicon.kinds[head], colour)
    if head in things["all"] or (head in things["generic"] and (marks or head.endswith("s") or head == "stuff")):
        end, said = _said_colour(words, i + 1, lexicon)
        plural = head in things["all"] or "all" in marks or head.endswith("s") or head == "stuff"
        return _mention(words, start, end, "", said or colour, whole=plural and not (said or colour or "size" in marks))
    if head in things["pronouns"] and (colour or "size" in marks):
        return _mention(words, start, i + 1, "", colour)
    if colour or ("size" in marks and words[i - 1] == "one"):  # "the red", "the small one"
        return _mention(words, start, i, "", colour)
    if words[start] in WHOLE and i > start and words[i - 1] in PRONOUNS:  # "all of this"
        return _mention(words, start, i, whole=True)
    if words[start] == "all" and i == start + 1 and (head in RELATIONS or head in BREAKS or not head):
        return _mention(words, start, i, whole=True)
    if words[start] in (*WHOLE, "the") and head in (*PRONOUNS, "lot", "rest", "others", "remainder"):
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
    return kinds is not None and following is not None and ("" in kinds or lexicon.kinds[following] in kinds)


def _is_verb(words: Sequence[str], i: int, lexicon: Lexicon) -> bool:
    """Return whether a word that also names a thing is a verb here: "bin the can", "box it"."""
    following = words[i + 1] if i + 1 < len(words) else ""
    before = words[i - 1] if i else ","
    starts = before in BREAKS or before in ("and", "then", "please", "to", "you", "so", "just", "or")
    objects = (*ARTICLES, "it", "them", "all", "everything", "both", "every")
    names = following in objects or following in lexicon.colours
    return words[i] in act_of() and starts and names and before not in ("in", "into")


@cache
def _things() -> dict[str, frozenset[str]]:
    return {name: frozenset(text.split()) for name, text in english()["things"].items()}


def _plainer(skeleton: str, names: list[Mention]) -> str:
    """Return the sentence with phrases replaced by what they say more plainly; names in such phrases leave the list."""
    for rewrite in english()["rewrites"]:
        while match := re.search(rewrite["is"], skeleton):
            before, within = (len(re.findall(rf"\b{NAME}\b", text)) for text in (skeleton[: match.start()], match[0]))
            del names[before : before + within]
            plainer = f"{skeleton[: match.start()]} {rewrite['says']} {skeleton[match.end() :]}"
            if plainer.split() == skeleton.split():
                break
            skeleton = " ".join(plainer.split())
    return skeleton


def _clauses(skeleton: str, names: Sequence[Mention], follows: bool) -> list[Clause]:
    """Return the clauses; what stands behind a negation in a clause is a clause of its own that forbids.

    A negation holds on over clauses without a verb ("not the can, the ball or the mug") and over all that follows "under no
    circumstances".
    """
    left, found, forbidding = list(names), list[Clause](), False
    always = re.search(english()["negation"]["absolute"], skeleton)
    position = 0
    for part in SPLIT.split(skeleton):
        start = skeleton.find(part, position)
        position = start + len(part)
        for text, negated in _polarities(part.strip(), follows) if part.strip() else ():
            words = text.split()
            named = tuple(Mention("everything", whole=True) if w == ALL else left.pop(0) for w in words if w in (NAME, ALL))
            bare = not any(word in act_of() or word in _wishes() for word in words)
            negated = negated or (forbidding and bare and bool(named)) or (always is not None and start >= always.start())
            found.append(Clause(text, named, negated))
            forbidding = negated and bool(named or not bare)
    return found


def _polarities(text: str, follows: bool) -> list[tuple[str, bool]]:
    """Return a clause in parts, each with whether it forbids."""
    put_back = follows and "TABLE" in text.split()  # "no, it stays on the table": what is held goes back
    if not put_back and any(re.search(pattern, text) for pattern in english()["negation"]["stays"]):
        return [(text, True)]
    words = text.split()
    spot = next((i for i, word in enumerate(words) if word in _negations() and not _interjection(words, i)), None)
    phrase = re.search(rf"\b(?:{english()['negation']['phrases']})\b", text)
    if phrase is not None:
        spot = min(len(text[: phrase.start()].split()), len(words) if spot is None else spot)
    if spot is None:
        return [(text, False)]
    before = words[:spot]
    if NAME in before and any(word in act_of() for word in before) and not _modal(before):
        return [(" ".join(before), False), (" ".join(words[spot:]), True)]
    return [(text, True)]


def _interjection(words: Sequence[str], i: int) -> bool:
    """Return whether "no" or "stop" opens a clause as a word of its own: "no put it there", "no no"."""
    following = words[i + 1] if i + 1 < len(words) else ""
    alone = not following or following in ("no", "please", "i", "it", "put", "take", "the", NAME, "not", "in", "on", "that")
    return words[i] in ("no", "stop") and i == 0 and (alone or following in RELATIONS)


def _modal(words: Sequence[str]) -> bool:
    """Return whether the words before a negation only lead up to it: "you should", "@ must", "i would rather you did"."""
    return words[-1] in MODALS


@cache
def _negations() -> frozenset[str]:
    return frozenset(english()["negation"]["words"].split())


@cache
def _wishes() -> frozenset[str]:
    return frozenset(english()["requests"]["wishes"].split())


@cache
def _asking() -> frozenset[str]:
    return frozenset(english()["requests"]["asking"].split())


def _first(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match[0] if match else ""


def _is_question(text: str) -> bool:
    """Return whether a clause asks for an answer: it begins as a question, and not as one of those that are requests."""
    words = text.split()
    while words and words[0] in LEADING:
        words = words[1:]
    first, text = (words[0] if words else ""), " ".join(words)
    opened = any(re.match(rf"(?:{pattern})(?= |$)", text) for pattern in english()["requests"]["openings"])
    if first in _asking() and not opened:
        return True
    if first in ASKING_LEAVE and not any(word in act_of() or word in GOING for word in words):  # "could it be in the box"
        return True
    leads = act_of().keys() | verbs("look") | verbs("tell")
    lead = next((word for word in words if word in leads and not (word.endswith("ed") or word in ("seen", "found"))), "")
    return bool(lead) and lead not in act_of()


def _asks(clause: Clause, follows: bool) -> bool:
    """Return whether a clause asks for a deed, or for a state of things."""
    parts = [part.split() for part in THEN.split(clause.text) if part.strip()]
    if _is_question(clause.text) and not any(_orders(part) for part in parts[1:]):
        return False
    words = clause.text.split()
    names = any(word.isupper() for word in words)
    if any(_orders(part) for part in parts):
        return True
    wished = names and any(word in _wishes() for word in words)
    related = names and any(word in RELATIONS for word in words)
    if BE & set(words):
        return wished or (names and any(word in ("where", "for", "place") for word in words))
    pronoun = follows and any(word in ("it", "them", "that", "there", "one") for word in words)
    wished = wished and (related or follows or any(word in DEEDS or _is_place(word) for word in words))
    stated = related and words[0] not in SUBJECTS and not any(word in act_of() for word in words)
    return wished or stated or (follows and (names or pronoun))


def _orders(words: Sequence[str]) -> bool:
    """Return whether words hold a verb that moves things of which no one else is the subject: "put it", not "I put it"."""
    for i, word in enumerate(words):
        if word not in act_of():
            continue
        before = [w for w in words[:i] if w not in ("really", "just", "also", "already", "always", "never")]
        if before and before[-1] in SUBJECTS and not any(w in OPENERS for w in before):
            continue
        if before and before[-1] in ("the", "a", "your", "my"):
            continue
        if words[i + 1 : i + 2] and words[i + 1] in NEEDS_OBJECT and NAME not in before:  # "get in the box"
            continue
        if before and before[-1] in BE | {"been", "being", "has", "had"} and not any(w in _wishes() for w in before):
            continue
        return True
    return False


OPENERS = frozenset(
    (
        *("if", "can", "could", "will", "would", "should", "may", "must", "want", "need", "what", "let", "where", "when"),
        *("once", "how"),
    )
)
"""Words before a subject that make the verb behind it a wish: "I want you to put", "could you put"."""
