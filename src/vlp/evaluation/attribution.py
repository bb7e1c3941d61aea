"""One cause in one line for every failed episode: what the run claimed, beside what was true at that moment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import hypot
from typing import Any

from vlp.core.errors import SimulationFault
from vlp.core.observation import Box, iou
from vlp.episodes.cases import Episode
from vlp.episodes.verdict import Verdict
from vlp.journal import Event
from vlp.runtime.story import Outcome
from vlp.sim.language.relations import OUT_OF_SIGHT
from vlp.sim.language.task import Task
from vlp.sim.simulation import Simulation
from vlp.sim.symbolic import is_right
from vlp.sim.truth import Truth
from vlp.sim.worlds.tasks import AccountedTask

ORDER = (
    "wrong policy",
    "perception missed",
    "perception saw what is not there",
    "wrong box",
    "pose error",
    "false alarm of a check",
    "a check missed it",
    "grasp failed",
    "grasp slipped",
    "placement missed",
    "action failed",
)
"""Causes from the first link of the chain to the last: what comes early explains what comes after."""


@dataclass(frozen=True)
class Finding:
    """One thing that went wrong: a word of `ORDER`, the details, and the number of policies there were by then."""

    cause: str
    detail: str
    revision: int


class Witness:
    """A subscriber that compares each claim of a run with the true state at that moment.

    Args:
        simulation: the world.
        verdict: knows the task in force; it must hear of events before this one does.
        boxes: the true visible boxes, to tell a wrong box from a wrong depth; None leaves that out.
        expert: whether policies are the expert's, which need no judging.
    """

    def __init__(
        self,
        simulation: Simulation,
        verdict: Verdict,
        boxes: Callable[[], Mapping[str, Box]] | None = None,
        expert: bool = False,
    ) -> None:
        self._simulation, self._verdict, self._boxes, self._expert = simulation, verdict, boxes, expert
        self._revision = 0
        self._arguments: dict[str, Any] = {}
        self._held = ""
        assert simulation.world.tasks is not None
        self._holds = simulation.world.tasks.holds
        self.findings: list[Finding] = []
        self._look: dict[str, Callable[[Event, Truth], tuple[str, str] | None]] = {
            "locate": self._locate,
            "grasp": self._grasp,
            "place": self._place,
            "check": self._check,
        }

    def on_event(self, event: Event) -> None:
        """Take note of one event."""
        if event.kind == "policy":
            self._revision += 1
            task = self._verdict.task
            if isinstance(task, Task) and not self._expert:
                right, why = is_right(event.data["policy"], self._simulation.truth(), task)
                if not right:
                    self._add("wrong policy", why)
        elif event.kind == "step-started":
            self._arguments, self._held = dict(event.data["arguments"]), self._simulation.truth().holding
        elif event.kind == "step-finished":
            look = self._look.get(event.data["do"], self._other)
            found = look(event, self._simulation.truth())
            if found:
                self._add(*found)

    def cause(self, episode: Episode, outcome: Outcome) -> str:
        """Return why the episode failed, in one line."""
        if isinstance(outcome.error, SimulationFault):
            return f"simulator fault: {outcome.reason}"
        if outcome.outcome == "timeout":
            return f"time limit: {outcome.reason}"
        if outcome.error is not None or self._revision == 0:
            return f"no policy: {outcome.reason}"
        late = [f for f in self.findings if f.revision >= self._revision - 1] or self.findings
        if late:
            first = min(late, key=lambda f: ORDER.index(f.cause))
            return f"{first.cause}: {first.detail}"
        return self._unreached(episode, outcome)

    def _unreached(self, episode: Episode, outcome: Outcome) -> str:
        now, task = self._simulation.truth(), self._verdict.task
        asked = task if isinstance(task, AccountedTask) else episode.final_task
        if task is not None and task.instruction != asked.instruction:
            return "the new instruction was not heard"
        if unmet := asked.unmet(now, self._verdict.said):
            return f"not reached: {unmet}; {outcome.reason}".strip("; ")
        moved = [
            name
            for name, item in self._verdict.start.objects.items()
            if name in now.objects and now.objects[name].support != item.support
        ]
        return f"something else was moved: {', '.join(moved) or 'by some centimetres'}"

    def _add(self, cause: str, detail: str) -> None:
        self.findings.append(Finding(cause, detail, self._revision))

    def _locate(self, event: Event, truth: Truth) -> tuple[str, str] | None:
        result = event.data["result"]
        phrase = str(self._arguments.get("object", ""))
        item = truth.objects.get(phrase)
        seen = item is not None and item.support not in OUT_OF_SIGHT
        fixed = item is None and phrase in self._simulation.world.sights(self._simulation)  # or a person
        if event.data["status"] != "succeeded":
            return ("perception missed", f"the {phrase}") if (seen or fixed) and self._shows(phrase) else None
        if fixed:
            return None
        if item is None or not seen:
            return "perception saw what is not there", f"the {phrase}"
        located = result["value"]
        (x, y, _), (tx, ty, _) = located["position_in_world"], item.position_in_world
        away = hypot(x - tx, y - ty)
        if away < 0.025:
            return None
        true_box = self._boxes().get(phrase) if self._boxes else None
        box = located["box"]
        wrong = true_box is not None and iou((box[0], box[1], box[2], box[3]), true_box) < 0.3
        return ("wrong box" if wrong else "pose error", f"the {phrase} {100 * away:.0f} cm from where it is")

    def _grasp(self, event: Event, truth: Truth) -> tuple[str, str] | None:
        result = event.data["result"]
        if event.data["status"] == "succeeded":
            return None if truth.holding else ("grasp slipped", "the hand came back empty and the robot did not know")
        return ("grasp slipped" if result["code"] == "slipped" else "grasp failed", str(result["message"]))

    def _place(self, event: Event, truth: Truth) -> tuple[str, str] | None:
        result = event.data["result"]
        if event.data["status"] != "succeeded":
            return "placement missed", str(result["message"])
        target, relation, subject = self._arguments["target"], str(self._arguments["relation"]), self._held
        name = str(target.get("phrase", "")) if isinstance(target, dict) else str(target)
        item = truth.objects.get(subject)
        if item is None or relation == "at" or self._holds(truth, relation, subject, name):
            return None
        return "placement missed", f"the {subject} is {item.relation} the {item.support}, not {relation} the {name}"

    def _check(self, event: Event, truth: Truth) -> tuple[str, str] | None:
        if event.data["status"] == "rejected":
            return "action failed", f"check: {event.data['result']['message']}"
        relation, subject, other = (str(self._arguments.get(k) or "") for k in ("relation", "subject", "object"))
        true = self._holds(truth, relation, subject, other)
        said = event.data["status"] == "succeeded"
        words = f"{subject} {relation} {other}".strip()
        if said == true:
            return None
        return ("a check missed it", f"{words} is not so") if said else ("false alarm of a check", f"{words} is so")

    def _other(self, event: Event, truth: Truth) -> tuple[str, str] | None:
        del truth
        result = event.data["result"]
        bad = event.data["status"] != "succeeded"
        return ("action failed", f"{event.data['do']}: {result['message']}") if bad else None

    def _shows(self, phrase: str) -> bool:
        """Return whether enough of a thing shows to be recognised."""
        if self._boxes is None:
            return True
        box = self._boxes().get(phrase)
        return box is not None and (box[2] - box[0]) * (box[3] - box[1]) > 150
