"""What primitives made true is known to every new policy, in the same process and in the one that takes the run over."""

import time

import numpy as np
from run_kit import say

from vlp.core.messages import Instruction
from vlp.core.observation import Located, Observation, RobotState
from vlp.journal import read_events
from vlp.models.scripted import ScriptedModel
from vlp.primitives.manifest import Argument, Primitive
from vlp.primitives.standard import make_manifest
from vlp.robot.protocol import Step, StepResult
from vlp.runtime.loop import Change
from vlp.runtime.run import Run as LiveRun
from vlp.runtime.run import Spec, read_run
from vlp.sim.fake.robot import FakeRobot

DOOR = Argument("door", "choice", "Which door.", choices=("front", "back"))
MANIFEST = make_manifest(
    "porter",
    [
        Primitive("open", "action", "Open a door.", (DOOR,), needs=("not open door",), makes=("open door",)),
        Primitive("close", "action", "Close a door.", (DOOR,), needs=("open door",), makes=("not open door",)),
        Primitive("weigh", "perception", "Weigh.", result="weight"),
        Primitive("tell", "action", "Tell.", (Argument("what", "reference", "What.", result="weight"),)),
    ],
    results={"weight": {"kg": "number"}},
)


class Porter:
    """A robot without hand, depth or calibrated camera that opens and closes doors."""

    def __init__(self) -> None:
        self.done: list[tuple[str, dict]] = []
        self.results: dict[str, StepResult] = {}
        self.weight: object = {"kg": 2.5}

    def describe(self):
        return MANIFEST

    def observe(self):
        state = RobotState("hall", own={"battery_percent": 80})
        return Observation(np.zeros((48, 64, 3), np.uint8), None, None, None, state, time.monotonic(), ("EXIT",))

    def execute(self, step: Step) -> StepResult:
        self.done.append((step.do, step.arguments))
        value = self.weight if step.do == "weigh" else None
        self.results[step.key] = StepResult(step.key, "succeeded", dict(step.arguments), value)
        return self.results[step.key]

    def result_of(self, key: str) -> StepResult | None:
        return self.results.get(key)

    def stop(self) -> None:
        pass


def policy(*steps: dict) -> dict:
    return {"goal": "done", "subtasks": [{"name": "n", "steps": list(steps)}]}


OPEN, CLOSE = {"do": "open", "door": "front"}, {"do": "close", "door": "front"}
WAIT = {"do": "open", "door": "back"}


def test_a_new_policy_may_rest_on_what_an_earlier_one_made_true(make_run):
    """After `open` had succeeded a new policy that began with `close` (needs: open) was refused: facts were forgotten."""
    spec = Spec(Instruction.of("open the front door"), changes=(Change(1, Instruction.of("close the front door")),))
    run = make_run([policy(OPEN, WAIT), policy(CLOSE)], robot=Porter(), spec=spec)
    assert run.go().outcome == "success"
    assert [do for do, _ in run.robot.done] == ["open", "close"] and not run.of("report")
    told = run.model.calls[-1]["messages"][-1].text
    assert '"open front"' in told and '"battery_percent": "80"' in told and '"EXIT"' in told and "holding" not in told


def test_a_run_that_is_taken_over_knows_them_again(make_run, tmp_path):
    spec = Spec(Instruction.of("open the front door"), changes=(Change(1, Instruction.of("close the front door")),))
    robot = Porter()
    run = make_run([policy(OPEN, WAIT), policy(CLOSE)], robot=robot, spec=spec)
    write = run.run.journal.append

    def append(*events):
        if any(e.kind == "policy" and e.data["revision"] == 2 for e in events):
            raise KeyboardInterrupt
        return write(*events)

    run.run.journal.append = append
    assert run.go().outcome == "stopped"
    spec, events = read_run(tmp_path / "run")
    again = LiveRun(tmp_path / "run", spec, robot, ScriptedModel([say(policy(CLOSE))]), past=events)
    assert again.go().outcome == "success"
    assert [do for do, _ in robot.done] == ["open", "close"]
    assert not read_events(tmp_path / "run", kinds=["report"])


def test_a_result_is_handed_on_and_told_and_a_bad_one_fails_its_step(make_run):
    steps = policy({"do": "weigh", "as": "load"}, {"do": "tell", "what": "$load"})
    run = make_run([steps], robot=Porter())
    assert run.go().outcome == "success"
    assert run.robot.done[-1] == ("tell", {"what": {"kg": 2.5}})
    assert run.run.memory.memory().steps[0].value == '{"kg": 2.5}'


def test_a_bad_result_is_a_failure_of_its_step(make_run):
    robot = Porter()
    robot.weight = {"kg": "heavy"}
    cannot = {"goal": "weighed", "cannot": "the scales are broken"}
    run = make_run([policy({"do": "weigh", "as": "load"}), cannot], robot=robot)
    assert run.go().outcome == "failure"
    failed = run.of("step-finished")[0]["result"]
    assert failed["code"] == "bad-result" and "kg is 'heavy'; expected number" in failed["message"]


def test_what_was_never_made_true_is_refused(make_run):
    run = make_run([policy(CLOSE)] * 3, robot=Porter())
    assert "no valid policy" in run.go().reason
    assert run.of("report")[0]["issues"][0]["code"] == "unmet-need"


def test_what_the_robot_cannot_get_to_is_refused_before_it_moves(make_run):
    class Short(FakeRobot):
        def reachable(self, step: Step, thing: Located) -> str:
            return "the arm is too short" if (step.do, thing.phrase) == ("grasp", "red cube") else ""

    take = policy({"do": "locate", "object": "red cube", "as": "c"}, {"do": "grasp", "target": "$c"})
    run = make_run([take] * 3, robot=Short())
    assert "the red cube cannot be reached: the arm is too short" in run.go().reason
    assert "grasp" not in run.done
