"""The tokenizer of vlp-nano: whole pieces of the policy language, whole names, words and numbers, and bytes for the rest.

Constant pieces of the JSON are one token each ("structural tokens"); they follow from the manifest, so a policy of one put
takes about 50 tokens instead of 250. "red cube" and "red_cube" are one token each: to find the thing that is spoken of in the
scene text is then to find the same token. A space is a token of its own, so that a word is spelled alike at the beginning and
in the middle of a text, and copying is learned in a minute.
"""

from collections.abc import Iterable
from typing import NamedTuple

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from vlp.primitives.manifest import Argument, Manifest, Primitive
from vlp.sim.worlds.tabletop.words import COLOURS, KINDS


class SpecialTokens(NamedTuple):
    """The tokens that stand for no text, in the order of their ids."""

    pad: str = "<|pad|>"
    end: str = "<|end|>"
    system: str = "<|system|>"
    user: str = "<|user|>"
    assistant: str = "<|assistant|>"
    vision_start: str = "<|vision_start|>"
    vision_end: str = "<|vision_end|>"
    image: str = "<|image_pad|>"
    video: str = "<|video_pad|>"


SPECIAL = SpecialTokens()


def structural_tokens(manifest: Manifest) -> list[str]:
    """Return the constant pieces of compact policies over a robot's primitives, derived from their declarations."""
    pieces = ['{"goal":"', '","cannot":"', '","subtasks":[]}', '","subtasks":[{"name":"', ']},{"name":"', "]}]}", '"}', "}"]
    for primitive in manifest.primitives.values():
        pieces += _pieces(primitive)
    return list(dict.fromkeys(pieces))


def _pieces(primitive: Primitive) -> list[str]:
    if not primitive.arguments:
        starts = [f'{{"do":"{primitive.name}"']
    else:
        head = f'{{"do":"{primitive.name}",'
        starts = [head + opening for opening in _openings(primitive.arguments[0])]
    pieces = [prefix + start for start in starts for prefix in ('","steps":[', ",")]
    for i, before in enumerate(primitive.arguments):
        quote = "" if before.type == "number" else '"'
        for after in primitive.arguments[i + 1 :]:
            pieces += [f"{quote},{opening}" for opening in _openings(after)]
        if primitive.result:
            pieces.append(f'{quote},"as":"')
    return pieces


def _openings(argument: Argument) -> list[str]:
    if argument.type == "number":
        return [f'"{argument.name}":']
    plain, reference = f'"{argument.name}":"', f'"{argument.name}":"$'
    return {"reference": [reference], "target": [plain, reference]}.get(argument.type, [plain])


def build_tokenizer(manifest: Manifest, corpus: Iterable[str], vocabulary_size: int) -> PreTrainedTokenizerFast:
    """Return a tokenizer trained on texts.

    Args:
        manifest: gives the structural tokens.
        corpus: instructions, questions, answers and policies.
        vocabulary_size: of the byte-pair part; special, structural and number tokens come on top.
    """
    names = [f"{colour}{gap}{kind}" for gap in " _" for colour in COLOURS for kind in KINDS]
    scene = ("sees: ", "; ")  # constant pieces of `vlp.nano.scene`
    added = [*scene, *names, *structural_tokens(manifest), *(str(n) for n in range(100))]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex("[ \n\"\\[\\],.?!_$:;'()]"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )  # type: ignore[assignment]
    tokenizer.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        min_frequency=4,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    cut = sorted((p for p in added if not p.isalnum()), key=len, reverse=True)
    words = [*COLOURS, *KINDS] * 10
    tokenizer.train_from_iterator([*words, *(_without(text, cut) for text in corpus)], trainer)
    tokenizer.add_tokens([AddedToken(piece, normalized=False) for piece in added])
    split = [word for word in (*COLOURS, *KINDS) if len(tokenizer.encode(word).ids) != 1]
    if split:
        raise ValueError(f"the corpus is too small: {split} are not one token each")
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=SPECIAL.pad,
        eos_token=SPECIAL.end,
        additional_special_tokens=list(SPECIAL[2:]),
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = (
        "{% for message in messages %}<|{{ message.role }}|>"
        "{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}"
        "{% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}"
        "{% endfor %}{% endif %}{% if message.role == 'assistant' %}<|end|>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    return fast


def _without(text: str, pieces: list[str]) -> str:
    for piece in pieces:
        text = text.replace(piece, " ")
    return text
