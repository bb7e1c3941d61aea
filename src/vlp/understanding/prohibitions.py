"""What a sentence forbids a robot whose words nobody listed: by its primitives' names, and by things that its policy names.

go to the fern, but do not water it         forbids the primitive `water`
pick up the cube, not the blue bottle       forbids every action on the blue bottle
do not spill anything                       unclear: no primitive and no thing answers to it
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import ClassVar

from vlp.core.errors import Issue
from vlp.policy.checks import Context
from vlp.policy.model import Policy, Situation, walk
from vlp.primitives.manifest import Primitive
from vlp.understanding.lexicon import BREAKS, act_of, english, forms, listed, misspelt_denials, singulars, tokens, verbs
from vlp.understanding.stopping import LATIN, says_no


@dataclass(frozen=True)
class Prohibition:
    """One thing that a sentence forbids.

    Args:
        text: its words.
        deed: the words of what is not to be done, without those of the thing; none where only a thing is named.
        things: the things named, each as its words, "ones" behind words that fit several ("the green things"); a thing in
            another's place ("put it in the bin") where that is a pronoun.
        rest: whether it forbids all that is not asked for: "leave the rest", "only the red cube".
        but: the things that such a one speaks of as allowed.
        state: how the things are to stay: "closed". What brings them there is no breach of it.
        whole: whether nothing may be done with the things, whatever the deed: "the door must not be opened".
        open_end: whether words follow of which nobody knows whether they are forbidden, too: "do not touch it and go on".
    """

    text: str
    deed: tuple[str, ...] = ()
    things: tuple[tuple[str, ...], ...] = ()
    rest: bool = False
    open_end: bool = False
    but: tuple[tuple[str, ...], ...] = ()
    state: str = ""
    several: ClassVar[str] = "ones"
    whole: bool = False

    @property
    def of_deed(self) -> bool:
        """Whether a deed may be meant, also one that is said like a thing: "except the vacuuming"."""
        return bool(self.deed) or any(thing[-1].endswith("ing") for thing in self.things)

    def names(self, primitive: str) -> bool:
        """Return whether its words name a primitive: "taking a photo" names `take_photo`."""
        said = {*self.deed, *(word for thing in self.things for word in thing)}
        parts = words_of(primitive) if self.things else words_of(primitive)[:1]  # "do not print anything"
        return not opposed(primitive, said) and all(any(same_word(part, word) for word in said) for part in parts)

    def fits(self, phrase: str) -> bool:
        """Return whether a phrase of a policy may mean one of its things: "bottle" and "big blue bottle" the blue bottle."""
        return any(may_be(thing, phrase) for thing in self.things)


def opposed(primitive: str, said: Collection[str]) -> bool:
    """Return whether words say the opposite of what a primitive does: "turn off" of `turn_on`."""
    own, words = {*primitive.lower().split("_")}, {*said}
    for pair in english()["opposites"].values():
        one, other = ({*side["words"].split()} for side in pair)
        if any(own & side and words & against and not words & side for side, against in ((one, other), (other, one))):
            return True
    return False


def same_word(part: str, word: str) -> bool:
    """Return whether a part of a primitive's name and a word are forms of one word, or one begins the other: "photograph"."""
    if word in forms(part) or part in forms(word) or singulars(word) & singulars(part):
        return True
    short, long = sorted((part, word), key=len)
    return len(short) > 3 and long.startswith(short)


def may_be(thing: Sequence[str], phrase: str) -> bool:
    """Return whether a phrase of a policy may mean a thing, given as its words, or the other way round."""
    own, other = [word for word in thing if word != Prohibition.several], plain_words(phrase)
    return bool(own and other) and (_within(own, other) or _within(other, own))


def _within(some: Iterable[str], words: Iterable[str]) -> bool:
    """Return whether all of some words are among others, in whatever number."""
    told = {one for word in words for one in singulars(word)}
    return all(singulars(word) & told for word in some)


def plain_words(text: str) -> list[str]:
    """Return the words of a text in small letters, parted at whatever is no letter or digit: "take_photo" has two."""
    return re.findall(r"[^\W_]+", text.lower())


