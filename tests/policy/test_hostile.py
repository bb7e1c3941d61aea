"""Hostile policies that keep the language's form are refused by the limits of the robot; safe ones are not."""

from vlp.evaluation.stress.hostile import attack
from vlp.policy.checks import effects, known_names, types


def test_no_hostile_policy_that_breaches_a_limit_is_accepted_and_safe_ones_are() -> None:
    """Against: a speed, a force or a place beyond what the manifest declares, accepted because the form was right."""
    told = attack(600, seed=3)
    assert told["faults"] == [] and told["safe_refused"] == 0
    assert told["verdicts"]["accepted"] > 100 and told["verdicts"]["out-of-workspace"] > 10
    assert told["verdicts"]["out-of-bounds"] > 50


def test_a_check_that_forgets_the_limits_is_found_out() -> None:
    """A stress that cannot fail shows nothing."""
    assert attack(300, seed=3, checks=(known_names, types, effects))["breaches"] > 0
    assert attack(600, seed=3, checks=())["breaches"] > attack(600, seed=3, checks=(known_names, types, effects))["breaches"]
