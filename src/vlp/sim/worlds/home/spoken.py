"""A home as commands speak of it."""

import math

from vlp.sim.language.household.household import Belonging, Household, Resident
from vlp.sim.worlds.home.catalogue import products
from vlp.sim.worlds.home.places import places, stations
from vlp.sim.worlds.home.rooms import Rooms
from vlp.sim.worlds.home.scene import HomeScene
from vlp.sim.worlds.home.true_state import HomeTruth


def household_of(scene: HomeScene, truth: HomeTruth | None = None) -> Household:
    """Return rooms, furniture, things and persons of a home.

    Args:
        scene: the home.
        truth: where its things are now and what people do; None takes the scene as it begins. What is in a hand or on the
            floor belongs to no furniture and is left out.
    """
    at, takes = stations(scene), {place.name: place.relations[0] for place in places() if place.relations}
    furniture = [name for name in takes if ":" not in name]  # the boards of the shelf are the shelf
    rooms = {room: [n for n in furniture if Rooms().room_of(*at[n].middle[:2]) == room] for room in ("living room", "kitchen")}
    supports = {o.phrase: o.support for o in (truth.objects.values() if truth else scene.objects)}
    things = []
    for name in supports:
        place, product = _furniture_under(name, supports), products()[name]
        if place in furniture:
            things.append(Belonging(name, product.category, place, product.size_m, product.mass_kg))
    residents = []
    for p in scene.persons:
        gesture = truth.persons[p.name].gesture if truth else p.gesture
        room = Rooms().room_of(p.x_m, p.y_m)
        near = min(rooms[room], key=lambda n: math.dist(at[n].middle[:2], (p.x_m, p.y_m)))
        told = gesture if gesture not in ("offering", "moving") else ""
        residents.append(Resident(p.name, room, near, p.pose, told, f"{p.shirt} shirt"))
    absent = {name: product.category for name, product in products().items() if name not in supports}
    return Household(rooms, {n: takes[n] for n in furniture}, things, residents, absent)


def _furniture_under(name: str, supports: dict[str, str]) -> str:
    """Return the furniture that bears a thing, directly or through other things."""
    seen: set[str] = set()
    while name in supports and name not in seen:
        seen.add(name)
        name = supports[name]
    return name.split(":")[0]