def split(text: str) -> tuple[str, list[Prohibition]]:
    """Return what a sentence says besides its prohibitions, and these.

    Args:
        text: a cleaned instruction.
    """
    plain = [word.translate(LATIN) if re.search("[a-z]", word) else word for word in tokens(text)]  # "not" with a Cyrillic "o"
    words = " ".join("not" if word in misspelt_denials() else word for word in plain)
    for harmless in english()["prohibitions"]["harmless"]:
        words = re.sub(rf"\b(?:{harmless})(?![\w'])", " ", words)
    for pattern, plainer in _plainer():
        words = pattern.sub(plainer, words)
    words = whole = " ".join(words.split())
    words, found = _all_but(words)
    asked, end = list[str](), 0
    for pattern in english()["prohibitions"]["left_alone"]:  # "leave the mug where it is": the thing stands in the middle
        for match in re.finditer(pattern, words):
            found.append(_left_alone(match))
        words = re.sub(pattern, ",", words)
    for match in _opens().finditer(words):
        if match.start() < end:
            continue
        asked.append(words[end : match.start()])
        contrasts = match[0] == "not" and re.fullmatch(r"(?:no|sorry|wait|please|\W)*", words[: match.start()]) is not None
        end = _end(words, match.end(), contrasts)
        found.append(_prohibition(words, match, end))
    rest = " ".join(" ".join([*asked, words[end:]]).split())
    first = found[0] if found else None
    points = re.search(r"\b(?:it|them)\b", rest)  # "do not water the fern, go to it"
    if first is not None and points and not first.but and whole.startswith(first.text):
        found[0] = replace(first, things=(), open_end=True)
    rest, others = re.subn(r"\bnothing (?:but|except)(?: for)?\b", "", rest)
    found += [Prohibition("nothing but", rest=True)] if others else []
    return re.sub(r"^(?:(?:and|but|so)\b|\W)+|(?:\b(?:and|but|so)|\W)+$", "", rest), found


@cache
def _plainer() -> list[tuple[re.Pattern[str], str]]:
    table = english()["prohibitions"]
    spared = rf"(?:{'|'.join(table['no_deeds'].split())})\b"
    return [(re.compile(pattern.replace("<no_deeds>", spared)), plain) for pattern, plain in table["plainer"]]


def untold(words: str) -> str:
    """Return words without the clauses that tell of deeds or thank for them: "thank you for unlocking the door"."""
    marks = rf" ?(?<!\S)[{re.escape(BREAKS)}](?!\S) ?"  # and not the point of a number
    clauses = re.split(rf"{marks}|\b(?:but|now|then|and (?=now|then|please))\b", " ".join(tokens(words)))
    return " , ".join(clause.strip() for clause in clauses if clause.strip() and not _tells().match(clause.strip()))


def told_of(words: str, primitive: str) -> bool:
    """Return whether words tell of what a primitive does, and do not ask for it: "go to the desk, I unlocked the door"."""
    return _speak_of(primitive, " ".join(tokens(words)).split()) and not deed_asked(primitive, words, loosely=True)


@cache
def _tells() -> re.Pattern[str]:
    table = english()["prohibitions"]
    past = "|".join(form for forms_ in english()["irregular"].values() for form in forms_.split() if not form.endswith("ing"))
    told = "|".join(f"(?:{pattern})" for pattern in table["told"])
    lead = r"(?:(?:and|but|so|well|oh|hey|no|yes|ok|because|since|as|good thing|glad|great|nice|that) )*"
    return re.compile(lead + f"(?:{told})".replace("<tellers>", table["tellers"]).replace("<past>", past))


def _all_but(words: str) -> tuple[str, list[Prohibition]]:
    """Return a sentence without the words that let it speak of some things only, and what it forbids by them.

    Clearing and sorting name no things, so that "only clear the table" forbids none.
    """
    found = list[Prohibition]()
    tables = english()["prohibitions"]
    for match in re.finditer(tables["all_but"], words):
        found.append(Prohibition(match[0], rest=True, but=_things(match["thing"].split())[0]))
    words = re.sub(tables["all_but"], ",", words)
    sweeping = any(act_of().get(word, frozenset()) & {"clear", "sort"} for word in words.split())
    for match in () if sweeping else re.finditer(tables["only"], words):
        named, _ = _things(re.split(rf"[{re.escape(BREAKS)}]", words[match.end() :])[0].split())
        found.append(Prohibition(match[0], rest=True, but=named))
    return (words if sweeping else re.sub(tables["only"], r"\g<verb>", words)), found


