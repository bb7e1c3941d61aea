"""Drawing commands: a kind, what its parts are about, and words for them."""

from collections.abc import Mapping
from random import Random

from vlp.core.messages import plural
from vlp.sim.language.household.command import Command, Part
from vlp.sim.language.household.household import Household
from vlp.sim.language.household.parts import PARTS, NothingFits, SoFar
from vlp.sim.language.phrasings import Phrasings, phrasings, tables
from vlp.sim.language.task import Split
from vlp.sim.language.wording import pieces


def kinds() -> Mapping[str, list[str]]:
    """Return the parts of each kind of command, by the kind's name."""
    return tables("household")["kinds"]


def sample_command(
    household: Household, rng: Random, split: Split = "train", kind: str = "", impossible: float = 0.0
) -> Command | None:
    """Return a command that the household allows, or None when 40 draws gave none.

    Args:
        household: what is spoken about.
        rng: the source of chance.
        split: "train", or "test" for phrasings that are never trained on.
        kind: a row of `kinds`; "" draws one.
        impossible: how often a command that takes or finds a thing is about one that is not there, 0 to 1.
    """
    for _ in range(40):
        chosen = kind or rng.choice(list(kinds()))
        said = SoFar(household, rng, possible=rng.random() >= impossible)
        try:
            parts = tuple(Part(name, PARTS[name](said)) for name in kinds()[chosen])
        except NothingFits:
            continue
        return Command(chosen, parts, sentence(parts, household, rng, split), said.cannot)
    return None


def sentence(parts: tuple[Part, ...], household: Household, rng: Random, split: Split) -> str:
    """Return words for the parts of a command."""
    said = [_part(part, household, rng, split) for part in parts]
    text = said[0]
    for i, more in enumerate(said[1:], 2):
        text += rng.choice((", then ", " and ") if i == len(said) else (", ",)) + more
    return text if rng.random() < 0.5 else text[0].upper() + text[1:] + "."


def _part(part: Part, household: Household, rng: Random, split: Split) -> str:
    """Return words that tell all that a part is about, and no more."""
    fitting = [t for t in phrasings("household", "parts")[part.do].of(split) if _slots(t) == set(part.about)]
    words = _Words(part.about, household, rng, split)
    return "".join(rng.choice(choices) if choices else words.of(slot) for slot, choices in pieces(rng.choice(fitting)))


def _slots(template: str) -> set[str]:
    """Return which arguments a template tells."""
    return {told_by(slot) for slot, choices in pieces(template) if not choices} - {""}


def told_by(slot: str) -> str:
    """Return which argument a slot of a template tells; "" for none."""
    return {"things": "category", "description": "person", "on": "", "onto": ""}.get(slot, slot)


class _Words:
    """Words for the arguments of one part."""

    def __init__(self, about: Mapping[str, str], household: Household, rng: Random, split: Split) -> None:
        self.about, self.household, self.rng, self.split = about, household, rng, split

    def of(self, slot: str) -> str:
        """Return words for a slot of a template."""
        about = self.about
        match slot:
            case "things":
                return plural(about["category"])
            case "category" | "attribute":
                return about[slot]
            case "thing":
                return self._thing(about["thing"])
            case "on" | "onto":
                return self._where(about.get("to") or about["from"], slot)
            case "most":
                return self._said("words", about["most"])
            case "topic":
                return self._said("topics", about["topic"])
            case "people":
                return self._people(about["people"])
            case "description":
                return self._description(about["person"])
            case "person":
                return self._person(about["person"])
            case _:
                return f"the {about[slot]}"

    def _thing(self, name: str) -> str:
        if name in {thing.category for thing in self.household.things}:
            return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
        return f"the {name}"

    def _where(self, place: str, slot: str) -> str:
        inside = self.household.takes.get(place) == "in"
        return f"{'in' if inside else 'on'}{'to' if slot == 'onto' else ''}"

    def _person(self, who: str) -> str:
        if who in ("me", "them"):
            return who
        named = who in {person.name for person in self.household.residents}
        return who if named else f"the person {self._description(who)}"

    def _people(self, looks: str) -> str:
        return f"people {self._description(looks, several=True)}"

    def _description(self, looks: str, several: bool = False) -> str:
        for section in ("poses", "gestures"):
            if looks in phrasings("household", section):
                return self._said(section, looks)
        return f"wearing {plural(looks)}" if several else f"wearing a {looks}"

    def _said(self, section: str, key: str) -> str:
        rows: Mapping[str, Phrasings] = phrasings("household", section)
        return "".join(self.rng.choice(choices) for _, choices in pieces(self.rng.choice(rows[key].of(self.split))))
