"""Unknown words in instructions: what is wanted must still be told by the rest."""

import re
from random import Random

import pytest

from vlp.nano.training.data import imagined_scene
from vlp.nano.training.turns import odds
from vlp.nano.training.unknown_words import disguised, told_by_the_rest, unknown_word
from vlp.nano.wording import heard
from vlp.sim.language.families import PLAIN, sample_task
from vlp.sim.language.task import Task
from vlp.sim.worlds.tabletop.words import COLOURS, KINDS


def tasks(count: int) -> list[tuple[Task, str]]:
    """Return tasks whose instruction was changed, with what it became."""
    rng, found = Random(0), []
    while len(found) < count:
        truth = imagined_scene(rng).truth
        task = sample_task(truth, rng, "train", odds()["nano_base"]["families"]) if truth.at == "table" else None
        said = disguised(task, rng) if task else ""
        if task and said != task.instruction:
            found.append((task, said))
    return found


def test_names_and_relations_stay() -> None:
    kept = {*COLOURS, *KINDS, "left", "right", "behind", "into", "inside", "biggest", "smallest", "nearest", "bin", "and"}
    for task, said in tasks(300):
        before, after = (re.findall(r"[a-z]+", heard(text)) for text in (task.instruction, said))
        for word in kept:
            assert before.count(word) == after.count(word), (task.instruction, said)


def test_a_throw_keeps_its_verb() -> None:
    """Without "throw away" the can would only be picked up."""
    for task, said in tasks(300):
        if task.family not in told_by_the_rest():
            kept, rest = (re.findall(r"[a-z']+", text.lower()) for text in (task.instruction, said))
            left = iter(rest)
            assert all(word in left for word in kept), (task.instruction, said)


@pytest.mark.parametrize("seed", range(3))
def test_an_unknown_word_is_no_name_and_no_misspelt_one(seed: int) -> None:
    rng = Random(seed)
    for _ in range(200):
        word = unknown_word(rng)
        assert heard(f"the {word} red cube") == f"the {word} red cube"


def test_phrasings_kept_for_test_are_not_among_them() -> None:
    """A made-up word could by chance be one that only the test split knows, like "seize"; it must not be frequent."""
    kept = {
        word
        for text in (*PLAIN["put"].sentences.test, *PLAIN["pick"].sentences.test)
        for word in ("seize", "fetch", "stick", "position", "lay")
        if word in text
    }
    rng = Random(0)
    words = [unknown_word(rng) for _ in range(5000)]
    assert sum(word in kept for word in words) <= 1
