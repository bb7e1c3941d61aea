"""How alike two samples are: a perceptual hash of images, and sentences without what is incidental in them."""

import re
import unicodedata
from collections.abc import Iterator, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlp.core.images import Rgb
from vlp.core.messages import plural
from vlp.data.sample import Sample

NEAR_LEVELS = 24
"""Images of which no tile differs by more than so many of 255 levels are taken for the same picture."""

Fingerprint = NDArray[np.int16]


def fingerprint(rgb: Rgb) -> Fingerprint:
    """Return a perceptual hash of an image: the mean colours of 16 x 12 tiles, each channel without its mean.

    It hardly changes with encoding, size, noise and brightness, and much in a few tiles when one thing moves.
    """
    from PIL import Image

    tiles = np.asarray(Image.fromarray(rgb).resize((16, 12), Image.Resampling.BOX), np.int16)
    return tiles - tiles.mean(axis=(0, 1)).round().astype(np.int16)


def same_picture(a: Fingerprint, b: Fingerprint) -> bool:
    """Return whether two images show nearly the same."""
    return difference_levels(a, b) <= NEAR_LEVELS


def difference_levels(a: Fingerprint, b: Fingerprint) -> int:
    """Return by how many of 255 levels two fingerprints differ in the tile where they differ most."""
    return int(np.abs(a - b).max())


def plain_sentence(text: str) -> str:
    """Return a sentence in lower case, without punctuation and doubled spaces."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.sub(r"[^\w' ]+", " ", folded).split())


def question_text(sample: Sample) -> str:
    """Return what was said and what had just happened, as one line: samples that differ in it ask different things."""
    last = sample.memory.steps[-1] if sample.memory.steps else None
    failed = f"{last.do} {last.code}" if last and last.status not in ("succeeded", "stopped") else ""
    said = sample.memory.instructions[-2:]
    return " | ".join([*map(plain_sentence, said), f"holding {sample.state.holding}", failed, sample.question])


def named_words(sample: Sample) -> set[str]:
    """Return the words that the steps of a sample's policy call things by, and their plurals."""
    words = {word for phrase in _phrases(sample.policy) for word in plain_sentence(phrase).split()}
    return words | {plural(word) for word in words}


def phrasing(sample: Sample, names: Set[str]) -> str:
    """Return the instruction with the names of things cut out: what is left when names are exchanged.

    Args:
        sample: whose instruction.
        names: every word that things are called by in the whole store.
    """
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
