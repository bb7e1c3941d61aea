"""What a sentence says: the things it names, what it asks for, what it forbids, and the words that nothing explains.

put the red cube in the bowl, not on the plate
tokens      put the red cube in the bowl , not on the plate
skeleton    put THING in THING , not on THING          names: red cube, bowl, plate (places: TABLE, BIN)
clauses     put THING in THING | not on THING          asked: red cube, bowl    forbidden: plate
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise

from vlp.understanding.lexicon import (
    ALL,
    NAME,
    Lexicon,
    Mention,
    act_of,
    cut_names,
    english,
    known_words,
    listed,
    role,
    tokens,
    verbs,
)
from vlp.understanding.stopping import says_stop


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
        refers: whether words such as "it" stand for something, of this sentence or of an earlier one.
        places: the named places that things are to go to.
        takes_back: whether it denies what it asks for, or leaves it open: "put it there. no, don't", "in the box or the bin".
        named: whether it names what is to be moved, or a whole that implies it: "clear the table", "sort by colour".
        whither: whether it says where to.
        beyond: words that go beyond what the robot does, by what they ask: "conditions", "handovers" (to a person), "harm"
            (things thrown at things), "persons" (moved themselves).
        acts: what the verbs may mean, keys of `acts` in english.toml.
    """

    unknown: tuple[str, ...] = ()
    clauses: tuple[Clause, ...] = ()
    asks: bool = False
    question: bool = False
    forbids: bool = False
    beyond: Mapping[str, str] = field(default_factory=dict)
    acts: frozenset[str] = frozenset()
    asked: tuple[Mention, ...] = field(default=())
    forbidden: tuple[Mention, ...] = field(default=())
    refers: bool = False
    places: tuple[str, ...] = ()
    takes_back: bool = False
    named: bool = False
    whither: bool = False


def read(text: str, lexicon: Lexicon, follows: bool = False) -> Reading:
    """Return what a sentence says.

    Args:
        text: a cleaned instruction.
        lexicon: the known words.
        follows: whether it comes after another instruction, to which "it" and "there" may refer.
    """
    words, unknown = known_words(tokens(text), lexicon)
    unknown += [mark for mark in "!/$#>" if text.lstrip().startswith(mark)]  # "!put" and "/stop" are no sentences
    skeleton, names = cut_names(words, lexicon)
    skeleton = _parted(_plainer(skeleton, names))
    clauses = _clauses(skeleton, names, follows)
    beyond = {name: match[0] for name, pattern in english()["limits"].items() if (match := re.search(pattern, skeleton))}
    told = None if follows else re.search(english()["limits"]["told_of"], skeleton)
    beyond.pop("told_of", None)
    if person := _person(skeleton.split()):
        beyond["persons"] = person
    positive = [c for c in clauses if not c.negated]
    acts = frozenset(act for c in positive for word in c.text.split() for act in act_of().get(word, ()))
    reason = [c.negated and any(re.search(p, c.text) for p in english()["negation"]["reasons"]) for c in clauses]
    asked = tuple(name for c, r in zip(clauses, reason, strict=True) if not c.negated or r for name in c.names)
    asking = [c for c in positive if _asks(c, follows)]
    if not asking and not any(_is_question(c.text) for c in clauses):  # "a tower, please: the red cube, the blue block"
        together = Clause(" ".join(c.text for c in positive), tuple(name for c in positive for name in c.names))
        asking = [together] if together.text and _asks(together, follows) else []
    if told is not None and "if" not in told.string[: told.start()].split()[-2:]:
        asking = []
    ordered = any(_orders(part.split()) for c in asking for part in _parts(c.text))
    if text.rstrip().endswith("?") and not ordered and not follows:
        asking = []  # "the red cube in the bowl?"
    return Reading(
        unknown=tuple(dict.fromkeys(unknown)),
        clauses=tuple(clauses),
        asks=bool(asking),
        question=not asking and ("?" in text or any(_is_question(c.text) for c in clauses)),
        forbids=any(c.negated and not r for c, r in zip(clauses, reason, strict=True)),
        beyond=beyond,
        acts=acts,
        asked=asked,
        forbidden=tuple(name for c, r in zip(clauses, reason, strict=True) if c.negated and not r for name in c.names),
        named=_names_enough(asked, acts, skeleton),
        whither=len(asked) > 1 or any(w in role("spots") or _is_place(w) for c in positive for w in c.text.split()),
        refers=bool(re.search(r"\b(it|them|that|there|this|one|those|these|back)\b", skeleton)),
        places=tuple(
            p for p in lexicon.names.places if re.search(rf"(?<!out of )(?<!from )(?<!off )\b{p.upper()}\b", skeleton)
        ),
        takes_back=_takes_back(clauses, reason, asking, skeleton, follows),
    )


