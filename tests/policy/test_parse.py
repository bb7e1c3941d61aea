"""What a model writes is read strictly, bounded before parsing, and every refusal names the place and the fault."""

import json
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_texts import MANIFEST, codes, pick, plan, policy, put

from vlp.evaluation.stress.random_policies import random_policy
from vlp.policy.checks import check_policy
from vlp.policy.model import Plan, Policy, PolicyStep, Subtask, compact
from vlp.policy.parse import parse_policy

PUT = policy("the red cube is in the green bowl", pick("red cube"), put("red cube", "green bowl"))
COMPACT = json.dumps(json.loads(PUT), separators=(",", ":"))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_random_valid_policies_pass_and_round_trip(seed: int) -> None:
    data = random_policy(random.Random(seed), MANIFEST)
    parsed, report = parse_policy(json.dumps(data), MANIFEST)
    assert parsed is not None, str(report)
    assert json.loads(compact(parsed)) == data
    assert Policy.from_json(parsed.to_json()) == parsed
    checked, report = check_policy(parsed, MANIFEST)
    assert checked is not None, str(report)
    assert Plan.from_json(json.loads(json.dumps(checked.to_json()))) == checked


def test_compact_text_keeps_the_key_order_of_the_language_whatever_order_came_in() -> None:
    shuffled = json.loads(COMPACT)
    for subtask in shuffled["subtasks"]:
        subtask["steps"] = [dict(reversed(step.items())) for step in subtask["steps"]]
    parsed, _ = parse_policy(json.dumps(dict(reversed(shuffled.items()))), MANIFEST)
    assert parsed is not None
    assert compact(parsed).startswith('{"goal":"the red cube is in the green bowl","subtasks":[{"name":')
    assert [step["do"] for step in parsed.to_json()["subtasks"][0]["steps"]] == ["locate", "grasp", "lift"]
    assert list(parsed.to_json()["subtasks"][0]["steps"][0]) == ["do", "object", "as"]


def test_steps_are_numbered_by_subtask() -> None:
    checked = plan(PUT)
    assert [step.id for step in checked.steps] == ["1.1", "1.2", "1.3", "2.1", "2.2", "2.3"]
    assert checked.step("2.2").step == PolicyStep("place", {"target": "$green_bowl", "relation": "in"})
    assert checked.step("2.2").subtask == "put it in the green bowl"


def test_a_policy_that_says_it_cannot_and_one_with_nothing_to_do_are_plans_without_steps() -> None:
    assert plan('{"goal":"g","cannot":"there is no blue bowl"}').steps == ()
    assert plan('{"goal":"g","subtasks":[]}').steps == ()


