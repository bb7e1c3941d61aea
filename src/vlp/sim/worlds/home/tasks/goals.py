"""What must be true in the end of a task of the home."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from vlp.sim.worlds.home.catalogue import products
from vlp.sim.worlds.home.places import places, stations
from vlp.sim.worlds.home.rooms import Rooms
from vlp.sim.worlds.home.sampling import sample_home
from vlp.sim.worlds.home.true_state import HomeTruth
from vlp.sim.worlds.protocol import Station


class HomeGoal(Protocol):
    """One thing that must be true in the end."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """The things that may have to be moved for it."""
        ...

    def holds(self, truth: HomeTruth, said: Sequence[str] = ()) -> bool:
        """Return whether it is so, given what the robot has told people."""
        ...

    def allows(self, name: str, place: str) -> bool:
        """Return whether a thing may have been brought to a place (of a person's hand: "NAME's hand") for it."""
        ...

    def text(self) -> str:
        """Return the sentence that will be true."""
        ...


@dataclass(frozen=True)
class Rests:
    """A thing is on or in a place; "shelf" is any of its boards."""

    thing: str
    place: str

    @property
    def subjects(self) -> tuple[str, ...]:
        """The thing."""
        return (self.thing,)

    def holds(self, truth: HomeTruth, said: Sequence[str] = ()) -> bool:
        """Return whether the thing is there, directly or on another thing."""
        del said
        return is_at(place_under(truth, self.thing), self.place)

    def allows(self, name: str, place: str) -> bool:
        """Allow the thing there."""
        return name == self.thing and is_at(place, self.place)

    def text(self) -> str:
        """Return "the plum is in the drawer"."""
        return f"the {self.thing} is {relation_of(self.place)} the {told_place(self.place)}"


@dataclass(frozen=True)
class Given:
    """A person holds a thing."""

    thing: str
    person: str

    @property
    def subjects(self) -> tuple[str, ...]:
        """The thing."""
        return (self.thing,)

    def holds(self, truth: HomeTruth, said: Sequence[str] = ()) -> bool:
        """Return whether it is in that person's hand."""
        del said
        return self.person in truth.persons and truth.persons[self.person].holds == self.thing

    def allows(self, name: str, place: str) -> bool:
        """Allow the thing in that hand."""
        return name == self.thing and place == f"{self.person}'s hand"

    def text(self) -> str:
        """Return "Jane has the plum"."""
        return f"{self.person} has the {self.thing}"


@dataclass(frozen=True)
class Enough:
    """At least so many of some things are at a place.

    Args:
        things: any of these.
        number: how many.
        place: where.
        word: what they are together, e.g. "something to drink".
    """

    things: tuple[str, ...]
    number: int
    place: str
    word: str

    @property
    def subjects(self) -> tuple[str, ...]:
        """All that would do."""
        return self.things

    def there(self, truth: HomeTruth) -> list[str]:
        """Return those that are at the place."""
        return [name for name in self.things if is_at(place_under(truth, name), self.place)]

    def holds(self, truth: HomeTruth, said: Sequence[str] = ()) -> bool:
        """Return whether there are enough; all that there still are in the world will do."""
        del said
        return len(self.there(truth)) >= min(self.number, sum(name in truth.objects for name in self.things))

    def allows(self, name: str, place: str) -> bool:
        """Allow any of them at the place."""
        return name in self.things and is_at(place, self.place)

    def text(self) -> str:
        """Return "something to drink is on the kitchen table, 2 times"."""
        return f"{self.word} is {relation_of(self.place)} the {told_place(self.place)}, {self.number} times"


@dataclass(frozen=True)
class Poured:
    """The small balls of one vessel are in another.

    Args:
        thing: the vessel that they were in.
        into: the vessel that they are to be in.
        number: how many that makes there.
    """

    thing: str
    into: str
    number: int

    @property
    def subjects(self) -> tuple[str, ...]:
        """The vessel that they were in."""
        return (self.thing,)

    def holds(self, truth: HomeTruth, said: Sequence[str] = ()) -> bool:
        """Return whether not one is left behind or spilt."""
        del said
        return not truth.balls.get(self.thing, 0) and truth.balls.get(self.into, 0) >= self.number

    def allows(self, name: str, place: str) -> bool:
        """Allow the empty vessel on any furniture in the open."""
        return name == self.thing and takes().get(place) == "on"

    def text(self) -> str:
        """Return "what was in the orange cup is in the blue bowl"."""
        return f"what was in the {self.thing} is in the {self.into}"


class _StillGoal:
    """A goal for which no thing is moved."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """None."""
        return ()

    def allows(self, name: str, place: str) -> bool:
        """Allow nothing."""
        del name, place
        return False


@dataclass(frozen=True)
class Shut(_StillGoal):
    """The drawer or the cabinet door is shut."""

    fixture: str

    def holds(self, truth: HomeTruth, said: Sequence[str] = ()) -> bool:
        """Return whether it is open by less than a tenth."""
        del said
        return truth.opened[self.fixture] < 0.1

    def text(self) -> str:
        """Return "the drawer is shut"."""
        return f"the {self.fixture} is shut"


@dataclass(frozen=True)
class Lit(_StillGoal):
    """The lamp is on, or off."""

    on: bool

    def holds(self, truth: HomeTruth, said: Sequence[str] = ()) -> bool:
        """Return whether the lamp is so."""
        del said
        return truth.lamp_on == self.on

    def text(self) -> str:
        """Return "the lamp is on"."""
        return f"the lamp is {'on' if self.on else 'off'}"


@dataclass(frozen=True)
class ToldReading(_StillGoal):
    """What a dial shows has been told: a row of `dials`."""

    dial: str

    def holds(self, truth: HomeTruth, said: Sequence[str] = ()) -> bool:
        """Return whether a number near enough was told last."""
        shows, near = dials()[self.dial]
        numbers = [float(number) for text in said for number in re.findall(r"-?\d+(?:\.\d+)?", text)]
        return bool(numbers) and abs(numbers[-1] - truth.gauges[shows]) <= near

    def text(self) -> str:
        """Return "it is told what the gauge shows"."""
        return f"it is told what the {self.dial} shows"


@dataclass(frozen=True)
class ToldPlace(_StillGoal):
    """It has been told where a thing is."""

    thing: str

    def holds(self, truth: HomeTruth, said: Sequence[str] = ()) -> bool:
        """Return whether one sentence names the thing and its furniture, or the drawer or cupboard that it is in."""
        place = told_place(place_under(truth, self.thing)).rpartition(" of the ")[2]
        return any(self.thing in text.lower() and place in text.lower() for text in said)

    def text(self) -> str:
        """Return "it is told where the plum is"."""
        return f"it is told where the {self.thing} is"


def dials() -> dict[str, tuple[str, float]]:
    """Return for "gauge" and "display" the entry of `HomeTruth.gauges`, and how far off a reading may be."""
    return {"gauge": ("needle", 0.3), "display": ("digits", 0.05)}


def place_under(truth: HomeTruth, name: str) -> str:
    """Return the place that bears a thing, through other things; "hand", "floor" or "NAME's hand", "" for what is gone."""
    seen: set[str] = set()
    below = name
    while below in truth.objects and below not in seen:
        seen.add(below)
        below = truth.objects[below].support
    return below if below not in truth.objects else ""


def is_at(place: str, wanted: str) -> bool:
    """Return whether a place is one that is wanted: itself, or a board of the shelf for "shelf"."""
    return place == wanted or place.startswith(f"{wanted}: ")


def relation_of(place: str) -> str:
    """Return "on" or "in"."""
    return takes().get(place, "in")


def told_place(place: str) -> str:
    """Return a place in words, without an article: "upper board of the shelf"."""
    piece, _, part = place.partition(": ")
    return f"{part} board of the {piece}" if part else piece


def fixture_of(place: str) -> str:
    """Return what must be open to reach into a place, "" for nothing."""
    return {"drawer": "drawer", "cupboard": "cabinet door"}.get(place, "")


def is_open(truth: HomeTruth, place: str) -> bool:
    """Return whether a place can be reached into: its drawer or door stands wide open, or it has none, and nothing hides it.

    What lies in a drawer that stands ajar may be out of view and under the cabinet's top.
    """
    fixture, wide = fixture_of(place), {"drawer": 0.92, "cabinet door": 0.85}
    return not fixture or (truth.opened[fixture] >= wide[fixture] and not hidden_by(truth, place))


def hidden_by(truth: HomeTruth, place: str) -> str:
    """Return the place that must be shut before another can be seen and reached, "" for none.

    A drawer that stands out, be it by half, hides the handle of the door below it, and what is behind that.
    """
    return "drawer" if place == "cupboard" and not Shut("drawer").holds(truth) else ""


def room_of(place: str) -> str:
    """Return the room in which a robot stands at a place, "" for no place of the home; it is the same in every home."""
    return _rooms().get(place, "")


def is_covered(place: str) -> bool:
    """Return whether a board above a place leaves a hand that comes from above no room."""
    return place in _stations() and _stations()[place].headroom_m < math.inf


def has_solid_front(place: str) -> bool:
    """Return whether nothing can drive under a place, or even up to its edge."""
    return place in _stations() and _stations()[place].under_m < 0


def stand_yaw_rad(place: str) -> float:
    """Return where a robot before a place looks, the same in every home."""
    return _stations()[place].stand[2]


def hinge_side_m(place: str) -> float:
    """Return how far to the left of a place's middle its door hangs, for a robot before it; 0 where there is no door."""
    there, yaw = _stations()[place], stand_yaw_rad(place)
    if there.hinge is None:
        return 0.0
    x, y = (h - m for h, m in zip(there.hinge, there.middle[:2], strict=True))
    return math.cos(yaw) * y - math.sin(yaw) * x


@cache
def _rooms() -> dict[str, str]:
    return {name: Rooms().room_of(*place.stand[:2]) for name, place in _stations().items()}


@cache
def _stations() -> dict[str, Station]:
    return stations(sample_home(0))


@cache
def vessels() -> tuple[str, ...]:
    """Return the things that small balls can be poured into."""
    return tuple(name for name, product in products().items() if product.shape in ("cup", "bowl"))


@cache
def takes() -> dict[str, str]:
    """Return "on" or "in" for every place that things can be put on or in."""
    return {place.name: place.relations[0] for place in places() if place.relations}


@cache
def places_nearly() -> dict[str, Station]:
    """Return nearly where the places are: of one home; furniture is moved by a tenth of a metre from home to home."""
    return stations(sample_home(0))
