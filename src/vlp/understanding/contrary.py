"""What a policy does against the words of one sentence: what it takes back, and the opposite of what it asks for.

unlock the door, I mean lock it     kept: lock it; taken back: unlock the door
go to the kitchen, no, the bedroom  kept: go to the, the bedroom; taken back: kitchen
lock the door                       `unlock_door` is its opposite
lock the door / unlock the door     two sentences of which both cannot be done
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import takewhile

from vlp.policy.model import Policy, PolicyStep, references
from vlp.understanding.explaining import Own
from vlp.understanding.final import small
from vlp.understanding.lexicon import BREAKS, act_of, english, forms, listed, role, tokens
from vlp.understanding.meaning import means
from vlp.understanding.prohibitions import deed_asked, is_verb, may_be, plain_words, requests, same_word, split, words_of


@dataclass(frozen=True)
class Corrected:
    """A sentence in which a person corrects what stands before.

    Args:
        kept: what it says in the end.
        taken_back: the words that it takes back; "" for none.
    """

    kept: str
    taken_back: str = ""

    def undone(self, step: PolicyStep) -> bool:
        """Return whether a step does what only the part speaks of that is taken back."""
        before, after = self.taken_back.split(), self.kept.split()
        said = [word for value in step.arguments.values() if isinstance(value, str) for word in plain_words(value)]
        named = any(_among(word, before) and not _among(word, after) for word in said if word not in small())
        verb = words_of(step.do)[0]
        return named or (deed_asked(step.do, self.taken_back, True) and not _among(verb, after))


def corrected(text: str, primitives: frozenset[str]) -> Corrected:
    """Return what a sentence says in the end, and what it takes back.

    What follows the correction stands for all before it where it names a deed, else for the last words of the same sort: a
    relation for a relation, a particle for a particle, and a thing for a thing.

    Args:
        text: a cleaned instruction.
        primitives: names of what the robot can do.
    """
    words = " ".join(tokens(text))
    marks = list(_markers().finditer(words))
    if not marks or not re.search(r"\w", words[: marks[0].start()]):
        return Corrected(words)
    before, after = words[: marks[0].start()].strip(" ,;.!?"), words[marks[-1].end() :].strip(" ,;.!?")
    told = after.split()
    deeds = {words_of(name)[0] for name in primitives} | listed("corrections", "deeds")
    if not told or any(is_verb(word) or any(same_word(deed, word) for deed in deeds) for word in told):
        return Corrected(after, before)
    said = before.split()
    if told[0] in listed("corrections", "particles"):
        at = next((i for i in reversed(range(len(said))) if said[i] in listed("corrections", "particles")), len(said))
        return Corrected(" ".join([*said[:at], *said[at + 1 :], after]), " ".join(said[at : at + 1]))
    opens = role("relations") if told[0] in role("relations") else role("articles")
    at = next((i for i in reversed(range(len(said))) if said[i] in opens), len(said) - 2)
    return Corrected(" ".join([*said[: at + 1], after]), " ".join(said[at + 1 :]))


@cache
def _markers() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in english()["corrections"]["markers"]))


def opposite(policy: Policy, asked: str) -> Iterator[str]:
    """Yield the primitives of a policy that do the opposite of what words ask for, and that no later step sets right.

    Args:
        policy: what a model means to do.
        asked: the words, without prohibitions.
    """
    talks = listed("primitives", "answering") | listed("primitives", "speaking")
    steps = [step for step in policy.steps if step.do not in talks]
    for name, pair in english()["opposites"].items():
        for side, other in (pair, pair[::-1]):
            if not _says(other, asked) or _says(side, asked):
                continue
            for i, step in enumerate(steps):
                rest = steps if name in listed("contrary", "there_and_back") else steps[i + 1 :]
                right = any(_does(one, other) and _about(one) == _about(step) for one in rest)
                if _does(step, side) and not right:
                    yield step.do


def left_out(asked: str, steps: Iterable[str], primitives: frozenset[str]) -> list[str]:
    """Return the primitives that words ask for by name and no step carries out: "go to the kitchen and say hello", in silence.

    Args:
        asked: the words, without prohibitions and conditions.
        steps: names of what is done, and of what was tried before.
        primitives: names of what the robot can do.
    """
    here, found = {*steps}, list[str]()
    for clause in re.split(rf"[{re.escape(BREAKS)}]|\b(?:and|then)\b", asked):
        words = clause.split()
        begins = next((word for word in words if word not in listed("words", "fillers")), "")
        meant = [name for name in sorted(primitives) if begins == words_of(name)[0] and deed_asked(name, clause)]
        talks = begins in listed("primitives", "speaking")
        if not talks and any(words_of(do)[0] in words for do in here):  # "go home" by `home`, and not by `go_to`
            continue
        if begins in act_of():  # what moves things does so in many ways: `bring` by `pick_up` and `put_down`
            continue
        if meant and not here & {*meant}:
            found.append(meant[0])
    return found


def unmentioned(said: str, policy: Policy, own: Own) -> list[str]:
    """Return the actions of a policy of which words have no word, and that lead up to no later step of it.

    Args:
        said: the words, and those of earlier instructions.
        policy: what a model means to do.
        own: the robot's own words.
    """
    talks = listed("primitives", "answering") | listed("primitives", "speaking")
    words, found = {*said.split()} - small(), list[str]()
    for i, step in enumerate(policy.steps):
        if step.do in talks | own.ways or own.leads_to.get(step.do, frozenset()) & {one.do for one in policy.steps[i + 1 :]}:
            continue
        if words_of(step.do)[0] in act_of() and any(word in act_of() for word in words):
            continue
        about = {*plain_words(f"{step.do} {own.docs.get(step.do, '')} {' '.join(map(str, step.arguments.values()))}")} - small()
        if not any(same_word(one, word) or means(one, word) for one in about for word in words):
            found.append(step.do)
    return found


def _does(step: PolicyStep, side: dict[str, str]) -> bool:
    """Return whether a step does what one side of a pair says, by its name or a choice."""
    words = {*side["words"].split()}
    verb, *rest = step.do.lower().split("_")  # behind the verb only particles: `set_lift` lifts nothing
    own = {verb, *(part for part in rest if part in listed("corrections", "particles"))}
    return bool(own & words) or any(isinstance(value, str) and value.lower() in words for value in step.arguments.values())


def _about(step: PolicyStep) -> str:
    """Return the first thing that a step names."""
    states = {word for pair in english()["opposites"].values() for side in pair for word in side["words"].split()}
    return next((v.lower() for v in step.arguments.values() if isinstance(v, str) and v.lower() not in states), "")


def _says(side: dict[str, str], asked: str) -> bool:
    """Return whether words ask for one side of a pair: by a form of its verbs, or as its pattern says."""
    if "said" in side:
        moving = "|".join(sorted(act_of(), key=len, reverse=True))
        return re.search(side["said"].replace("<moving>", moving), asked) is not None
    words = asked.split()
    spoken = {form for word in side["words"].split() for form in forms(word)}
    return any(word in spoken and not (i and words[i - 1] in role("articles")) for i, word in enumerate(words))


def _among(word: str, words: list[str]) -> bool:
    return any(same_word(word, other) for other in words)


def spoken_of(sentences: Sequence[str], policy: Policy, primitives: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield each sentence that tells how a thing is and asks for nothing of it, and what a policy handles of that all the same.

    "The mug is dear to me" may be meant to spare it, unless that sentence or a later one asks for the mug.

    Args:
        sentences: every instruction so far.
        policy: what the model means to do.
        primitives: names of what the robot can do.
    """
    found = {step.as_: str(value) for step in policy.steps if step.as_ for value in step.arguments.values()}
    handled = {found.get(name, "") for step in policy.steps for _, name in references(step)} - {""}
    tells = (
        rf"(?:^|(?<=[{re.escape(BREAKS)}] )|(?<=\bbut )|(?<=\band ))the ([a-z ]{{2,40}}?) (?:is|are) (?!to\b|in\b|on\b)[a-z]"
    )
    for i, text in enumerate(sentences):
        words = " ".join(tokens(text))
        for match in re.finditer(tells, words):
            thing, behind = match[1].split(), words[match.end() :]
            hit = next((phrase for phrase in sorted(handled) if may_be(thing, phrase)), "")
            later = " ; ".join([words[: match.start()], behind, *sentences[i + 1 :]])
            pointed = re.search(r"\b(?:it|them|that one|those)\b(?! (?:is|are|stands?)\b)", behind)
            if hit and not pointed and not requests(later, [thing], primitives, hit):
                yield text, hit


