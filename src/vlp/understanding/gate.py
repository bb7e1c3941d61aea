"""The gate: whether a sentence may move the robot, and whether a plan keeps to the sentence. Rules, not a model.

A model that brings its `names` (the embedded ones) serves nothing else: whatever the rules do not explain is declined. For
other models only what is certain is declined; of the rest a person is asked, where one is there.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from vlp.core.errors import TaskFailed, UsageError
from vlp.core.messages import MAX_CHARS, Names
from vlp.policy.checks import Check
from vlp.policy.model import Policy
from vlp.primitives.manifest import Manifest
from vlp.understanding.as_asked import AsAsked, Stays
from vlp.understanding.contrary import clash, corrected, goes_on, left_out, opposite, spoken_of, unmentioned
from vlp.understanding.explaining import Done, Explaining, Own, unconditional
from vlp.understanding.final import Deed, asks_more, small, swapped, unasked
from vlp.understanding.lexicon import (
    ALL,
    BREAKS,
    NAME,
    Lexicon,
    act_of,
    english,
    is_word,
    known_words,
    listed,
    role,
    tokens,
    verbs,
)
from vlp.understanding.prohibitions import (
    Keeps,
    Prohibition,
    deed_asked,
    is_verb,
    plain_words,
    requests,
    same_word,
    split,
    stays,
    told_of,
    unclear,
    untold,
)
from vlp.understanding.reading import Reading, inquires, polite, read, reports, requested
from vlp.understanding.stopping import after_stop, calls_off, mentions_stop, says_no, says_stop, speaks_of_stopping, steers
from vlp.understanding.unsafe import hanging, harmful, without_denied


class NotUnderstood(TaskFailed):
    """A sentence that may not move the robot, and why.

    Args:
        code: a stable word for the reason.
        message, hint: as in `vlp.core.errors.VlpError`.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.code = code

    @property
    def stops(self) -> bool:
        """True for a sentence that tells the robot to stop."""
        return self.code == "stop"

    @property
    def harmless(self) -> bool:
        """True for a sentence that is no instruction at all: a run that is under way goes on."""
        return self.code in ("question", "nothing-asked")


