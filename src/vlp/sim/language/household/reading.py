"""From a typed sentence back to a household command: the words of all parts, turned round.

Case, punctuation and politeness do not matter. What is made of no parts is no command.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product

from vlp.core.messages import plural
from vlp.sim.language.household.command import Command, Part
from vlp.sim.language.household.household import Household
from vlp.sim.language.household.parts import respects
from vlp.sim.language.household.sample import kinds, told_by
from vlp.sim.language.phrasings import phrasings
from vlp.sim.language.recognise import MAX_CHARACTERS, plain_text, without_politeness
from vlp.sim.language.wording import pieces

Meanings = Mapping[str, str]
"""From plain text to what it means."""


def read_command(sentence: str, household: Household) -> Command | None:
    """Return the command that a sentence means in a household, or None when it is none.

    Args:
        sentence: as a person typed it.
        household: what is spoken about; a thing that is not where the sentence says makes a command that cannot be done.
    """
    if len(sentence) > MAX_CHARACTERS:
        return None
    plain, reader = plain_text(sentence), _Reader(household)
    for text in dict.fromkeys((plain, without_politeness(plain))):
        for kind, names in kinds().items():
            for parts in reader.parts(text, names):
                return Command(kind, parts, sentence, _cannot(parts, household))
    return None


def _cannot(parts: Sequence[Part], household: Household) -> str:
    """Return why what is to be found or taken cannot be, "" where it is where it is said to be."""
    for part in parts:
        thing, where = part.about.get("thing", ""), part.about.get("from") or part.about.get("room", "")
        if thing and where and not any(thing in (there.name, there.category) for there in household.at(where)):
            return f"there is no {thing} at {where}"
    return ""


class _Reader:
    """Finds the parts of a sentence.

    Args:
        household: whose names the slots of templates take.
    """

    def __init__(self, household: Household) -> None:
        self._slots, self._names = _meanings(household), {person.name for person in household.residents}
        self._patterns: dict[str, list[re.Pattern[str]]] = {}

    def parts(self, text: str, names: Sequence[str]) -> Iterator[tuple[Part, ...]]:
        """Yield the ways to read plain text as parts, rows of `parts`, one behind the other."""
        for pattern in self._of(names[0]):
            match = pattern.match(text)
            if match is None:
                continue
            told = {slot: self._slots[slot][said] for slot, said in match.groupdict().items()}
            first = Part(names[0], {told_by(slot): meant for slot, meant in told.items()})
            if not self._suits(first):
                continue
            if len(names) == 1:
                if match.end() == len(text):
                    yield (first,)
                continue
            following = re.sub(r"^ (and then |then |and |)", "", text[match.end() :])
            yield from ((first, *rest) for rest in self.parts(following, names[1:]))

    def _suits(self, part: Part) -> bool:
        """Return whether who is met is told by name, and who is found by looks: both are said in the same words."""
        named = part.about.get("person", "") in self._names
        return {"meet": named, "find_person": not named}.get(part.do, True)

    def _of(self, part: str) -> list[re.Pattern[str]]:
        """Return the patterns of a part's templates, which match whole words."""
        if part not in self._patterns:
            row = phrasings("household", "parts")[part]
            self._patterns[part] = [re.compile(self._regex(template) + r"(?![a-z'])") for template in (*row.train, *row.test)]
        return self._patterns[part]

    def _regex(self, template: str) -> str:
        found = []
        for slot, choices in pieces(template):
            if choices:
                found.append(_any(map(plain_text, choices)))
            elif slot in ("on", "onto"):
                found.append(_any(("on", "onto", "in", "into")))
            else:
                found.append(f"(?P<{slot}>{_any(self._slots[slot])})")
        return " *".join(found)


def _any(texts: Iterable[str]) -> str:
    return f"(?:{'|'.join(re.escape(text) for text in sorted(texts, key=len, reverse=True))})"


def _meanings(household: Household) -> dict[str, Meanings]:
    """Return by slot what its words mean."""
    categories = {*household.absent.values(), *(thing.category for thing in household.things)}
    names = {*household.absent, *(thing.name for thing in household.things)}
    furniture = {place for places in household.rooms.values() for place in places} | {*household.takes}
    garments = {person.clothes for person in household.residents if person.clothes}
    poses, topics = {**_said("poses"), **_said("gestures")}, _said("topics")
    one = poses | {f"wearing {article} {clothes}": clothes for clothes in garments for article in ("a", "an")}
    several = poses | {f"wearing {plural(clothes)}": clothes for clothes in garments}
    persons = {"me": "me", "them": "them", "her": "them", "him": "them"} | {
        person.name: person.name for person in household.residents
    }
    places = _with_article({*household.rooms, *furniture})
    slots = {
        "thing": _with_article(names) | {f"{article} {name}": name for name in categories for article in ("a", "an", "some")},
        "things": {plural(name): name for name in categories},
        "category": {name: name for name in categories},
        "attribute": {name: name for name in ("name", "pose", "gesture")},
        "most": {**_said("words"), **{name: name for name in respects()}},
        "topic": topics,
        "people": {f"people {words}": meant for words, meant in several.items()},
        "description": one,
        "person": persons | {f"the person {words}": meant for words, meant in one.items()},
        **dict.fromkeys(("from", "to", "place", "room"), places),
    }
    return {slot: {plain_text(words): meant for words, meant in said.items()} for slot, said in slots.items()}


def _with_article(names: Iterable[str]) -> dict[str, str]:
    return {words: name for name in names for words in (name, f"the {name}")}


def _said(section: str) -> dict[str, str]:
    """Return what the words of a section of the data file mean, in every way to say them."""
    rows = phrasings("household", section)
    templates = [(template, name) for name, row in rows.items() for template in (*row.train, *row.test)]
    return {words: name for template, name in templates for words in _spelled_out(template)}


def _spelled_out(template: str) -> list[str]:
    return ["".join(choice) for choice in product(*(choices for _, choices in pieces(template)))]
