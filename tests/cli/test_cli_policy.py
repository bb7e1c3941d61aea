"""`vlp policy ...` on good files."""

import json

import pytest
from cli_kit import GOOD


def test_a_good_policy_passes(vlp, policy_file):
    told = vlp("policy", "check", policy_file)
    assert (told.status, told.err) == (0, "") and "6 steps" in told.out
    assert json.loads(vlp("policy", "check", policy_file, "--json").out)["ok"] is True


def test_show_prints_goal_and_steps(vlp, policy_file):
    told = vlp("policy", "show", policy_file)
    assert told.status == 0 and told.out.startswith(GOOD["goal"]) and "2.2 place $green_bowl relation=in" in told.out


def test_diff_tells_what_is_kept_and_what_is_not(vlp, policy_file, tmp_path):
    other = tmp_path / "other.json"
    other.write_text(json.dumps(GOOD).replace("green", "blue"))
    told = vlp("policy", "diff", policy_file, other, "--done", "1.1", "1.2")
    assert told.status == 0
    assert "=     1.2 grasp $red_cube" in told.out and "+     2.1 locate blue bowl -> $blue_bowl" in told.out
    vlp("policy", "diff", policy_file, other, "--done", "7.1").refused(2, "unknown step '7.1'")


@pytest.mark.parametrize("target", ["python", "btxml", "pytrees", "mermaid"])
def test_convert_writes_each_target(vlp, policy_file, target):
    told = vlp("policy", "convert", policy_file, "--to", target)
    assert told.status == 0 and "green_bowl" in told.out


def test_the_schema_is_that_of_the_robot(vlp):
    told = vlp("policy", "schema", "--robot", "hsr")
    assert told.status == 0 and '"const": "push"' in json.dumps(json.loads(told.out))


def test_a_manifest_file_stands_for_its_robot(vlp, policy_file, tmp_path):
    manifest = tmp_path / "mine.json"
    manifest.write_text(vlp("robot", "manifest", "--robot", "hsr", "--json").out)
    assert vlp("policy", "check", policy_file, "--robot", manifest).status == 0
    manifest.write_text("[]")
    vlp("policy", "check", policy_file, "--robot", manifest).refused(2, "not a robot's manifest")


def test_a_policy_that_starts_with_a_full_hand_fails_the_check(vlp, tmp_path):
    file = tmp_path / "place.json"
    steps = [{"do": "place", "target": "table", "relation": "on"}]
    file.write_text(json.dumps({"goal": "it is on the table", "subtasks": [{"name": "put it down", "steps": steps}]}))
    vlp("policy", "check", file).refused(1, "hand is empty")
