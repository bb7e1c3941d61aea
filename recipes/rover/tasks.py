"""Twenty tasks for the rover with changes midway, each run through the real runtime and judged by the rover's own state."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from examples.rover import Rover

from vlp.core.messages import Instruction
from vlp.journal import Event
from vlp.models.protocol import Model
from vlp.perception.perceiving import PerceivingRobot
from vlp.robot.protocol import Step, StepResult
from vlp.runtime.loop import Change
from vlp.runtime.run import Run, Spec


class TroubledRover(Rover):
    """A rover to which things happen: a step fails once, somebody closes a door, the battery runs low.

    Attributes:
        trouble: primitives whose next step fails.
        acts: what was carried out and succeeded: primitive and arguments.
    """

    def __init__(self) -> None:
        super().__init__(pause_s=0)
        self.trouble: set[str] = set()
        self.acts: list[str] = []

    def _act(self, step: Step) -> StepResult:
        if step.do in self.trouble:
            self.trouble.remove(step.do)
            return StepResult(step.key, "failed", code="no-luck", message=f"{step.do} did not work this time.")
        result = super()._act(step)
        if result.status == "succeeded":
            names = [argument.name for argument in self.manifest.primitives[step.do].arguments]
            self.acts.append(" ".join([step.do, *(str(result.done[name]) for name in names if name in result.done)]))
        return result

    def happen(self, text: str) -> str:
        """Let an event happen: "close DOOR", "fail PRIMITIVE" or "drain PERCENT"."""
        what, _, which = text.partition(" ")
        if what == "close":
            self.doors[which] = "closed"
        elif what == "fail":
            self.trouble.add(which)
        else:
            self.battery = int(which)
        return text


@dataclass(frozen=True)
class Task:
    """A sentence, what happens midway, and how it should end.

    Args:
        sentence: the instruction.
        changes: "STEP: sentence" or, behind "!", "STEP: event", each after so many steps.
        at: where the rover stands at the end.
        reports: what it told the person, with the numbers.
        opens: the doors that are open at the end.
        acts: steps that were carried out, among others; "not ..." for one that was not.
        cannot: whether it should say that it cannot be done.
        replans: least number of new policies after the first.
    """

    sentence: str
    changes: tuple[str, ...] = ()
    at: str = "dock"
    reports: tuple[tuple[str, float], ...] = ()
    opens: tuple[str, ...] = ()
    acts: tuple[str, ...] = ()
    cannot: bool = False
    replans: int = 0


LAB, STORE = ("temperature in the lab", 21), ("temperature in the store", 6)
TASKS = (
    Task("tell me the temperature in the lab", at="lab", reports=(LAB,), opens=("lab door",)),
    Task(
        "tell me the temperature in the lab, then go to the dock",
        ("!3: close lab door",),
        reports=(LAB,),
        opens=("lab door",),
        replans=1,
    ),
    Task(
        "tell me the humidity in the lab",
        ("2: no, in the kitchen",),
        at="kitchen",
        reports=(("humidity in the kitchen", 61),),
        opens=("lab door",),
        acts=("not go_to lab",),
        replans=1,
    ),
    Task(
        "tell me the temperature in the kitchen",
        ("!1: fail measure",),
        at="kitchen",
        reports=(("temperature in the kitchen", 24),),
        replans=1,
    ),
    Task("go to the store", ("!2: close store door",), at="store", opens=("store door",), replans=1),
    Task("open the lab door", ("2: close the lab door",), at="hall", acts=("close_door lab door",), replans=1),
    Task("go to the attic", cannot=True),
    Task("pick up the red box", cannot=True),
    Task("tell me the humidity in the kitchen", ("2: go to the moon",), at="kitchen", cannot=True, replans=1),
    Task(
        "tell me the temperature in every room behind a door, then go to the dock",
        ("!5: fail go_to", "!9: close store door"),
        reports=(LAB, STORE),
        opens=("lab door", "store door"),
        replans=2,
    ),
    Task("go to the kitchen slowly", at="kitchen", acts=("go_to kitchen 0.1",)),
    Task(
        "drive to the hall fast",
        ("1: drive to the kitchen fast",),
        at="kitchen",
        acts=("go_to hall 1.0", "go_to kitchen 1.0"),
        replans=1,
    ),
    Task("go to the kitchen", ("!0: drain 15",), at="kitchen", acts=("charge",)),
    Task(
        "tell me the temperature in the lab, then close the lab door",
        ("!4: fail report",),
        at="hall",
        reports=(LAB,),
        acts=("close_door lab door",),
        replans=1,
    ),
    Task("look around in the kitchen, then look around in the hall", ("!2: fail look",), at="hall", acts=("look",), replans=1),
    Task(
        "charge the battery",
        ("1: tell me the humidity in the store, then close the store door",),
        at="hall",
        reports=(("humidity in the store", 70),),
        acts=("charge", "close_door store door"),
        replans=1,
    ),
    Task(
        "go to the lab",
        ("1: go to the store", "3: go to the kitchen"),
        at="kitchen",
        opens=("store door",),
        acts=("not go_to lab",),
        replans=2,
    ),
    Task(
        "tell me the temperature in the store",
        ("!1: fail open_door", "6: tell me the humidity in the store too"),
        at="store",
        reports=(STORE, ("humidity in the store", 70)),
        opens=("store door",),
        replans=2,
    ),
    Task(
        "open the lab door, then open the store door",
        ("!2: close lab door", "4: close the store door"),
        at="hall",
        opens=("lab door",),
        acts=("close_door store door",),
        replans=2,
    ),
    Task(
        "measure the temperature in the kitchen",
        ("!1: drain 10", "2: go to the lab"),
        at="lab",
        opens=("lab door",),
        acts=("measure temperature", "charge"),
        replans=1,
    ),
)


@dataclass
class Row:
    """How one task ended.

    Args:
        task: what was run.
        outcome, claim: as the run says.
        policies, steps: how many.
        wrong: what is not as it should be; empty when all is.
    """

    task: Task
    outcome: str = ""
    claim: str = ""
    policies: int = 0
    steps: int = 0
    wrong: list[str] = field(default_factory=list)


class RoverJudge:
    """Knows where the rover is, lets things happen to it, and counts.

    Args:
        rover: the robot.
        row: what is counted.
    """

    def __init__(self, rover: TroubledRover, row: Row) -> None:
        self.rover, self.row = rover, row

    def on_event(self, event: Event) -> None:
        """Count policies and steps."""
        self.row.policies += event.kind == "policy"
        self.row.steps += event.kind == "step-finished"

    def apply(self, text: str) -> str:
        """Let something happen."""
        return self.rover.happen(text)

    def __call__(self) -> bool:
        """Return whether the rover stands where the task ends."""
        return self.rover.at == self.row.task.at


def run_task(task: Task, out: Path, model: Model) -> Row:
    """Run a task in a directory and judge it by the rover's state.

    Args:
        task: what to run.
        out: a new directory.
        model: writes the policies.
    """
    rover, row = TroubledRover(), Row(task)
    changes = tuple(Change.parse(text.lstrip("!"), instruction=not text.startswith("!")) for text in task.changes)
    spec = Spec(Instruction.of(task.sentence), "rover", changes=changes)
    judge = RoverJudge(rover, row)
    outcome = Run(out, spec, PerceivingRobot(rover, None), model, judge=judge, confirm=lambda question: True).go()
    row.outcome, row.claim = outcome.outcome, outcome.claim
    row.wrong = list(_wrong(task, rover, row))
    return row


def _wrong(task: Task, rover: TroubledRover, row: Row) -> Any:
    """Yield what is not as a task wants it."""
    pairs = {
        "at": (rover.at, task.at),
        "reports": ([tuple(told) for told in rover.reports], list(task.reports)),
        "open doors": ({door for door, how in rover.doors.items() if how == "open"}, set(task.opens)),
        "cannot": (row.claim == "cannot", task.cannot),
        "outcome": (row.outcome, "failure" if task.cannot else "success"),
        "trouble left": (rover.trouble, set()),
    }
    yield from (f"{name}: {found!r}, expected {wanted!r}" for name, (found, wanted) in pairs.items() if found != wanted)
    for wanted in task.acts:
        if wanted.startswith("not ") is any(act.startswith(wanted.removeprefix("not ")) for act in rover.acts):
            yield f"{wanted!r} among {rover.acts}"
    if row.policies <= task.replans:
        yield f"{row.policies} policies, expected more than {task.replans}"
