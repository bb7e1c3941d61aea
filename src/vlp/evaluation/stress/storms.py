"""Reasons for new policies without end: they are taken together, bounded, and the run ends with the reason.

    python -m vlp.evaluation.stress.storms --n 100 --out runs/storms

The model is a script, the robot the fake one. A case is one of `STORMS`, for as long as its run lasts.
"""

import json
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vlp.core.errors import UsageError
from vlp.core.messages import Instruction
from vlp.evaluation.stress.command import quantiles, rows_command
from vlp.evaluation.stress.journal import POLICY
from vlp.evaluation.stress.kills import Watching
from vlp.journal import Event, read_events
from vlp.models.protocol import Capabilities
from vlp.models.scripted import ScriptedModel
from vlp.robot.protocol import Step, StepResult
from vlp.runtime.run import Run, Spec
from vlp.sim.fake.robot import FakeRobot

ONE, OTHER = POLICY["goal"], f"please {POLICY['goal']}"
BOUND = 120
"""Most policies of any of these runs: 100 instructions, 6 new policies for the last one, and some."""


class Flickering(FakeRobot):
    """A fake robot with 5 ms per step, whose things are there for a policy's steps and gone whenever the run itself looks."""

    def __init__(self, flickers: bool) -> None:
        super().__init__()
        self._flickers = flickers

    def execute(self, step: Step) -> StepResult:
        """Carry out a step; perceptions of step boundaries are what flickers."""
        time.sleep(0.005)
        if self._flickers and ".look." in step.key and step.do == "locate":
            return StepResult(step.key, "failed", code="not-found", message="it is not in view.")
        return super().execute(step)


def _same(turn: int) -> str:
    return ONE


def _alternating(turn: int) -> str:
    return (ONE, OTHER)[turn % 2]


def _questions(turn: int) -> str:
    return "what is the weather?"


STORMS: dict[str, tuple[Callable[[int], str] | None, bool, str]] = {
    "one sentence at 1 kHz": (_same, False, "done"),
    "two in turn at 1 kHz": (_alternating, False, "done"),
    "questions at 1 kHz": (_questions, False, "done"),
    "two in turn, one a step": (_alternating, True, "done"),
    "things that flicker": (None, False, "done"),
    "plans that always fail": (None, False, "fails"),
    "replies that never pass": (None, False, "invalid"),
}
"""What is said, once after each step or at 1 kHz, and what the policies are like."""


class _Person:
    """Speaks at 1 kHz from a thread of its own, or whenever a step has ended."""

    def __init__(self, say: Callable[[int], str] | None, at_steps: bool) -> None:
        self._say, self._at_steps = say, at_steps
        self.said: Counter[str] = Counter()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._storm, daemon=True)
        self.run: Run | None = None

    def on_event(self, event: Event) -> None:
        """Begin with the first policy; speak after each step."""
        if self._say is None:
            return
        if event.kind == "policy" and not self._at_steps and not self._thread.is_alive() and not self._end.is_set():
            self._thread.start()
        if event.kind == "step-finished" and self._at_steps:
            self._speak(self.said["said"])

    def close(self) -> None:
        """Fall silent."""
        self._end.set()

    def _storm(self) -> None:
        began = time.monotonic()
        for turn in range(60_000):
            if self._end.wait(max(0.0, began + turn / 1000 - time.monotonic())):
                return
            self._speak(turn)

    def _speak(self, turn: int) -> None:
        assert self.run is not None and self._say is not None
        self.said["said"] += 1
        try:
            self.run.instruct(self._say(turn))
        except UsageError:
            self.said["refused"] += 1  # too many wait
        except Exception as error:
            self.said[type(error).__name__] += 1


def case(index: int, seed: int, out: Path) -> dict[str, Any]:
    """Let one storm blow, and return what was not as promised.

    Args:
        index: of the storm.
        seed, out: unused; every case is made by its number.
    """
    del seed, out
    name = list(STORMS)[index % len(STORMS)]
    say, at_steps, policies = STORMS[name]
    robot = Flickering(name == "things that flicker")
    if policies == "fails":
        robot.fail_next(POLICY["subtasks"][0]["steps"][1]["do"], times=1000)
    watching = Watching(lambda: json.loads(robot.snapshot()))
    model = ScriptedModel((lambda messages: "{}") if policies == "invalid" else watching.reply)
    model.can = Capabilities()  # its sentences pass the gate, as those for a model that reads
    person = _Person(say, at_steps)
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        run = person.run = Run(Path(folder) / "run", Spec(Instruction.of(ONE)), robot, model, subscribers=[person])
        outcome = run.go()
        took_s = time.monotonic() - began
        events = read_events(Path(folder) / "run", blobs=False)
        size = sum(file.stat().st_size for file in (Path(folder) / "run").iterdir())
    count = Counter(event.kind for event in events)
    faults = [] if outcome.outcome == "success" or outcome.reason else ["ended without a reason"]
    faults += [f"{count['policy']} policies"] if count["policy"] > BOUND else []
    faults += [f"{len(model.calls)} calls of the model"] if len(model.calls) > 3 * BOUND else []
    faults += [f"{count['instruction']} instructions"] if count["instruction"] > 100 else []
    if say is None and outcome.outcome == "success":
        faults.append("success, though no plan can be carried out")
    row = {"storm": name, "outcome": outcome.outcome, "reason": outcome.reason, "said": dict(person.said)}
    row |= {"instructions": count["instruction"], "policies": count["policy"], "steps": count["step-finished"]}
    return {**row, "events": len(events), "bytes": size, "seconds": round(took_s, 3), "faults": faults}


def tell(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of rows."""
    return {
        "said": sum(row["said"].get("said", 0) for row in rows),
        "refused": sum(row["said"].get("refused", 0) for row in rows),
        "policies": max((row["policies"] for row in rows), default=0),
        "events": max((row["events"] for row in rows), default=0),
        "seconds": quantiles([row["seconds"] for row in rows]),
        "ends": dict(Counter(f"{row['storm']}: {row['outcome']}" for row in rows)),
    }


if __name__ == "__main__":
    sys.exit(rows_command("storms", __doc__, case, tell))
