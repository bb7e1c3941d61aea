"""A policy that could not work is refused before anything moves, with the reason at the step."""

from collections.abc import Iterator, Mapping

import pytest
from policy_texts import MANIFEST, codes, pick, plan, policy, put

from vlp.core.errors import Issue
from vlp.core.observation import Located
from vlp.policy.checks import CHECKS, Context, check_policy
from vlp.policy.model import Policy, PolicyStep, State

SEE = {"do": "locate", "object": "red cube", "as": "red_cube"}
TAKE = {"do": "grasp", "target": "$red_cube"}
DROP = {"do": "place", "target": "bin", "relation": "in"}
PUSH = {"do": "push", "target": "$red_cube", "direction": "left", "distance_m": 0.1}


def steps(*listed: Mapping[str, object]) -> str:
    return policy("g", {"name": "n", "steps": list(listed)})


def at(x: float, y: float, z: float, width: float = 0.05) -> Located:
    return Located("red cube", (0, 0, 9, 9), (x, y, z), (width, width, width), 0.0, 0.9, 0.0)


@pytest.mark.parametrize(
    "text",
    [
        policy("g", pick("red cube"), put("red cube", "green bowl")),
        policy("g", pick("red cube"), put("red cube", "bin")),
        policy("g", pick("red cube"), put("red cube", "bin"), pick("blue can"), put("blue can", "bin")),
        policy("stack", pick("red cube"), put("red cube", "blue block", "on"),
               pick("green can"), put("green can", "red cube", "on")),
    ],
)  # fmt: skip
def test_the_experts_ways_to_put_things_pass(text: str) -> None:
    assert codes(text) == []


def test_two_things_can_swap_places_by_the_spots_where_they_were_seen() -> None:
    a, b = "red cube", "blue can"
    swap = [
        {"do": "locate", "object": a, "as": "red_cube"}, {"do": "locate", "object": b, "as": "blue_can"},
        {"do": "grasp", "target": "$red_cube"}, {"do": "place", "target": "table", "relation": "on"},
        {"do": "grasp", "target": "$blue_can"}, {"do": "place", "target": "$red_cube", "relation": "at"},
        {"do": "locate", "object": a, "as": "moved"},
        {"do": "grasp", "target": "$moved"}, {"do": "place", "target": "$blue_can", "relation": "at"},
    ]  # fmt: skip
    assert codes(steps(*swap)) == []


@pytest.mark.parametrize(
    ("listed", "code", "where"),
    [
        ([TAKE], "unknown-name", "0/target"),
        ([TAKE, SEE], "unknown-name", "0/target"),
        ([{"do": "ask", "question": "which?", "as": "red_cube"}, TAKE], "wrong-result", "1/target"),
        ([{"do": "find_all", "object": "thing", "as": "red_cube"}, TAKE], "wrong-result", "1/target"),
        ([{**SEE, "object": "table"}], "place-not-thing", "0/object"),
        ([{"do": "check", "relation": "next_to", "subject": "red cube", "object": "bin"}], "relation-not-possible",
         "0/relation"),
        ([{"do": "check", "relation": "on", "subject": "red cube", "object": "red cube"}], "self-relation", "0/object"),
        ([SEE, TAKE, {"do": "place", "target": "$red_cube", "relation": "on"}], "self-relation", "2/target"),
        ([{"do": "lift", "height_m": 0.1}], "hand-empty", "0"),
        ([{"do": "release"}], "hand-empty", "0"),
        ([DROP], "hand-empty", "0"),
        ([SEE, TAKE, DROP, {"do": "release"}], "hand-empty", "3"),
        ([SEE, TAKE, SEE, TAKE], "hand-not-empty", "3"),
        ([SEE, TAKE, SEE, PUSH], "hand-not-empty", "3"),
        ([SEE, TAKE, DROP, TAKE], "stale-reference", "3/target"),
        ([SEE, TAKE, {"do": "release"}, TAKE], "stale-reference", "3/target"),
        ([SEE, PUSH, PUSH], "stale-reference", "2/target"),
    ],
)  # fmt: skip
def test_each_fault_is_found_with_its_code_at_its_step(listed: list[dict[str, object]], code: str, where: str) -> None:
    assert (code, f"/subtasks/0/steps/{where}") in codes(steps(*listed))


