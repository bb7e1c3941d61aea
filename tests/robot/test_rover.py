"""The rover of `examples/`: a robot without a hand, planned for from the prompt alone, re-planned, killed and resumed."""

import sys
from pathlib import Path
from threading import Timer

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "recipes" / "rover"))

from measure import ROOT, Kill, kill_and_resume
from planner import plan, served
from tasks import TASKS, Task, TroubledRover, run_task

from vlp.core.errors import UsageError
from vlp.models.openai_model import OpenAIModel
from vlp.models.scripted import ScriptedModel
from vlp.prompt.full import system_text
from vlp.robot.conformance import check_robot
from vlp.robot.protocol import Step
from vlp.robot.skills import SkillRobot


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.sentence)
def test_tasks_with_changes_end_as_they_should(task: Task, tmp_path: Path) -> None:
    def reply(messages) -> str:
        return plan("\n\n".join(message.text for message in messages))

    assert run_task(task, tmp_path / "run", ScriptedModel(reply)).wrong == []


def test_a_model_behind_a_server_plans_for_it_too(tmp_path: Path) -> None:
    with served() as url:
        assert run_task(TASKS[9], tmp_path / "run", OpenAIModel(url)).wrong == []


@pytest.mark.parametrize("kill", [Kill(4, during=True, remote=False), Kill(6, during=False, remote=True)], ids=str)
def test_a_killed_run_goes_on_without_repeating_a_step(kill: Kill, tmp_path: Path) -> None:
    with served() as url:
        assert kill_and_resume(kill, tmp_path / "run", url).wrong == ()


def test_the_example_is_a_robot_in_eighty_lines() -> None:
    assert str(check_robot(TroubledRover())) == "ok"
    assert len((ROOT / "examples" / "rover.py").read_text().splitlines()) <= 80


def test_its_prompt_speaks_of_no_hand() -> None:
    told = system_text(TroubledRover().describe())
    assert "behind the lab door" in told
    assert not [word for word in ("grasp", "gripper", "table") if word in told.partition("Primitives:")[2]]


def test_its_speed_is_bounded_by_its_limit() -> None:
    result = TroubledRover().execute(Step("go_to", {"place": "hall", "speed_m_s": 1.5}, "k"))
    assert (result.status, result.code) == ("rejected", "out-of-bounds")


def test_a_stop_ends_a_skill_midway() -> None:
    rover = TroubledRover()
    rover.pause_s = 5.0
    Timer(0.2, rover.stop).start()
    result = rover.execute(Step("go_to", {"place": "hall"}, "k"))
    assert (result.status, rover.place) == ("stopped", "dock")
    assert result.duration_s < 3


def test_a_primitive_without_a_method_is_named() -> None:
    class Half(SkillRobot):
        def observe(self):
            raise NotImplementedError

    with pytest.raises(UsageError, match="Half has no method go_to, open_door"):
        Half(TroubledRover().manifest)
