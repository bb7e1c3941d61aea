"""Scripted events that happen within a step, while a simulated robot moves."""

from collections.abc import Sequence

from vlp.episodes.verdict import Verdict
from vlp.journal import Event
from vlp.robot.protocol import Robot, innermost


class WithinStep:
    """A `Subscriber` that lets events of the world happen so many seconds into a step, by the robot's own clock.

    An event for which a step is too short happens in the next one that moves. What it was is not in the journal.

    Args:
        robot: a simulated robot, or what wraps one.
        verdict: lets events happen, and judges by what they moved.
        events: words of each, after how many steps it comes, and how many seconds later.
    """

    def __init__(self, robot: Robot, verdict: Verdict, events: Sequence[tuple[str, int, float]]) -> None:
        self._verdict, self._steps = verdict, 0
        self._waiting = {words: (after, seconds) for words, after, seconds in events}
        self._due_s: dict[str, float] = {}
        innermost(robot).on_tick.append(self._tick)

    def on_event(self, event: Event) -> None:
        """Count the steps that have begun."""
        self._steps += event.kind == "step-started"

    def _tick(self, now_s: float) -> None:
        for words, (after, seconds) in list(self._waiting.items()):
            if self._steps > after and now_s >= self._due_s.setdefault(words, now_s + seconds):
                del self._waiting[words]
                self._verdict.apply(words, settle=False)
