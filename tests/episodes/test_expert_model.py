"""The expert in the model's place, where a check contradicts the true state."""

import json

import jsonschema
import pytest

from vlp.core.messages import user
from vlp.episodes.expert_model import ExpertModel
from vlp.evaluation.planning import manifest
from vlp.perception.perceiving import with_perceptions
from vlp.primitives.schema import policy_schema
from vlp.primitives.standard import make_manifest
from vlp.sim.language.task import Goal, Task
from vlp.sim.open import manifest_of
from vlp.sim.truth import TrueObject, Truth
from vlp.sim.worlds.tabletop.tasks import TableTasks

BLOCK = TrueObject("green", "block", (0.6, 0.3, 0.45), (0.1, 0.05, 0.05), 0.0)
CUBE = TrueObject("green", "cube", (0.6, 0.3, 0.5), (0.05, 0.05, 0.05), 0.0, support="green block", relation="on")


@pytest.mark.parametrize(
    ("goal", "other"),
    [
        (Goal("on", "green cube", "green block"), TrueObject("red", "can", (0.5, -0.2, 0.46), (0.06, 0.06, 0.09), 0.0)),
        (Goal("next_to", "red can", "green block"), TrueObject("red", "can", (0.6, 0.2, 0.46), (0.06, 0.06, 0.09), 0.0)),
    ],
    ids=["on", "next_to"],
)
def test_what_a_check_denies_is_done_again(goal: Goal, other: TrueObject) -> None:
    # Killed before its last check and resumed, a run failed: the check erred by a centimetre, and "it is so" was refused.
    truth = Truth({"green block": BLOCK, "green cube": CUBE, "red can": other}, "", "table")
    task = Task("put", {"a": goal.subject, "relation": goal.relation, "b": goal.target}, (goal,), satisfied=True)
    assert goal.holds(truth)
    model = ExpertModel(TableTasks(), lambda: truth, lambda: task)
    asked = [user(f"at: table\nholding: nothing\nfailed: check {goal.subject} (check-failed)\ndo: it")]
    first = json.loads(model.generate(asked, grammar=policy_schema(manifest())).text)
    assert [step["do"] for subtask in first["subtasks"] for step in subtask["steps"]] == ["check"]
    grammar = policy_schema(manifest(), refuted=True)
    again = json.loads(model.generate(asked, grammar=grammar).text)
    jsonschema.validate(again, grammar)
    steps = [step for subtask in again["subtasks"] for step in subtask["steps"]]
    assert [step["do"] for step in steps] == ["locate", "grasp", "lift", "locate", "place", "check"]
    assert steps[0]["object"] == goal.subject and steps[4]["relation"] == goal.relation


CUBE_ALONE = Truth({"red cube": TrueObject("red", "cube", (0.6, 0.0, 0.46), (0.05, 0.05, 0.05), 0.0)}, "", "start")
PICK = Task("pick", {"a": "red cube"}, (Goal("holding", "red cube"),))


def test_the_expert_calls_primitives_as_the_robot_does() -> None:
    """A second body walks where the first one drives; the expert told both to `go_to`."""
    policy = json.loads(
        ExpertModel(TableTasks(), lambda: CUBE_ALONE, lambda: PICK, with_perceptions(manifest_of("anymal"))).generate([]).text
    )
    steps = [step for subtask in policy["subtasks"] for step in subtask["steps"]]
    assert steps[0] == {"do": "walk_to", "place": "table"}
    assert [step["do"] for step in steps[1:]] == ["locate", "grasp", "lift", "check"]


def test_what_a_robot_has_no_primitive_for_it_cannot_do() -> None:
    rover = make_manifest("rover", ("go_to", "locate", "check"), ("table", "start"))
    policy = json.loads(ExpertModel(TableTasks(), lambda: CUBE_ALONE, lambda: PICK, rover).generate([]).text)
    assert policy == {"goal": "the red cube is held", "cannot": "this robot cannot grasp"}
