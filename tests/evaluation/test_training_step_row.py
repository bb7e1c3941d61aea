"""Row P8 on a small batch: both arms find the same loss, and one without adapters inside its layers keeps more."""

from pathlib import Path

import pytest

from vlp.core.timing import NotTheSame
from vlp.evaluation.speed import training_step
from vlp.evaluation.speed.rows import ROWS, Effort
from vlp.training.step_speed import StepShape


@pytest.mark.long
def test_time_and_memory_of_a_step_are_told_with_both_arms(tmp_path: Path) -> None:
    assert ROWS["P8"].entry == "training_step:lora_step"
    shape = StepShape(examples=2, text_tokens=200, policy_tokens=60)
    time, memory = training_step.lora_step(Effort(1, "nano-base", tmp_path), shape, ["vision+decoder"])
    assert (time.row, time.at_least, memory.at_most) == ("P8", 1.5, 0.6)
    assert time.value.median == pytest.approx(time.more["stock_s"][0] / time.more["ours_s"][0])
    assert 0 < memory.more["ours_bytes"][0] < memory.more["stock_bytes"][0]
    assert "TRL's SFTTrainer" in time.compared and "losses differ by" in time.compared


def test_other_losses_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grown = {"ours": (1, 2.0), "stock": (2, 2.01)}
    monkeypatch.setattr(training_step, "step_growth", lambda arm, *_: grown[arm])
    with pytest.raises(NotTheSame, match="decoder: the losses differ by 1"):
        training_step.lora_step(Effort(1, "nano-base", tmp_path), StepShape(1, 4, 4, 48, 48), ["decoder"])
