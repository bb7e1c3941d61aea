"""A robot of your own: four methods, served over HTTP, checked for conformance, and commanded in words.

    python examples/bring_your_robot.py            # an arm that only waves
    python examples/bring_your_robot.py --smoke    # the same without pauses

Put your driver where `Driver` is. Whoever brings a depth camera gets locate, find_all and check by wrapping the
robot in `vlp.perception.perceiving.PerceivingRobot`.
"""

import sys
import tempfile
import threading
import time

import numpy as np

from vlp.core.messages import Instruction
from vlp.core.observation import Intrinsics, Observation, RobotState
from vlp.models.scripted import ScriptedModel
from vlp.primitives.manifest import Argument, Manifest, Primitive
from vlp.primitives.standard import make_manifest
from vlp.robot.arguments import check_arguments
from vlp.robot.client import RemoteRobot
from vlp.robot.conformance import check_robot
from vlp.robot.keys import Once
from vlp.robot.protocol import Step, StepResult
from vlp.robot.serving import running_server
from vlp.runtime.run import Run, Spec
from vlp.runtime.subscribers.terminal import Terminal

PAUSE_S = 0.0 if "--smoke" in sys.argv else 0.5


class Driver:
    """Stands for what moves your hardware."""

    def wave_once(self) -> None:
        """Move the hand to and fro."""
        time.sleep(PAUSE_S)


# One primitive, declared once: manifest, JSON Schema, prompt text, HTTP route and checks come from this.
WAVE = Primitive(
    "wave",
    "action",
    "Wave the hand.",
    (Argument("times", "integer", "How often.", minimum=1, maximum=5),),
    timeout_s=10.0,
)
CAMERA = Intrinsics(640, 480, 554.38, 554.38, 320.0, 240.0)


class WavingRobot:
    """The four methods: describe, observe, execute, stop."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.manifest = make_manifest("waver", [WAVE], cameras={"head": {**CAMERA.to_json(), "depth": True}})
        self.once = Once()  # the same key never acts twice
        self.stopped = threading.Event()

    def describe(self) -> Manifest:
        """Say what this robot can do."""
        return self.manifest

    def observe(self) -> Observation:
        """Return what the camera sees now; here a grey wall 1 m away."""
        rgb, depth_m = np.full((480, 640, 3), 128, np.uint8), np.ones((480, 640), np.float32)
        return Observation(rgb, depth_m, CAMERA, np.eye(4), RobotState(), time.monotonic())

    def execute(self, step: Step) -> StepResult:
        """Carry out a step, once per key."""
        return self.once.run(step, self._act)

    def _act(self, step: Step) -> StepResult:
        report = check_arguments(step.do, step.arguments, self.manifest)
        if not report.ok:
            return StepResult(step.key, "rejected", code=report.issues[0].code, message=report.issues[0].message)
        for _ in range(step.arguments["times"]):
            if self.stopped.is_set():
                return StepResult(step.key, "stopped", code="stopped", message="the robot is stopped.")
            self.driver.wave_once()
        return StepResult(step.key, "succeeded", done={"times": step.arguments["times"]})

    def stop(self) -> None:
        """Stop and latch, from any thread."""
        self.stopped.set()

    def reset_stop(self) -> None:
        """Open the latch; optional, like everything beyond the four."""
        self.stopped.clear()


def main() -> int:
    """Check the robot, serve it, and let a (scripted) model command it over HTTP."""
    robot = WavingRobot(Driver())
    print("conformance:", check_robot(WavingRobot(Driver()), moves=False))
    policy = '{"goal":"the person was greeted","subtasks":[{"name":"greet","steps":[{"do":"wave","times":2}]}]}'
    with running_server(robot) as at, RemoteRobot(at.url, at.token) as remote, tempfile.TemporaryDirectory() as out:
        print(f"served at {at.url}; its policies' schema: vlp policy schema --robot {at.url}")
        spec = Spec(Instruction.of("greet the person"), "waver")
        outcome = Run(out, spec, remote, ScriptedModel([policy]), subscribers=[Terminal()]).go()
    return 0 if outcome.outcome == "success" else 1


if __name__ == "__main__":
    sys.exit(main())
