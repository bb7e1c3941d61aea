"""A tiny Qwen2.5-VL folder with random weights and a tokenizer of its own, with the layout of the embedded model."""

import json
from pathlib import Path
from typing import Any

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ c['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = [
    "<|pad|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
STRUCTURAL = [
    '{"goal":"', '","subtasks":[', '{"name":"', '","steps":[', '{"do":"locate","object":"', '","as":"', '"}',
    '{"do":"grasp","target":"$', '{"do":"lift","height_m":', '{"do":"place","target":"$', '","relation":"',
    '{"do":"check","relation":"', '","subject":"', '","object":"', "]}", "]}]}", '","cannot":"',
    ',{"do":"lift","height_m":',
    '{"do":"place","target":"bin","relation":"in"}', "},", '"},',
]  # fmt: skip
WORDS = ["red", "green", "cube", "bowl", "put", "pick", "up", "the", "in", "it", "blue", "ball", "bin", "table", "is"]


def toy_tokenizer() -> Any:
    """Return a byte-level fast tokenizer with structural added tokens that are ordinary text."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {piece: i for i, piece in enumerate(SPECIAL + letters)}
    merges: list[tuple[str, str]] = []
    for word in WORDS:
        for end in range(2, len(word) + 1):
            pair = (word[: end - 1], word[end - 1])
            if word[:end] not in vocab:
                vocab[word[:end]] = len(vocab)
                merges.append(pair)
    backend = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"[a-z]+|[0-9]|\s|[^a-z0-9\s]"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL])
    backend.add_tokens([AddedToken(t, special=False, normalized=False) for t in STRUCTURAL])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|im_end|>", pad_token="<|pad|>", chat_template=TEMPLATE,
        extra_special_tokens=SPECIAL[1:],
    )  # fmt: skip


def toy_config(tokenizer: Any, text_width: int = 48, vision_width: int = 32) -> Any:
    """Return the configuration of a tiny model with the layout of the embedded one."""
    from transformers import Qwen2_5_VLConfig

    def token(name: str) -> int:
        return tokenizer.convert_tokens_to_ids(name)

    return Qwen2_5_VLConfig(
        architectures=["Qwen2_5_VLForConditionalGeneration"],
        text_config={
            "vocab_size": len(tokenizer), "hidden_size": text_width, "intermediate_size": 2 * text_width,
            "num_hidden_layers": 2, "num_attention_heads": 3, "num_key_value_heads": 1, "max_position_embeddings": 4096,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]},
            "tie_word_embeddings": True, "bos_token_id": None, "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        vision_config={
            "depth": 2, "hidden_size": vision_width, "intermediate_size": 2 * vision_width, "num_heads": 2,
            "out_hidden_size": text_width, "patch_size": 12, "spatial_merge_size": 2, "temporal_patch_size": 2,
            "window_size": 96, "fullatt_block_indexes": [1],
        },
        tie_word_embeddings=True,
        image_token_id=token("<|image_pad|>"), video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"), vision_end_token_id=token("<|vision_end|>"),
    )  # fmt: skip


def write_toy_model(folder: Path, seed: int = 0) -> Path:
    """Write a folder of random weights, tokenizer, chat template and image processor, and return it."""
    import torch
    from transformers import Qwen2_5_VLForConditionalGeneration
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    tokenizer = toy_tokenizer()
    torch.manual_seed(seed)
    model = Qwen2_5_VLForConditionalGeneration(toy_config(tokenizer)).eval()
    with torch.no_grad():  # spread the outputs: near-ties would be decided by rounding
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(6.0)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    Qwen2VLImageProcessorPil(
        patch_size=12, merge_size=2, temporal_patch_size=2, size={"shortest_edge": 50_000, "longest_edge": 65_000}
    ).save_pretrained(folder)
    (folder / "vlp.json").write_text(json.dumps({"format": 1, "prompt": "brief", "name": "toy"}))
    return folder
