"""The batched forward passes are the stock model's own arithmetic."""

import numpy as np
import pytest
import torch
from transformers import Qwen2_5_VLForConditionalGeneration

from vlp.core.messages import Part, user
from vlp.models.scripted import ScriptedModel
from vlp.nano.code import GRID
from vlp.nano.sighted import SightedTurns
from vlp.nano.training import tokenizer as words
from vlp.nano.training.batched import BatchedLanguage, BatchedVision
from vlp.nano.training.model import small_config
from vlp.nano.training.packing import Packer, Turn
from vlp.nano.training.turns import every_primitive
from vlp.sim.worlds.tabletop.words import COLOURS, KINDS


@pytest.fixture(scope="module")
def tokenizer():
    corpus = [f"put the {c} {k} in the box {c}_{k}" for c in COLOURS for k in KINDS] * 20
    return words.build_tokenizer(every_primitive(), corpus, 500)


@pytest.fixture(scope="module")
def model(tokenizer):
    torch.manual_seed(0)
    return Qwen2_5_VLForConditionalGeneration(small_config(tokenizer)).eval()


def _stock_patches(pixels: torch.Tensor) -> torch.Tensor:
    """Patches in the order and layout of the stock image processor: merge blocks, then (channel, time, row, column)."""
    b, c, h, w = pixels.shape
    p, m = GRID.cell_px // 2, 2
    x = pixels.view(b, c, h // p // m, m, p, w // p // m, m, p).permute(0, 2, 5, 3, 6, 1, 4, 7)
    x = x.reshape(b, h // p * (w // p), c, 1, p * p).expand(-1, -1, -1, 2, -1)
    return x.reshape(b * (h // p) * (w // p), -1)


def test_vision_equals_stock(model):
    pixels = torch.rand(2, 3, GRID.height_px, GRID.width_px) * 2 - 1
    vision = BatchedVision(model, GRID.height_px, GRID.width_px)
    with torch.no_grad():
        ours = vision(vision.patches(pixels))
        stock = model.model.visual(_stock_patches(pixels), grid_thw=torch.tensor([[1, 18, 24]] * 2)).pooler_output
    assert ours.shape == (2, GRID.cells, 192)
    assert torch.allclose(ours.flatten(0, 1), stock, atol=1e-5)


def test_a_packed_turn_sees_the_image_and_itself_only(model, tokenizer):
    """Guards against turns that leak into each other: each must predict what it predicts alone in the stock model."""
    turns = [
        Turn("do: put the red cube in the box", "1 red_cube 2", "no"),
        Turn("ask: how many?", "nothing", "3 red_cube"),
        Turn("box: red cube", "1 red_cube 2", "", "box"),
    ]
    packer = Packer(tokenizer)
    packed = packer.batch([turns], ["sees: red cube"])
    pixels = torch.rand(1, 3, GRID.height_px, GRID.width_px) * 2 - 1
    vision, language = BatchedVision(model, GRID.height_px, GRID.width_px), BatchedLanguage(model)
    with torch.no_grad():
        image = vision(vision.patches(pixels))
        x = model.model.language_model.embed_tokens(packed.ids)
        x = torch.cat((x[:, :2], image, x[:, 2 + GRID.cells :]), 1)
        hidden = language(x, *language.rotary(packed.positions), packed.bias())
        ours = hidden @ model.lm_head.weight.T
        for number, turn in enumerate(turns, start=1):
            mine = torch.nonzero(packed.segments[0] == number).flatten()
            shared = packed.ids[0, packed.segments[0] == 0]
            ids = torch.cat((shared, packed.ids[0, mine]))[None]
            stock = model(
                input_ids=ids,
                pixel_values=_stock_patches(pixels),
                image_grid_thw=torch.tensor([[1, 18, 24]]),
                mm_token_type_ids=(ids == model.config.image_token_id).int(),
            ).logits
            assert torch.allclose(ours[0, mine], stock[0, len(shared) :], atol=1e-4), turn


def test_a_packed_turn_is_spelled_as_the_conversation_at_run_time(tokenizer):
    """Guards against a model that is trained on another conversation than it is asked in."""
    scripted = ScriptedModel(["1 red_cube 2"])
    asked = [user(np.zeros((8, 8, 3), np.uint8), "ask: how many?")]
    turns = SightedTurns(None)  # type: ignore[arg-type]
    turns.read = lambda rgb, said: "sees: 1 red_cube 2\n"  # type: ignore[method-assign]
    conversation, _ = turns.shown(asked, scripted)
    parts = [{"role": m.role, "content": [_template_part(part) for part in m.parts]} for m in conversation]
    text = tokenizer.apply_chat_template(parts, tokenize=False, add_generation_prompt=True) + "3<|end|>"
    packed = Packer(tokenizer).batch([[Turn("ask: how many?", "1 red_cube 2", "3")]], ["sees: 1 red_cube 2\n"]).without_image()
    ids = packed.ids[0][packed.segments[0] >= 0].tolist()
    assert tokenizer.decode(ids) == text.replace(words.SPECIAL.image, "")


def _template_part(part: Part) -> dict[str, str]:
    return {"type": "text", "text": part} if isinstance(part, str) else {"type": "image"}


def test_labels_are_quote_and_reply_with_their_ends(tokenizer):
    packer = Packer(tokenizer)
    asked = [("box: red cube", "1 red_cube", "[10,20,30,288]"), ("do: x", "2 red_can", ""), ("ask: x", "nothing", "yes")]
    turns = [Turn(*texts) for texts in asked]
    _, _, _, labels, weights = packer.row(turns)
    kept = labels[labels != -100]
    assert tokenizer.decode(kept.tolist()) == "1 red_cube<|end|>[10,20,30,288]<|end|>2 red_can<|end|>nothing<|end|>yes<|end|>"
    assert np.array_equal(weights > 0, labels != -100)


def test_a_turn_that_does_not_fit_is_left_out_whole(tokenizer):
    packer = Packer(tokenizer)
    _, _, segments, labels, _ = packer.row([Turn("ask: x", "", "red " * 400), Turn("ask: x", "", "yes")])
    assert set(np.unique(segments)) == {-1, 0, 2}
    assert tokenizer.decode(labels[labels != -100].tolist()) == "<|end|>yes<|end|>"
