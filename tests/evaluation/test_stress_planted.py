"""Faults planted in models, adapters and samples are named before anything is loaded."""

import pytest

pytest.importorskip("torch")

from vlp.evaluation.stress import planted


def test_every_planted_fault_is_named_in_one_line() -> None:
    """Against: a template that never ends was found only after the weights had been loaded."""
    told = planted.plant(120, 3)
    assert told["faults"] == [] and sum(told["counts"].values()) == 120


def test_the_stress_finds_a_check_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vlp.models.loading.check_template", lambda *_: None)
    few = {"model": {"a bomb for a template": planted._template}, "adapter": {"a pickle": planted._pickle}}
    monkeypatch.setattr(planted, "FAULTS", few)
    assert any("a bomb for a template: loaded" in fault for fault in planted.plant(12, 0)["faults"])