def stays(text: str) -> list[tuple[Prohibition, str]]:
    """Return the things that are to be left somewhere, each with the words for where: "leave the blue ball on the desk".

    It may lie there already, or be brought there: in both readings it goes nowhere else. A thing that the sentence names twice
    is none of them.
    """
    words = " ".join(tokens(text))
    found = list[tuple[Prohibition, str]]()
    for match in re.finditer(english()["prohibitions"]["stays"], words):
        named, _ = _things(match["thing"].split())
        if named and all(words.count(thing[-1]) == 1 for thing in named):
            found.append((Prohibition(match[0], things=named), match["where"]))
    return found


@cache
def _opens() -> re.Pattern[str]:
    """Return what opens a prohibition: by a deed, by either a deed or a thing, or by a thing."""
    return re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in english()["prohibitions"]["opens"].items()))


def _end(words: str, start: int, contrasts: bool = False) -> int:
    """Return where a prohibition ends that begins at `start`: at the clause's end, or where a list of things ends.

    Where it `contrasts`, one more thing without "or" is what is meant instead: "not the kitchen, the bedroom".
    """
    end = start
    while True:
        stop = re.compile(rf"\s?[{re.escape(BREAKS)}]|\b(?:but|then|because|so that|instead)\b").search(words, end)
        if stop is None:
            return len(words)
        following = re.split(rf"[{re.escape(BREAKS)}]", words[stop.end() :].strip())[0].split()
        contrasts = contrasts and not re.search(rf"[{re.escape(BREAKS)}]|\b(?:or|nor|and)\b", words[stop.end() :].rstrip(" .!"))
        listing = (
            not contrasts
            and stop[0].strip() == ","
            and following
            and following[0] in (*listed("roles", "articles"), "or", "nor")
        )
        if not listing or any(is_verb(word) for word in following):
            return stop.start()
        end = stop.end()


def is_verb(word: str) -> bool:
    """Return whether a word is a form of a verb that is known."""
    return word != "can" and (word in act_of() or any(word in verbs(kind) for kind in ("look", "tell", "other")))


def _prohibition(words: str, match: re.Match[str], end: int) -> Prohibition:
    said = words[match.end() : end].split()
    small = listed("prohibitions", "lead")
    while said and said[0] in small:
        said = said[1:]
    text = " ".join(words[match.start() : end].split())
    joined = next(
        (i for i, w in enumerate(said) if i and w in ("and", "or") and said[i + 1 : i + 2] and is_verb(said[i + 1])), None
    )
    bare = match.lastgroup == "thing" or (match.lastgroup == "either" and {*said[:1]} <= listed("prohibitions", "not_deeds"))
    bare = bare or bool({*said[:1]} & listed("prohibitions", "rest"))  # "no other object"
    deed, things = ([], said) if bare else (said[:1], said[1:])
    rest = any(word in listed("prohibitions", "rest") for word in things)
    rest = rest or (bool(deed) and deed[0] in _touching() and things[:1] == ["anything"])
    if joined is not None:
        things = things[: joined - len(deed)]
    named, particles = _things(things)
    return Prohibition(text, tuple(deed + particles), named, rest, joined is not None)


def _left_alone(match: re.Match[str]) -> Prohibition:
    said = match["thing"].split()
    deed = said[:1] if said[0].endswith("ing") else []
    named, particles = _things(said[len(deed) :])
    told = match.groupdict()
    rest = any(word in listed("prohibitions", "rest") for word in said)
    done = (*deed, *filter(None, [told.get("deed")]), *particles)
    return Prohibition(match[0], done, named, rest, state=told.get("state") or "", whole=not deed)


def _things(words: Sequence[str]) -> tuple[tuple[tuple[str, ...], ...], list[str]]:
    """Return the things that words name, up to where they are said to be, and the particles beside them."""
    particles = [word for word in words if word in ("on", "off", "up", "down")]
    found, thing = list[tuple[str, ...]](), list[str]()
    relations, skip = listed("roles", "relations"), listed("prohibitions", "no_things")
    for word in [*words, ","]:
        if word in listed("prohibitions", "generic"):
            thing += [Prohibition.several] if thing else []
        elif word in ("and", "or", "nor", *BREAKS) or (word in relations and thing):
            if thing:
                found.append(tuple(thing))
            thing = []
            if word in relations and found:
                break
        elif word.isalnum() and word not in relations and word not in skip:
            thing.append(word)
    return tuple(found), particles


