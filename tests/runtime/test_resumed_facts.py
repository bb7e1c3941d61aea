"""A step runs only where the robot itself says that it may: after a resume, and within a run."""

import threading
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from run_kit import change, say

from vlp.core.errors import UsageError
from vlp.core.messages import Instruction
from vlp.core.observation import Observation, RobotState
from vlp.journal import read_events
from vlp.models.scripted import ScriptedModel
from vlp.primitives.manifest import Argument, Limits, Primitive
from vlp.primitives.standard import make_manifest
from vlp.robot.protocol import Step, StepResult
from vlp.runtime import body
from vlp.runtime.run import Run as LiveRun
from vlp.runtime.run import Spec, Unsettled, read_run

MANIFEST = make_manifest(
    "porter",
    [
        Primitive("go_to", "action", "Drive.", (Argument("place", "place", "Where."),), makes=("at place",)),
        Primitive("open_door", "action", "Open.", makes=("open door",), needs=("at desk",)),
        Primitive("unload", "action", "Tip the load out.", needs=("at desk", "open door")),
    ],
    ("dock", "desk"),
    Limits(base_speed_m_s=1.0),
)
GO, OPEN, UNLOAD = {"do": "go_to", "place": "desk"}, {"do": "open_door"}, {"do": "unload"}


class Porter:
    """Stands at a place, opens a door and tips its load out; its doings are logged with the place."""

    def __init__(self) -> None:
        self.at, self.done, self.tells = "dock", [], True
        self.on_done: Any = lambda step: None

    def describe(self):
        return MANIFEST

    def observe(self) -> Observation:
        state = RobotState(self.at if self.tells else "")
        return Observation(np.zeros((48, 64, 3), np.uint8), None, None, None, state, time.monotonic())

    def execute(self, step: Step) -> StepResult:
        self.at = step.arguments.get("place", self.at)
        self.done.append(f"{step.do} at {self.at}")
        self.on_done(step)
        return StepResult(step.key, "succeeded")

    def stop(self) -> None:
        pass


def policy(*steps: dict) -> dict:
    return {"goal": "unloaded", "subtasks": [{"name": "n", "steps": list(steps)}]}


WHOLE = policy(GO, OPEN, UNLOAD)


def stopped_at_the_desk(make_run, robot: Porter) -> None:
    spec = Spec(Instruction.of("unload"), changes=(change(2, "stop"),))
    assert make_run([WHOLE], robot=robot, spec=spec).go().outcome == "stopped"
    assert robot.done == ["go_to at desk", "open_door at desk"]


def resumed(tmp_path, robot, *replies: dict, **more) -> tuple[LiveRun, Any]:
    spec, past = read_run(tmp_path / "run")
    run = LiveRun(tmp_path / "run", spec, robot, ScriptedModel([say(p) for p in replies]), past=past, **more)
    return run, run.go()


def test_a_robot_that_was_started_anew_is_not_taken_for_the_old_one(make_run, tmp_path):
    """`unload` (needs: at the desk, door open) was sent to a new robot that stood at the dock, and the run was a success."""
    stopped_at_the_desk(make_run, Porter())
    new = Porter()
    _, outcome = resumed(tmp_path, new, policy(UNLOAD), WHOLE)
    assert outcome.outcome == "success"
    assert new.done == ["go_to at desk", "open_door at desk", "unload at desk"]
    assert [t["name"] for t in _data(tmp_path, "trigger")] == ["robot-anew"]
    assert _data(tmp_path, "report")[0]["issues"][0]["code"] == "unmet-need", "what the old one had done still counted"


def test_a_robot_that_was_moved_meanwhile_gets_a_new_policy(make_run, tmp_path):
    """Somebody drove it to the dock between stop and resume: `unload` ran at the dock."""
    robot = Porter()
    stopped_at_the_desk(make_run, robot)
    robot.at = "dock"
    _, outcome = resumed(tmp_path, robot, policy(GO, UNLOAD))
    assert outcome.outcome == "success"
    assert robot.done[2:] == ["go_to at desk", "unload at desk"], "the door is open still: it is the same robot"
    assert "it stands at dock, not at desk" in _data(tmp_path, "trigger")[0]["detail"]


@pytest.mark.parametrize("tells", [True, False])
def test_a_robot_that_is_as_it_was_left_goes_on(make_run, tmp_path, tells: bool):
    """Also one that never says where it stands: its silence is no other place."""
    robot = Porter()
    robot.tells = tells
    stopped_at_the_desk(make_run, robot)
    run, outcome = resumed(tmp_path, robot)
    assert outcome.outcome == "success" and robot.done[2:] == ["unload at desk"]
    assert isinstance(run.planner.model, ScriptedModel) and not run.planner.model.calls


def test_a_step_is_checked_on_what_the_robot_says_now(make_run):
    """Within a run a push away from the desk went unseen: needs were held against remembered facts alone."""
    robot = Porter()

    def push(step: Step) -> None:
        if step.do == "open_door":
            robot.at, robot.on_done = "dock", lambda step: None

    robot.on_done = push
    run = make_run([WHOLE, policy(GO, UNLOAD)], robot=robot, spec=Spec(Instruction.of("unload")))
    assert run.go().outcome == "success"
    assert robot.done[2:] == ["go_to at desk", "unload at desk"]
    assert [s["status"] for s in run.of("step-finished")][2] == "rejected"


