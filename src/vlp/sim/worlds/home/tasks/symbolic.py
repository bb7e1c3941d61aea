"""Symbolic execution in the home: what a policy would do to a true state, without physics, and what people are told."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from vlp.sim.symbolic import StepNotPossible, steps_of
from vlp.sim.worlds.home.catalogue import products
from vlp.sim.worlds.home.tasks.commands import AccountEntry, Did
from vlp.sim.worlds.home.tasks.goals import (
    dials,
    fixture_of,
    hidden_by,
    is_at,
    is_open,
    place_under,
    places_nearly,
    room_of,
    takes,
    vessels,
)
from vlp.sim.worlds.home.tasks.symbolic_people import people_actions
from vlp.sim.worlds.home.true_state import HomeObject, HomeTruth
from vlp.sim.worlds.tasks import Cue

Json = dict[str, Any]


@dataclass(frozen=True)
class Bound:
    """What a `$name` stands for: a thing with what it rested on, a person, a handle, or a reading."""

    name: str
    support: str = ""


@dataclass
class SymbolicHome:
    """The state while a policy runs.

    Args:
        truth: the true state.
        names: what each `$name` was bound to so far.
        said: what people were told.
        account: what was done and said, in order.
        cues: how people walk, by name: who "leads" when followed, who goes off "alone" once met.
    """

    truth: HomeTruth
    names: dict[str, Bound] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    account: list[AccountEntry] = field(default_factory=list)
    cues: Mapping[str, Cue] = field(default_factory=dict)

    def do(self, step: Json) -> None:
        """Carry out one step; raises StepNotPossible where the robot would report a failure."""
        actions = _actions()
        if step["do"] not in actions:
            raise StepNotPossible(f"no such primitive: {step['do']}")
        actions[step["do"]](self, step)

    def did(self, did: Did, what: str = "", whom: str = "") -> None:
        """Write into the account what was just done, at the place where the robot is."""
        self.account.append(AccountEntry(did, what, whom, self.truth.at))

    def seen(self, reference: str) -> Bound:
        """Return what a reference such as "$plum" was bound to."""
        if reference[:1] != "$" or reference[1:] not in self.names:
            raise StepNotPossible(f"{reference} is not bound")
        return self.names[reference[1:]]

    def bind(self, step: Json, name: str, support: str = "") -> None:
        """Bind a result to the name that a step gives it, if any."""
        if "as" in step:
            self.names[step["as"]] = Bound(name, support)

    def in_reach(self, place: str) -> bool:
        """Return whether the robot stands at a place and can look and reach into it."""
        return is_at(place, self.truth.at) and is_open(self.truth, place)

    def held(self) -> HomeObject:
        """Return what is held."""
        if not self.truth.holding:
            raise StepNotPossible("the hand is empty")
        item = self.truth.objects[self.truth.holding]
        assert isinstance(item, HomeObject)
        return item

    def hand_empty(self) -> None:
        """Fail unless nothing is held."""
        if self.truth.holding:
            raise StepNotPossible(f"the hand holds the {self.truth.holding}")

    def put(self, item: HomeObject, holding: str = "") -> None:
        """Set what a thing is now, and what is held."""
        self.truth = replace(self.truth, objects={**self.truth.objects, item.name: item}, holding=holding)


def execute(policy: Json, truth: HomeTruth, cues: Mapping[str, Cue] | None = None) -> tuple[SymbolicHome, str]:
    """Return the state after a policy, and the failure at which it stopped, "" when every step went well.

    Args:
        policy: plain data in the form of the language.
        truth: the state before.
        cues: how people walk, see `SymbolicHome`.
    """
    state = SymbolicHome(truth, cues=cues or {})
    for where, step in steps_of(policy):
        try:
            state.do(step)
        except StepNotPossible as failure:
            return state, f"{where} {step['do']}: {failure}"
    return state, ""


def midway(policy: Json, truth: HomeTruth) -> Iterator[tuple[HomeTruth, list[str]]]:
    """Yield the state and what was said before the first step of a policy, after it, and so on to its end."""
    state = SymbolicHome(truth)
    yield state.truth, []
    for _, step in steps_of(policy):
        state.do(step)
        yield state.truth, list(state.said)


def handles() -> dict[str, str]:
    """Return where one stands to open or close something, by the name of its handle."""
    return {"drawer handle": "drawer", "cabinet door handle": "cupboard"}


def _go_to(state: SymbolicHome, step: Json) -> None:
    if step["place"] not in places_nearly():
        raise StepNotPossible(f"no place {step['place']!r}")
    state.truth = replace(state.truth, at=step["place"])
    state.did("went")


def _look_at(state: SymbolicHome, step: Json) -> None:
    if step["target"] not in places_nearly():
        state.seen(step["target"])


def _inspect(state: SymbolicHome, step: Json) -> None:
    state.hand_empty()
    _look_at(state, step)


def _locate(state: SymbolicHome, step: Json) -> None:
    name, truth = step["object"], state.truth
    person = truth.persons.get(name)
    if name in truth.objects:
        support = truth.objects[name].support
        if not state.in_reach(place_under(truth, name)):
            raise StepNotPossible(f"no {name} in view from the {truth.at}")
        found = Bound(name, support)
        state.did("found", name)
    elif (person and person.place == truth.at) or _sees_handle(truth, name):
        found = Bound(name)
    else:
        raise StepNotPossible(f"no {name} in view from the {truth.at}")
    state.bind(step, found.name, found.support)


def _sees_handle(truth: HomeTruth, name: str) -> bool:
    place = handles().get(name)
    return place is not None and place == truth.at and not hidden_by(truth, place)


def _grasp(state: SymbolicHome, step: Json) -> None:
    seen, truth = state.seen(step["target"]), state.truth
    state.hand_empty()
    item = truth.objects.get(seen.name)
    if not isinstance(item, HomeObject) or item.support != seen.support or not state.in_reach(place_under(truth, seen.name)):
        raise StepNotPossible(f"no {seen.name} where it was seen")
    if load := truth.inside(seen.name):
        raise StepNotPossible(f"the {load[0]} is on the {seen.name}")
    state.put(replace(item, support="hand", relation="in", room=room_of(truth.at)), holding=seen.name)
    state.did("took", seen.name)


def _lift(state: SymbolicHome, step: Json) -> None:
    state.held()
    if not 0.02 <= step["height_m"] <= 0.30:
        raise StepNotPossible("height out of bounds")


def _place(state: SymbolicHome, step: Json) -> None:
    target: str = step["target"]
    item, relation = state.held(), step["relation"]
    if target in places_nearly():
        where = "shelf: middle" if target == "shelf" else target
        if takes().get(where) != relation:
            raise StepNotPossible(f"nothing can be put {relation} the {target}")
        if not state.in_reach(where):
            raise StepNotPossible(f"the {target} cannot be reached from the {state.truth.at}, or is shut")
        x, y, z = places_nearly()[where].middle
        at = x, y, z + item.size_m[2] / 2
        state.put(replace(item, support=where, relation=relation, position_in_world=at, upright=True, room=room_of(where)))
        return
    seen = state.seen(target)
    host = state.truth.objects.get(seen.name)
    if host is None or host.support != seen.support or not state.in_reach(place_under(state.truth, seen.name)):
        raise StepNotPossible(f"no {seen.name} where it was seen")
    upon = relation in ("in", "on")
    if upon and not products()[seen.name].holds:
        raise StepNotPossible(f"nothing can be put {relation} the {seen.name}")
    support, how = (seen.name, relation) if upon else (host.support, host.relation)
    room = room_of(place_under(state.truth, seen.name))
    state.put(replace(item, support=support, relation=how, position_in_world=host.position_in_world, room=room))


def _open(state: SymbolicHome, step: Json) -> None:
    _move_fixture(state, step, 1.0)


def _close(state: SymbolicHome, step: Json) -> None:
    _move_fixture(state, step, 0.0)


def _move_fixture(state: SymbolicHome, step: Json, how_far: float) -> None:
    state.hand_empty()
    seen = state.seen(step["target"])
    place = handles().get(seen.name, "")
    if not place or place != state.truth.at:
        raise StepNotPossible(f"the {seen.name} is no handle within reach")
    state.truth = replace(state.truth, opened={**state.truth.opened, fixture_of(place): how_far})


def _press(state: SymbolicHome, step: Json) -> None:
    state.hand_empty()
    if (step["target"], state.truth.at) != ("button", "button"):
        raise StepNotPossible(f"no {step['target']} within reach that could be pressed")
    state.truth = replace(state.truth, lamp_on=not state.truth.lamp_on)


def _handover(state: SymbolicHome, step: Json) -> None:
    item, seen = state.held(), state.seen(step["target"])
    person = state.truth.persons.get(seen.name)
    if person is None or person.place != state.truth.at or person.pose == "lying":
        raise StepNotPossible(f"{seen.name} cannot take anything here")
    if person.holds:
        raise StepNotPossible(f"{seen.name} holds the {person.holds}")
    state.put(replace(item, support=f"{person.name}'s hand", relation="on"))
    state.truth = replace(state.truth, persons={**state.truth.persons, person.name: replace(person, holds=item.name)})
    state.did("handed", item.name, person.name)


def _pour(state: SymbolicHome, step: Json) -> None:
    item, seen, truth = state.held(), state.seen(step["target"]), state.truth
    host = truth.objects.get(seen.name)
    place = place_under(truth, seen.name)
    if host is None or host.support != seen.support or not state.in_reach(place):
        raise StepNotPossible(f"no {seen.name} where it was seen")
    if seen.name not in vessels() or takes().get(place) != "on":
        raise StepNotPossible(f"nothing can be poured into the {seen.name} there")
    both = {seen.name: truth.balls.get(seen.name, 0) + truth.balls.get(item.name, 0), item.name: 0}
    state.truth = replace(truth, balls={**truth.balls, **both})


def _read(state: SymbolicHome, step: Json) -> None:
    if state.truth.at != "gauges" or step["object"] not in dials():
        raise StepNotPossible(f"no {step['object']} in view from the {state.truth.at}")
    shows, _ = dials()[step["object"]]
    state.names[step["as"]] = Bound(f"{state.truth.gauges[shows]:g}")


def _say(state: SymbolicHome, step: Json) -> None:
    if not step["text"]:
        raise StepNotPossible("nothing to say")
    text = " ".join([step["text"], *([state.seen(step["value"]).name] if "value" in step else [])])
    state.said.append(text)
    state.did("said", text, state.seen(step["target"]).name if "target" in step else "me")


def _check(state: SymbolicHome, step: Json) -> None:
    place, relation = step["object"], step["relation"]
    there = is_at(place_under(state.truth, step["subject"]), place) and takes().get(place) == relation
    if not there or not state.in_reach(place):
        raise StepNotPossible(f"the {step['subject']} is not {relation} the {place}, or out of view")


def _actions() -> dict[str, Callable[[SymbolicHome, Json], None]]:
    return {
        "go_to": _go_to, "look_at": _look_at, "inspect": _inspect, "locate": _locate, "grasp": _grasp, "lift": _lift,
        "place": _place, "open": _open, "close": _close, "press": _press, "handover": _handover, "pour": _pour, "read": _read,
        "say": _say, "check": _check, **people_actions(),
    }  # fmt: skip
