"""The expert of motion reaches and picks up through the very runner that models use, and a policy goes on from there."""

import pytest

from vlp.core.errors import UsageError
from vlp.episodes.motion_expert import MotionExpert
from vlp.language_actions.hand import move_space
from vlp.language_actions.vocabulary import open_vocabulary
from vlp.robot.protocol import Step
from vlp.sim.open import simulated
from vlp.skills.skilled import SkilledRobot


def test_it_reaches_and_picks_up_and_a_scripted_action_puts_down():
    robot, simulation = simulated(seed=0, hand=True)
    words = open_vocabulary("directions", move_space(robot.describe(), ("x", "y", "z", "wrist")))
    heard = []
    skilled = SkilledRobot(robot, MotionExpert(robot, words), words, heard=heard.append)
    reached = skilled.execute(Step("skill", {"text": "reach the white cube"}, "1"))
    assert reached.status == "succeeded", reached
    taken = skilled.execute(Step("pick_up", {"object": "white cube"}, "2"))
    assert taken.status == "succeeded", taken
    assert taken.done["subtasks"] == ["grasp the white cube", "lift the white cube"]
    assert simulation.truth().holding == "white cube"
    assert robot.observe().state.holding == "something"
    chunks = [one for one in heard if one.kind == "chunk"]
    assert (
        all(words.read(one.answer)[0] is not None for one in chunks)
        and len(chunks) == reached.done["chunks"] + taken.done["chunks"]
    )
    let_go = skilled.execute(Step("release", {}, "3"))
    assert let_go.status == "succeeded", let_go
    assert simulation.truth().objects["white cube"].support == "table"


def test_it_answers_the_questions_of_a_skill_alone():
    robot, _ = simulated(seed=0, hand=True)
    expert = MotionExpert(robot)
    with pytest.raises(UsageError, match="was asked 'What is this"):
        expert.answer("What is this?")
    with pytest.raises(UsageError, match="white cube"):
        expert.answer('The instruction is "reach the red can". What is the next subtask?')
    with pytest.raises(UsageError, match="cannot 'dance'"):
        expert.answer('The subtask is "dance". Which way must the hand move?')