@dataclass(frozen=True)
class Gate:
    """Judges sentences and plans for one model.

    Args:
        names: the things that the model knows and serves alone; None for a general model.
        primitives: names of what the robot can do.
        reads: whether the model goes by the words of a sentence at all; scripted replies do not, and of a sentence only words
            for stopping and prohibitions are heeded for them.
        own: the robot's own words.
    """

    names: Names | None = None
    primitives: frozenset[str] = frozenset()
    reads: bool = False
    own: Own = field(default_factory=Own)

    @classmethod
    def of(cls, model: Any, manifest: Manifest) -> "Gate":
        """Return the gate for a model on a robot.

        Raises:
            UsageError: the model was made for another robot.
        """
        can = model.can
        if can.made_for:
            check_made_for(model.name, can.made_for, manifest)
        return cls(can.names, frozenset(manifest.primitives), can.reads, Own.of(manifest))

    @cached_property
    def lexicon(self) -> Lexicon:
        """The words that are known."""
        return Lexicon(self.names)

    @property
    def strict(self) -> bool:
        """Whether what the rules do not explain is declined."""
        return self.names is not None

    def read(self, text: str, follows: bool = False) -> Reading:
        """Return what a sentence says."""
        return read(without_denied(text), self.lexicon, follows)

    def sentence(self, text: str, follows: bool = False) -> NotUnderstood | None:
        """Return why a sentence may not move the robot; None when it may.

        Args:
            text: a cleaned instruction.
            follows: whether it comes after another instruction.
        """
        if len(text) > MAX_CHARS:  # one that was never cleaned; it would take seconds to read
            return NotUnderstood("too-long", f"the sentence has {len(text):,} characters; at most {MAX_CHARS:,} are read.")
        begins = not follows and (steers(text) or speaks_of_stopping(text))  # to a robot that stands still it stops nothing
        if says_stop(text) and not begins:
            return NotUnderstood("stop", f"{_short(text)} tells the robot to stop.", after_stop(text))
        if follows and self.reads and not self.strict and calls_off(text) and not self._opens_with_own(text):
            return NotUnderstood("stop", f"{_short(text)} calls something off.", "Say anew what is to be done.")
        if not self.reads:
            return None
        if said := harmful(text):
            return NotUnderstood("harm", f"{said!r}: this robot harms nobody, breaks nothing and keeps to its limits.")
        spared = ("question", "nothing-asked") if not self.strict and requested(text) else ()
        why = next((one for one in self._reasons(self.read(text, follows), follows) if one.code not in spared), None)
        if why is None and not self.strict and inquires(text) and not self.primitives & listed("primitives", "answering"):
            why = _question()
        if why is None and not self.strict and reports(text):
            return NotUnderstood("nothing-asked", "the sentence tells how something is, and asks for nothing.")
        if why is None and self.strict and (ends := hanging(text)):
            why = NotUnderstood("condition", f"{ends[0]!r}: {english()['beyond']['conditions']['why']}")
        if not self.strict:
            why = self._soft(text, why, follows)
        if why is not None and mentions_stop(text) and not begins:
            return NotUnderstood("stop", f"{_short(text)} seems to tell the robot to stop.")
        return why

    def alarming(self, text: str, ahead: Policy | None) -> bool:
        """Return whether words that are no instruction had better end what a robot does: a hazard, somebody at a thing or place
        of the steps ahead, and whatever is said before a deed that cannot be undone.

        Args:
            text: the words.
            ahead: the steps still to be done.
        """
        words = {*tokens(text)}
        if words & listed("stopping", "hazards"):
            return True
        steps = ahead.steps if ahead else ()
        # before what cannot be undone anything but thanks may bear on it: "she has had it already"
        if any(step.do in self.own.final for step in steps):
            return re.match(english()["final"]["thanks"], " ".join(tokens(text))) is None
        named = " ".join(f"{step.do} {' '.join(map(str, step.arguments.values()))}" for step in steps)
        near = {*plain_words(named)} - small()
        somebody = words & (listed("harm", "living") | listed("harm", "parts") | {"somebody", "someone"})
        return bool(somebody) and any(same_word(one, word) for one in near | {"you"} for word in words)

    def answer(self, text: str) -> NotUnderstood | None:
        """Return why an answer to a question of the robot's may not move it; None when it may.

        A short answer ("the left one", "yes", "3") completes the instruction; one that names a deed is read as an instruction.

        Args:
            text: a cleaned instruction.
        """
        why = None if says_no(text) else self.sentence(text, follows=True)
        if why is not None and (why.stops or why.code == "harm"):
            return why
        opens = next(iter(tokens(text)), "")  # as it was typed: mended, "red" is "read"
        asks = any(self.read(text, follows).question for follows in (True, False))
        if asks and ("?" in text or opens in listed("requests", "asking") | verbs("tell")):
            return NotUnderstood("question", "a question is no answer.", "Answer it, or say what to do.")
        if why is None:
            return None
        words, _ = known_words(tokens(text), self.lexicon)
        return why if not why.harmless and any(word in act_of() for word in words) else None

    def _reasons(self, said: Reading, follows: bool) -> Iterator[NotUnderstood]:
        if self.strict and said.unknown:
            yield NotUnderstood("unknown-words", *self._unknown(said.unknown))
        open_ = bool(said.unknown)  # a general model may know them, and a clause with them may ask for something
        if said.forbids and (all(clause.negated for clause in said.clauses) if open_ else not said.asks):
            yield NotUnderstood("forbids", "the sentence says what not to do, and asks for nothing.", "So nothing is done.")
        if said.question and not self.primitives & listed("primitives", "answering"):
            yield _question()
        if open_:
            return
        for name, beyond in english()["beyond"].items():
            served = name == "handovers" and "handover" in self.primitives
            if self.strict and name in said.beyond and not served:
                yield NotUnderstood(beyond["code"], f"{_plain(said.beyond[name])!r}: {beyond['why']}")
        if said.takes_back and said.asks:
            yield NotUnderstood("takes-back", "the sentence denies what it asks for, or leaves it open.", "Say only one thing.")
        if not said.asks:
            yield NotUnderstood("nothing-asked", "the sentence asks for nothing that the robot could do.")
        if self.strict and not follows and not said.named:
            yield NotUnderstood("nothing-named", "the sentence names nothing that is to be moved.", "Say which thing.")
        if self.strict and not follows and said.acts == {"put"} and not said.whither:
            code = "nothing-named" if said.refers else "nowhere"
            yield NotUnderstood(code, "the sentence does not say what is to be put where.", "Say which thing, and where to.")

    def _soft(self, text: str, why: NotUnderstood | None, follows: bool) -> NotUnderstood | None:
        """Return why a sentence may not move a robot whose words nobody listed: what it asks for besides its prohibitions."""
        if why is not None and why.code == "nothing-asked" and self._speaks_of_own(text):
            why = None
        if why is None and not any(is_word(word) for word in tokens(untold(text))):
            return NotUnderstood("nothing-asked", "the sentence tells of a deed, and asks for nothing.")
        asked, prohibitions = split(text)
        if why is not None and why.code != "forbids":
            return why
        if not prohibitions:  # "pour not more than 50 ml", "cancel the timer"
            spared = listed("negation", "words") & {*tokens(text)} and not listed("negation", "words") & {*tokens(asked)}
            own = self._opens_with_own(text, whole=True) or (spared and self.sentence(asked, follows) is None)
            return None if own else why
        if follows and self._corrects(asked, prohibitions):
            return None
        lone = NotUnderstood("forbids", "the sentence says what not to do, and asks for nothing.", "So nothing is done.")
        if all(word in listed("words", "fillers") | {*BREAKS} for word in tokens(asked)):
            return lone
        own = {part for name in self.primitives for part in name.lower().split("_")} - listed("prohibitions", "particles")
        verb = re.search(r"^(?:\W|please )*[a-z]+ (?:the|all|every|each|any|my|your|our|both|some) ", asked)  # "mop the hall"
        asks = any(is_verb(word) or word in own for word in tokens(asked)) or bool(verb) or self._speaks_of_own(asked)
        if why is None and {*tokens(asked)[:1]} <= role("articles"):  # "not the cup, the baby"
            return lone
        return why if self.sentence(asked, follows) or not asks else None

    def _speaks_of_own(self, text: str) -> bool:
        """Return whether a sentence names a place of the robot's and a word of its primitives, or begins with such a word."""
        words = {*re.findall(r"[^\W_]+", text.lower())}
        own = [set(primitive.lower().split("_")) for primitive in self.primitives]
        placed = any(set(place.lower().split()) <= words for place in self.own.places)
        return self._opens_with_own(text) or (placed and any(words & parts for parts in own))

    def _opens_with_own(self, text: str, whole: bool = False) -> bool:
        """Return whether a sentence begins with the first word of a primitive, and has all of its words where that is asked."""
        told = re.findall(r"[^\W_]+", text.lower())
        opens = next(
            (word for word in told if word not in ("please", "now", "then", "and", "first", "next", "finally", "also", "just")),
            "",
        )
        names = [name.lower().split("_") for name in self.primitives]
        return any(opens == name[0] and (not whole or {*name} <= {*told}) for name in names)

    def _corrects(self, asked: str, prohibitions: Sequence[Prohibition]) -> bool:
        """Return whether a sentence that forbids a thing names another in its place: "not the kitchen, the bedroom"."""
        words = [
            word
            for word in tokens(asked)
            if word not in BREAKS and word not in listed("prohibitions", "answers") - role("articles")
        ]
        names = all(one.things and not one.deed and not one.rest for one in prohibitions)
        place = " ".join(words) in {place.lower() for place in self.own.places}
        thing = words[:1] != [] and words[0] in role("articles") | role("relations") and words[-1] not in small()
        alarm = {*words} & (listed("harm", "living") | listed("stopping", "cries") | listed("stopping", "alarms"))
        return names and (place or thing) and not alarm

    def _unknown(self, words: Sequence[str]) -> tuple[str, str]:
        assert self.names is not None
        known = self.lexicon
        names = [*known.kinds, *known.colours]
        near = {word: get_close_matches(word, names, 1, 0.7) for word in words[:3] if len(word) < 40}
        guess = "; ".join(f"did you mean {name!r} by {word!r}?" for word, found in near.items() for name in found)
        things = f"It knows: {', '.join(self.names.kinds)}; {', '.join(self.names.colours)}."
        return f"the model does not know {_listed(words)}.", f"{guess[:1].upper()}{guess[1:]} {things}".strip()

    def checks(self, sentences: Sequence[str], fresh: bool) -> tuple[Check, ...]:
        """Return the checks that a policy keeps to what was said.

        Args:
            sentences: every instruction so far, the one in force last.
            fresh: whether nothing has been done for it yet.
        """
        left = [
            one
            for i, text in enumerate(sentences)
            for one in stays(text)
            if not requests(" ; ".join(self._requests(sentences[i + 1 :])), one[0].things, self.primitives)
        ]
        resting = (Stays(left),) if left else ()
        if self.strict:
            return (AsAsked([self.read(text, i > 0) for i, text in enumerate(sentences)], fresh), *resting)
        parts, said = [split(text) for text in sentences], list[tuple[str, list[Prohibition]]]()
        for i, (_, prohibitions) in enumerate(parts):
            if prohibitions:  # what comes later may ask for what was forbidden before
                later = [parts[i][0], *(split(text)[0] for text in self._requests(sentences[i + 1 :]))]
                named = [asked for asked, _ in parts[:i]] if re.search(r"\b(?:it|them)\b", later[0]) else []
                said.append((" ; ".join(later), [one for one in prohibitions if not one.rest]))
                said.append((" ; ".join([*named, *later]), [one for one in prohibitions if one.rest]))
        return (*((Keeps(said),) if said else ()), *resting)

    def _requests(self, sentences: Sequence[str]) -> list[str]:
        """Return the sentences that may ask for something: a question asks for no deed, unless it begins with "can you"."""
        return [
            text
            for text in sentences
            if polite(" ".join(word for word in tokens(text) if word not in BREAKS))
            or self._opens_with_own(text)
            or not self.read(text, True).question
        ]

    def unasked(self, sentences: Sequence[str], deeds: Sequence[Deed]) -> str:
        """Return which of some deeds for good nobody asked for, in one sentence; "" when each was asked for.

        Args:
            sentences: every instruction so far.
            deeds: in the order in which they would be done.
        """
        if not self.reads or self.strict:  # a strict gate checks it
            return ""
        return unasked(sentences, deeds, self.primitives)

    def swapped(self, sentences: Sequence[str], deed: Deed) -> str:
        """Return what of any step belongs to another one by the words of an order; "" for nothing."""
        return swapped(sentences, deed, self.primitives) if self.reads and not self.strict else ""

    def asked_anew(self, since: Sequence[str], before: Sequence[str], deed: Deed) -> bool:
        """Return whether sentences ask for a deed for good once more, and do not only say again what was said before it."""
        if not self.reads or self.strict:
            return True
        return not unasked(since, [deed], self.primitives) and asks_more(since, before, deed, self.primitives)

    def clash(self, first: str, second: str) -> str:
        """Return of what two sentences in a row want something else each, see `contrary.clash`; "" for nothing."""
        if not self.reads or goes_on(second):
            return ""
        return clash(self._by_name(first), self._by_name(second), self.primitives)

    def _by_name(self, text: str) -> str:
        """Return a sentence with the names that the model knows in the place of other words for them; as it is without such."""
        if not self.strict:
            return text
        said = list[str]()
        for clause in self.read(text, follows=True).clauses:
            names = iter(clause.names)
            for word in clause.text.split():
                name = next(names, None) if word in (NAME, ALL) else None
                said.append(f"the {name.colour} {name.kind}" if name else f"the {word.lower()}" if word.isupper() else word)
            said.append(",")
        return " ".join(said)

    def doubts(self, sentences: Sequence[str], policy: Policy, done: Done = ()) -> dict[str, str]:
        """Return what a model may have misunderstood, each in one sentence, by the instruction in which it stands.

        That is a prohibition that the rules cannot compare with its policy, in whatever instruction so far, and words of the
        last one that neither they nor the steps explain. A policy's goal explains nothing: it may repeat them all.

        Args:
            sentences: every instruction so far, the one in force last.
            policy: what the model means to do.
            done: primitives and arguments of the steps that were tried before it.
        """
        if self.strict or not policy.steps:
            return {}
        taken = [*((step.do, step.arguments) for step in policy.steps), *done]
        found = {t: [one for one in unclear(t, self.primitives) if not self.own.spares(one, taken)] for t in sentences}
        told = {t: f"Whether the policy keeps to {_listed(ends)} cannot be told." for t, ends in found.items() if ends}
        talks = listed("primitives", "answering") | listed("primitives", "speaking")
        last, steps = sentences[-1], [step.do for step in policy.steps if step.do not in talks]
        if self.reads:
            told |= {
                text: f"Nothing that the robot sees settles {_listed(ends)}."
                for text, ends in self._open(sentences, policy, done)
            }
        if self.reads and steps:
            for text, hit in spoken_of(sentences, policy, self.primitives):
                told[text] = f"{told.get(text, '')} {text[:60]!r} asks for nothing of the {hit}.".strip()
        if self.reads and steps and last not in told and (why := self._against(sentences, policy, done)):
            told[last] = why
        return told

    def _against(self, sentences: Sequence[str], policy: Policy, done: Done) -> str:
        """Return what a policy does that the last sentence does not ask for, or leaves out; "" for nothing."""
        text = sentences[-1]
        talks = listed("primitives", "answering") | listed("primitives", "speaking")
        steps = [step for step in policy.steps if step.do not in talks]
        said, asked_about = corrected(text, self.primitives), not self._requests([text])
        if reported := [one.do for one in steps if told_of(text, one.do) or (asked_about and deed_asked(one.do, text))]:
            return f"The instruction tells of {_listed(reported)}, and does not ask for it."
        if said.taken_back and (undone := [step.do for step in steps if said.undone(step)]):
            return f"The instruction takes back {said.taken_back[:60]!r}, of which {_listed(undone)} may be a part."
        if turned := list(dict.fromkeys(opposite(policy, self._states(said.kept)))):
            return f"The instruction asks for the opposite of {_listed(turned)}."
        if words := self._unexplained(said.kept, policy, done):
            return f"Nothing in the policy explains {_listed(words)}."
        asked = self._asked(unconditional(said.kept, self.primitives))
        if missing := left_out(asked, [*(step.do for step in policy.steps), *(do for do, _ in done)], self.primitives):
            return f"The instruction asks for {_listed(missing)}, and nothing in the policy does that."
        extra = unmentioned(" ".join(" ".join(tokens(one)) for one in sentences), policy, self.own)
        return f"Nobody spoke of {_listed(extra)}." if extra else ""

    def _open(self, sentences: Sequence[str], policy: Policy, done: Done) -> Iterator[tuple[str, list[str]]]:
        """Yield each sentence whose deed hangs on what the robot cannot see, and these words.

        Whoever was asked for leave, or asks for the deed later, has settled it.
        """
        talks = listed("primitives", "answering") | listed("primitives", "speaking")
        for i, text in enumerate(sentences):
            if not (ends := hanging(text)):
                continue
            later = " ; ".join(one for one in self._requests(sentences[i + 1 :]) if not hanging(one))
            asked = [str(arguments) for do, arguments in done if do == "ask"]
            acts, other = list[str](), list[str]()
            for step in policy.steps:
                if step.do == "ask":
                    asked.append(str(step.arguments))
                elif step.do not in talks and not any(deed_asked(step.do, words, True) for words in [*asked, later]):
                    (acts if deed_asked(step.do, text, loosely=True) else other).append(step.do)
            settled = asked and not acts  # the other steps lead up to the deed that was asked about
            if acts or (other and i + 1 == len(sentences) and not settled):
                yield text, ends

    def _asked(self, text: str) -> str:
        """Return what of a sentence asks for something, without what no step needs to say."""
        tables = english()["prohibitions"]
        aside = "|".join(tables[name] for name in ("stays", "whence", "beneficiary", "state"))
        aside = aside.replace("<living>", "|".join(listed("harm", "living")))
        return untold(re.sub(aside, ",", split(text)[0]))

    def _states(self, text: str) -> str:
        """Return what of a sentence asks for a deed, and how it wants things to stay."""
        states = [f"stay {one.state}" for one in split(text)[1] if one.state]
        return " , ".join([self._asked(unconditional(text, self.primitives)), *states])

    def _unexplained(self, text: str, policy: Policy, done: Done) -> list[str]:
        """Return the words of a sentence that neither the rules nor the robot's own words nor the steps explain."""
        asked = self._asked(text)
        tables = english()["prohibitions"]
        kinds = {match[1] for match in re.finditer(tables["of_kind"], asked)}
        ends = {"st", "nd", "rd", "th"} if re.search(r"\d ?(?:st|nd|rd|th)\b", text.lower()) else set[str]()
        unknown = [word for word in self.read(asked).unknown if word not in kinds | ends and re.search(r"\w", word)]
        steps = [*((step.do, step.arguments) for step in policy.steps), *done]
        return Explaining(self.own, steps).unexplained(text, asked, self._asked(unconditional(text, self.primitives)), unknown)


