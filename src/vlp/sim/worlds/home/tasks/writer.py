"""Writing a policy for the home: each subtask is carried out on a symbolic home as it is written."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from vlp.sim.worlds.home.tasks import steps
from vlp.sim.worlds.home.tasks.families import why_not
from vlp.sim.worlds.home.tasks.goals import fixture_of, hidden_by, is_open, places_nearly, room_of, takes
from vlp.sim.worlds.home.tasks.reaching import cannot_put, out_of_reach
from vlp.sim.worlds.home.tasks.symbolic import SymbolicHome, handles
from vlp.sim.worlds.home.true_state import HomeTruth
from vlp.sim.worlds.tasks import Cue

Json = dict[str, Any]


class Unreachable(Exception):
    """A goal that can no longer be reached, and why."""


class Writer:
    """The policy so far, and the home as it will be after it.

    Args:
        truth: the state before the policy.
        cues: how people walk, see `SymbolicHome`.
        opening_m: how wide the robot's hand opens.
        put_off: things that could not be taken, the last one last.
    """

    def __init__(
        self,
        truth: HomeTruth,
        cues: Mapping[str, Cue] | None = None,
        opening_m: float = math.inf,
        put_off: Sequence[str] = (),
    ) -> None:
        self.home = SymbolicHome(truth, cues=cues or {})
        self.opening_m = opening_m
        self.put_off = put_off
        self.subtasks: list[Json] = []

    def add(self, name: str, *made: Json) -> None:
        """Add a subtask and carry it out on the symbolic home."""
        for step in made:
            self.home.do(step)
        self.subtasks.append({"name": name, "steps": list(made)})

    def to(self, place: str) -> list[Json]:
        """Return the step of going to a place, none where the robot is there."""
        return [] if self.home.truth.at == place else [steps.go_to(place)]

    def why_not(self, name: str) -> str:
        """Return why a thing cannot be fetched by this hand, "" when it can."""
        return why_not(self.home.truth, name) or out_of_reach(self.home.truth, name, self.opening_m)

    def how_late(self, name: str) -> int:
        """Return 0 for what was not put off, more for what failed later."""
        return 1 + self.put_off.index(name) if name in self.put_off and name != self.home.truth.holding else 0

    def check_fetched(self, name: str) -> None:
        """Raise Unreachable where a thing cannot be fetched by this hand."""
        if why := self.why_not(name):
            raise Unreachable(why)

    def check_put(self, name: str, place: str) -> None:
        """Raise Unreachable where this hand cannot put a thing at a place."""
        if math.isfinite(self.opening_m) and (why := cannot_put(name, place)):
            raise Unreachable(why)

    def check_there(self, name: str) -> None:
        """Raise Unreachable where a thing cannot be fetched by any hand."""
        if why := why_not(self.home.truth, name):
            raise Unreachable(why)

    def seek(self, name: str, phrase: str) -> list[Json]:
        """Return the steps that look towards a person from their place, and locate them."""
        person, (x, y, yaw) = self.home.truth.persons[name], places_nearly()[self.home.truth.persons[name].place].stand
        ahead = math.atan2(person.position_in_world[1] - y, person.position_in_world[0] - x)
        tilt_rad = -0.7 if person.pose == "lying" else -0.1
        return [steps.look(round(math.remainder(ahead - yaw, 2 * math.pi), 2), tilt_rad), steps.locate_person(phrase)]

    def free_hand(self) -> None:
        """Put what is held down on the nearest furniture."""
        truth = self.home.truth
        if truth.holding:
            here = truth.at if takes().get(truth.at) == "on" else _table_near(truth.at)
            self.add(f"put the {truth.holding} down", *self.to(here), steps.place(here, "on"))

    def opened(self, place: str) -> None:
        """Open a drawer or door where it is not open, with a free hand; what hides it is shut before."""
        self.uncovered(place)
        if not is_open(self.home.truth, place):
            self.free_hand()
            handle = handle_of(place)
            self.add(f"open the {fixture_of(place)}", *self.to(place), steps.locate(handle), steps.open_(handle))

    def shut(self, place: str) -> None:
        """Close a drawer or door, with a free hand; what hides it is shut before."""
        self.uncovered(place)
        self.free_hand()
        handle = handle_of(place)
        self.add(f"close the {fixture_of(place)}", *self.to(place), steps.locate(handle), steps.close(handle))

    def uncovered(self, place: str) -> None:
        """Shut what stands before the handle of a place."""
        if hiding := hidden_by(self.home.truth, place):
            self.shut(hiding)


def handle_of(place: str) -> str:
    """Return the handle that opens a place."""
    return next(handle for handle, where in handles().items() if where == place)


def _table_near(place: str) -> str:
    return "kitchen table" if room_of(place) == "kitchen" else "coffee table"
