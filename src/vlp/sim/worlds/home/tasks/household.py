"""A household command as a task of the home: judged by the true state and by an account of what was done and said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vlp.sim.language.household.command import Command, Part
from vlp.sim.language.household.household import Household
from vlp.sim.truth import Truth
from vlp.sim.worlds.home.reacting import walkers_from
from vlp.sim.worlds.home.scene import HomeScene
from vlp.sim.worlds.home.tasks.accounts import entry_of
from vlp.sim.worlds.home.tasks.commands import COMMANDER, AccountEntry, undone
from vlp.sim.worlds.home.tasks.task import home
from vlp.sim.worlds.home.true_state import HomeTruth
from vlp.sim.worlds.home.walking import Walk, send
from vlp.sim.worlds.tasks import Cue, DoneStep

if TYPE_CHECKING:
    from vlp.sim.simulation import Simulation


@dataclass(frozen=True)
class HouseholdTask:
    """A command with its meaning in one home; a `vlp.sim.worlds.tasks.WorldTask`.

    Args:
        command: what was said.
        household: the home as commands speak of it, when it was said.
        start: the true state then.
        account: what the robot has done and said since, in order.
    """

    command: Command
    household: Household
    start: HomeTruth
    account: tuple[AccountEntry, ...] = ()

    @property
    def family(self) -> str:
        """The kind of command."""
        return household_family(self.command.kind)

    @property
    def instruction(self) -> str:
        """The sentence."""
        return self.command.sentence

    @property
    def cannot(self) -> str:
        """Why it cannot be done, "" when it can."""
        return self.command.cannot

    @property
    def satisfied(self) -> bool:
        """No command is done when it is said."""
        return False

    @property
    def subjects(self) -> Sequence[str]:
        """The things that its parts name."""
        named = [part.about["thing"] for part in self.command.parts if "thing" in part.about]
        return [name for name in named if name in self.start.objects]

    def success(self, start: Truth, now: Truth, said: Sequence[str] = ()) -> bool:
        """Return whether nothing is left to do, by the account."""
        del start, said
        return not self.unmet(now)

    def unmet(self, now: Truth, said: Sequence[str] = ()) -> str:
        """Return what of the command was not done, "" when all of it was."""
        del said
        return undone(self.command, self.household, self.start, home(now), self.account)

    def after(self, deed: DoneStep, now: Truth) -> HouseholdTask:
        """Return the command with a deed in its account; whom it concerned, the true state tells."""
        entry = entry_of(deed, home(now))
        return self if entry is None else replace(self, account=(*self.account, entry))

    def refused(self, reason: str) -> HouseholdTask:
        """Return the command with the refusal, which is said to who commands, in its account."""
        return replace(self, account=(*self.account, AccountEntry("said", reason, COMMANDER)))

    @property
    def cues(self) -> dict[str, Cue]:
        """How people walk, by name: who is followed "leads", who is found again goes "alone", who is guided "comes" along."""
        household, made, who = self.household, dict[str, Cue](), self.household.commander
        for part in self.command.parts:
            if part.about.get("person", "them") not in ("them", COMMANDER):
                who = named(household, part)
            here = next((person.room for person in household.residents if person.name == who), "")
            elsewhere = next((room for room in household.rooms if room != here), "")
            if part.do == "find_again":
                made[who] = Cue("alone", part.about["room"])
            elif part.do == "follow":
                made[who] = Cue("leads", part.about.get("room", elsewhere))
            elif part.do == "guide":
                made[who] = Cue("comes", part.about["to"])
        return made

    def due(self) -> dict[str, Cue]:
        """Return how people walk by now: they begin once they were met."""
        met = {entry.whom for entry in self.account if entry.did == "met"}
        return {name: cue for name, cue in self.cues.items() if name in met}

    def cue(self, simulation: Simulation, name: str) -> None:
        """Let a person begin to walk."""
        scene, cue = simulation.scene, self.cues[name]
        assert isinstance(scene, HomeScene)
        send(simulation.data, scene, walkers_from(scene), name, Walk[cue.how.upper()], cue.place)


def household_family(kind: str) -> str:
    """Return the family of tasks that a kind of command is."""
    return f"household: {kind}"


def named(household: Household, part: Part) -> str:
    """Return who a part tells by name or by looks, "" for nobody."""
    told, names = part.about["person"], [person.name for person in household.residents]
    if told in names:
        return told
    return next((person.name for person in household.persons(part.about.get("room", ""), told)), "")


def told_looks(household: Household, told: str) -> str:
    """Return the phrase by which a person is located whom a part tells by name or by looks."""
    if told in {person.name for person in household.residents}:
        return told
    return f"person in {told}" if told.endswith("shirt") else f"person {told}"
