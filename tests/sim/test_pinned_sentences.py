"""Every seed gives the sentence and the task that it gave when the shipped models were trained and measured.

`python tests/sim/test_pinned_sentences.py` prints the digests of the source as it is.
"""

import hashlib
from collections.abc import Callable
from random import Random

import pytest

from vlp.sim.language.changes import sample_change
from vlp.sim.language.families import FAMILIES, phrase, sample_task
from vlp.sim.language.questions import QUESTIONS, sample_question
from vlp.sim.language.random_truth import sample_truth
from vlp.sim.language.task import Split
from vlp.sim.truth import Truth
from vlp.sim.worlds.tabletop.scripted import sample_event

SEEDS = 200
SPLITS: tuple[Split, Split] = ("train", "test")


def digest(draw: Callable[[Truth, Random, Split], object], seeds: int = SEEDS) -> str:
    """Return the digest of what is drawn over seeds and splits, and of the chance left behind: order and number of draws."""
    found = hashlib.sha256()
    for seed in range(seeds):
        for split in SPLITS:
            rng = Random(f"pinned {seed} {split}")
            drawn = draw(sample_truth(rng), rng, split)
            found.update(f"{drawn} {rng.random()}\n".encode())
    return found.hexdigest()[:16]


def family_draw(name: str) -> Callable[[Truth, Random, Split], object]:
    def draw(truth: Truth, rng: Random, split: Split) -> object:
        task = FAMILIES[name].sample(truth, rng, split)
        return task and (task, phrase(task, rng, split))

    return draw


def correction(truth: Truth, rng: Random, split: Split) -> object:
    task = sample_task(truth, rng, split)
    return task and sample_change(truth, task, rng, split)


def event(truth: Truth, rng: Random, split: Split) -> object:
    task = sample_task(truth, rng, split)
    return task and sample_event(truth, task, rng, split)


def question(truth: Truth, rng: Random, split: Split) -> object:
    return [sample_question(truth, rng, split, dict.fromkeys(QUESTIONS, 1.0)) for _ in range(5)]


DRAWS: dict[str, Callable[[Truth, Random, Split], object]] = {
    **{f"family {name}": family_draw(name) for name in FAMILIES},
    "correction": correction,
    "event": event,
    "question": question,
}

PINNED = {
    "family put": "7341733033a734cb",
    "family pick": "065510057fd97445",
    "family throw": "a1b019414fc0fc32",
    "family unload": "764b696eaf4a2f8b",
    "family spatial": "8e27c90c32a2ea66",
    "family relative": "cf0d53d4213fbacb",
    "family size": "589e8a22959f6d81",
    "family group": "6cc21649116e3f2a",
    "family clear": "fdf8d68e83d26fc9",
    "family stack": "e705ccebebb06bb2",
    "family swap": "85afad063ec4bfcb",
    "family sort": "4de0b11aa8297051",
    "family impossible": "c29e427d36e1c74c",
    "family satisfied": "5628fd4dcef40128",
    "correction": "f95d54c883c04f4d",
    "event": "c4af1beca3943123",
    "question": "d470578bb51f5ab8",
}


@pytest.mark.parametrize("name", DRAWS)
def test_the_same_seed_gives_the_same_sentence(name: str) -> None:
    """Guards against one more or one fewer random draw, and a phrasing more, fewer or elsewhere in its list.

    Either gives other sentences to every seed, so that no earlier figure compares and the models meet what they never met.
    """
    assert digest(DRAWS[name]) == PINNED[name], (
        f"{name}: seeds give other sentences than those that the shipped models were trained and measured on. Was it meant?"
        " Then train and measure anew, say so in CHANGELOG.md, and pin what `python tests/sim/test_pinned_sentences.py` prints."
    )


if __name__ == "__main__":
    print("\n".join(f'    "{name}": "{digest(draw)}",' for name, draw in DRAWS.items()))
