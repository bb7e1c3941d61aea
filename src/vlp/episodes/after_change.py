"""What a robot does after something changed midway: steps of a plan for an older sentence, and more steps than it takes."""

from collections.abc import Sequence
from typing import Any

from vlp.episodes.faults import FaultyRobot
from vlp.episodes.verdict import Verdict
from vlp.journal import Event
from vlp.robot.protocol import Robot
from vlp.sim.simulation import Simulation


def stale_steps(events: Sequence[Event]) -> int:
    """Return how many steps of a journal began after a newer instruction than their policy's was accepted."""
    stale, outdated = 0, False
    for event in events:
        if event.kind in ("instruction", "policy"):
            outdated = event.kind == "instruction"
        stale += outdated and event.kind == "step-started"
    return stale


class WorkAfterChange:
    """Counts the steps that begin after the last change, and those that the expert would take from the state that it left.

    A change within a step, or of the robot's own making, counts from the end of that step.

    Args:
        robot: the robot of an episode.
        simulation: the world that it stands in.
        verdict: knows the task in force, and how much has happened.
    """

    def __init__(self, robot: Robot, simulation: Simulation, verdict: Verdict) -> None:
        self._robot, self._simulation, self._verdict = robot, simulation, verdict
        self._manifest = robot.describe()
        self._sentences = self._known = self._steps = 0
        self._needed: int | None = None

    def on_event(self, event: Event) -> None:
        """Take note of steps and of what changed."""
        self._steps += event.kind == "step-started"
        self._sentences += event.kind == "instruction"
        said = event.kind == "instruction" and self._sentences > 1
        if said or (event.kind in ("world-event", "step-finished") and self._happened() > self._known):
            self._known, self._steps, self._needed = self._happened(), 0, self._expert()

    def row(self) -> dict[str, Any]:
        """Return "steps_after" and "steps_needed" by the expert, None both where nothing has changed."""
        return {"steps_after": None if self._needed is None else self._steps, "steps_needed": self._needed}

    def _happened(self) -> int:
        wrong = len(self._robot.wrong) if isinstance(self._robot, FaultyRobot) else 0
        return self._verdict.happened + wrong

    def _expert(self) -> int | None:
        """Return the number of steps of the expert's policy now; None where it has none."""
        task, tasks = self._verdict.task, self._simulation.world.tasks
        if task is None or tasks is None:
            return None
        policy = tasks.policy(self._simulation.truth(), task, self._manifest)
        return sum(len(subtask["steps"]) for subtask in policy.get("subtasks", ())) or None
