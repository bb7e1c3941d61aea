"""Runs without a part of re-planning: what is taken away is gone, and the rest stays."""

import pytest
from run_kit import asked, change, put, say

from vlp.core.errors import UsageError
from vlp.episodes.ablations import ablations
from vlp.models.scripted import ScriptedModel
from vlp.runtime.lessons.store import LessonStore
from vlp.runtime.loop import Change
from vlp.sim.fake.robot import FakeRobot

CUBE, BALL = put("red cube", "green bowl"), put("blue ball", "green bowl")
BALL_LATER = asked(changes=(change(2, "put the blue ball in the green bowl"),))


def failing_once() -> FakeRobot:
    robot = FakeRobot()
    robot.fail_next("lift")
    return robot


def policies(run) -> int:
    run.go()
    return len(run.of("policy"))


@pytest.mark.parametrize(("without", "heard"), [("", True), ("instructions", False), ("state", True), ("memory", True)])
def test_a_new_sentence_leads_to_a_new_policy(make_run, without, heard):
    held = put("blue ball", "green bowl")
    held["subtasks"].insert(0, {"name": "put it down", "steps": [{"do": "place", "target": "table", "relation": "on"}]})
    run = make_run([CUBE, held], spec=BALL_LATER, triggers=ablations()[without].triggers)
    assert policies(run) == 1 + heard
    at = run.robot.world.objects
    assert (at["blue ball"].support == "green bowl", at["red cube"].support == "green bowl") == (heard, not heard)


@pytest.mark.parametrize(("without", "noticed"), [("", True), ("instructions", True), ("state", False), ("memory", True)])
def test_a_step_that_failed_leads_to_a_new_policy(make_run, without, noticed):
    rest = put("red cube", "green bowl", pick=False)
    run = make_run([CUBE, rest], robot=failing_once(), triggers=ablations()[without].triggers)
    assert policies(run) == 1 + noticed
    assert run.outcome.outcome == ("success" if noticed else "failure")


@pytest.mark.parametrize("without", ["", "instructions", "state"])
def test_what_is_sensed_leads_to_a_new_policy(make_run, without):
    """Guards against a trigger that looks and is left over where only new sentences are to count."""

    def knock(text: str) -> list[str]:
        robot.world.holding = ""
        return [text]

    robot, noticed = FakeRobot(), without != "state"
    spec, triggers = asked(changes=(Change(3, "knock"),)), ablations()[without].triggers
    run = make_run([CUBE, CUBE], robot=robot, spec=spec, triggers=triggers, apply_event=knock)
    assert policies(run) == 1 + noticed
    assert ("target-lost" in [trigger["name"] for trigger in run.of("trigger")]) is noticed


def test_a_sentence_that_was_no_reason_is_what_the_next_policy_is_written_for(make_run):
    robot = FakeRobot()
    robot.fail_next("grasp")
    early = asked(changes=(change(1, "put the blue ball in the green bowl"),))
    run = make_run([CUBE, BALL], robot=robot, spec=early, triggers=ablations()["instructions"].triggers)
    assert policies(run) == 2 and run.robot.world.objects["blue ball"].support == "green bowl"


@pytest.mark.parametrize("remembers", [True, False])
def test_without_memory_a_policy_is_written_from_the_last_sentence_and_what_is_seen(make_run, remembers):
    spec = asked(changes=(change(1, "put the blue ball in the green bowl"),))
    robot = FakeRobot()
    robot.fail_next("grasp", "blocked")  # of the second policy: the first one has looked for the cube
    model = ScriptedModel([say(policy) for policy in (CUBE, BALL, BALL)])
    run = make_run(model, robot=robot, spec=spec, remembers=remembers)
    assert policies(run) == 3
    told = "\n".join(message.text for message in model.calls[2]["messages"] if message.role == "user")
    assert "blue ball in the green bowl" in told
    for gone in ("red cube in the green bowl", "blocked"):
        assert (gone in told) is remembers, gone
    assert ("nothing yet" in told) is not remembers
    assert (model.calls[2]["draft"] is not None) is remembers


def test_what_remembers_nothing_is_told_no_lessons(make_run, tmp_path):
    with pytest.raises(UsageError, match="remembers nothing is told no lessons"):
        make_run([CUBE], remembers=False, lessons=LessonStore(tmp_path / "lessons.db"))
