"""Choosing what a part of a command is about, so that it is clear and, unless it is meant not to be, possible."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from vlp.sim.language.household.household import Belonging, Household, Resident
from vlp.sim.language.phrasings import tables

About = dict[str, str]
T = TypeVar("T")


class NothingFits(Exception):
    """The household has nothing that such a part could be about."""


@dataclass
class SoFar:
    """What has been said so far.

    Args:
        household: what is spoken about.
        rng: decides.
        possible: whether what is asked for is there.
        room: the room that was spoken of last, "" for none.
        thing: the thing found or taken, or its category; "" for none.
        source: where that thing was.
        person: who was found or met; None for nobody.
        cannot: why the command cannot be carried out.
    """

    household: Household
    rng: Random
    possible: bool = True
    room: str = ""
    thing: str = ""
    source: str = ""
    person: Resident | None = None
    cannot: str = ""

    def one(self, choices: Iterable[T]) -> T:
        """Return one of several; raises NothingFits when there are none."""
        found = list(choices)
        if not found:
            raise NothingFits
        return self.rng.choice(found)

    def surface(self, *without: str) -> str:
        """Return a place that takes things, other than some."""
        return self.one(place for place in self.household.takes if place not in without)

    def laden(self, portable: bool = False) -> str:
        """Return a place with something on it, or something to take, in the room that was spoken of where there is one."""
        things = [thing for thing in self.household.things if thing.portable or not portable]
        return self.one(dict.fromkeys(t.place for t in things if self._near(t.place)))

    def portable(self, where: str) -> Belonging:
        """Return something at a piece of furniture or in a room that a hand can take."""
        return self.one(thing for thing in self.household.at(where) if thing.portable)

    def resident(self) -> Resident:
        """Return a person other than who commands, of the room that was spoken of where there is one."""
        others = [person for person in self.household.residents if person.name != self.household.commander]
        return self.one(p for p in others if self.room in ("", p.room))

    def missing(self, place: str) -> str:
        """Return something that is not at a place, and note that the command cannot be done."""
        thing = self.one(self.household.absent)
        self.cannot = f"there is no {thing} at {place}"
        return thing

    def _near(self, place: str) -> bool:
        return self.room in ("", self.household.room_of(place))


def go(said: SoFar) -> About:
    """Go to a room, or to furniture."""
    room = said.one(said.household.rooms)
    said.room = room
    return {"to": said.one((room, *said.household.rooms[room]))}


def take(said: SoFar) -> About:
    """Take a thing from furniture, or what was found."""
    if said.thing:
        return {}
    said.source = said.laden(portable=True)
    said.thing = said.portable(said.source).name if said.possible else said.missing(said.source)
    return {"thing": said.thing, "from": said.source}


def find(said: SoFar) -> About:
    """Find a thing, or one of a category, in a room."""
    said.room = said.room or said.household.room_of(said.laden(portable=True))
    if not said.possible:
        said.thing = said.missing(said.room)
        return {"thing": said.thing, "room": said.room}
    found = said.portable(said.room)
    said.source = found.place
    said.thing = found.category if said.rng.random() < 0.35 else found.name
    return {"thing": said.thing, "room": said.room}


def put(said: SoFar) -> About:
    """Put what is held on or in furniture, elsewhere than where it was."""
    return {"to": said.surface(said.source)}


def deliver(said: SoFar) -> About:
    """Give the thing to who commands, or to somebody told by name or by looks."""
    others = [p for p in said.household.residents if p.takes and p.name != said.household.commander]
    if said.rng.random() < 0.4 or not others:
        return _to_me(said)
    person = said.one(others)
    return {"person": _told(said, person), "room": person.room}


def bring(said: SoFar) -> About:
    """Bring a thing from furniture to who commands."""
    return {**take(said), **_to_me(said)}


def count(said: SoFar) -> About:
    """Count the things of a category on furniture."""
    place = said.laden()
    return {"category": said.one(t.category for t in said.household.at(place)), "from": place}


def compare(said: SoFar) -> About:
    """Name the most of the things on furniture in one respect."""
    place = said.laden()
    return {"most": said.one(_clearly_most(said.household.at(place))), "from": place}


def compare_category(said: SoFar) -> About:
    """Name the most of the things of a category on furniture in one respect."""
    place = said.laden()
    category = said.one(t.category for t in said.household.at(place))
    these = [t for t in said.household.at(place) if t.category == category]
    return {"most": said.one(_clearly_most(these)), "category": category, "from": place}


def meet(said: SoFar) -> About:
    """Meet somebody by name at furniture in a room."""
    said.person = said.resident()
    said.room = said.person.room
    where = said.one(({"place": said.person.place}, {"room": said.room}))
    return {"person": said.person.name, **where}


def find_person(said: SoFar) -> About:
    """Find somebody told by looks, in a room."""
    said.person = said.resident()
    said.room = said.person.room
    return {"person": said.one(_looks(said, said.person)), "room": said.room}


def find_again(said: SoFar) -> About:
    """Find who was met in another room, to which they have gone."""
    _who_walks(said)
    return {"room": said.one(room for room in said.household.rooms if room != said.room)}


def count_persons(said: SoFar) -> About:
    """Count the persons of a description in a room."""
    person = said.resident()
    return {"people": said.one(_seen(person)), "room": person.room}


def tell_about(said: SoFar) -> About:
    """Tell name, pose or gesture of the one person at furniture."""
    person = said.resident()
    if sum(other.place == person.place for other in said.household.residents) > 1:
        raise NothingFits
    known = {"name": person.name, "pose": person.pose, "gesture": person.gesture}
    return {"attribute": said.one(name for name, value in known.items() if value), "place": person.place}


def greet(said: SoFar) -> About:
    """Greet somebody told by name or by looks in a room."""
    said.person = said.resident()
    said.room = said.person.room
    return {"person": _told(said, said.person), "room": said.room}


def say(said: SoFar) -> About:
    """Tell something to who was met, or to who commands."""
    return {"person": "them" if said.person else "me", "topic": said.one(("time", "day", "yourself", "team"))}


def answer(said: SoFar) -> About:
    """Answer a question of who was met."""
    return {}


def follow(said: SoFar) -> About:
    """Follow who was met, or who commands, to a room or until told to stop."""
    who = _who_walks(said)
    elsewhere = said.one(room for room in said.household.rooms if room != said.room)
    return {**who, "room": elsewhere} if said.rng.random() < 0.6 else who


def guide(said: SoFar) -> About:
    """Guide who was met, or who commands, to furniture elsewhere."""
    near = said.person.place if said.person else ""
    places = [place for furniture in said.household.rooms.values() for place in furniture if place != near]
    return {**_who_walks(said), "to": said.one(places)}


def _to_me(said: SoFar) -> About:
    """Return who commands as the one who is given something."""
    if not said.household.commander_takes:
        raise NothingFits
    return {"person": "me"}


def _who_walks(said: SoFar) -> About:
    """Return who was met, or who commands, as the one who goes somewhere."""
    if said.person is not None and not said.person.walks:
        raise NothingFits
    return {"person": "them" if said.person else "me"}


def _told(said: SoFar, person: Resident) -> str:
    """Return the name of a person, or looks that nobody else in the room has."""
    return said.one((person.name, *_looks(said, person)))


def _looks(said: SoFar, person: Resident) -> list[str]:
    """Return what of a person's looks fits nobody else in the room."""
    return [look for look in _seen(person) if len(said.household.persons(person.room, look)) == 1]