@dataclass(frozen=True)
class Keeps:
    """The check that a policy does nothing that was forbidden.

    Args:
        said: for each instruction that counts, what it asks for with all that came after it, and what it forbids.
    """

    said: Sequence[tuple[str, Sequence[Prohibition]]]

    def __call__(self, policy: Policy, context: Context) -> Iterator[Issue]:
        """Yield `forbidden`."""
        situation = Situation(context.state, context.manifest.primitives)
        for path, step in walk(policy):
            primitive = context.manifest.primitives[step.do]
            types = {argument.name: argument.type for argument in primitive.arguments}
            given = [
                v for name, v in step.arguments.items() if types.get(name) != "text" and name not in ("relation", "direction")
            ]
            flat = [v for value in given for v in (value if isinstance(value, list | tuple) else [value])]
            phrases = [situation.phrase_of(v) for v in flat if isinstance(v, str)]
            about = _Doing(primitive, phrases, context.state.holding, frozenset(context.manifest.primitives))
            for asked, prohibitions in self.said:
                for one in prohibitions:
                    if why := about.breaks(one, asked):
                        yield Issue(path, "forbidden", f"{why}; the instruction says {one.text!r}.", "Leave it out.")
            situation.apply(step)


@dataclass(frozen=True)
class _Doing:
    """One step as prohibitions are compared with it.

    Args:
        primitive: what it does.
        phrases: the things and places that it names.
        held: what the hand holds.
        known: names of all that the robot can do.
    """

    primitive: Primitive
    phrases: Sequence[str]
    held: str
    known: frozenset[str]

    def breaks(self, one: Prohibition, asked: str) -> str:
        """Return how the step breaks a prohibition, "" where it does not."""
        do, acts = self.primitive.name, self.primitive.kind == "action"
        about = [*self.phrases, *([self.held] if acts and self.held and not self.phrases else [])]
        hit = next((phrase for phrase in about if one.fits(phrase)), "")
        if opposed(do, one.deed):  # who may not unlock the box may lock it
            return ""
        # "keep the oven off": `turn_off` may be what keeps it so
        ways = english()["prohibitions"]["brings"].get(one.state, one.state).split()
        brings = bool(one.state) and any(same_word(part, way) for part in do.lower().split("_") for way in ways)
        if acts and hit and not brings and not requests(asked, one.things, self.known, hit):
            return f"{do} does something with the {hit}"
        if acts and not hit and not brings and not deed_asked(do, asked) and (thing := self._own_thing(one)):
            return f"{do} does something with the {thing}"
        if acts and one.rest and (other := self._beyond(one, asked, about)):
            return other
        meant = hit or not one.things or not about or _noun_in_name(one, do)
        return f"{do} is forbidden" if one.of_deed and meant and one.names(do) and not deed_asked(do, asked) else ""

    def _own_thing(self, one: Prohibition) -> str:
        """Return the thing of a prohibition that the primitive's own words name: the door of `open_door`.

        Where a step says nothing of what it is about, that is in the primitive's description.
        """
        own = {*words_of(self.primitive.name), *(() if self.phrases else plain_words(self.primitive.doc))}
        return next(
            (" ".join(thing) for thing in one.things if thing[-1] != Prohibition.several and _within(thing[-1:], own)), ""
        )

    def _beyond(self, one: Prohibition, asked: str, about: Sequence[str]) -> str:
        """Return how the step does more than was asked for, where nothing else may be done; "" where it does not.

        A way to a place is no deed of its own, nor is what is done with what is held.
        """
        do, told = self.primitive.name, f"{asked} {one.text}"
        goes = all(argument.type == "place" for argument in self.primitive.arguments)
        deed = deed_asked(do, told, loosely=True)
        if not about:
            return "" if deed or self.primitive.reaches else f"{do} was not asked for"
        if goes and self.phrases and not deed:
            return ""
        beyond = (p for p in about if not _within(plain_words(p), plain_words(told)) and not any(may_be(t, p) for t in one.but))
        return f"{do} does something with the {other}" if (other := next(beyond, "")) else ""


def words_of(name: str) -> list[str]:
    """Return the words in a primitive's name that carry its meaning, its verb first."""
    small = listed("prohibitions", "particles")
    return [part for part in re.findall(r"[a-z]+", name.lower()) if part not in small] or [name.lower()]