def _takes_back(
    clauses: Sequence[Clause], reasons: Sequence[bool], asking: Sequence[Clause], skeleton: str, follows: bool
) -> bool:
    """Return whether a sentence denies what it asks for: by a denial without a name, by taking it back, or by naming a thing
    in both. In a correction a denial may stand before the request: "don't do that, put it in the bowl"."""
    if not asking:
        return False
    first = next((i for i, clause in enumerate(clauses) if not clause.negated and _asks(clause, follows)), 0)
    denials = [i for i, (c, r) in enumerate(zip(clauses, reasons, strict=True)) if c.negated and not r and not c.names]
    if not follows and any(c.text in ("not", "never") for c in clauses):  # "not (put it there)"
        return True
    alone = [i for i, c in enumerate(clauses) if c.text.split() and set(c.text.split()) <= {"no", "never", "not", "nope"}]
    if any(i > first or not follows for i in denials) or any(i > first for i in alone):
        return True
    exact = {(m.kind, m.colour) for c in clauses if c.negated for m in c.names if m.kind}
    if exact & {(m.kind, m.colour) for c in clauses if not c.negated for m in c.names if m.kind} and not follows:
        return True
    if not follows and any(says_stop(clause.text) for clause in clauses[first + 1 :]):
        return True
    either = any(re.search(rf"({NAME}|[A-Z]+) or ({NAME}|[A-Z]+)", c.text) for c in clauses if not c.negated)
    return not follows and (either or bool(re.search(english()["negation"]["takes_back"], skeleton)))


def _names_enough(asked: Sequence[Mention], acts: frozenset[str], skeleton: str) -> bool:
    """Return whether a sentence names what is to be moved: for clearing and sorting a whole, or what is taken away."""
    words = skeleton.split()
    coloured = any(word.startswith(("colour", "color")) for word in words)
    if acts and acts <= {"clear", "sort"} and coloured:
        return True
    if acts == {"clear"}:
        return "TABLE" in words or any(name.whole for name in asked) or (bool(asked) and bool(role("away") & set(words)))
    if acts == {"sort"}:
        return bool(asked) or "TABLE" in words
    if acts == {"swap"}:
        return len(asked) > 1 or any(name.whole or "two" in name.text.split() for name in asked)
    return bool(asked) or ("clear" in acts and "TABLE" in words) or ("sort" in acts and "TABLE" in words)


def _is_place(word: str) -> bool:
    return word.isupper() and word not in (NAME, ALL)


def _person(words: Sequence[str]) -> str:
    """Return the verb and its object where a person or the robot itself would be moved, "" where nobody would."""
    plain = [word for word in words if word not in ("the", "a")]
    clears = any("clear" in act_of().get(word, ()) for word in words)  # "get the table cleared"
    for verb, moved in pairwise(plain):
        acts = act_of().get(verb, frozenset())
        person = moved in role("persons") and not acts & {"stack", "back"}
        if acts and moved == "your" and verb != "use" and role("limbs") & set(words):
            return f"{verb} your ..."
        if acts and (
            person or (moved in ("TABLE", "robot") and not clears and verb != "use" and not acts & {"clear", "sort", "stack"})
        ):
            return f"{verb} {moved}"
    return ""


def _plainer(skeleton: str, names: list[Mention]) -> str:
    """Return the sentence with phrases replaced by what they say more plainly; names in such phrases leave the list."""
    for rewrite in english()["rewrites"]:
        for _ in range(12):
            match = re.search(rewrite["is"], skeleton)
            if match is None:
                break
            before, within = (len(re.findall(rf"\b{NAME}\b", text)) for text in (skeleton[: match.start()], match[0]))
            del names[before : before + within]
            skeleton = " ".join(f"{skeleton[: match.start()]} {rewrite['says']} {skeleton[match.end() :]}".split())
    return skeleton


def _parted(skeleton: str) -> str:
    """Return the sentence with a comma on both sides of a phrase that forbids in the middle of a request."""
    skeleton = re.sub(rf"\b(without [a-z]+ing {NAME})\b", r", \1 ,", skeleton)
    return re.sub(rf"\b(not {NAME}) but\b", r"\1 ,", skeleton)


