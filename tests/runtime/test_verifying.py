"""Effects asked of the world: what a primitive says of itself is no proof."""

from collections.abc import Iterable
from typing import Any

from run_kit import asked, put

from vlp.robot.protocol import Step, StepResult
from vlp.sim.fake.robot import FakeRobot

CUBE_IN_BOWL = put("red cube", "green bowl")
UNCHECKED = {
    **CUBE_IN_BOWL,
    "subtasks": [{**part, "steps": [s for s in part["steps"] if s["do"] != "check"]} for part in CUBE_IN_BOWL["subtasks"]],
}


class LyingRobot(FakeRobot):
    """Says of some actions that they succeeded, and does something else or nothing."""

    def __init__(self, lies: Iterable[str] = (), elsewhere: bool = False) -> None:
        super().__init__()
        self.lies, self.elsewhere = list(lies), elsewhere

    def execute(self, step: Step) -> StepResult:
        if step.do not in self.lies or ".look." in step.key:
            return super().execute(step)
        self.lies.remove(step.do)
        if self.elsewhere and step.do == "place":
            self.world.put(self.world.holding, "table")
            self.world.holding = ""
        return StepResult(step.key, "succeeded", dict(step.arguments), duration_s=1.0)


def verdicts(run) -> list[tuple[str, str]]:
    return [(data["id"], data["verdict"]) for data in run.of("verified")]


def test_a_thing_that_fell_beside_its_bowl_was_a_success(make_run):
    """`place` said that it succeeded, the hand was empty, the policy had no check: the run ended in success."""
    believed = make_run([UNCHECKED], robot=LyingRobot(["place"], elsewhere=True)).go()
    assert believed.outcome == "success"


def test_a_look_finds_what_fell_beside_its_bowl(make_run):
    run = make_run([UNCHECKED, CUBE_IN_BOWL], robot=LyingRobot(["place"], elsewhere=True), verify=True)
    assert run.go().outcome == "success"
    assert run.robot.world.objects["red cube"].support == "green bowl"
    assert verdicts(run)[:2] == [("1.2", "yes"), ("2.2", "no")]
    failed = next(data for data in run.of("step-finished") if data["status"] == "failed")
    assert (failed["do"], failed["result"]["code"]) == ("place", "not-done")
    assert "it is not so" in failed["result"]["message"]


def test_a_grasp_that_did_nothing_is_found_before_the_next_step(make_run):
    run = make_run([CUBE_IN_BOWL, CUBE_IN_BOWL], robot=LyingRobot(["grasp"]), verify=True)
    assert run.go().outcome == "success"
    assert [d["do"] for d in run.of("step-finished")][:3] == ["locate", "grasp", "locate"]


def test_an_honest_robot_is_believed_and_asked_once_for_each_action(make_run):
    run = make_run([CUBE_IN_BOWL], verify=True)
    assert run.go().outcome == "success"
    assert verdicts(run) == [("1.2", "yes"), ("2.2", "yes")]
    assert [f["fact"] for f in run.of("verified")[1]["findings"]] == ["in red cube green bowl", "hand empty"]


def test_what_cannot_be_seen_is_unsure_and_no_failure(make_run):
    """A thing in the bin is out of view: a look that tells nothing must not make a failure of what was done."""

    class Blind(FakeRobot):
        def execute(self, step: Step) -> StepResult:
            if step.do == "check":
                return StepResult(step.key, "failed", {"evidence": "out of view"}, None, "check-failed", "not so: out of view")
            return super().execute(step)

    run = make_run([UNCHECKED], robot=Blind(), verify=True)
    assert run.go().outcome == "success"
    told: list[dict[str, Any]] = run.of("verified")
    assert (told[-1]["verdict"], told[-1]["looks"]) == ("unsure", 2)


def test_without_the_option_nothing_is_asked(make_run):
    run = make_run([CUBE_IN_BOWL], spec=asked())
    run.go()
    assert run.of("verified") == [] and [s for s in run.robot.log if s.do == "check" and ".look." in s.key] == []