def clash(first: str, second: str, primitives: Collection[str]) -> str:
    """Return of what two sentences want something else each, such that both cannot be done; "" where they can be.

    They take one thing to two ends, ask for a deed and its opposite, or the one forbids what the other asks for. Whether the
    second corrects the first, or goes on from it, `goes_on` tells.

    Args:
        first, second: cleaned instructions, in the order in which they were said.
        primitives: names of what the robot can do.
    """
    (asked, spared), (anew, left) = split(first), split(second)
    for thing, end in _errands(asked):
        for other, there in _errands(anew):
            if may_be(thing, " ".join(other)) and not may_be(end, " ".join(there)):
                return " ".join(other)
    for forbidden, wanted in ((spared, anew), (left, asked)):
        for one in forbidden:
            for thing in one.things:
                if requests(wanted, [thing], primitives):
                    return " ".join(word for word in thing if word != one.several)
    common = [word for word in _content(anew.split()) if _among(word, _content(asked.split()))]
    for pair in english()["opposites"].values():
        for side, other in (pair, pair[::-1]):
            turned = _says(side, asked) and _says(other, anew) and not _says(other, asked) and not _says(side, anew)
            about = [word for word in common if word not in f"{side['words']} {other['words']}".split()]
            if turned and about:
                return " ".join(about)
    return ""