def _clauses(skeleton: str, names: Sequence[Mention], follows: bool) -> list[Clause]:
    """Return the clauses; what stands behind a negation in a clause is a clause of its own that forbids.

    A negation holds on over clauses without a verb ("not the can, the ball or the mug") and over all that follows "under no
    circumstances".
    """
    left, found, forbidding = list(names), list[Clause](), False
    always = re.search(english()["negation"]["absolute"], skeleton)
    position = 0
    for part in re.split(r"[,;.!?]|\b(?:but|instead of|rather than)\b", skeleton):
        start = skeleton.find(part, position)
        position = start + len(part)
        for text, negated in _polarities(part.strip(), follows) if part.strip() else ():
            words = text.split()
            named = tuple(Mention("everything", whole=True) if w == ALL else left.pop(0) for w in words if w in (NAME, ALL))
            bare = not any(word in act_of() or word in listed("requests", "wishes") for word in words)
            placed = bool(words) and words[0] in role("relations")  # "not the blue one, in the bowl"; a correction contrasts
            held_on = (
                forbidding and bare and bool(named) and not follows and not placed
            )  # "not the can, the ball"; a correction contrasts
            negated = negated or held_on or (always is not None and start >= always.start())
            found.append(Clause(text, named, negated))
            forbidding = negated and bool(named or not bare)
    return found


def _polarities(text: str, follows: bool) -> list[tuple[str, bool]]:
    """Return a clause in parts, each with whether it forbids."""
    put_back = follows and "TABLE" in text.split()  # "no, it stays on the table": what is held goes back
    stays = english()["negation"]["stays"]
    if not put_back and any(re.search(pattern, text) for pattern in stays):
        parts = text.split(" and ")
        kept = [any(re.search(pattern, part) for pattern in stays) for part in parts]
        apart = any(not stay and _orders(part.split()) for part, stay in zip(parts, kept, strict=True))
        return list(zip(parts, kept, strict=True)) if apart else [(text, True)]
    words = text.split()
    denying = listed("negation", "words") | (frozenset() if follows else listed("negation", "blame"))
    spot = next((i for i, word in enumerate(words) if word in denying and not _interjection(words, i, follows)), None)
    phrase = re.search(rf"\b(?:{english()['negation']['phrases']})\b", text)
    if phrase is not None:
        spot = min(len(text[: phrase.start()].split()), len(words) if spot is None else spot)
    if spot is None:
        return [(text, False)]
    before, behind = words[:spot], words[spot:]
    if NAME not in before or not any(word in act_of() for word in before) or _modal(before):
        return [(text, True)]
    end = behind.index(NAME) + 1 if words[spot] in role("excepting") and NAME in behind else len(behind)
    parts = [(before, False), (behind[:end], True), (behind[end:], False)]  # "everything except the mug | in the box"
    return [(" ".join(part), negated) for part, negated in parts if part]


def _interjection(words: Sequence[str], i: int, follows: bool) -> bool:
    """Return whether "no" or "stop" denies nothing: it opens a clause as a word of its own ("no put it there") or is a noun."""
    following = words[i + 1] if i + 1 < len(words) else ""
    alone = not following or following in ("no", "please", "i", "it", "put", "take", "the", NAME, "not", "in", "on", "that")
    if i and words[i] in ("stop", "halt") and words[i - 1] in role("articles"):  # "the stop sign"
        return True
    opens = words[i] == "no" or (follows and words[i] in ("stop", "cancel", "forget", "never"))
    return opens and i == 0 and (alone or following in role("relations")) and (follows or following != NAME)


def _modal(words: Sequence[str]) -> bool:
    """Return whether the words before a negation only lead up to it: "you should", "@ must", "i would rather you did"."""
    return words[-1] in role("modals")


def polite(text: str) -> bool:
    """Return whether a clause begins like a question that asks for a deed: "can you"."""
    return re.match(rf"(?:{english()['requests']['polite']})(?= |$)", _led(text)) is not None


def inquires(text: str) -> bool:
    """Return whether a sentence asks for an answer, whatever the words for its deed: "is the pot open?", "milk?"."""
    clause = _last_sentence(text)
    opens = re.match(english()["requests"]["inquiring"], _led(clause)) is not None
    return not requested(text) and (opens or clause.endswith("?"))


def requested(text: str) -> bool:
    """Return whether a question is a request: "can you open the pot?", "why don't you open it?", "open it, please?"."""
    table, clause = english()["requests"], _last_sentence(text)
    if re.search(table["asking_to_tell"], clause):
        return False
    if any(polite(part.strip()) or re.match(table["asking_deeds"], _led(part)) for part in re.split("[,:]", clause)):
        return True
    return re.search(table["tags"], clause) is not None and not re.match(table["inquiring"], _led(clause))


def reports(text: str) -> bool:
    """Return whether a sentence only tells how something is: "the milk is in the bowl"."""
    plain, table = " ".join(tokens(text)), english()["requests"]
    clauses = [clause.strip() for clause in re.split(r"[,;:.!]|\b(?:and|but|because)\b", plain) if clause.strip()]
    told = all(re.match(table["reporting"], clause) for clause in clauses)
    return bool(clauses) and told and re.search(table["wished"], plain) is None


def _last_sentence(text: str) -> str:
    parts = [part.strip() for part in re.split(r"[.!;]", " ".join(tokens(text)))]
    return next((part for part in reversed(parts) if re.search(r"\w", part)), "")


