"""Whether a household command was carried out: its parts against the true state and an account of what was said and done."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from vlp.sim.language.household.command import Command, Part
from vlp.sim.language.household.household import Belonging, Household
from vlp.sim.language.household.parts import most
from vlp.sim.worlds.home.tasks.goals import is_at, place_under, room_of
from vlp.sim.worlds.home.tasks.wording import rows
from vlp.sim.worlds.home.true_state import HomeTruth

COMMANDER = "me"
"""Who commands, as parts name them."""


Did = Literal["went", "found", "took", "met", "said", "handed", "followed", "guided"]


@dataclass(frozen=True)
class AccountEntry:
    """One thing that the robot did or said, as its journal and the true state tell together.

    Args:
        did: "went" to a place, "found" or "took" a thing, "met" a person (stood before them and looked at them), "said" a text
            to a person, "handed" a thing to a person, "followed" or "guided" a person to a place.
        what: the thing, or the text.
        whom: the person; who commands may be called by name or "me".
        where: the place of the home where it was done, or ended.
    """

    did: Did
    what: str = ""
    whom: str = ""
    where: str = ""


class _NotDone(Exception):
    """What a part asks for and the account has not."""


def undone(command: Command, household: Household, start: HomeTruth, now: HomeTruth, account: Sequence[AccountEntry]) -> str:
    """Return what of a command was not done, "" when all of it was.

    The parts must have been done in the order in which they were said; other entries may lie between. Of what cannot be done,
    who commands must be told, and nothing may be taken. Things that no part moves must be where they were.

    Args:
        command: what was said.
        household: the home as commands speak of it, when it was said.
        start, now: the true state when it was said, and at the end.
        account: what the robot has done and said since, in order.
    """
    account = _as_told(household, account)
    if command.cannot:
        return _unrefused(command, account)
    following = Following(household, now, account)
    done, why = following.through(command.parts)
    if why:
        return f"{command.parts[done].do}: {why}"
    strays = [
        name
        for name, item in start.objects.items()
        if name in now.objects and name not in following.moved and now.objects[name].support != item.support
    ]
    return f"moved the {strays[0]}" if strays else f"still holds the {now.holding}" if now.holding else ""


def progress(
    command: Command, household: Household, now: HomeTruth, account: Sequence[AccountEntry]
) -> tuple[int, "Following"]:
    """Return how many parts of a command are done, from the first on, and what they found, took and met; see `undone`."""
    following = Following(household, now, _as_told(household, account))
    done, _ = following.through(command.parts)
    return done, following


def _as_told(household: Household, account: Sequence[AccountEntry]) -> list[AccountEntry]:
    """Return an account in which who commands is "me"."""
    return [replace(entry, whom=COMMANDER) if entry.whom == household.commander != "" else entry for entry in account]


def _unrefused(command: Command, account: Sequence[AccountEntry]) -> str:
    missing = next((part.about["thing"] for part in command.parts if "thing" in part.about), "")
    told = any(entry.did == "said" and entry.whom == COMMANDER and missing in entry.what.lower() for entry in account)
    taken = next((entry.what for entry in account if entry.did in ("took", "handed")), "")
    return f"took the {taken}" if taken else "" if told else f"did not say that {command.cannot}"


class Following:
    """The account so far as it has been used up, and what the parts before have found, taken and met.

    Args:
        household: the home as commands speak of it.
        now: the true state.
        account: with "me" for who commands.

    Attributes:
        thing: what was found or taken last, "" for nothing.
        person: who was met last; "me" for who commands.
        moved: what had to be moved.
    """

    def __init__(self, household: Household, now: HomeTruth, account: Sequence[AccountEntry]) -> None:
        self.household, self.now = household, now
        self._account, self._used = account, 0
        self.thing, self.person = "", COMMANDER
        self.moved: set[str] = set()

    def through(self, parts: Sequence[Part]) -> tuple[int, str]:
        """Go through parts until one has not been done; return how many have, and what is missing of the next."""
        for i, part in enumerate(parts):
            try:
                PARTS_DONE[part.do](self, part)
            except _NotDone as why:
                return i, str(why)
        return len(parts), ""

    def entry(self, did: str, fits: Callable[[AccountEntry], bool], missing: str) -> AccountEntry:
        """Return the next entry of a kind that fits, and go on behind it; raises _NotDone."""
        for i in range(self._used, len(self._account)):
            if self._account[i].did == did and fits(self._account[i]):
                self._used = i + 1
                return self._account[i]
        raise _NotDone(missing)

    def took(self, part: Part) -> str:
        """Return the thing that a part names, or that was found before, once it was taken."""
        about = part.about
        wanted = [t for t in self.household.things if about.get("from") in (None, t.place)]
        names = [t.name for t in wanted if about.get("thing", self.thing) in (t.name, t.category)]
        entry = self.entry("took", lambda entry: entry.what in names, f"did not take the {about.get('thing', self.thing)}")
        self.thing = entry.what
        self.moved.add(entry.what)
        return entry.what

    def meet(self, names: Sequence[str], where: str = "") -> None:
        """Note that one of some people was met, at a place or in a room where one is given."""
        entry = self.entry(
            "met", lambda entry: entry.whom in names and self.near(entry.where, where), f"did not meet {names[0]}"
        )
        self.person = entry.whom

    def tell(self, whom: str, right: Callable[[str], bool], what: str) -> None:
        """Note that a person was told something right."""
        self.entry("said", lambda entry: entry.whom == whom and right(entry.what.lower()), f"did not tell {whom} {what}")

    def whom(self, part: Part) -> str:
        """Return the person that a part means: who commands, who was met before, or one told by name or looks."""
        told = part.about.get("person", "them")
        if told == "them":
            return self.person
        if told == COMMANDER:
            return COMMANDER
        room = part.about.get("room", "")
        fit = [person.name for person in self.household.residents if person.name == told]
        fit = fit or [person.name for person in self.household.persons(room, told)]
        if not fit:
            raise _NotDone(f"nobody is {told}")
        return COMMANDER if fit[0] == self.household.commander else fit[0]

    def near(self, place: str, wanted: str) -> bool:
        """Return whether a place of the home is a room or furniture that is wanted; any will do for ""."""
        return not wanted or is_at(place, wanted) or (wanted in self.household.rooms and room_of(place) == wanted)


def _go(following: Following, part: Part) -> None:
    to = part.about["to"]
    following.entry("went", lambda entry: following.near(entry.where, to), f"did not go to the {to}")


def _take(following: Following, part: Part) -> None:
    following.took(part)


def _find(following: Following, part: Part) -> None:
    thing, room = part.about["thing"], part.about["room"]
    names = [t.name for t in following.household.at(room) if thing in (t.name, t.category)]
    following.thing = following.entry("found", lambda entry: entry.what in names, f"did not find the {thing}").what


def _put(following: Following, part: Part) -> None:
    to = part.about["to"]
    if not is_at(place_under(following.now, following.thing), to):
        raise _NotDone(f"the {following.thing} is not at the {to}")


def _deliver(following: Following, part: Part) -> None:
    whom, thing = following.whom(part), following.thing
    following.entry("handed", lambda entry: (entry.whom, entry.what) == (whom, thing), f"did not give {whom} the {thing}")
    following.moved.add(thing)
    holder = following.household.commander if whom == COMMANDER else whom
    if holder and following.now.persons[holder].holds != thing:
        raise _NotDone(f"{holder} does not hold the {thing}")


def _bring(following: Following, part: Part) -> None:
    following.took(part)
    _deliver(following, part)


def _count(following: Following, part: Part) -> None:
    place, category = part.about["from"], part.about["category"]
    number = sum(t.category == category for t in following.household.at(place))
    following.tell(COMMANDER, lambda text: numbers(text) == [number], f"that there are {number}")


def _compare(following: Following, part: Part) -> None:
    things = following.household.at(part.about["from"])
    _tell_most(following, part, things)


def _compare_category(following: Following, part: Part) -> None:
    things = [t for t in following.household.at(part.about["from"]) if t.category == part.about["category"]]
    _tell_most(following, part, things)


def _tell_most(following: Following, part: Part, things: Sequence[Belonging]) -> None:
    found = most(things, part.about["most"])
    if found is None:
        raise _NotDone(f"none is clearly the {part.about['most']}")
    others = [t.name for t in things if t is not found]

    def right(text: str) -> bool:
        return found.name in text and not any(name in text.replace(found.name, "") for name in others)

    following.tell(COMMANDER, right, f"that it is the {found.name}")


def _meet(following: Following, part: Part) -> None:
    following.meet([following.whom(part)], part.about.get("room", ""))


def _find_again(following: Following, part: Part) -> None:
    following.meet([following.person], part.about["room"])


def _count_persons(following: Following, part: Part) -> None:
    number = len(following.household.persons(part.about["room"], part.about["people"]))
    following.tell(COMMANDER, lambda text: numbers(text) == [number], f"that there are {number}")


def _tell_about(following: Following, part: Part) -> None:
    here = [person for person in following.household.residents if person.place == part.about["place"]]
    if len(here) != 1:
        raise _NotDone(f"{len(here)} people are at the {part.about['place']}")
    value = {"name": here[0].name, "pose": here[0].pose, "gesture": here[0].gesture}[part.about["attribute"]]
    following.tell(COMMANDER, lambda text: value.lower() in text, f"that it is {value}")


def _greet(following: Following, part: Part) -> None:
    following.meet([following.whom(part)], part.about["room"])
    following.tell(following.person, bool, "a greeting")


def _say(following: Following, part: Part) -> None:
    form = rows("answers")[part.about["topic"]]
    following.tell(following.whom(part), lambda text: re.search(form, text) is not None, part.about["topic"])


def _answer(following: Following, part: Part) -> None:
    del part
    following.tell(following.person, bool, "an answer")


def _follow(following: Following, part: Part) -> None:
    whom, room = following.whom(part), part.about.get("room", "")
    following.entry(
        "followed", lambda entry: entry.whom == whom and following.near(entry.where, room), f"did not follow {whom}"
    )


def _guide(following: Following, part: Part) -> None:
    whom, to = following.whom(part), part.about["to"]
    guided = f"did not guide {whom} to the {to}"
    following.entry("guided", lambda entry: entry.whom == whom and following.near(entry.where, to), guided)


PARTS_DONE: dict[str, Callable[[Following, Part], None]] = {
    "go": _go, "take": _take, "find": _find, "put": _put, "deliver": _deliver, "bring": _bring, "count": _count,
    "compare": _compare, "compare_category": _compare_category, "meet": _meet, "find_person": _meet, "find_again": _find_again,
    "count_persons": _count_persons, "tell_about": _tell_about, "greet": _greet, "say": _say, "answer": _answer,
    "follow": _follow, "guide": _guide,
}  # fmt: skip
"""What it takes that a part is done, by its name in household.toml."""


def numbers(text: str) -> list[int]:
    """Return the whole numbers that a text tells, as digits or as words up to twelve; "no" and "none" are 0."""
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    spelled = {word: i for i, word in enumerate(words)} | {"none": 0, "zero": 0}
    found = re.findall(r"\d+|[a-z]+", text.lower())
    return [int(word) if word.isdigit() else spelled[word] for word in found if word.isdigit() or word in spelled]
