"""The rover of `examples/`: a robot without a hand, planned for from the prompt alone, re-planned, killed and resumed."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from threading import Timer

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "recipes" / "rover"))

from measure import ROOT, Kill, kill_and_resume
from planner import plan, served
from tasks import TASKS, Task, TroubledRover, run_task

from vlp.core.errors import UsageError
from vlp.core.messages import Instruction
from vlp.core.observation import Observation
from vlp.journal import read_events
from vlp.models.openai_model import OpenAIModel
from vlp.models.scripted import ScriptedModel
from vlp.primitives.facts import sensed_facts
from vlp.prompt.full import system_text
from vlp.robot.conformance import check_robot
from vlp.robot.protocol import Step
from vlp.robot.skills import SkillRobot
from vlp.runtime.run import Run, Spec
from vlp.runtime.story import Outcome


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
    assert (result.status, rover.at) == ("stopped", "dock")
    assert result.duration_s < 3


def test_a_primitive_without_a_method_is_named() -> None:
    class Half(SkillRobot):
        def observe(self):
            raise NotImplementedError

    with pytest.raises(UsageError, match="Half has no method go_to, open_door"):
        Half(TroubledRover().manifest)


def test_a_door_that_a_person_opened_can_be_closed_without_opening_it_first(tmp_path: Path) -> None:
    """A door that no step had opened counted as closed, whatever the rover saw: every plan had to open it again."""
    rover = TroubledRover()
    rover.at, rover.doors["lab door"] = "hall", "open"
    assert _run_close(rover, tmp_path).outcome == "success"
    assert rover.acts == ["close_door lab door"]


def test_a_door_that_a_person_closed_is_not_closed_again(tmp_path: Path) -> None:
    """That a step had opened it counted for more than what the rover saw later; only its own code could refuse the step."""

    class Draughty(TroubledRover):
        def look(self) -> str:
            self.doors["lab door"] = "closed"  # the draught takes it
            return super().look()

    rover = Draughty()
    rover.at = "hall"
    outcome = _run_close(rover, tmp_path, {"do": "open_door", "door": "lab door"}, {"do": "look", "as": "seen"})
    assert outcome.outcome == "failure"
    assert rover.acts[:1] == ["open_door lab door"], outcome
    assert not any("close_door" in act for act in rover.acts)
    events = [event for event in read_events(tmp_path / "run") if event.kind == "step-finished"]
    assert events[-1].data["result"]["code"] == "unmet-need"
    assert "close_door needs 'open lab door'" in events[-1].data["result"]["message"]


def _run_close(rover: TroubledRover, tmp_path: Path, *before: dict[str, str]) -> Outcome:
    steps = [*before, {"do": "close_door", "door": "lab door"}]
    policy = json.dumps({"goal": "the lab door is closed", "subtasks": [{"name": "close it", "steps": steps}]})
    cannot = json.dumps({"goal": "the lab door is closed", "cannot": "it does not stay open"})
    spec = Spec(Instruction.of("close the lab door"), "rover")
    return Run(tmp_path / "run", spec, rover, ScriptedModel([policy, cannot]), confirm=lambda question: True).go()


def test_a_sensed_fact_that_no_primitive_speaks_of_is_told() -> None:
    class Misspelt(TroubledRover):
        def observe(self) -> Observation:
            seen = super().observe()
            return replace(seen, state=replace(seen.state, facts={"opne lab door": True, "holding cup": False}))

    said = str(check_robot(Misspelt()))
    assert "no primitive needs or makes 'opne'. Did you mean 'open'?" in said
    assert "'holding' has a meaning of its own. Give place and hold as `at` and `holding`." in said


def test_the_robot_itself_refuses_a_step_whose_need_it_senses_to_be_otherwise() -> None:
    rover = TroubledRover()
    rover.at = "hall"
    result = rover.execute(Step("close_door", {"door": "lab door"}, "k"))
    assert (result.status, result.code) == ("rejected", "unmet-need")
    assert result.message == "close_door needs 'open lab door'; the robot senses that it is otherwise."


def test_a_sensed_fact_that_is_no_text_is_told_in_one_line() -> None:
    """`vlp robot check` showed a traceback for a fact whose name was a number."""

    class Numbered(TroubledRover):
        def observe(self) -> Observation:
            seen = super().observe()
            return replace(seen, state=replace(seen.state, facts={5: True}))  # type: ignore[dict-item]

    assert "/observe" in str(check_robot(Numbered()))


def test_a_sensed_fact_is_read_whatever_its_spaces() -> None:
    """A run took "open  lab door" for another fact than "open lab door", and drove through."""
    assert sensed_facts({" open  lab door ": False}) == {("open", "lab door"): False}
