"""The words of a sentence that nothing in a policy explains: a place or a choice by the step alone that takes it.

pour oil into the pot       dispense(what="oil", into="bowl"): nothing takes the pot, though `into` could
pick up the cup on the counter      pick_up(object="cup"): the counter says where the cup is
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from vlp.primitives.manifest import Manifest
from vlp.understanding.final import small
from vlp.understanding.lexicon import BREAKS, act_of, english, listed, role, tokens, verbs
from vlp.understanding.meaning import counts, is_number, means, measures, number, own_words, place_in_row
from vlp.understanding.prohibitions import plain_words, same_word, words_of
from vlp.understanding.reading import reports

Done = Sequence[tuple[str, Mapping[str, Any]]]
"""Steps that were tried: their primitives and arguments."""


@dataclass(frozen=True)
class Own:
    """A robot's own words.

    Args:
        primitives: names of what it can do.
        places: names of its places.
        docs: what is said of each primitive.
        choices: for each primitive, the words that its arguments choose from.
        final: names of what it can do that cannot be undone.
        ways: names of what changes nothing but where the robot looks, stands and what it holds.
        leads_to: for each primitive, those that may need what it makes so.
    """

    primitives: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    docs: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, frozenset[str]] = field(default_factory=dict)
    final: frozenset[str] = frozenset()
    ways: frozenset[str] = frozenset()
    leads_to: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, manifest: Manifest) -> "Own":
        """Return the words of a manifest."""
        known = manifest.primitives
        choices = {name: frozenset(c for one in p.arguments for c in one.choices) for name, p in known.items()}
        final = frozenset(name for name, p in known.items() if p.final)
        makes = {name: _predicates(p.makes) for name, p in known.items()}
        needs = {name: _predicates(p.needs) for name, p in known.items()}
        hand_or_place = {"at", "holding", "hand_empty"}
        ways = frozenset(name for name, p in known.items() if p.kind == "perception" or hand_or_place & makes[name])
        leads_to = {name: frozenset(other for other in known if makes[name] & needs[other]) for name in known}
        docs = {name: p.doc for name, p in known.items()}
        return cls(
            frozenset(known), frozenset(manifest.places), docs, choices, final, ways | listed("primitives", "ways"), leads_to
        )

    def values(self, steps: Done) -> frozenset[str]:
        """Return the places, and what the arguments of some steps choose from."""
        return self.places.union(*(self.choices.get(do, frozenset()) for do, _ in steps))

    def spares(self, forbidding: str, steps: Done) -> bool:
        """Return whether words that forbid name places and choices alone, of which steps have none: "not oil"."""
        words = {*plain_words(forbidding)} - small()
        known = {word for value in self.values([(do, {}) for do in self.primitives]) for word in plain_words(value)}
        given = {*plain_words(str([(do, *arguments.values()) for do, arguments in steps]))}
        return bool(words) and words <= known and not words & given


def _predicates(conditions: Iterable[str]) -> set[str]:
    return {word for text in conditions for word in text.removeprefix("not ").split()[:1]}


@dataclass(frozen=True)
class Explaining:
    """What explains the words of a sentence.

    Args:
        own: the robot's own words.
        steps: primitives and arguments.
    """

    own: Own
    steps: Done

    @cached_property
    def _things(self) -> set[str]:
        """The words for things of steps that say nothing else: such a step cannot say where its thing is to go."""
        words = [[value for value in given.values() if isinstance(value, str)] for _, given in self.steps]
        return {word for values in words if len(values) == 1 for word in plain_words(values[0])} - small() - self._could

    @cached_property
    def _could(self) -> set[str]:
        """The words of places, and of whatever a step of this robot could choose."""
        return {word for value in self.own.values([(do, {}) for do in self.own.primitives]) for word in plain_words(value)}

    def unexplained(self, text: str, asked: str, firmly: str, unknown: Sequence[str]) -> list[str]:
        """Return the words of a sentence that neither the rules nor the robot's own words nor the steps explain.

        Args:
            text: the sentence.
            asked: what of it asks for something.
            firmly: the same without conditions and reports.
            unknown: the words of this that the rules do not know.
        """
        silent = listed("primitives", "speaking")
        if {*tokens(text)} & (verbs("tell") | listed("primitives", "answering")):
            silent = frozenset[str]()
        values = [value for do, arguments in self.steps for value in arguments.values() if do not in silent]
        own = {
            *plain_words(" ".join([*self.own.primitives, *(self.own.docs.get(do, "") for do, _ in self.steps)]))
        } - self._could
        own |= {*plain_words(" ".join([*(do for do, _ in self.steps), *(name for _, given in self.steps for name in given)]))}
        told = (own | {*plain_words(str(values))}) - small()
        done_here = {word for do, _ in self.steps for word in own_words(do)} | {*plain_words(str(values))} - small()
        plain, beside = self._unlocated(firmly), self._unlocated(asked).split()
        measured = self._measured(asked)
        left = [
            word
            for word in unknown
            if number(word) not in told
            and word not in measured
            and word in (plain.split() if word in self._could else beside)
            and not any(same_word(word, other) for other in told)
            and not any(means(other, word) for other in done_here)
        ]
        left += [word for word in counts(plain.split()) if word not in left and not self._counted(word, told, measured)]
        return [*left, *(value for value in self._untaken(plain, told, done_here) if not {*plain_words(value)} & {*left})]

    def _counted(self, word: str, told: set[str], measured: set[str]) -> bool:
        """Return whether steps take a number, or are as many: "two cups", fetched one after the other."""
        digits = place_in_row(word)
        times = Counter(do for do, _ in self.steps)
        return digits in told or word in measured or word in told or any(str(n) == digits for n in times.values())

    def _untaken(self, plain: str, told: set[str], done_here: set[str]) -> Iterator[str]:
        """Yield the places and choices that words name and no step takes."""
        for value in sorted(self.own.values(self.steps), key=len, reverse=True):
            words = [word for word in plain_words(value) if word not in small()]
            if not words or not re.search(rf"\b{re.escape(' '.join(plain_words(value)))}\b", plain):
                continue
            if not all(
                any(same_word(word, other) for other in told) or any(means(o, word) for o in done_here) for word in words
            ):
                yield value

    def _unlocated(self, asked: str) -> str:
        """Return words without where a thing of the policy is: "the cup on the counter", "clear the counter"."""
        places = "|".join(re.escape(" ".join(plain_words(place))) for place in self.own.places) or "(?!)"
        landmark = re.compile(english()["explaining"]["landmark"].replace("<places>", places))
        if self._things:
            cleared = "|".join(sorted(word for word, acts in act_of().items() if acts & {"clear", "sort"}))
            asked = re.sub(
                english()["explaining"]["cleared"].replace("<clear>", cleared).replace("<places>", places), "", asked
            )
        clauses = re.split(f"([{re.escape(BREAKS)}]|\\b(?:and|then)\\b)", asked)
        return "".join(landmark.sub(lambda m: (m["thing"] or "") if self._locates(m) else m[0], clause) for clause in clauses)

    def _locates(self, match: re.Match[str]) -> bool:
        """Return whether a relation says where a thing of the policy is, and not where it is to go."""
        if not any(same_word(match["thing"] or match["of"], thing) for thing in self._things | listed("things", "all")):
            return False
        if match["of"]:  # "the kitchen table"
            return True
        before, behind = match.string[: match.start()].split(), match.string[match.end() :].split()
        puts = any(act_of().get(word, frozenset()) >= {"put"} and "pick" not in act_of()[word] for word in before)
        return not puts or bool(role("relations") & {*behind}) or bool({"me", "us", "him", "her"} & {*before})

    def _measured(self, asked: str) -> set[str]:
        """Return the amounts with their units that an argument of a step takes, in whatever unit of one kind: "2 min"."""
        taken = [(name, value) for _, given in self.steps for name, value in given.items() if is_number(value)]
        return {word for name, value in taken for pair in measures(asked, name, value) for word in pair}


def unconditional(text: str, primitives: Iterable[str]) -> str:
    """Return words without conditions and reports: "if the door is locked", "the door is locked".

    Args:
        text: the words.
        primitives: names of what the robot can do; a clause that begins with one of their verbs ends a condition.
    """
    starts = "|".join(sorted({words_of(name)[0] for name in primitives})) or "go"
    asked = re.sub(english()["explaining"]["conditions"].replace("<starts>", starts), ",", " ".join(tokens(text)))
    return "".join(part for part in re.split(f"([{re.escape(BREAKS)}])", asked) if not reports(part))
