"""A robot that gets something wrong once: what it reports, what it has done, and what it finds."""

from dataclasses import replace
from random import Random

import pytest

from vlp.core.errors import UsageError
from vlp.core.observation import Located
from vlp.episodes.faults import FaultyRobot, look_alike
from vlp.robot.protocol import Step, StepResult
from vlp.sim.fake.robot import FakeRobot
from vlp.sim.truth import TrueObject, Truth

CUBE = TrueObject("red", "cube", (0.5, 0.0, 0.4), (0.05, 0.05, 0.05))
TRUTH = Truth(
    {
        "red cube": CUBE,
        "blue cube": replace(CUBE, colour="blue", size_m=(0.06, 0.06, 0.06)),
        "red can": replace(CUBE, kind="can", size_m=(0.05, 0.05, 0.06)),
        "red tray": replace(CUBE, kind="tray", size_m=(0.3, 0.2, 0.03)),
        "green cube": replace(CUBE, colour="green", support="bin"),
    }
)


class Recorder(FakeRobot):
    """Notes what it is told to do; it succeeds unless it `fails`; a `grasp` fills its hand, and a `place` empties it."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Step] = []
        self.holding = ""
        self.fails = False

    def execute(self, step: Step) -> StepResult:
        self.told.append(step)
        self.holding = {"grasp": "red cube", "place": ""}.get(step.do, self.holding)
        if self.fails:
            return StepResult(step.key, "failed", code="slipped")
        name = str(step.arguments.get("object", ""))
        seen = Located(name, (0, 0, 9, 9), (0.5, 0.0, 0.4), (0.05, 0.05, 0.05), 0.0, 1.0, 0.0)
        return StepResult(step.key, "succeeded", dict(step.arguments), seen.to_json() if step.do == "locate" else None)

    def observe(self):
        seen = super().observe()
        return replace(seen, state=replace(seen.state, holding=self.holding))


def step(do: str, key: str, **arguments: object) -> Step:
    return Step(do, arguments, key)


def test_an_action_without_effect_says_that_it_succeeded() -> None:
    inside = Recorder()
    robot = FaultyRobot(inside, "no-effect", Random(0), share=1.0, most=1)
    assert robot.execute(step("locate", "1", object="red cube")).value is not None  # no action
    assert robot.execute(step("grasp", "2", target="x")).status == "succeeded" and not inside.holding
    assert robot.execute(step("grasp", "3", target="x")).status == "succeeded" and inside.holding
    assert (robot.wrong, robot.met, [told.key for told in inside.told]) == (["2"], 2, ["1", "3"])


def test_what_is_held_slips_while_it_is_carried_and_not_at_the_grasp() -> None:
    """Guards against a slip that a failed grasp reports by itself."""
    inside = Recorder()

    def slip() -> list[str]:
        inside.holding = ""
        return ["red cube"]

    robot = FaultyRobot(inside, "slipped", Random(0), share=1.0, most=1, slip=slip)
    robot.execute(step("grasp", "1", target="x"))
    assert inside.holding and not robot.wrong
    robot.execute(step("lift", "2", height_m=0.1))
    assert not inside.holding and robot.wrong == ["2"]
    robot.execute(step("grasp", "3", target="x"))
    robot.execute(step("lift", "4", height_m=0.1))
    assert inside.holding and robot.wrong == ["2"]


def test_what_was_put_down_is_elsewhere_and_what_was_not_stays() -> None:
    """Guards against a thing that is moved while it is still held, or after a `place` that failed."""
    moved: list[str] = []
    inside = Recorder()

    def slip() -> list[str]:
        moved.append("red cube")
        return moved

    robot = FaultyRobot(inside, "misplaced", Random(0), share=1.0, most=1, slip=slip)
    robot.execute(step("grasp", "1", target="x"))
    robot.execute(step("lift", "2", height_m=0.1))
    inside.fails = True  # it lets go, and says so
    robot.execute(step("place", "3", target="table", relation="on"))
    assert not moved and robot.met == 0
    inside.fails = False
    for key, do in (("4", "grasp"), ("5", "place"), ("6", "grasp"), ("7", "place")):
        robot.execute(step(do, key, target="x"))
    assert robot.wrong == ["5"] and moved == ["red cube"] and robot.met == 2


def test_a_look_alike_is_found_under_the_name_that_was_asked_for() -> None:
    inside = Recorder()
    robot = FaultyRobot(inside, "look-alike", Random(0), share=1.0, most=1, look_alike=lambda phrase: look_alike(TRUTH, phrase))
    found = robot.execute(step("locate", "1", object="red cube"))
    assert inside.told[0].arguments["object"] == "blue cube"
    assert found.value["phrase"] == "red cube" and found.done["object"] == "red cube"
    robot.execute(step("locate", "2", object="red cube"))
    assert inside.told[1].arguments["object"] == "red cube" and robot.wrong == ["1"]


def test_a_look_alike_is_of_the_same_noun_or_of_nearly_the_same_size_and_beside_the_thing() -> None:
    assert look_alike(TRUTH, "red cube") == "blue cube" and look_alike(TRUTH, "red can") in ("blue cube", "red cube")
    assert look_alike(TRUTH, "red tray") == "" and look_alike(TRUTH, "green cube") == "" and look_alike(TRUTH, "a cup") == ""


def test_a_fault_that_there_is_not_is_refused_with_the_closest() -> None:
    with pytest.raises(UsageError, match=r"unknown fault of a robot 'sliped'.*slipped"):
        FaultyRobot(FakeRobot(), "sliped", Random(0))
