"""Training nano goes on where it was killed, with each step once on its curve, and the same weights as its checkpoint."""

from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import Qwen2_5_VLForConditionalGeneration

from vlp.core.vocabulary import COLOURS, KINDS
from vlp.training import nano_tokenizer as words
from vlp.training.curve import add_row, read_curve
from vlp.training.nano_data import TurnSource, nano_manifest
from vlp.training.nano_frames import ImaginedScenes
from vlp.training.nano_model import nano_config, wire
from vlp.training.pretrain import Stage, Trainer, run_stage


def trainer() -> Trainer:
    corpus = [f"put the {c} {k} in the box {c}_{k}" for c in COLOURS for k in KINDS] * 20
    tokenizer = words.build_tokenizer(nano_manifest(), corpus, 500)
    torch.manual_seed(0)
    model = Qwen2_5_VLForConditionalGeneration(nano_config(tokenizer))
    wire(model, tokenizer)
    return Trainer(model, tokenizer)


def learn(out: Path, steps: int) -> Trainer:
    made = trainer()
    stage, often = Stage(steps, 2, 1e-3, 3e-3), {"save_every_s": 0.0, "evaluate_every": 2, "tell_every": 1}
    run_stage("language", made, ImaginedScenes(), TurnSource(count=3), out, stage, compiled=False, **often)
    return made


def test_taken_up_each_step_is_on_the_curve_once(tmp_path: Path) -> None:
    # Rows written after the last checkpoint stayed on the curve when a run was taken up, and the steps came twice.
    learn(tmp_path, 2)
    add_row(tmp_path / "language.jsonl", {"step": 3, "loss": 9.0})  # told, but killed before it was saved
    learn(tmp_path, 4)
    rows = read_curve(tmp_path / "language.jsonl")
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert all(row["loss"] != 9.0 for row in rows)
    assert (tmp_path / "language.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_that_has_ended_is_its_checkpoint(tmp_path: Path) -> None:
    learn(tmp_path, 2)
    again = learn(tmp_path, 2)
    saved = load_file(tmp_path / "language.safetensors")
    weights = {f"model.{name}": value for name, value in again.model.state_dict().items() if "language_model" in name}
    assert weights and all(torch.equal(saved[name], value) for name, value in weights.items())
