"""Events within a step: each comes once, so many seconds after the step has begun to move."""

from types import SimpleNamespace
from typing import Any, cast

from vlp.episodes.verdict import Verdict
from vlp.episodes.within import WithinStep
from vlp.journal import Event
from vlp.robot.protocol import Robot


class Notes:
    """Notes what it is asked to let happen."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bool]] = []

    def apply(self, text: str, settle: bool = True) -> list[str]:
        self.asked.append((text, settle))
        return []


def test_an_event_comes_once_while_the_step_moves() -> None:
    """Guards against an event that waits for a boundary, and one that stops the robot's clock while things settle."""
    ticks: list[Any] = []
    notes, robot = Notes(), cast(Robot, SimpleNamespace(on_tick=ticks))
    within = WithinStep(robot, cast(Verdict, notes), [("knock", 1, 0.5)])
    step = {"revision": 1, "id": "1.1", "do": "grasp", "key": "1", "epoch": 0, "arguments": {}}
    begun = Event("step-started", step)

    def tick(now_s: float) -> None:
        for function in ticks:
            function(now_s)

    within.on_event(begun)  # the first step: one has to end before
    tick(9.0)
    within.on_event(begun)
    tick(10.0)
    tick(10.4)
    assert not notes.asked
    tick(10.5)
    tick(10.6)
    assert notes.asked == [("knock", False)]
