"""Training nano goes on where it was killed, with each step once on its curve, and the same weights as its checkpoint."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import Qwen2_5_VLForConditionalGeneration

from vlp.cli.main import main
from vlp.models.catalogue import find_folder
from vlp.models.folder import check_folder
from vlp.nano.code import GRID
from vlp.nano.training import tokenizer as words
from vlp.nano.training.data import LabelledScene
from vlp.nano.training.frames import ImaginedScenes
from vlp.nano.training.model import small_config, wire
from vlp.nano.training.pretrain import Stage, Trainer, join, run_stage
from vlp.nano.training.turns import TurnSource, every_primitive
from vlp.sim.worlds.tabletop.words import COLOURS, KINDS
from vlp.training.curve import add_row, read_curve


def trainer() -> Trainer:
    corpus = [f"put the {c} {k} in the box {c}_{k}" for c in COLOURS for k in KINDS] * 20
    tokenizer = words.build_tokenizer(every_primitive(), corpus, 500)
    torch.manual_seed(0)
    config = small_config(tokenizer)
    config.text_config.num_hidden_layers, config.vision_config.depth = 2, 2  # every kind of layer is there once
    config.vision_config.fullatt_block_indexes = [1]
    model = Qwen2_5_VLForConditionalGeneration(config)
    wire(model, tokenizer)
    return Trainer(model, tokenizer)


class FakeFrames(ImaginedScenes):
    """Imagined scenes under pictures of noise."""

    def augmented(self, indices: np.ndarray, rng: np.random.Generator) -> tuple[torch.Tensor, list[LabelledScene]]:
        pixels = torch.from_numpy(rng.uniform(-1, 1, (len(indices), 3, GRID.height_px, GRID.width_px)).astype(np.float32))
        return pixels, [self.scene(int(index)) for index in indices]


def learn(out: Path, steps: int, name: str = "language") -> Trainer:
    made = trainer()
    stage, often = Stage(steps, 2, 1e-3, 3e-3), {"save_every_s": 0.0, "evaluate_every": 2, "tell_every": 1}
    run_stage(name, made, FakeFrames(), TurnSource(count=3), out, stage, compiled=False, **often)
    return made


@pytest.mark.long
def test_the_stages_meet_in_one_model(tmp_path: Path) -> None:
    vision, language, both = learn(tmp_path, 1, "vision"), learn(tmp_path, 1), trainer()
    join(both, tmp_path)
    made = both.model.state_dict()
    for part, learned in (("visual.blocks", vision), ("language_model", language)):
        weights = {name: value for name, value in learned.model.state_dict().items() if part in name}
        assert weights and all(torch.equal(made[name], value) for name, value in weights.items()), part


def test_taken_up_each_step_is_on_the_curve_once(tmp_path: Path) -> None:
    # Rows written after the last checkpoint stayed on the curve when a run was taken up, and the steps came twice.
    learn(tmp_path, 1)
    add_row(tmp_path / "language.jsonl", {"step": 2, "loss": 9.0})  # told, but killed before it was saved
    learn(tmp_path, 2)
    rows = read_curve(tmp_path / "language.jsonl")
    assert [row["step"] for row in rows] == [1, 2]
    assert all(row["loss"] != 9.0 for row in rows)
    assert (tmp_path / "language.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_that_has_ended_is_its_checkpoint(tmp_path: Path) -> None:
    learn(tmp_path, 1)
    again = learn(tmp_path, 1)
    saved = load_file(tmp_path / "language.safetensors")
    weights = {f"model.{name}": value for name, value in again.model.state_dict().items() if "language_model" in name}
    assert weights and all(torch.equal(saved[name], value) for name, value in weights.items())


def test_a_folder_holds_one_kind_of_nano(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # `--no-policies` took up a nano's weights, and exported as nano-base what had seen policies.
    out = ["--out", str(tmp_path / "run"), "--stage", "export"]
    assert main(["train", "nano", *out]) == 2
    assert "has no vision stage to export" in capsys.readouterr().err
    assert main(["train", "nano", *out, "--no-policies"]) == 2
    assert "is a training of vlp-nano, not of vlp-nano-base" in capsys.readouterr().err


def test_going_on_from_a_model_begins_with_its_weights(tmp_path: Path) -> None:
    """With no stage run, what is exported is the model that was begun with: to the bit, name and wording included."""
    assert main(["train", "nano", "--start", "nano-base", "--no-policies", "--stage", "export", "--out", str(tmp_path)]) == 0
    shipped, made = check_folder(find_folder("nano-base")), check_folder(tmp_path / "model")
    before, after = (load_file(folder.path / "model.safetensors") for folder in (shipped, made))
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    assert (made.name, made.profile) == (shipped.name, shipped.profile)
