"""The expert of household commands: sees the true state and writes a policy for the parts that are not done yet."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vlp.core.messages import plural
from vlp.sim.language.household.command import Part
from vlp.sim.language.household.parts import most
from vlp.sim.worlds.home.tasks import steps
from vlp.sim.worlds.home.tasks.commands import COMMANDER, progress
from vlp.sim.worlds.home.tasks.expert import check_person, uncover
from vlp.sim.worlds.home.tasks.goals import fixture_of, place_under, relation_of, told_place
from vlp.sim.worlds.home.tasks.household import HouseholdTask, named, told_looks
from vlp.sim.worlds.home.tasks.symbolic import handles
from vlp.sim.worlds.home.tasks.writer import Unreachable, Writer
from vlp.sim.worlds.home.true_state import HomeTruth

Json = dict[str, Any]


def plan_command(truth: HomeTruth, task: HouseholdTask, opening_m: float = math.inf) -> Json:
    """Return the canonical policy for what is left of a command; how far it is, its account tells.

    A command of which something cannot be done is refused whole, with the reason.
    """
    command, goal = task.command, task.command.sentence[:180]
    if command.cannot:
        return {"goal": goal, "cannot": command.cannot}
    done, following = progress(command, task.household, truth, task.account)
    doing = _Doing(Writer(truth, task.cues, opening_m), task, following.thing, following.person)
    for i in range(done, len(command.parts)):
        try:
            PARTS_PLANNED[command.parts[i].do](doing, command.parts[i], command.parts[i + 1 :])
        except Unreachable as why:
            return {"goal": goal, "cannot": str(why)}
    doing.leave_as_found()
    return {"goal": goal, "subtasks": doing.writer.subtasks}


class _Doing:
    """The parts planned so far: the policy, and what they found, took and met.

    Args:
        writer: of the policy.
        task: the command.
        thing: what was found or taken last.
        person: who was met last; "me" for who commands.
    """

    def __init__(self, writer: Writer, task: HouseholdTask, thing: str, person: str) -> None:
        self.writer, self.task, self.thing, self.person = writer, task, thing, person

    @property
    def truth(self) -> HomeTruth:
        """The home after the policy so far."""
        return self.writer.home.truth

    def choose(self, wanted: str, where: Sequence[str]) -> str:
        """Return the thing that a name or a category means, among the names of some things.

        Raises:
            Unreachable: none of them can be fetched.
        """
        known = {thing.name: thing for thing in self.task.household.things}
        fitting = [name for name in where if wanted in (name, known[name].category) and known[name].portable]
        able = [name for name in fitting if not self.writer.why_not(name)]
        if not able:
            raise Unreachable(self.writer.why_not(fitting[0]) if fitting else f"there is no {wanted}")
        return min(able, key=lambda name: place_under(self.truth, name) != self.truth.at)

    def fetch(self, name: str, rest: Sequence[Part] = ()) -> None:
        """Take a thing into the hand; what it goes into afterwards is opened first, while the hand is free."""
        writer = self.writer
        writer.check_fetched(name)
        if self.truth.holding == name:
            return
        if rest and rest[0].do == "put":
            writer.opened(rest[0].about["to"])
        writer.free_hand()
        writer.opened(place_under(self.truth, name))
        uncover(writer, name, [])
        taken = [*writer.to(place_under(self.truth, name)), steps.locate(name), steps.grasp(name), steps.lift()]
        writer.add(f"take the {name}", *taken)

    def who(self, part: Part) -> tuple[str, str]:
        """Return the name of the person that a part means, and the phrase by which they are located."""
        told, household = part.about.get("person", "them"), self.task.household
        if told in ("them", COMMANDER):
            name = household.commander if told == COMMANDER or self.person == COMMANDER else self.person
            return name, name
        return named(household, part), told_looks(household, told)

    def face(self, name: str, phrase: str) -> list[Json]:
        """Return the steps after which a person stands before the robot and is bound to "person"."""
        if name not in self.truth.persons:
            raise Unreachable(f"{name or phrase} is not here")
        return [*self.writer.to(self.truth.persons[name].place), *self.writer.seek(name, phrase)]

    def meet(self, part: Part) -> str:
        """Write that a person is met, and return the name."""
        name, phrase = self.who(part)
        self.writer.add(f"meet {name}", *self.face(name, phrase))
        self.person = name
        return name

    def tell(self, text: str, name: str, value: str = "") -> None:
        """Write that a person is told something; who commands need not be gone to."""
        if name in (COMMANDER, self.task.household.commander):
            self.writer.add("tell it", steps.say(text, value))
        else:
            self.writer.add(f"tell {name}", *self.face(name, name), steps.say(text, value, to="person"))

    def spots(self, place: str, names: Sequence[str] | None = None) -> list[str]:
        """Return where one must stand to see things of a piece of furniture, all or those named: each board of the shelf."""
        things = [thing.name for thing in self.task.household.at(place)] if names is None else names
        return list(dict.fromkeys(place_under(self.truth, name) for name in things)) or [place]

    def look_into(self, place: str) -> None:
        """Write that the robot goes to a place and can see what is there."""
        self.writer.opened(place)
        if there := self.writer.to(place):
            self.writer.add(f"go to the {told_place(place)}", *there)

    def leave_as_found(self) -> None:
        """Write that the hand is freed, and that what the command opened is shut again."""
        self.writer.free_hand()
        for place in handles().values():
            fixture, shut = fixture_of(place), 0.1
            if self.task.start.opened[fixture] < shut <= self.truth.opened[fixture]:
                self.writer.shut(place)


def _go(doing: _Doing, part: Part, rest: Sequence[Part]) -> None:
    del rest
    doing.writer.add(f"go to the {part.about['to']}", steps.go_to(part.about["to"]))


def _take(doing: _Doing, part: Part, rest: Sequence[Part]) -> None:
    about = part.about
    here = [t.name for t in doing.task.household.things if about.get("from") in (None, t.place)]
    doing.thing = doing.choose(about.get("thing", doing.thing), here)
    doing.fetch(doing.thing, rest)


def _find(doing: _Doing, part: Part, rest: Sequence[Part]) -> None:
    del rest
    doing.thing = doing.choose(part.about["thing"], [t.name for t in doing.task.household.at(part.about["room"])])
    if doing.truth.holding == doing.thing:
        doing.writer.free_hand()
    place = place_under(doing.truth, doing.thing)
    doing.writer.opened(place)
    doing.writer.add(f"find the {doing.thing}", *doing.writer.to(place), steps.locate(doing.thing))


def _put(doing: _Doing, part: Part, rest: Sequence[Part]) -> None:
    del rest
    to, writer = part.about["to"], doing.writer
    writer.check_put(doing.thing, to)
    doing.fetch(doing.thing, (part,))
    writer.opened(to)
    doing.fetch(doing.thing)
    put = steps.place(to, relation_of(to))
    writer.add(f"put the {doing.thing} {relation_of(to)} the {told_place(to)}", *writer.to(to), put)


def _deliver(doing: _Doing, part: Part, rest: Sequence[Part]) -> None:
    del rest
    name, phrase = doing.who(part)
    check_person(doing.truth, name)
    doing.fetch(doing.thing)
    doing.writer.add(f"hand the {doing.thing} to {name}", *doing.face(name, phrase), steps.handover("person"))


def _bring(doing: _Doing, part: Part, rest: Sequence[Part]) -> None:
    if doing.truth.holding != doing.thing or not doing.thing:
        _take(doing, part, rest)
    _deliver(doing, part, rest)


def _count(doing: _Doing, part: Part, rest: Sequence[Part]) -> None:
    del rest
    category, place = part.about["category"], part.about["from"]
    spots = doing.spots(place)
    for spot in spots:
        doing.look_into(spot)
        doing.writer.add(f"count the {plural(category)}", steps.count(category))
    told = f"the number of {plural(category)} is"
    if len(spots) == 1:
        doing.tell(told, COMMANDER, "number")
    else:
        doing.tell(f"{told} {sum(thing.category == category for thing in doing.task.household.at(place))}", COMMANDER)


def _compare(doing: _Doing, part: Part, rest: Sequence[Part]) -> None:
    del rest
    category, respect, place = part.about.get("category", ""), part.about["most"], part.about["from"]
    things = [thing for thing in doing.task.household.at(place) if category in ("", thing.category)]
    spots = doing.spots(place, [thing.name for thing in things])
    if len(spots) == 1:
        doing.look_into(spots[0])
        compared = steps.compare([thing.name for thing in things], respect)
        doing.writer.add(f"compare the {plural(category or 'thing')}", compared)
        doing.tell(f"the {respect} is the", COMMANDER, "most")
        return
    for spot in spots:  # nothing that is not in one picture can be compared: each is looked at
        doing.look_into(spot)
        here = [thing.name for thing in things if place_under(doing.truth, thing.name) == spot]
        doing.writer.add(f"look over the {told_place(spot)}", *(steps.locate(name) for name in here))
    found = most(things, respect)
    if found is None:
        raise Unreachable(f"none is clearly the {respect}")
    doing.tell(f"the {respect} is the {found.name}", COMMANDER)


def _meet(doing: _Doing, part: Part, rest: Sequence[Part]) -> None:
    del rest
    doing.meet(part)


def _find_again(doing: _Doing, part: Part, rest: Sequence[Part]) -> None:
    del part, rest
    name = doing.person
    doing.writer.add(f"find {name} again", *doing.writer.to(doing.truth.persons[name].place), *doing.writer.seek(name, name))


def _count_persons(doing: _Doing, part: Part, rest: Sequence[Part]) -> None:
    del rest
    looks = part.about["people"]
    found = doing.task.household.persons(part.about["room"], looks)
    for person in found:
        seen = [*doing.writer.to(doing.truth.persons[person.name].place), *doing.writer.seek(person.name, person.name)]
        doing.writer.add(f"look who is {looks}", *seen)
    several = "person is" if len(found) == 1 else "people are"
    doing.tell(f"{len(found)} {several} {'in a ' if looks.endswith('shirt') else ''}{looks}", COMMANDER)


def _tell_about(doing: _Doing, part: Part, rest: Sequence[Part]) -> None:
    del rest
    here = [person for person in doing.task.household.residents if person.place == part.about["place"]]
    if len(here) != 1:
        raise Unreachable(f"{len(here)} people are at the {part.about['place']}")
    (person,), attribute = here, part.about["attribute"]
    value = {"name": person.name, "pose": person.pose, "gesture": person.gesture}[attribute]
    doing.writer.add(f"look at the person at the {part.about['place']}", *doing.face(person.name, person.name))
    doing.tell(f"the {attribute} of that person is: {value}", COMMANDER)


def _greet(doing: _Doing, part: Part, rest: Sequence[Part]) -> None:
    del rest
    name = doing.meet(part)
    doing.writer.add(f"greet {name}", *doing.face(name, name), steps.say(f"Hello {name}!", to="person"))


def _say(doing: _Doing, part: Part, rest: Sequence[Part]) -> None:
    del rest
    doing.tell(_topics()[part.about["topic"]], doing.who(part)[0])


def _answer(doing: _Doing, part: Part, rest: Sequence[Part]) -> None:
    del rest
    doing.tell("I am sorry, I do not know that.", doing.who(part)[0])


def _follow(doing: _Doing, part: Part, rest: Sequence[Part]) -> None:
    del rest
    name, phrase = doing.who(part)
    doing.writer.add(f"follow {name}", *doing.face(name, phrase), steps.follow())


def _guide(doing: _Doing, part: Part, rest: Sequence[Part]) -> None:
    del rest
    name, phrase = doing.who(part)
    doing.writer.add(f"guide {name} to the {part.about['to']}", *doing.face(name, phrase), steps.guide(part.about["to"]))


PARTS_PLANNED: Mapping[str, Callable[[_Doing, Part, Sequence[Part]], None]] = {
    "go": _go, "take": _take, "find": _find, "put": _put, "deliver": _deliver, "bring": _bring, "count": _count,
    "compare": _compare, "compare_category": _compare, "meet": _meet, "find_person": _meet, "find_again": _find_again,
    "count_persons": _count_persons, "tell_about": _tell_about, "greet": _greet, "say": _say, "answer": _answer,
    "follow": _follow, "guide": _guide,
}  # fmt: skip
"""What writes the steps of a part, by its name in household.toml."""


def _topics() -> dict[str, str]:
    """Return what is told about each topic of household.toml, at this moment."""
    return {
        "time": time.strftime("It is %H:%M."),
        "day": time.strftime("Today is %A."),
        "yourself": "I am a robot that helps in this household.",
        "team": "The name of my team is vlp.",
    }
