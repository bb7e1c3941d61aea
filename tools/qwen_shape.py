"""A model folder with the widths and the vocabulary of Qwen2.5-VL-3B, a few of its layers and random weights.

    python tools/qwen_shape.py runs/qwen-shape --layers 2
    vlp bench speed P4 --base runs/qwen-shape

It knows nothing; it costs for each layer, and for each token, what the real one costs.
"""

import argparse
import json
from pathlib import Path

import torch
from qwen_tokens import CHAT_TEMPLATE, tokenizer
from transformers import PreTrainedTokenizerFast

from vlp.models.shape import build_shape, find_config


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layers", type=int, default=2, help="of the language part and of the vision tower")
    options = parser.parse_args()
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    config = json.loads(find_config("Qwen/Qwen2.5-VL-3B-Instruct").read_text())
    for part in (config, config.get("text_config") or {}):
        if "num_hidden_layers" in part:
            part["num_hidden_layers"] = options.layers
            part.pop("layer_types", None)
            part["max_window_layers"] = options.layers
    config["vision_config"]["depth"] = options.layers
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    torch.manual_seed(0)
    model = build_shape(folder / "config.json", "cpu", torch.bfloat16)
    model.save_pretrained(folder, max_shard_size="4GB")
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer(), eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=CHAT_TEMPLATE
    )
    fast.save_pretrained(folder)
    processor = {
        "image_processor_type": "Qwen2VLImageProcessor", "patch_size": 14, "merge_size": 2, "temporal_patch_size": 2,
        "size": {"shortest_edge": 3136, "longest_edge": 12_845_056},
        "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
        "resample": 3, "do_resize": True, "do_rescale": True, "do_normalize": True, "do_convert_rgb": True,
        "rescale_factor": 1 / 255,
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(processor, indent=1) + "\n")
    print(f"written to {folder}: {sum(p.numel() for p in model.parameters()):,} parameters")


if __name__ == "__main__":
    main()
