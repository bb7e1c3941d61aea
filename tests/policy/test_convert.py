"""Converted policies are well formed and say the same, whatever texts a policy brings."""

import ast
import json
import random
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from policy_texts import MANIFEST, pick, plan, policy, put

from vlp.core.errors import UsageError
from vlp.evaluation.stress.random_policies import random_policy
from vlp.policy.convert import TARGETS, convert
from vlp.policy.convert.names import reference
from vlp.policy.model import Policy, PolicyStep, Subtask, tree_lines

PUT = plan(policy("the red cube is in the green bowl", pick("red cube"), put("red cube", "green bowl")))
_BUILT_IN = {"Sequence", "AlwaysSuccess", "AlwaysFailure"}


def hostile(text: str) -> Policy:
    """Return a policy that no check has seen, with one text in every place that takes text."""
    steps = (
        PolicyStep("locate", {"object": text}, "class"),
        PolicyStep("ask", {"question": text}, "robot"),
        PolicyStep("grasp", {"target": "$class"}),
    )
    return Policy(text, (Subtask(text, steps),))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_every_target_takes_every_valid_policy_and_always_writes_the_same(seed: int) -> None:
    some = Policy.from_json(random_policy(random.Random(seed), MANIFEST))
    for target in TARGETS:
        assert convert(some, target) == convert(some, target)
    ast.parse(convert(some, "python"))
    ast.parse(convert(some, "pytrees"))
    root = ElementTree.fromstring(convert(some, "btxml"))
    nodes = [node for node in root.iterfind("BehaviorTree//*") if node.tag not in _BUILT_IN]
    assert [node.tag.lower() for node in nodes] == [step.do.replace("_", "") for step in some.steps]


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60))
@pytest.mark.parametrize("extra", ["", '\'"""\n import os', "]]><x/>", "{x}", '"]; click', "\u2028#", "\x0c\r\n"])
def test_no_text_of_a_policy_leaves_its_quotes(extra: str, text: str) -> None:
    assume(not reference(text + extra))  # "$a" is no text: it names what an earlier step found
    some = hostile((text + extra) or "x")
    for target in ("python", "pytrees"):
        tree = ast.parse(convert(some, target).encode("utf-8", "backslashreplace"))
        imported = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        assert len(imported) == (target == "pytrees")
    goal = ast.parse(convert(some, "python").encode("utf-8", "backslashreplace")).body[0]
    assert isinstance(goal, ast.Assign) and ast.literal_eval(goal.value) == some.goal
    root = ElementTree.fromstring(convert(some, "btxml").encode("utf-8", "replace"))
    assert len(list(root.iterfind("BehaviorTree//*"))) == 5
    question = root.find("BehaviorTree//Ask")
    assert question is not None and "{" not in question.attrib["question"]
    for line in convert(some, "mermaid").splitlines():
        label = line.split('"')
        assert len(label) in (1, 3)
    assert len(tree_lines(some)) == 5


def test_python_reads_as_calls_of_the_robot_with_results_as_variables() -> None:
    text = convert(PUT, "python")
    assert "    red_cube = robot.locate(object='red cube')\n    robot.grasp(target=red_cube)\n" in text
    assert "    robot.check(relation='in', subject='red cube', object='green bowl')\n" in text


def test_python_does_what_the_policy_says() -> None:
    class Recorder:
        def __init__(self) -> None:
            self.calls: list[tuple[str, dict[str, object]]] = []

        def __getattr__(self, name: str):  # type: ignore[no-untyped-def]
            return lambda **arguments: self.calls.append((name, arguments)) or f"<{name} {len(self.calls)}>"

    space: dict[str, object] = {}
    exec(convert(hostile("red cube"), "python"), space)
    recorder = Recorder()
    space["run"](recorder)  # type: ignore[operator]
    assert recorder.calls == [
        ("locate", {"object": "red cube"}), ("ask", {"question": "red cube"}), ("grasp", {"target": "<locate 1>"}),
    ]  # fmt: skip


def test_behaviour_tree_xml_is_version_4_with_ports_for_data() -> None:
    root = ElementTree.fromstring(convert(PUT, "btxml"))
    assert root.attrib == {"BTCPP_format": "4", "main_tree_to_execute": "Policy"}
    locate, grasp = root.find("BehaviorTree//Locate"), root.find("BehaviorTree//Grasp")
    assert locate is not None and locate.attrib == {"name": "1-1", "object": "red cube", "result": "{red_cube}"}
    assert grasp is not None and grasp.attrib["target"] == "{red_cube}"
    declared = {node.attrib["ID"]: {port.attrib["name"] for port in node} for node in root.iterfind("TreeNodesModel/Action")}
    assert declared["Place"] == {"target", "relation"}
    assert declared["Locate"] == {"object", "result"}


@pytest.mark.parametrize("target", TARGETS)
def test_policies_without_steps_convert(target: str) -> None:
    cannot = convert(plan('{"goal":"g","cannot":"no <bowl> & no \\"plate\\""}'), target)
    done = convert(plan('{"goal":"g","subtasks":[]}'), target)
    if target == "btxml":
        assert ElementTree.fromstring(cannot).find("BehaviorTree/AlwaysFailure") is not None
        assert ElementTree.fromstring(done).find("BehaviorTree/AlwaysSuccess") is not None
    if target in ("python", "pytrees"):
        ast.parse(cannot)
        ast.parse(done)


def test_unknown_targets_and_names_that_are_code_are_refused() -> None:
    with pytest.raises(UsageError, match="Did you mean 'mermaid'"):
        convert(PUT, "mermaidd")
    for step in (PolicyStep("x();y", {}), PolicyStep("x", {"a=1,b": 1}), PolicyStep("x", {}, "a b")):
        for target in ("python", "btxml", "pytrees"):
            with pytest.raises(UsageError):
                convert(Policy("g", (Subtask("n", (step,)),)), target)


def test_the_tree_shows_the_state_of_each_step() -> None:
    lines = tree_lines(PUT, {"1.1": "succeeded", "1.2": "running"})
    assert lines[0] == "the red cube is in the green bowl"
    assert lines[2] == "│  ├─ ✓ 1.1 locate red cube -> $red_cube"
    assert lines[3] == "│  ├─ ▶ 1.2 grasp $red_cube"
    assert lines[-1] == "   └─ · 2.3 check in subject=red cube object=green bowl"
    assert json.dumps(tree_lines(plan('{"goal":"g","subtasks":[]}'))[1:]) == json.dumps(["└─ nothing to do: it holds already"])