class Power(BaseException):
    """The power goes."""


def test_a_person_who_looked_gets_out_of_a_step_in_flight(make_run, tmp_path):
    """`vlp resume` said "Look at the robot" and "go on with: vlp resume", for ever."""
    robot = Porter()
    run = make_run([WHOLE], robot=robot, spec=Spec(Instruction.of("unload")))
    write = run.run.journal.append

    def append(*events):
        if any(e.kind == "step-finished" for e in events):
            raise Power
        return write(*events)

    run.run.journal.append = append
    with pytest.raises(Power):
        run.go()
    for _ in range(2):
        _, outcome = resumed(tmp_path, Porter())
        assert isinstance(outcome.error, Unsettled) and "--looked" in outcome.reason
    new = Porter()
    _, outcome = resumed(tmp_path, new, WHOLE, looked=True)
    assert outcome.outcome == "success" and len(new.done) == 3
    first = _data(tmp_path, "step-finished")[0]
    assert (first["id"], first["status"], first["result"]["code"]) == ("1.1", "failed", "unknown")
    assert _data(tmp_path, "run-resumed")[-1]["looked"] is True


def test_a_change_that_was_never_given_is_told(make_run):
    """`--change "40: stop"` on a run of three steps was silent."""
    run = make_run([WHOLE], robot=Porter(), spec=Spec(Instruction.of("unload"), changes=(change(40, "stop"),)))
    assert run.go().outcome == "success"
    assert run.of("run-finished")[0]["never_given"] == ["40: stop"]
    assert "after 3 steps: '40: stop'" in run.of("note")[0]["text"]


class Runaway(Porter):
    """Its stop does what it is told to do."""

    def __init__(self, how: Any) -> None:
        super().__init__()
        self.how = how

    def stop(self) -> None:
        self.how()


def _raises(error: BaseException) -> Any:
    def how() -> None:
        raise error

    return how


@pytest.mark.parametrize(
    ("how", "why"),
    [
        (_raises(RuntimeError("driver \x1b[31m gone")), "RuntimeError: driver [31m gone"),
        (_raises(SystemExit(0)), "SystemExit: 0"),
        (threading.Event().wait, "did not return within 0.2 s"),
    ],
)
def test_a_stop_that_fails_is_told(make_run, monkeypatch, how, why: str):
    """SystemExit ended the program without a word, a hanging stop hung it, and a RuntimeError was a traceback."""
    monkeypatch.setattr(body, "STOP_S", 0.2)
    spec = Spec(Instruction.of("unload"), changes=(change(1, "stop"),))
    run = make_run([WHOLE], robot=Runaway(how), spec=spec)
    outcome = run.go()
    assert outcome.outcome == "stopped"
    assert f"the robot's stop failed: {why}; look at the robot" in run.of("run-finished")[0]["reason"].replace("it did", "did")
    with pytest.raises(body.StopFailed, match="look at the robot"):
        run.run.stop()


ODD = {"run_s": "long", "model_s": float("nan"), "observe_s": -1}


@pytest.mark.parametrize("limit", ODD)
def test_limits_that_no_run_writes_are_refused(make_run, tmp_path, limit: str):
    """A limit that was a text was a TypeError midway, and NaN was never reached."""
    stopped_at_the_desk(make_run, Porter())
    events = read_events(tmp_path / "run")
    begun = replace(events[0], data={**events[0].data, "budget": {limit: ODD[limit]}})
    with pytest.raises(ValueError, match=f"{limit} is"):
        Spec.of([begun, *events[1:]])


def test_a_question_that_no_run_knows_is_refused(make_run, tmp_path):
    """With "confirm" changed by hand to a word that there is not, nobody was asked."""
    stopped_at_the_desk(make_run, Porter())
    events = read_events(tmp_path / "run")
    begun = replace(events[0], data={**events[0].data, "options": {"confirm": "sure"}})
    with pytest.raises(ValueError, match="confirm is 'sure'"):
        Spec.of([begun, *events[1:]])


@pytest.mark.parametrize(("kind", "name", "odd"), [("policy", "unload", "fly"), ("step-finished", "status", None)])
def test_a_past_that_no_run_writes_is_refused_in_one_line(make_run, tmp_path, kind: str, name: str, odd: str | None):
    """A primitive that there is not, and a status of null, were tracebacks."""
    robot = Porter()
    stopped_at_the_desk(make_run, robot)
    spec, past = read_run(tmp_path / "run")
    for event in past:
        if event.kind == kind == "policy":
            event.data["policy"]["policy"]["subtasks"][0]["steps"][2]["do"] = odd
        elif event.kind == kind:
            event.data[name] = odd
    run = LiveRun(tmp_path / "run", spec, robot, ScriptedModel([]), past=past)
    with pytest.raises(UsageError, match="what no run writes"):
        run.go()


def _data(tmp_path, kind: str) -> list[dict]:
    return [event.data for event in read_events(tmp_path / "run", kinds=[kind])]
