"""From what a robot did to the account of a household command: what each step came to, and whom it concerned."""

import math
from collections.abc import Callable

from vlp.sim.worlds.home.tasks.commands import COMMANDER, AccountEntry
from vlp.sim.worlds.home.tasks.goals import room_of
from vlp.sim.worlds.home.true_state import HomeTruth
from vlp.sim.worlds.tasks import DoneStep


def entry_of(deed: DoneStep, now: HomeTruth) -> AccountEntry | None:
    """Return what a step of a robot comes to, None where an account has no word for it.

    Args:
        deed: the step, which succeeded.
        now: the true state after it.
    """
    if deed.do in _ENTRIES:
        return _ENTRIES[deed.do](deed, now)
    return AccountEntry("went", where=str(deed.arguments["place"])) if set(deed.arguments) == {"place"} else None


def who_is_at(located: object, now: HomeTruth) -> str:
    """Return who really is where a robot located a person, "" for nobody."""
    if not isinstance(located, dict):
        return ""
    (x, y), near_m = located["position_in_world"][:2], 0.6
    away = {name: math.dist((x, y), person.position_in_world[:2]) for name, person in now.persons.items()}
    nearest = min(away, key=away.__getitem__, default="")
    return nearest if nearest and away[nearest] < near_m else ""


def _found(deed: DoneStep, now: HomeTruth) -> AccountEntry | None:
    name = str(deed.value["phrase"]) if isinstance(deed.value, dict) else ""
    return AccountEntry("found", name, where=deed.at) if name in now.objects else None


def _took(deed: DoneStep, now: HomeTruth) -> AccountEntry | None:
    return AccountEntry("took", now.holding, where=deed.at) if now.holding else None


def _met(deed: DoneStep, now: HomeTruth) -> AccountEntry | None:
    name = who_is_at(deed.value, now)
    return AccountEntry("met", whom=name, where=deed.at) if name else None


def _said(deed: DoneStep, now: HomeTruth) -> AccountEntry | None:
    whom = who_is_at(deed.arguments["target"], now) if deed.arguments.get("target") else COMMANDER
    return AccountEntry("said", str(deed.done["said"]), whom, deed.at)


def _handed(deed: DoneStep, now: HomeTruth) -> AccountEntry | None:
    thing = str(deed.done["handed_over"])
    whom = next((name for name, person in now.persons.items() if person.holds == thing), "")
    return AccountEntry("handed", thing, whom, deed.at)


def _followed(deed: DoneStep, now: HomeTruth) -> AccountEntry | None:
    # The person has walked since: the robot's word for whom it followed is the name it was told by.
    whom = str(deed.done["followed"])
    there = whom in now.persons and room_of(now.persons[whom].place) == room_of(deed.at)
    return AccountEntry("followed", whom=whom, where=deed.at) if there else None


def _guided(deed: DoneStep, now: HomeTruth) -> AccountEntry | None:
    whom, near_m = str(deed.done["guided"]), 2.5
    person = now.persons.get(whom)
    if person is None or room_of(person.place) != room_of(deed.at):
        return None
    there = math.dist(person.position_in_world[:2], deed.base_m) < near_m
    return AccountEntry("guided", whom=whom, where=deed.at) if there else None


_ENTRIES: dict[str, Callable[[DoneStep, HomeTruth], AccountEntry | None]] = {
    "locate": _found, "search": _found, "grasp": _took, "locate_person": _met, "say": _said, "handover": _handed,
    "follow": _followed, "guide": _guided,
}  # fmt: skip