@pytest.mark.parametrize(
    ("text", "code", "path"),
    [
        ("", "not-json", ""),
        (COMPACT[:-1], "not-json", ""),
        (COMPACT + "x", "not-json", ""),
        ("\ufeff" + COMPACT, "not-json", ""),
        (b"\xff\xfe{}", "not-utf8", ""),
        ("\ud800", "not-utf8", ""),
        ('{"goal":"\\ud800","cannot":"x"}', "bad-characters", ""),
        ("[" * 100_000, "too-large", ""),
        ("[" * 9 + "]" * 9, "too-deep", ""),
        ("[" + "1," * 5_000 + "1]", "too-many", ""),
        ("é" * 17_000, "too-large", ""),
        (COMPACT.replace("0.1", "NaN"), "not-finite", ""),
        (COMPACT.replace("0.1", "1e999"), "not-finite", ""),
        (COMPACT.replace("0.1", "1" * 5_000), "number-too-long", ""),
        (COMPACT.replace('"goal":', '"goal":"a","goal":'), "duplicate-key", ""),
        (COMPACT.replace('"grasp"', '"grip"'), "unknown-primitive", "/subtasks/0/steps/1/do"),
        (COMPACT.replace("0.1", "0.31"), "out-of-bounds", "/subtasks/0/steps/2/height_m"),
        (COMPACT.replace("0.1", "true"), "wrong-type", "/subtasks/0/steps/2/height_m"),
        (COMPACT.replace("0.1", '"0.1"'), "wrong-type", "/subtasks/0/steps/2/height_m"),
        (COMPACT.replace('"height_m":0.1', '"height":0.1'), "missing-key", "/subtasks/0/steps/2"),
        (
            COMPACT.replace('"object":"red cube"', '"object":"red;cube"', 1),
            "bad-characters",
            "/subtasks/0/steps/0/object",
        ),
        (COMPACT.replace('"as":"red_cube"', '"as":"Red"'), "bad-characters", "/subtasks/0/steps/0/as"),
        (COMPACT.replace(',"as":"red_cube"', ""), "missing-key", "/subtasks/0/steps/0"),
        (COMPACT.replace('"$green_bowl"', '"start"'), "bad-characters", "/subtasks/1/steps/1/target"),
        (COMPACT.replace('"relation":"in"', '"relation":"inside"', 1), "unknown-word", "/subtasks/1/steps/1/relation"),
        ('{"goal":"x","subtasks":[],"cannot":"y"}', "unknown-key", ""),
        ('{"goal":"x"}', "missing-key", ""),
        ("[]", "wrong-type", ""),
        ('{"goal":"a\\u001b[2Jb","cannot":"y"}', "bad-characters", "/goal"),
        ('{"goal":"","cannot":"y"}', "bad-characters", "/goal"),
        (json.dumps({"goal": "x" * 201, "cannot": "y"}), "too-long", "/goal"),
        ('{"goal":"x","subtasks":[{"name":"n","steps":[]}]}', "wrong-count", "/subtasks/0/steps"),
    ],
)
def test_bad_text_is_refused_with_code_and_path(text: str | bytes, code: str, path: str) -> None:
    assert codes(text)[0] == (code, path)


def test_more_than_120_steps_in_all_are_refused_though_each_subtask_is_short_enough() -> None:
    home = {"do": "home"}
    assert codes(policy("g", *[{"name": "n", "steps": [home] * 61}] * 2)) == [("too-many", "/subtasks")]
    assert codes(policy("g", *[{"name": "n", "steps": [home] * 60}] * 2)) == []


def test_the_largest_policy_of_the_schema_is_within_the_limits_of_the_text() -> None:
    check = {"do": "check", "relation": "in", "subject": "red cube", "object": "green bowl"}
    text = policy("g", *[{"name": "n", "steps": [check] * 5}] * 24)
    seen = json.dumps([["red cube", [1, 2, 3, 4]]] * 32)
    assert codes(text.replace('"subtasks"', f'"seen": {seen}, "subtasks"')) == []


def test_messages_name_what_was_found_what_was_expected_and_the_closest_match() -> None:
    _, report = parse_policy(COMPACT.replace('"grasp"', '"gras"'), MANIFEST)
    assert "unknown primitive 'gras'" in str(report)
    assert "Did you mean 'grasp'?" in str(report)
    _, report = parse_policy(COMPACT.replace("0.1", "5"), MANIFEST)
    assert "found 5; expected 0.02 to 0.3" in str(report)


def test_the_scan_takes_linear_time_on_quotes_and_backslashes() -> None:
    """Failure guarded against: an unclosed string matched anew from every quote, in quadratic time."""
    start = time.thread_time()
    for text in ('"\\"' * 10_000, '\\"' * 16_000, '"\\\\"' * 8_000, '"' + "\\" * 32_000, '""' * 16_000):
        parse_policy(text, MANIFEST)
    assert time.thread_time() - start < 0.25


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=300)))
def test_any_text_gives_a_report_and_never_an_error(text: str | bytes) -> None:
    parsed, report = parse_policy(text, MANIFEST)
    assert (parsed is None) == (not report.ok)


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["goal", "cannot", "subtasks", "seen", "name", "steps", "do", "x"]), inner, max_size=4
    ),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(_JSON)
def test_any_json_gives_a_report_and_never_an_error(data: object) -> None:
    checked, report = check_policy(json.dumps(data), MANIFEST)
    assert (checked is None) == (not report.ok)


def test_a_policy_made_by_code_is_held_to_the_schema_as_well() -> None:
    made = Policy("g", (Subtask("n", (PolicyStep("lift", {"height_m": 9.0}),)),))
    checked, report = check_policy(made, MANIFEST)
    assert checked is None
    assert [issue.code for issue in report.issues] == ["out-of-bounds"]
