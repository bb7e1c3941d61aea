"""How alike two samples are: a perceptual hash of images, and sentences without what is incidental in them."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import numpy as np

from vlp.core.images import Rgb
from vlp.core.vocabulary import COLOURS, KINDS
from vlp.data.sample import Sample

HASH_SIDE = 16
HASH_BITS = 2 * HASH_SIDE * HASH_SIDE
NEAR_BITS = 24
"""Images whose hashes differ in at most so many of 512 bits are taken for the same picture."""

_WORDS = re.compile(r"[^\w' ]+")
_NAMED = frozenset((*COLOURS, *KINDS, *(f"{kind}s" for kind in KINDS), "boxes"))


def image_hash(rgb: Rgb) -> int:
    """Return the perceptual hash of an image: in which direction brightness grows between neighbours of a 17 x 17 grid.

    It survives encoding, resizing, noise and changes of brightness, not things that stand elsewhere.
    """
    from PIL import Image

    side = HASH_SIDE + 1
    small = np.asarray(Image.fromarray(rgb).convert("L").resize((side, side), Image.Resampling.BOX), np.int16)
    across = small[:-1, 1:] > small[:-1, :-1]
    down = small[1:, :-1] > small[:-1, :-1]
    return int.from_bytes(np.packbits(np.concatenate([across.ravel(), down.ravel()])).tobytes(), "big")


def distance_bits(a: int, b: int) -> int:
    """Return in how many bits two hashes differ."""
    return (a ^ b).bit_count()


def plain_sentence(text: str) -> str:
    """Return a sentence in lower case, without punctuation and doubled spaces."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(_WORDS.sub(" ", folded).split())


def question_text(sample: Sample) -> str:
    """Return what was said and what had just happened, as one line: samples that differ in it ask different things."""
    last = sample.memory.steps[-1] if sample.memory.steps else None
    failed = f"{last.do} {last.code}" if last and last.status not in ("succeeded", "stopped") else ""
    said = sample.memory.instructions[-2:]
    return " | ".join([*map(plain_sentence, said), f"holding {sample.state.holding}", failed])


def phrasing(sample: Sample) -> str:
    """Return the instruction with the names of things and colours cut out: what is left when names are exchanged."""
    names = _NAMED | {word for phrase in _phrases(sample.policy) for word in plain_sentence(phrase).split()}
    words = ["_" if word in names else word for word in plain_sentence(sample.instruction).split()]
    return " ".join(word for i, word in enumerate(words) if word != "_" or i == 0 or words[i - 1] != "_")


def _phrases(policy: Any) -> Iterator[str]:
    """Yield what the steps of a policy call things, whatever the policy looks like."""
    subtasks = policy.get("subtasks") if isinstance(policy, dict) else None
    for subtask in subtasks if isinstance(subtasks, list) else ():
        steps = subtask.get("steps") if isinstance(subtask, dict) else None
        for step in steps if isinstance(steps, list) else ():
            for key in ("object", "subject"):
                if isinstance(step, dict) and isinstance(step.get(key), str):
                    yield step[key]
