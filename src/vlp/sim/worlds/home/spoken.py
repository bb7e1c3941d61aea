"""A home as commands speak of it."""

import math

from vlp.sim.language.household.household import Belonging, Household, Resident
from vlp.sim.worlds.home.catalogue import products
from vlp.sim.worlds.home.places import places
from vlp.sim.worlds.home.rooms import Rooms
from vlp.sim.worlds.home.tasks.goals import places_nearly
from vlp.sim.worlds.home.true_state import HomeTruth


def household_of(truth: HomeTruth) -> Household:
    """Return rooms, furniture, things and persons of a home; what is in a hand or on the floor is left out."""
    at, takes = places_nearly(), {place.name: place.relations[0] for place in places() if place.relations}
    furniture = [name for name in takes if ":" not in name]  # the boards of the shelf are the shelf
    rooms = {room: [n for n in furniture if Rooms().room_of(*at[n].middle[:2]) == room] for room in ("living room", "kitchen")}
    supports = {name: item.support for name, item in truth.objects.items()}
    under = {name: _furniture_under(name, supports) for name in supports}
    things = [belonging(name, place) for name, place in under.items() if place in furniture]
    residents = []
    for p in truth.persons.values():
        x, y, _ = p.position_in_world
        room = Rooms().room_of(x, y)
        near = min(rooms[room], key=lambda n: math.dist(at[n].middle[:2], (x, y)))
        told = p.gesture if p.gesture not in ("offering", "moving") else ""
        able, walks = p.pose != "lying" and not p.holds, p.pose == "standing" and not p.holds  # the open hand would lose it
        residents.append(Resident(p.name, room, near, p.pose, told, f"{p.shirt} shirt", able, walks))
    absent = {name: product.category for name, product in products().items() if name not in supports}
    return Household(rooms, {n: takes[n] for n in furniture}, things, residents, absent, _commander(truth))


def _commander(truth: HomeTruth) -> str:
    """Return who commands: the first who stands and has a free hand, else the first who stands; "" where nobody does."""
    standing = sorted((p for p in truth.persons.values() if p.pose == "standing"), key=lambda person: bool(person.holds))
    return standing[0].name if standing else ""


def belonging(name: str, place: str) -> Belonging:
    """Return a thing as commands speak of it."""
    product = products()[name]
    return Belonging(name, product.category, place, product.size_m, product.mass_kg, product.portable and not product.holds)


def _furniture_under(name: str, supports: dict[str, str]) -> str:
    """Return the furniture that bears a thing, directly or through other things."""
    seen: set[str] = set()
    while name in supports and name not in seen:
        seen.add(name)
        name = supports[name]
    return name.split(":")[0]
