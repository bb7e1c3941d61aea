"""The step's bench on small shapes: same loss as TRL's trainer, from weights or from a configuration alone."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from vlp.cli.main import main
from vlp.models.shape import build_shape, find_config
from vlp.training.recipe import Recipe
from vlp.training.step_speed import StepShape, measure_steps

SMALL = StepShape(examples=2, text_tokens=6, policy_tokens=5, width_px=48, height_px=48)


@pytest.mark.parametrize("adapter", ["decoder", "vision+decoder", "full"])
def test_both_trainers_find_the_same_loss(base: Path, adapter: str) -> None:
    found = measure_steps(str(base), Recipe(adapter=adapter), SMALL, steps=2, device="cpu")
    assert len(found.ours_s) == len(found.stock_s) == 2
    assert found.loss_difference < 1e-3


def test_a_configuration_is_enough(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.json").write_bytes((base / "config.json").read_bytes())
    words = ["--base", str(tmp_path), "--random-weights", "--steps", "1", "--examples", "1", "--device", "cpu"]
    words += ["--text-tokens", "6", "--policy-tokens", "5", "--width-px", "48", "--height-px", "48"]
    status = main(["bench", "step", *words, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["loss_difference"] < 1e-3 and status == 0
    assert main(["bench", "step", *words]) == 0  # failed where a busy machine made ours 0.2 % slower
    assert "times as fast" in capsys.readouterr().out


def test_a_model_is_measured_from_its_configuration(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.json").write_bytes((base / "config.json").read_bytes())
    words = ["--base", str(tmp_path), "--random-weights", "--steps", "1", "--examples", "1", "--device", "cpu"]
    words += ["--text-tokens", "6", "--policy-tokens", "5", "--width-px", "48", "--height-px", "48"]
    assert main(["bench", "model", *words, "--trace", str(tmp_path / "trace.json"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["steps"]) == {"decoder", "vision+decoder"}
    assert told["prefill_s"] > 0 and told["tokens_per_s"] > 0
    assert 0 < sum(share for _, _, share in told["hottest"]) <= 1
    assert json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert main(["bench", "model", *words]) == 0
    assert "tokens a second" in capsys.readouterr().out


def test_what_is_timed_is_what_the_model_writes(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The timed loop must write the tokens that the stock `generate` writes, or it times something else."""
    from vlp.training.model_speed import _Writer

    made = build_shape(find_config(str(base)), "cpu", torch.float32).eval()
    writer, found = _Writer(made, SMALL, torch.device("cpu")), list[int]()
    step = writer._next

    def kept(*given: Any) -> torch.Tensor:
        found.append(int(token := step(*given)))
        return token

    monkeypatch.setattr(writer, "_next", kept)
    writer.write(4)
    prompt = {name: value for name, value in writer.batch.items() if name != "labels"}
    with torch.no_grad():
        stock = made.generate(**prompt, max_new_tokens=4, min_new_tokens=4, do_sample=False)
    assert found == stock[0, prompt["input_ids"].shape[1] :].tolist()


def test_random_weights_keep_what_positions_need(base: Path) -> None:
    made = build_shape(find_config(str(base)), "cpu", torch.float32)
    frequencies = made.model.language_model.rotary_emb.inv_freq
    assert frequencies[0] == 1 and (frequencies.diff() < 0).all()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["step", "--steps", "0"], "--steps 0 is too small"),
        (["model", "--width-px", "0"], "--width-px 0 is too small"),
        (["model", "--recompute", "maybe"], "unknown answer to --recompute 'maybe'"),
        (["model", "--precision", "int4"], "unknown precision 'int4'"),
    ],
)
def test_bad_words_are_one_line(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert main(["bench", *words]) == 2
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error
