"""Steps after a change: those of a plan for an older sentence, and those that the expert would have taken."""

from types import SimpleNamespace
from typing import Any, cast

from vlp.episodes.after_change import WorkAfterChange, stale_steps
from vlp.episodes.verdict import Verdict
from vlp.journal import KINDS, Event
from vlp.robot.protocol import Robot
from vlp.sim.simulation import Simulation


def event(kind: str) -> Event:
    return Event(kind, dict.fromkeys(KINDS[kind], ""))


def events(words: str) -> list[Event]:
    kinds = {"i": "instruction", "p": "policy", "s": "step-started", "f": "step-finished", "w": "world-event"}
    return [event(kinds[letter]) for letter in words]


def test_a_step_between_a_new_sentence_and_its_policy_is_outdated() -> None:
    assert stale_steps(events("ipsfsf")) == 0 and stale_steps(events("ipsfipsf")) == 0
    assert stale_steps(events("ipsfisfsfpsf")) == 2, "two of the plan for the first sentence"
    assert stale_steps(events("ipsif")) == 0, "it had begun before the sentence came"


class Here:
    """A world in which the expert needs as many steps as it is told, and a count of what has happened."""

    def __init__(self) -> None:
        self.needed, self.happened, self.task = 4, 0, object()
        tasks = SimpleNamespace(policy=lambda *given: {"subtasks": [{"steps": ["x"] * self.needed}]} if self.needed else {})
        self.simulation = SimpleNamespace(world=SimpleNamespace(tasks=tasks), truth=lambda: None)

    def work(self) -> WorkAfterChange:
        robot: Any = SimpleNamespace(describe=lambda: None)
        return WorkAfterChange(cast(Robot, robot), cast(Simulation, self.simulation), cast(Verdict, self))


def test_steps_count_from_the_last_change() -> None:
    here = Here()
    work = here.work()
    for one in events("ipsfsf"):
        work.on_event(one)
    assert work.row() == {"steps_after": None, "steps_needed": None}, "nothing has changed"
    here.needed = 3
    for one in events("ipsfsfsfsf"):
        work.on_event(one)
    assert work.row() == {"steps_after": 4, "steps_needed": 3}
    here.needed, here.happened = 2, 1  # within the step that is under way
    for one in events("sfsf"):
        work.on_event(one)
    assert work.row() == {"steps_after": 1, "steps_needed": 2}


def test_where_the_expert_has_nothing_to_do_there_is_no_ratio() -> None:
    here = Here()
    here.needed, work = 0, here.work()
    for one in events("ipsfi"):
        work.on_event(one)
    assert work.row()["steps_needed"] is None