def check_made_for(name: str, made_for: Mapping[str, Sequence[str]], manifest: Manifest) -> None:
    """Refuse a model on a robot that it was not made for.

    Args:
        name: of the model.
        made_for: "primitives" and "places" of the robot it was made for.
        manifest: of the robot at hand.

    Raises:
        UsageError: primitives or places differ.
    """
    here = {"primitives": list(manifest.primitives), "places": list(manifest.places)}
    lacks = {part: sorted(set(made_for[part]) - set(here[part])) for part in here}
    adds = {part: sorted(set(here[part]) - set(made_for[part])) for part in here}
    told = [f"it expects the {part} {', '.join(names)}" for part, names in lacks.items() if names]
    told += [f"it does not know the {part} {', '.join(names)}" for part, names in adds.items() if names]
    if told:
        way = "Name a general model (--model URL or folder), or fine-tune one on samples of this robot (`vlp train sft`)."
        where = f"{name} was made for another robot or world than {manifest.robot!r} where it stands"
        raise UsageError(f"{where}: {'; '.join(told)}.", way)


OPEN = Gate()
"""Heeds words for stopping alone."""


def _question() -> NotUnderstood:
    return NotUnderstood("question", "this asks for an answer, not for a deed.", "`vlp ask IMAGE QUESTION` answers.")


def _plain(text: str) -> str:
    return text.replace(ALL, "all").replace(NAME, "it").strip()


def _listed(words: Sequence[str]) -> str:
    return ", ".join(repr(word[:40]) for word in words[:3]) + (", ..." if len(words) > 3 else "")


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def unknown_in_question(text: str, names: Names) -> NotUnderstood | None:
    """Return why a question about an image cannot be answered by a model that knows these names alone; None when it can be."""
    reading = read(text, Lexicon(names))
    if reading.unknown:
        return NotUnderstood("unknown-words", *Gate(names)._unknown(reading.unknown))
    return None
