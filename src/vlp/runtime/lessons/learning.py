"""What a run teaches: derived from its events alone, without a model, so that the same events always teach the same."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vlp.journal import Event
from vlp.policy.model import Plan, PolicyStep, Situation, State, say
from vlp.primitives.manifest import Manifest
from vlp.prompt.render import plain
from vlp.robot.protocol import UNKNOWN
from vlp.runtime.lessons.lesson import Lesson


def lessons_of(events: Iterable[Event], manifest: Manifest) -> list[Lesson]:
    """Return what a run that has ended teaches, each situation once and at most the last eight.

    A step that failed, or at which a trigger fired, teaches together with what later policies for the same instruction did
    instead. A run teaches when it ended by itself: not when a person, its time, a fault of the simulator or a component that
    is gone ended it. Whether it ended well is what the robot found out itself, never the true state of a simulator.

    Args:
        events: of the run, in order; kinds that teach nothing may be left out.
        manifest: of its robot.
    """
    tries, end, run, last_s = list[_Try](), dict[str, Any](), "", 0.0
    for event in events:
        last_s = max(last_s, event.wall_s)
        match event.kind:
            case "run-started":
                run = str(event.data["run_id"])
            case "instruction" if not event.data.get("question"):  # an answer is no new beginning
                tries.clear()
            case "policy":
                tries.append(_Try(event.live or Plan.from_json(event.data["policy"]), manifest))
            case "step-finished" if tries:
                tries[-1].ended(event.data)
            case "trigger" if _began_anew(event.data["name"]):
                tries.clear()
            case "trigger" if tries and is_fault(event.data["name"]):
                tries[-1].fired(event.data["name"])
            case "run-finished":
                end = event.data
            case _:
                pass
    if end.get("outcome") not in ("success", "failure") or end.get("error"):
        return []
    well = end["outcome"] == "success"
    found: dict[tuple[str, ...], Lesson] = {}
    for number, one in enumerate(tries, 1):
        after = [step for later in tries[number:] for step in later.done]
        for step, code in one.faults:
            worked = _worked(step, {other.text for other in one.steps.values()}, after) if well else ""
            lesson = Lesson(
                plain(manifest.robot, 64), step.do, step.about, step.relation, step.place, code, step.text, worked,
                solved=int(well), last_s=last_s, run=plain(run, 40),
            )  # fmt: skip
            found[lesson.situation] = lesson
    return list(found.values())[-8:]


def is_fault(trigger: str) -> bool:
    """Return whether a trigger tells that something went wrong which no step's own end tells."""
    return trigger not in ("new-instruction", "step-failed") and not _began_anew(trigger)


def fault_code(code: str, status: str) -> str:
    """Return the code of a step that failed; where a robot gives no word, how the step ended."""
    return code if re.fullmatch(r"[\w-]{1,40}", code) else status


def _began_anew(trigger: str) -> bool:
    """Return whether what was done before a trigger explains nothing of what came after: a person may have put things right."""
    return trigger in ("robot-anew", "robot-moved", "journal-repaired")


@dataclass(frozen=True)
class _Said:
    """A step of a policy with phrases in place of references."""

    do: str
    about: str
    relation: str
    place: str
    text: str

    @classmethod
    def of(cls, step: PolicyStep, situation: Situation, manifest: Manifest) -> "_Said":
        """Return a step as it is told; free text, such as a question, is left out."""
        declared = {argument.name: argument.type for argument in manifest.primitives[step.do].arguments}
        said = {name: value for name, value in situation.said(step).items() if declared.get(name) != "text"}
        speaks = ("phrase", "subject", "reference", "target", "place")
        named = [str(value) for name, value in said.items() if declared.get(name) in speaks and value]
        named = [plain(name, 64) for name in named or filter(None, [situation.held])]
        written = PolicyStep(step.do, {name: said[name] for name in step.arguments if name in said})
        return cls(
            do=step.do,
            about=", ".join(name for name in named if name not in manifest.places),
            relation=plain(str(said.get("relation", "")), 40),
            place=", ".join(name for name in named if name in manifest.places),
            text=plain(say(written), 80),
        )

    def again(self, other: "_Said") -> bool:
        """Return whether another step does the same to the same things, however."""
        return (self.do, self.about, self.place) == (other.do, other.about, other.place)


class _Try:
    """One policy, and what became of its steps.

    Args:
        plan: its steps.
        manifest: of the robot.
    """

    def __init__(self, plan: Plan, manifest: Manifest) -> None:
        self.steps: dict[str, _Said] = {}
        self.done: list[_Said] = []
        self.faults: list[tuple[_Said, str]] = []
        situation = Situation(State(), manifest.primitives)
        for step in plan.steps:
            self.steps[step.id] = _Said.of(step.step, situation, manifest)
            situation.apply(step.step)

    def ended(self, data: Mapping[str, Any]) -> None:
        """Take the end of a step in; one that was stopped, or of which nobody knows how it ended, is no fault."""
        step, status, code = self.steps[data["id"]], data["status"], data["result"]["code"]
        if status == "succeeded":
            self.done.append(step)
        elif status != "stopped" and code not in (*UNKNOWN, "unknown", "bad-result", "robot-fault", "simulation-fault"):
            self.faults.append((step, fault_code(code, status)))

    def fired(self, trigger: str) -> None:
        """Take a trigger in: it is about the step before it where it denies what that one made, else about the next one."""
        at = len(self.done) - (trigger in ("target-lost", "not-done"))
        if 0 <= at < len(self.steps):
            self.faults.append((list(self.steps.values())[at], plain(trigger, 40)))


def _worked(failed: _Said, planned: set[str], after: Sequence[_Said]) -> str:
    """Return the first steps after a failure that its policy had not planned, up to where what had failed succeeded."""
    again = next((i for i, step in enumerate(after) if failed.again(step)), None)
    until = after if again is None else after[: again + 1]
    new = list(dict.fromkeys(step.text for step in until if step.text not in planned))[:4]
    return "; ".join(new) or ("the same steps again" if again is not None else "")