def _led(text: str) -> str:
    """Return a clause without the words that may stand before the one that makes it a question."""
    words = text.split()
    while words and words[0] in role("leading") | {","}:
        words = words[1:]
    return " ".join(words)


def _is_question(text: str) -> bool:
    """Return whether a clause asks for an answer: it begins as a question, and not as one of those that are requests."""
    table, text = english()["requests"], _led(text)
    words = text.split()
    first = words[0] if words else ""
    opened = polite(text) or any(re.match(rf"(?:{pattern})(?= |$)", text) for pattern in table["openings"])
    if re.match(table["subordinate"], text):
        return False
    if first in listed("requests", "asking") and not opened and words[:2] != ["do", "not"]:
        return True
    if re.match("(can|could|might|may) it be\\b", text):
        return True
    if first in role("asking_leave") and not any(
        word in act_of() or word in role("going") for word in words
    ):  # "could it be in the box"
        return True
    leads = [word for word in words if word in _leads()][first in role("conjunctions") :]
    return bool(leads) and leads[0] not in act_of()


@cache
def _leads() -> frozenset[str]:
    """Return the verbs that tell what a clause is about, without participles: "the can located on the tray"."""
    found = act_of().keys() | verbs("look") | verbs("tell")
    return frozenset(word for word in found if not word.endswith("ed") and word not in ("seen", "found"))


def _asks(clause: Clause, follows: bool) -> bool:
    """Return whether a clause asks for a deed, or for a state of things."""
    parts = [part.split() for part in _parts(clause.text) if part.strip()]
    lead = next((word for word in clause.text.split() if word in _leads()), "")
    if _is_question(clause.text) and (lead in verbs("tell") or not any(_orders(part) for part in parts[1:])):
        return False
    words = clause.text.split()
    if _orders(words) or any(_orders(part) for part in parts):
        return True
    held = set(words)
    names = any(word.isupper() for word in words)
    told = re.sub(r"\b(that|which|someone|somebody) (was|were|had)\b", "", clause.text).split()
    # "i wish it was", "the can went in the bin"; but "the can that was put there"
    if not follows and {"was", "were", "had", "went", "been", "used"} & set(told):
        return False
    if role("being") & held:
        return names and bool(listed("requests", "told") & held)
    related = names and bool(role("relations") & held)
    wished = names and bool(listed("requests", "wishes") & held)
    wished = wished and (related or follows or any(word in role("deeds") or _is_place(word) for word in words))
    verbal = act_of().keys() | verbs("look") | verbs("tell") | verbs("other") | role("modals")
    stated = related and words[0] not in role("subjects") and not held & verbal  # "the red cube in the bowl"
    pronoun = follows and bool(held & {"it", "them", "that", "there", "one"})
    return wished or stated or (follows and (names or pronoun))


def _parts(text: str) -> list[str]:
    """Return the parts of a clause between words such as "then" and "because"."""
    return re.split(r":|\b(?:and then|then|and|so|because|since)\b", text)


def _orders(words: Sequence[str]) -> bool:
    """Return whether words hold a verb that moves things and asks for it: "put it", not "I put it", "he should put it"."""
    if role("others") & set(words[: next((i for i, word in enumerate(words) if word in act_of()), 0)]) or "myself" in words:
        return False
    return any(word in act_of() and _asked_for(words, i) for i, word in enumerate(words))


def _asked_for(words: Sequence[str], i: int) -> bool:
    """Return whether the verb at a position is asked for, by the words before and behind it."""
    before = [w for w in words[:i] if w not in ("really", "just", "also", "already", "always", "never")]
    last = before[-1] if before else ""
    following = words[i + 1] if i + 1 < len(words) else ""
    heaped = words[i].startswith(("stack", "pil", "heap")) or bool(role("heaps") & set(words))
    if act_of()[words[i]] == {"stack"} and not heaped:
        return False  # "make the red cube blue"
    if words[i].endswith("ing") and words[i] not in ("bring", "fling", "sling") and before and last not in role("gerund"):
        return False  # "thanks for putting"
    if last in role("subjects") and not any(w in role("openers") for w in before):
        return False
    own = "i" in before and "you" not in before[before.index("i") :] and last in {"to", *role("modals")}
    if own and not any(w in role("wanting") for w in before):
        return False  # "i was going to put"
    if "robot" in before and before[before.index("robot") - 1] in ("the", "a", "another", "other"):
        return False
    if last in ("the", "a", "your", "my", "have") or (following in role("no_object") and NAME not in before):
        return False  # "get in the box"
    told = last in role("being") | {"been", "being", "has", "had"}
    return not told or any(w in listed("requests", "wishes") for w in before)