def test_locating_again_makes_a_moved_thing_usable() -> None:
    assert codes(steps(SEE, TAKE, DROP, SEE, TAKE)) == []
    assert codes(steps(SEE, PUSH, SEE, PUSH)) == []


def test_the_table_can_be_clear_and_nothing_else_of_a_place() -> None:
    def checked(relation: str, subject: str) -> list[tuple[str, str]]:
        return codes(steps({"do": "check", "relation": relation, "subject": subject}))

    where = "/subtasks/0/steps/0/subject"
    assert checked("clear", "table") == []
    assert checked("clear", "bin") == checked("holding", "table") == [("place-not-thing", where)]


def test_what_is_held_at_the_start_counts() -> None:
    placing = policy("g", put("red cube", "green bowl"))
    assert codes(placing, State(holding="red cube")) == []
    assert codes(placing) == [("hand-empty", "/subtasks/0/steps/1")]
    assert codes(steps(SEE, TAKE), State(holding="something")) == [("hand-not-empty", "/subtasks/0/steps/1")]


def test_things_out_of_the_workspace_or_too_wide_are_not_gone_to() -> None:
    target = "/subtasks/0/steps/1/target"
    assert codes(steps(SEE, TAKE), State(known={"red cube": at(0.6, 0.0, 0.45)})) == []
    assert codes(steps(SEE, TAKE), State(known={"red cube": at(1.6, 0.0, 0.45)})) == [("out-of-workspace", target)]
    assert codes(steps(SEE, TAKE), State(known={"red cube": at(0.6, 0.0, 0.45, 0.2)})) == [("too-wide", target)]
    assert codes(steps(SEE, PUSH), State(known={"red cube": at(0.6, 0.0, 0.45, 0.2)})) == []


def test_looking_at_something_out_of_reach_is_allowed() -> None:
    look = steps(SEE, {"do": "look_at", "target": "$red_cube"})
    assert codes(look, State(known={"red cube": at(3.0, 0.0, 0.45)})) == []


def test_a_claim_that_a_check_refuted_is_not_made_again() -> None:
    look = {"do": "check", "relation": "holding", "subject": "red cube"}
    after = State(refuted=True)
    assert codes(steps(look), after) == codes(Policy("it is so"), after) == [("refuted-claim", "/subtasks")]
    assert codes(steps(SEE, TAKE, look), after) == codes(Policy("g", cannot="it cannot be seen"), after) == []
    assert codes(steps(look)) == codes(Policy("it is so")) == []


def test_boxes_need_an_area() -> None:
    text = '{"goal":"g","seen":[["red cube",[10,10,5,20]]],"subtasks":[]}'
    assert codes(text) == [("bad-box", "/seen/0/1")]


def test_the_callers_reach_is_asked_for_things_at_known_places_only() -> None:
    asked: list[str] = []

    def reachable(step: PolicyStep, thing: Located) -> str:
        asked.append(step.do)
        return "behind the box"

    text = steps(SEE, {"do": "look_at", "target": "$red_cube"}, TAKE)
    _, report = check_policy(text, MANIFEST, State(known={"red cube": at(0.6, 0, 0.4)}), reachable)
    assert [(issue.code, issue.path) for issue in report.issues] == [("unreachable", "/subtasks/0/steps/2/target")]
    assert "behind the box" in report.issues[0].message
    assert check_policy(text, MANIFEST, State(), reachable)[0] is not None
    assert asked == ["grasp"]


def test_a_check_of_ones_own_is_a_function() -> None:
    def no_bin(policy: Policy, context: Context) -> Iterator[Issue]:
        """Nothing goes into the bin."""
        for step in policy.steps:
            if step.arguments.get("target") == "bin":
                yield Issue("", "no-bin", "the bin is full.")

    text = policy("g", pick("red cube"), put("red cube", "bin"))
    _, report = check_policy(text, MANIFEST, checks=(*CHECKS, no_bin))
    assert [issue.code for issue in report.issues] == ["no-bin"]


def test_a_report_is_bounded_however_much_is_wrong() -> None:
    _, report = check_policy(steps(*[TAKE] * 100), MANIFEST)
    assert 1 <= len(report.issues) <= 12


def test_a_plan_remembers_the_manifest_it_was_checked_against() -> None:
    assert plan(steps(SEE)).manifest_version == MANIFEST.version
