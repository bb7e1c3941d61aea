"""A household as commands speak of it: rooms, furniture, things by category, and persons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Belonging:
    """A thing of the household.

    Args:
        name: what it is called, e.g. "cereal box".
        category: e.g. "food".
        place: the furniture that it stands on or in.
        size_m: length, width and height.
        mass_kg: its mass.
        portable: whether a hand can take it.
    """

    name: str
    category: str
    place: str
    size_m: tuple[float, float, float]
    mass_kg: float
    portable: bool = True

    @property
    def volume_m3(self) -> float:
        """Volume of the box around it."""
        length, width, height = self.size_m
        return length * width * height

    @property
    def thickness_m(self) -> float:
        """The shortest of its sides."""
        return min(self.size_m)


@dataclass(frozen=True)
class Resident:
    """A person in the household.

    Args:
        name: the first name.
        room: where the person is.
        place: the furniture that the person is at.
        pose: "sitting", "standing" or "lying".
        gesture: e.g. "waving"; "" for none.
        clothes: colour and garment, e.g. "red shirt".
        takes: whether the person can take something into the hand.
        walks: whether the person can go elsewhere.
    """

    name: str
    room: str
    place: str
    pose: str
    gesture: str = ""
    clothes: str = ""
    takes: bool = True
    walks: bool = True


@dataclass(frozen=True)
class Household:
    """Who and what is where.

    Args:
        rooms: the furniture of each room by the room's name.
        takes: "on" or "in" for each piece of furniture that things can be put on or in.
        things: the things that can be seen or found.
        residents: the persons.
        absent: names of things by category that such households have, and this one has not.
        commander: which of the residents commands; "" for somebody else.
    """

    rooms: Mapping[str, Sequence[str]]
    takes: Mapping[str, str]
    things: Sequence[Belonging]
    residents: Sequence[Resident] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
    commander: str = ""

    @property
    def commander_takes(self) -> bool:
        """Whether who commands can take something into the hand."""
        return all(person.takes for person in self.residents if person.name == self.commander)

    def room_of(self, place: str) -> str:
        """Return the room of a piece of furniture, or the room itself; raises KeyError for neither."""
        if place in self.rooms:
            return place
        for room, furniture in self.rooms.items():
            if place in furniture:
                return room
        raise KeyError(place)

    def at(self, place: str) -> list[Belonging]:
        """Return the things at a piece of furniture or in a room."""
        return [thing for thing in self.things if place in (thing.place, self.room_of(thing.place))]

    def persons(self, room: str, description: str = "") -> list[Resident]:
        """Return who is in a room, and of those whom a pose, a gesture, clothes or a name fits."""
        here = [person for person in self.residents if person.room == room]
        return [p for p in here if description in ("", p.name, p.pose, p.gesture, p.clothes)]
