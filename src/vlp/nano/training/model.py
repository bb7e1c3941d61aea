"""The shape of vlp-nano: the stock Qwen2.5-VL class, small enough for two CPU cores."""

import hashlib
import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, cast

import torch
from transformers import PreTrainedTokenizerFast, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from vlp.nano.code import GRID
from vlp.nano.training.tokenizer import SPECIAL
from vlp.primitives.manifest import Manifest
from vlp.sim.worlds.tabletop.words import COLOURS, KINDS
from vlp.training.checkpoint import save_model


def small_config(tokenizer: PreTrainedTokenizerFast) -> Qwen2_5_VLConfig:
    """Return the configuration for a tokenizer: about 5 million parameters.

    Windows of 108 pixels tile the 432 x 324 image, so that every attention window has the same size and training can
    batch them. Attention heads of 32 channels: mrope sections of 4 (time), 6 (row) and 6 (column) fill half a head.
    """
    token: Any = tokenizer.convert_tokens_to_ids
    width = 192
    return Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": width,
            "intermediate_size": 3 * width,
            "num_hidden_layers": 6,
            "num_attention_heads": width // 32,
            "num_key_value_heads": 2,
            "tie_word_embeddings": True,
            "bos_token_id": None,
            "eos_token_id": token(SPECIAL.end),
            "pad_token_id": token(SPECIAL.pad),
            "max_position_embeddings": 4096,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 6, 6]},
        },
        vision_config={
            "depth": 5,
            "hidden_size": 160,
            "intermediate_size": 480,
            "num_heads": 5,
            "patch_size": GRID.patch_px,
            "spatial_merge_size": 2,
            "window_size": 3 * GRID.cell_px,
            "fullatt_block_indexes": [1, 3, 4],
            "out_hidden_size": width,
            "temporal_patch_size": 2,
        },
        image_token_id=token(SPECIAL.image),
        video_token_id=token(SPECIAL.video),
        vision_start_token_id=token(SPECIAL.vision_start),
        vision_end_token_id=token(SPECIAL.vision_end),
        tie_word_embeddings=True,
    )


def save_folder(
    model: Qwen2_5_VLForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    name: str,
    profile: str,
    robot: Manifest | None = None,
    drafts: Sequence[str] = (),
) -> None:
    """Write a Hugging Face folder: config, weights, tokenizer, chat template, processor and the recorded hash.

    Args:
        model: the trained model; saved in half precision (bfloat16).
        tokenizer: its tokenizer.
        folder: made when missing.
        name, profile: the model's name and the wording of its prompts, for `vlp.json`.
        robot: the robot whose policies it was trained on; None for none.
        drafts: texts such as it often writes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {n: p.detach().clone() for n, p in model.state_dict().items()}
    module: Any = model
    save_model(module.to(torch.bfloat16), folder)
    module.to(torch.float32).load_state_dict(weights)
    tokenizer.save_pretrained(folder)
    # 640 x 480 becomes 432 x 324 = 139,968 pixels; a little above, so that rounding never takes a row of cells away.
    processor = {
        "image_processor_type": "Qwen2VLImageProcessor",
        "patch_size": GRID.patch_px,
        "merge_size": 2,
        "temporal_patch_size": 2,
        "size": {"shortest_edge": 115_000, "longest_edge": 146_000},
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "resample": 3,
        "do_resize": True,
        "do_rescale": True,
        "do_normalize": True,
        "do_convert_rgb": True,
        "rescale_factor": 1 / 255,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor, indent=1) + "\n")
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    record: dict[str, Any] = {"format": 1, "name": name, "prompt": profile, "turns": "sight"}
    record["sha256"] = {"model.safetensors": digest}
    if robot is not None:
        record["robot"] = {"primitives": list(robot.primitives), "places": list(robot.places)}
    record["drafts"] = list(drafts)
    (folder / "vlp.json").write_text(json.dumps(record, indent=1) + "\n")


@torch.no_grad()
def wire(model: Qwen2_5_VLForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, seed: int = 0) -> None:
    """Set names and some attention heads of a new model to where every reply has to look anyway.

    The names "red cube" and "red_cube" begin as the sum of "red" and "cube", the second with a sign of its own: it is how the
    scene text spells what is there.

    In each of the first four layers the first group of heads attends to tokens like its own: queries and keys are one
    projection, kept to the slow half of the rotary channels, which hardly turn within a prompt. In the first two layers the
    second group looks one, two and three tokens back by its biases alone. After Trockman and Kolter, "Mimetic Initialization
    of Self-Attention Layers" (2023). From random weights the lookup of a name in the scene text is learned far more slowly.

    Args:
        model: changed in place.
        tokenizer: its tokenizer.
        seed: of the projections.
    """
    language: Any = model.model.language_model
    embedding, token = language.embed_tokens.weight, cast(Any, tokenizer.convert_tokens_to_ids)
    sign = 0.02 * torch.randn(embedding.shape[1], generator=torch.Generator().manual_seed(seed))
    for colour, kind in product(COLOURS, KINDS):
        both = embedding[token(colour)] + embedding[token(kind)]
        embedding[token(f"{colour} {kind}")] = both
        embedding[token(f"{colour}_{kind}")] = both + sign
    config = language.config
    groups, size = config.num_key_value_heads, config.hidden_size // config.num_attention_heads
    shared, half = config.num_attention_heads // groups, size // 2
    speed = config.rope_parameters["rope_theta"] ** (-torch.arange(half) / half)
    slow = [i + part for part in (0, half) for i in range(half) if speed[i] < 0.03]  # radians a token
    draw = torch.Generator().manual_seed(seed)
    for depth, layer in enumerate(language.layers[:4]):
        attention = layer.self_attn
        basis = torch.linalg.qr(torch.randn(config.hidden_size, len(slow), generator=draw))[0].T * 2.0
        attention.k_proj.weight[:size] = 0
        attention.k_proj.weight[slow] = basis
        for head in range(shared):
            rows = attention.q_proj.weight[head * size : (head + 1) * size]
            rows.zero_()
            rows[slow] = basis
        if depth < 2:
            _look_back(attention, speed, range(shared, 2 * shared), size)


def _look_back(attention: Any, speed: torch.Tensor, heads: range, size: int) -> None:
    """Let the i-th of these heads, all of the second group, look i + 1 tokens back: a wave of all channels peaks there."""
    half, bias = size // 2, 2.0
    attention.k_proj.weight[size : 2 * size] *= 0.1
    attention.k_proj.bias[size : size + half] = bias
    attention.k_proj.bias[size + half : 2 * size] = 0
    for back, head in enumerate(heads, 1):
        attention.q_proj.weight[head * size : (head + 1) * size] *= 0.1
        angle = -speed * back
        attention.q_proj.bias[head * size : head * size + half] = bias * torch.cos(angle)
        attention.q_proj.bias[head * size + half : (head + 1) * size] = bias * torch.sin(angle)