def _noun_in_name(one: Prohibition, do: str) -> bool:
    """Return whether the thing that is named is part of a primitive's name: "a photo" of `take_photo`."""
    parts = re.findall(r"[a-z]+", do.lower())
    return any(same_word(part, word) for thing in one.things for word in thing for part in parts)


def requests(asked: str, things: Sequence[Sequence[str]], primitives: Iterable[str], hit: str = "") -> bool:
    """Return whether words ask to do something with one of the things: "lift the mug", and not "go around the mug".

    Args:
        asked: the words.
        things: each as its words.
        primitives: names of what the robot can do.
        hit: what a step names of things of which several fit: only with this name, or as so many things, they are asked for;
            "the green bowl" asks for none of "the green ones" but the bowl.
    """
    parts = {part for name in primitives for part in words_of(name)}
    own = plain_words(hit)

    def acts(word: str) -> bool:
        return word in act_of() or word in _touching() or any(same_word(part, word) for part in parts)

    for clause in re.split(rf"[{re.escape(BREAKS)}]|\b(?:but|then|while)\b", untold(asked)):
        words = clause.split()
        for thing in things:
            for i in range(len(words) - len(thing) + 1):
                pairs = zip(thing, words[i:], strict=False)
                if not all(_names_it(mine, word, own) for mine, word in pairs):
                    continue
                before, behind = words[:i], words[i + len(thing) :]
                verb = next((j for j in reversed(range(i)) if acts(words[j]) or is_verb(words[j])), None)
                lifts = verb is not None and acts(words[verb]) and not listed("prohibitions", "around") & {*words[verb:i]}
                needs = bool(listed("prohibitions", "may") & {*behind[:1]}) and any(acts(word) for word in behind)
                if lifts or needs or {*before, *behind} <= listed("prohibitions", "answers"):
                    return True
    return False


def _names_it(mine: str, word: str, own: Sequence[str]) -> bool:
    """Return whether a word is that of a thing, or, where several things fit, any of them or a word of the thing's own name."""
    if mine == Prohibition.several:
        return word in listed("prohibitions", "generic") or _within([word], own)
    return _within([mine], [word])


def deed_asked(do: str, asked: str, loosely: bool = False) -> bool:
    """Return whether words ask for what a primitive does, by the words of its name.

    Args:
        do: its name.
        asked: the words.
        loosely: whether its first word counts as a noun, too: "the vacuum".
    """
    return _speak_of(do, untold(asked).split(), loosely)


def _speak_of(do: str, words: Sequence[str], loosely: bool = False) -> bool:
    nouns = {i + 1 for i, word in enumerate(words) if word in listed("roles", "articles") and not loosely}
    first, *others = words_of(do)
    verbal = any(same_word(first, word) for i, word in enumerate(words) if i not in nouns)
    return verbal and all(any(same_word(part, word) for word in words) for part in others)


def unclear(text: str, primitives: frozenset[str]) -> list[str]:
    """Return the prohibitions of a sentence of which the rules cannot tell whether a policy keeps to them.

    Args:
        text: a cleaned instruction.
        primitives: names of what the robot can do.
    """
    asked, found = split(text)
    return [one.text for one in found if not _clear(one, asked, primitives)]


def _clear(one: Prohibition, asked: str, primitives: frozenset[str]) -> bool:
    if one.open_end:
        return False
    if one.rest or one.state:
        return True
    named = [name for name in primitives if one.names(name)]
    if named and not any(deed_asked(name, asked) for name in named):
        return True
    handles = bool(named) or not one.deed or one.whole or one.deed[0] in _touching()
    return bool(one.things) and handles and not requests(asked, one.things, primitives)


def _touching() -> frozenset[str]:
    return frozenset(form for verb in listed("prohibitions", "touching") for form in forms(verb))


def declines(question: str, answer: str) -> bool:
    """Return whether an answer to a question of the robot's is a no, or no yes where it asks for leave: "shall I open it?"."""
    words, table = [*tokens(answer)], english()["answers"]
    first = words[0] if words else ""
    if says_no(answer) or first in listed("answers", "no") or "\N{THUMBS DOWN SIGN}" in answer:
        return True
    asked = tokens(question)
    repeats = first in {*asked[2:]} - listed("roles", "articles")  # "unlock it"
    agrees = first in listed("answers", "yes") or is_verb(first) or repeats
    return bool(re.match(table["leave"], " ".join(asked))) and not agrees
