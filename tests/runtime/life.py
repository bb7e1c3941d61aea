"""One life of a run, in a process that kills itself midway.

The robot is the fake one with a small delay in each step. As "simulated" it dies with the process and is restored
from the journal. As "remote" its world and keys outlive the process in a file, as a real robot's would.
"""

import json
import os
import signal
import threading
from pathlib import Path
from types import SimpleNamespace

from run_kit import FakeJudge, Streaming, put

from vlp.core.messages import Instruction
from vlp.journal import Event, read_events
from vlp.models.scripted import ScriptedModel
from vlp.robot.protocol import Step, StepResult
from vlp.runtime.run import Run, Spec, read_run
from vlp.sim.fake.robot import FakeRobot, Script

SENTENCE = "put the red cube in the green bowl, then the blue ball too"


def steps_for(thing: str) -> list[dict]:
    name = thing.replace(" ", "_")
    return [
        {"do": "locate", "object": thing, "as": name},
        {"do": "grasp", "target": f"${name}"},
        {"do": "lift", "height_m": 0.1},
        {"do": "locate", "object": "green bowl", "as": "green_bowl"},
        {"do": "place", "target": "$green_bowl", "relation": "in"},
        {"do": "check", "relation": "in", "subject": thing, "object": "green bowl"},
    ]


POLICY = {
    "goal": "both are in the green bowl",
    "subtasks": [{"name": f"put the {t} in", "steps": steps_for(t)} for t in ("red cube", "blue ball")],
}


class Outliving:
    """A robot whose world and keys are in a file; acts and their record are one atomic write."""

    def __init__(self, file: Path) -> None:
        self._file, self._fake = file, slow()
        if file.exists():
            self._fake.restore(file.read_bytes())
        self.describe, self.observe, self.stop = self._fake.describe, self._fake.observe, self._fake.stop
        self.result_of = self._fake.result_of

    def health(self) -> SimpleNamespace:
        """Say that keys outlive the process, as the server of a robot does."""
        return SimpleNamespace(instance="outlives processes", stopped=False, stop_reason="")

    def execute(self, step: Step) -> StepResult:
        known = self._fake.result_of(step.key)
        result = self._fake.execute(step)
        if known is None:
            part = self._file.with_suffix(".part")
            part.write_bytes(self._fake.snapshot())
            with open(self._file.with_suffix(".log"), "a") as log:
                os.replace(part, self._file)
                log.write(f"{step.key} {step.do} {result.status}\n")
        return result


def slow() -> FakeRobot:
    robot = FakeRobot()
    for do in ("locate", "grasp", "lift", "place", "check"):
        robot.script(do, Script(delay_s=0.01, times=1000))
    return robot


class Killer:
    """Kills this process some time after the first event that it hears of."""

    def __init__(self, after_s: float) -> None:
        self._timer = threading.Timer(after_s, lambda: os.kill(os.getpid(), signal.SIGKILL))
        self._timer.daemon = True

    def on_event(self, event: Event) -> None:
        if not self._timer.is_alive():
            self._timer.start()

    def close(self) -> None:
        self._timer.cancel()


def main(out: Path, kind: str, kill_s: float | None) -> None:
    """Start the run of a directory, or take it over; die after `kill_s` seconds."""
    robot = slow() if kind == "simulated" else Outliving(out.parent / "world.json")
    model = ScriptedModel(lambda messages: json.dumps(POLICY))
    begun = (out / "journal.db").exists() and read_events(out, blobs=False)
    resumed = read_run(out) if begun else None
    spec, events = resumed or (Spec(Instruction.of(SENTENCE), robot=kind), [])
    fake = robot if isinstance(robot, FakeRobot) else robot._fake

    def judge() -> bool:
        return all(fake.world.objects[t].support == "green bowl" for t in ("red cube", "blue ball"))

    subscribers = [] if kill_s is None else [Killer(kill_s)]
    Run(out, spec, robot, model, judge=FakeJudge(judge), subscribers=subscribers, past=events).go()


def die_looking(out: Path, kind: str, after: bool) -> None:
    """Begin a run, or take it over; the first life dies in its early look, before or after the robot has it done."""
    inner = FakeRobot() if kind == "simulated" else Outliving(out.parent / "world.json")
    begun = (out / "journal.db").exists()
    look = inner.execute

    def execute(step):
        if after:
            look(step)
        if ".early." in step.key and not begun:
            os.kill(os.getpid(), signal.SIGKILL)
        return look(step)

    inner.execute = execute
    spec, past = read_run(out) if begun else (Spec(Instruction.of("put the red cube in the green bowl"), robot=kind), [])
    outcome = Run(out, spec, inner, Streaming([put("red cube", "green bowl")]), past=past, early=True).go()
    assert outcome.outcome == "success"
