"""The checker passes a right robot and names what is wrong with each of many wrong ones."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vlp.core.observation import Observation
from vlp.primitives.manifest import Manifest
from vlp.robot.conformance import check_robot
from vlp.robot.protocol import Step, StepResult
from vlp.sim.fake.robot import FakeRobot


class Unstable(FakeRobot):
    def describe(self) -> Manifest:
        self.count = getattr(self, "count", 0) + 1
        return replace(self.manifest, version=str(self.count))


class Lists(FakeRobot):
    def describe(self) -> Manifest:
        return replace(self.manifest, places=["table"])  # type: ignore[arg-type]


class NoManifest(FakeRobot):
    def describe(self) -> Any:
        return {}


class MillimetreDepth(FakeRobot):
    def observe(self) -> Observation:
        observation = super().observe()
        return replace(observation, depth_m=(observation.depth_m * 1000).astype(np.uint16))  # type: ignore[arg-type]


class Holes(FakeRobot):
    def observe(self) -> Observation:
        observation = super().observe()
        return replace(observation, depth_m=np.where(observation.depth_m > 0.7, np.float32(np.nan), observation.depth_m))


class Skewed(FakeRobot):
    def observe(self) -> Observation:
        return replace(super().observe(), camera_in_base=np.ones((4, 4)))


class Backwards(FakeRobot):
    def observe(self) -> Observation:
        self.clock_s -= 1
        return super().observe()


class Blind(FakeRobot):
    def observe(self) -> Observation:
        raise OSError("camera unplugged")


class Raises(FakeRobot):
    def execute(self, step: Step) -> StepResult:
        raise KeyError(step.do)


class Obliging(FakeRobot):
    def execute(self, step: Step) -> StepResult:
        return StepResult(step.key, "succeeded")


class Forgetful(FakeRobot):
    def execute(self, step: Step) -> StepResult:
        self.clock_s += 1
        return replace(self._act(step), done={"at": self.clock_s})


class NumpyResults(FakeRobot):
    def execute(self, step: Step) -> StepResult:
        return replace(super().execute(step), done={"hand": np.zeros(3)})


class WrongKey(FakeRobot):
    def execute(self, step: Step) -> StepResult:
        return replace(super().execute(step), key="other")


class NoLatch(FakeRobot):
    def stop(self) -> None:
        pass


class StopRaises(FakeRobot):
    def stop(self) -> None:
        raise RuntimeError("no brake")


class NeverResets(FakeRobot):
    def reset_stop(self) -> None:
        pass


WRONG: dict[type[FakeRobot], tuple[str, str]] = {
    Unstable: ("/describe", "unstable"),
    Lists: ("/describe", "round-trip"),
    NoManifest: ("/describe", "wrong-type"),
    MillimetreDepth: ("/observe", "depth"),
    Holes: ("/observe", "depth-values"),
    Skewed: ("/observe", "pose"),
    Backwards: ("/observe", "clock"),
    Blind: ("/observe", "raised"),
    Raises: ("/execute", "raised"),
    Obliging: ("/execute", "unknown-primitive"),
    Forgetful: ("/execute", "key"),
    NumpyResults: ("/execute", "plain-data"),
    WrongKey: ("/execute", "key"),
    NoLatch: ("/stop", "latch"),
    StopRaises: ("/stop", "raised"),
    NeverResets: ("/reset_stop", "latch"),
}


def test_the_fake_robot_is_a_robot_and_is_left_ready() -> None:
    robot = FakeRobot()
    assert str(check_robot(robot)) == "ok"
    assert robot.execute(Step("home", {}, "after")).status == "succeeded"


def test_a_robot_that_must_not_move_does_not() -> None:
    robot = FakeRobot()
    assert check_robot(robot, moves=False).ok
    assert robot.log == []


@pytest.mark.parametrize("robot", WRONG, ids=lambda robot: robot.__name__)
def test_each_broken_contract_is_named(robot: type[FakeRobot]) -> None:
    found = {(issue.path, issue.code) for issue in check_robot(robot()).issues}
    assert WRONG[robot] in found