def goes_on(text: str) -> bool:
    """Return whether a sentence speaks of the one before: it corrects it or goes on from it, or takes back a part of it.

    Such are "no, ...", "then ...", "put it ...", and one that only forbids: "leave the mug alone".
    """
    anew, opens = split(text)[0], {*tokens(text)[:1]}
    linked = ({*anew.split()} | opens) & listed("clashing", "linked") or opens & listed("clashing", "opens")
    points = re.search(r"(?<!\bto )\b(?:it|them|there)\b|\bto (?:it|them)\b(?! that)", anew)
    return bool(linked) or not _content(anew.split()) or (points is not None and not _named(anew[: points.start()]))


def _errands(asked: str) -> list[tuple[list[str], list[str]]]:
    """Return each thing that words, without prohibitions, take somewhere, and where to, as their words."""
    named = _named(asked)
    things, ends = ([words for words, whither in named if whither is side] for side in (False, True))
    if len(ends) == 1:
        return [(thing, ends[0]) for thing in things]
    return list(zip(things, ends, strict=True)) if len(things) == len(ends) else []


def _named(asked: str) -> list[tuple[list[str], bool]]:
    """Return what words name, each as its words, and whether something is to go there; without an article only that is seen."""
    words, found = re.sub(english()["clashing"]["beside"], "beside", asked).split(), list[tuple[list[str], bool]]()
    whither, ends = listed("clashing", "whither"), small() | role("relations")
    for i, word in enumerate(words):
        before = words[i - 1] if i else ""
        if word in whither or (word in role("articles") and before not in whither | listed("clashing", "aside")):
            begins = i + 1 + (word in whither and words[i + 1 : i + 2] != [] and words[i + 1] in role("articles"))
            name = list(takewhile(lambda one: one not in ends and one[:1].isalnum(), words[begins:]))
            found += [(name, word in whither)] if name else []
    return found


def _content(words: Sequence[str]) -> list[str]:
    """Return the words that name something: neither small ones nor verbs of a deed that no article stands before."""
    named = [word for i, word in enumerate(words) if word not in act_of() or (i and words[i - 1] in role("articles"))]
    return [word for word in named if word not in small() and re.match(r"\w", word)]
