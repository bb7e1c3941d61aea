"""`vlp policy ...` on good files."""

import json
import math

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


def test_a_simulated_robots_manifest_is_that_of_the_world_it_stands_in(vlp):
    known = {
        world: json.loads(vlp("robot", "manifest", "--robot", "hsr", *world, "--json").out)["primitives"]
        for world in ((), ("--world", "home"))
    }
    assert {"press", "open", "read", "handover"} <= set(known["--world", "home"]) - set(known[()])


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


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m["primitives"]["push"].update(timeout_s=-5), "timeout_s is -5.0; it must be finite and above 0"),
        (lambda m: m["primitives"]["push"].update(timeout_s=math.inf), "timeout_s is inf: expected a finite number"),
        (lambda m: m["limits"].update(payload_kg=math.nan), "payload_kg is nan: expected a finite number"),
        (lambda m: m["primitives"]["push"].update(makes=["not not moved"]), "says 'not' twice"),
        (lambda m: m["primitives"]["push"].update(speed=1), "'speed' is unknown"),
        (lambda m: m["primitives"]["push"].pop("doc"), "'doc' is missing"),
        (lambda m: m["primitives"].update(push=[1]), "expected an object with other fields"),
        (lambda m: m.update(places=7), "expected an object with other fields"),
        (lambda m: m["primitives"]["push"].update(doc={}), "primitives.push.doc is {}: input should be a valid string"),
    ],
)
def test_a_manifest_file_that_the_robots_check_refuses_is_refused(vlp, policy_file, tmp_path, change, said):
    """Policies were checked against a manifest that no robot may have; or the person was shown Python's own words."""
    manifest = tmp_path / "mine.json"
    data = json.loads(vlp("robot", "manifest", "--robot", "hsr", "--json").out)
    change(data)
    manifest.write_text(json.dumps(data))
    vlp("policy", "check", policy_file, "--robot", manifest).refused(2, "not a robot's manifest", said)


def test_a_policy_that_starts_with_a_full_hand_fails_the_check(vlp, tmp_path):
    file = tmp_path / "place.json"
    steps = [{"do": "place", "target": "table", "relation": "on"}]
    file.write_text(json.dumps({"goal": "it is on the table", "subtasks": [{"name": "put it down", "steps": steps}]}))
    vlp("policy", "check", file).refused(1, "hand is empty")
