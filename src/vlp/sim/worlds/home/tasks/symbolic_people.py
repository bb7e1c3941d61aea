"""Symbolic execution of what concerns people, and of what is looked over and told: who is met, followed and guided."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vlp.sim.language.household.parts import most
from vlp.sim.symbolic import StepNotPossible
from vlp.sim.worlds.home.catalogue import products
from vlp.sim.worlds.home.people import free_spot
from vlp.sim.worlds.home.spoken import belonging
from vlp.sim.worlds.home.tasks.goals import place_under, room_of

if TYPE_CHECKING:
    from vlp.sim.worlds.home.tasks.symbolic import SymbolicHome
    from vlp.sim.worlds.home.true_state import TruePerson

Json = dict[str, Any]


def people_actions() -> Mapping[str, Callable[[SymbolicHome, Json], None]]:
    """Return what each primitive does, by its name."""
    return {
        "look": _look,
        "locate_person": _locate_person,
        "follow": _follow,
        "guide": _guide,
        "find_all": _find_all,
        "count": _count,
        "compare": _compare,
    }


def looks(person: TruePerson) -> tuple[str, ...]:
    """Return the phrases that a person fits beside the name."""
    told = f"person {person.gesture}", f"person {person.pose}", f"person in {person.shirt} shirt"
    return "person", *(phrase for phrase in told if phrase != "person ")


def _look(state: SymbolicHome, step: Json) -> None:
    if "target" in step and step["target"][:1] == "$":
        state.seen(step["target"])


def _locate_person(state: SymbolicHome, step: Json) -> None:
    here = [p for p in state.truth.persons.values() if p.place == state.truth.at and step["person"] in (p.name, *looks(p))]
    if not here:
        raise StepNotPossible(f"no {step['person']} in view from the {state.truth.at}")
    person = here[0]
    state.bind(step, person.name)
    state.did("met", whom=person.name)
    cue = state.cues.get(person.name)
    if cue is not None and cue.how == "alone":
        _move(state, person.name, cue.place)


def _follow(state: SymbolicHome, step: Json) -> None:
    name = state.seen(step["target"]).name
    cue = state.cues.get(name)
    if cue is None or cue.how != "leads" or state.truth.persons[name].place != state.truth.at:
        raise StepNotPossible(f"{name} goes nowhere")
    _move(state, name, cue.place)
    state.truth = replace(state.truth, at=cue.place)
    state.did("followed", whom=name)


def _guide(state: SymbolicHome, step: Json) -> None:
    name, place = state.seen(step["target"]).name, step["place"]
    person = state.truth.persons[name]
    if person.place != state.truth.at or person.pose != "standing":
        raise StepNotPossible(f"{name} does not come along")
    _move(state, name, place)
    state.truth = replace(state.truth, at=place)
    state.did("guided", whom=name)


def _move(state: SymbolicHome, name: str, place: str) -> None:
    """Let a person be in the room of a place, at the spot where they would stand."""
    person, room = state.truth.persons[name], room_of(place)
    spot = free_spot(room, [other.position_in_world[:2] for other in state.truth.persons.values() if other is not person])
    if spot is None:
        raise StepNotPossible(f"there is no room for {name} to stand in the {room}")
    x, y, yaw = spot
    moved = replace(person, place=room, position_in_world=(x, y, person.position_in_world[2]), facing_rad=yaw)
    state.truth = replace(state.truth, persons={**state.truth.persons, name: moved})


def _find_all(state: SymbolicHome, step: Json) -> None:
    if "as" in step:
        state.bind(step, ", ".join(_in_view(state, step["object"])))


def _count(state: SymbolicHome, step: Json) -> None:
    state.bind(step, str(len(_in_view(state, step["object"]))))


def _compare(state: SymbolicHome, step: Json) -> None:
    names = dict.fromkeys(name for phrase in step["objects"] for name in _in_view(state, phrase))
    found = most([belonging(name, state.truth.at) for name in names], step["by"])
    if found is None:
        raise StepNotPossible(f"none of {', '.join(step['objects'])} is clearly the {step['by']}")
    state.bind(step, found.name)


def _in_view(state: SymbolicHome, phrase: str) -> list[str]:
    """Return the things in view that a phrase fits: a name, a category, or "thing" for all."""
    here = [name for name in state.truth.objects if state.in_reach(place_under(state.truth, name))]
    return [name for name in here if phrase in ("thing", name, products()[name].category)]
