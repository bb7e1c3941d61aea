"""Reasons for new policies without end: they are merged and bounded, and the run ends with the reason.

    python -m vlp.evaluation.stress.storms --n 100 --out runs/storms

The model is a script, the robot the fake one. A case is one of `storms()`, for as long as its run lasts.
"""

import json
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

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


@dataclass(frozen=True)
class Storm:
    """One kind of storm.

    Args:
        said: sentences in turn; none for nobody who speaks.
        at_steps: whether one is said after each step, not at 1 kHz.
        fails: whether no plan can be carried out: its second step fails, or, by "invalid", no reply passes the checks.
    """

    said: tuple[str, ...] = ()
    at_steps: bool = False
    fails: Literal["", "fails", "invalid"] = ""


def storms() -> dict[str, Storm]:
    """Return the storms by what blows."""
    one = str(POLICY["goal"])
    return {
        "one sentence at 1 kHz": Storm((one,)),
        "two in turn at 1 kHz": Storm((one, f"please {one}")),
        "questions at 1 kHz": Storm(("what is the weather?",)),
        "two in turn, one a step": Storm((one, f"please {one}"), at_steps=True),
        "things that flicker": Storm(),
        "plans that always fail": Storm(fails="fails"),
        "replies that never pass": Storm(fails="invalid"),
    }


class _Person:
    """Speaks at 1 kHz from a thread of its own, or whenever a step has ended."""

    def __init__(self, storm: Storm) -> None:
        self._storm = storm
        self.said: Counter[str] = Counter()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._speak_on, daemon=True)
        self.run: Run | None = None

    def on_event(self, event: Event) -> None:
        """Begin with the first policy; speak after each step."""
        if not self._storm.said:
            return
        if event.kind == "policy" and not self._storm.at_steps and not self._thread.is_alive() and not self._end.is_set():
            self._thread.start()
        if event.kind == "step-finished" and self._storm.at_steps:
            self._speak(self.said["said"])

    def close(self) -> None:
        """Fall silent."""
        self._end.set()

    def _speak_on(self) -> None:
        began = time.monotonic()
        for turn in range(60_000):
            if self._end.wait(max(0.0, began + turn / 1000 - time.monotonic())):
                return
            self._speak(turn)

    def _speak(self, turn: int) -> None:
        assert self.run is not None
        self.said["said"] += 1
        try:
            self.run.instruct(self._storm.said[turn % len(self._storm.said)])
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
    name, storm = list(storms().items())[index % len(storms())]
    bound = 120  # policies: 100 instructions, 6 new policies for the last one, and some
    robot = Flickering(name == "things that flicker")
    if storm.fails == "fails":
        robot.fail_next(POLICY["subtasks"][0]["steps"][1]["do"], times=1000)
    watching = Watching(lambda: json.loads(robot.snapshot()))
    model = ScriptedModel((lambda messages: "{}") if storm.fails == "invalid" else watching.reply)
    model.can = Capabilities()  # its sentences pass the gate, as those for a model that reads
    person = _Person(storm)
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        run = person.run = Run(Path(folder) / "run", Spec(Instruction.of(POLICY["goal"])), robot, model, subscribers=[person])
        outcome = run.go()
        took_s = time.monotonic() - began
        events = read_events(Path(folder) / "run", blobs=False)
        size = sum(file.stat().st_size for file in (Path(folder) / "run").iterdir())
    count = Counter(event.kind for event in events)
    faults = [] if outcome.outcome == "success" or outcome.reason else ["ended without a reason"]
    faults += [f"{count['policy']} policies"] if count["policy"] > bound else []
    faults += [f"{len(model.calls)} calls of the model"] if len(model.calls) > 3 * bound else []
    faults += [f"{count['instruction']} instructions"] if count["instruction"] > 100 else []
    if storm.fails and outcome.outcome == "success":
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
