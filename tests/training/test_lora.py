"""What an adapter trains, pinned on the published 3B configuration, without weights."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from vlp.cli.main import main
from vlp.core.errors import UsageError
from vlp.models.shape import build_shape, find_config
from vlp.training.outlook import describe

PUBLISHED = "Qwen/Qwen2.5-VL-3B-Instruct"
PARAMETERS = 3_754_622_976
DECODER = [
    f"model.language_model.layers.{layer}.{name}"
    for layer in range(36)
    for name in (
        "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
        "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj",
    )
]  # fmt: skip
VISION = [
    f"model.visual.blocks.{block}.{name}"
    for block in range(26, 32)
    for name in ("attn.qkv", "attn.proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
]
DECODER_WIDTHS = 2 * (2048 + 2048) + 2 * (2048 + 256) + 3 * (2048 + 11008)
VISION_WIDTHS = (1280 + 3 * 1280) + (1280 + 1280) + 3 * (1280 + 3420)


def test_the_published_configuration_has_the_published_size() -> None:
    assert sum(p.numel() for p in build_shape(find_config(PUBLISHED)).parameters()) == PARAMETERS


def test_decoder_trains_every_linear_layer_of_the_3b_decoder_and_nothing_else() -> None:
    found = describe(PUBLISHED, "decoder")
    assert found["modules"] == DECODER
    assert set(found["ranks"].values()) == {16}
    assert found["trainable_parameters"] == 36 * 16 * DECODER_WIDTHS == 29_933_568


def test_vision_and_decoder_adds_rank_8_on_the_last_six_blocks_of_the_3b_tower() -> None:
    found = describe(PUBLISHED, "vision+decoder")
    assert found["modules"] == VISION + DECODER
    assert {name for name, rank in found["ranks"].items() if rank == 8} == set(VISION)
    assert {name for name, rank in found["ranks"].items() if rank == 16} == set(DECODER)
    assert found["trainable_parameters"] == 36 * 16 * DECODER_WIDTHS + 6 * 8 * VISION_WIDTHS == 30_979_008


def test_full_trains_all_parameters_of_the_3b_model() -> None:
    assert describe(PUBLISHED, "full")["trainable_parameters"] == PARAMETERS


def test_names_follow_the_model_and_a_tower_of_fewer_than_six_blocks_is_adapted_whole(base: Path) -> None:
    found = describe(str(base), "vision+decoder")
    blocks = {name.split(".")[3] for name in found["modules"] if "visual" in name}
    assert blocks == {"0", "1"}
    assert sum("language_model" in name for name in found["modules"]) == 2 * 7


def test_dry_run_needs_only_a_configuration(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.json").write_bytes((base / "config.json").read_bytes())
    words = ["train", "sft", "--base", str(tmp_path), "--adapter", "vision+decoder", "--dry-run"]
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["modules"]) == 2 * 7 + 2 * 5 and found["trainable_parameters"] > 0
    assert main(words) == 0
    assert "model.visual.blocks.1.attn.qkv  r=8" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rate", "nan"], "--rate nan is out of bounds"),
        (["--batch", "0"], "--batch 0 is too small"),
        (["--precision", "bf16"], "unknown precision 'bf16'"),
        (["--words", "some"], "unknown answer to --words 'some'"),
    ],
)
def test_a_dry_run_refuses_what_a_run_would(base: Path, capsys: Any, words: list[str], said: str) -> None:
    # A dry run passed over wrong options with exit status 0.
    assert main(["train", "sft", "--base", str(base), "--dry-run", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_dry_run_says_samples_steps_and_memory(base: Path, samples: Path, tmp_path: Path, capsys: Any) -> None:
    """Against: a dry run that told which modules are trained and nothing of how long and in how much memory."""
    words = ["train", "sft", "--base", str(base), "--data", str(samples), "--epochs", "2", "--batch", "5", "--dry-run"]
    assert main([*words, "--rehearse", "0"]) == 0
    said = capsys.readouterr().out
    assert "24 samples, 2 epochs, 5 a step: 10 steps." in said
    assert re.search(r"about [0-9.]+ GiB on cpu for examples of 512 tokens; [0-9.]+ GiB are free", said)
    assert main([*words, "--samples", "1", "--rehearse", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["samples"], found["examples"], found["steps"], found["epochs"]) == (1, 2, 2, 2)
    assert found["memory_bytes"] > 0 and found["free_bytes"] > 0
    assert main([*words[:5], str(tmp_path / "none"), *words[6:]]) == 0
    assert "no samples at" in capsys.readouterr().out


def test_an_unknown_adapter_is_named_with_the_closest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'decoder'"):
        describe(PUBLISHED, "decodr")