def _seen(person: Resident) -> list[str]:
    return [look for look in (person.pose, person.gesture, person.clothes) if look]


def most(things: Iterable[Belonging], respect: str) -> Belonging | None:
    """Return the thing that clearly leads in a respect, a row of `respects`; None where none does, or of fewer than two."""
    how = respects()[respect]
    order = sorted(things, key=lambda thing: getattr(thing, how["of"]), reverse=how["greatest"])
    if len(order) < 2:
        return None
    first, second = (getattr(thing, how["of"]) for thing in order[:2])
    clear = first >= how["lead"] * second if how["greatest"] else how["lead"] * first <= second
    return order[0] if clear else None


def respects() -> Mapping[str, dict[str, Any]]:
    """Return by what things are compared, by the superlative: a property, whether its greatest is meant, the least lead."""
    return tables("household")["respects"]


def _clearly_most(things: list[Belonging]) -> list[str]:
    weighable = all(thing.portable for thing in things)  # weight is told by lifting
    able = [name for name, how in respects().items() if weighable or how["of"] != "mass_kg"]
    return [respect for respect in able if most(things, respect) is not None]


PARTS: dict[str, Callable[[SoFar], About]] = {
    one.__name__: one
    for one in (
        go, take, find, put, deliver, bring, count, compare, compare_category, meet, find_person, find_again, count_persons,
        tell_about, greet, say, answer, follow, guide,
    )
}  # fmt: skip
"""What a part may be about, by its name in household.toml."""
