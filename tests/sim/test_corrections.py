"""Corrections typed midway are read as the task that they were made from."""

from random import Random

import pytest

from vlp.sim.language.changes import sample_change
from vlp.sim.language.corrections import recognise_correction
from vlp.sim.language.families import sample_task
from vlp.sim.language.recognise import recognise
from vlp.sim.truth import TrueObject, Truth
from vlp.sim.worlds.tabletop.true_state import truth_of
from vlp.sim.worlds.tabletop.world import sample_scene


def _thing(colour: str, kind: str, y: float) -> TrueObject:
    return TrueObject(colour, kind, (0.6, y, 0.45), (0.05, 0.05, 0.05))


TRUTH = Truth(
    {
        t.phrase: t
        for t in (
            _thing("red", "cube", 0.3),
            _thing("blue", "can", 0.1),
            _thing("green", "bowl", -0.1),
            _thing("white", "plate", -0.3),
        )
    }
)


@pytest.mark.parametrize(
    ("text", "goal"),
    [
        ("no, put it on the white plate", ("on", "red cube", "white plate")),
        ("stop, the white plate instead", ("on", "red cube", "white plate")),
        ("wait, put the blue can there", ("in", "blue can", "green bowl")),
        ("no, the blue can", ("in", "blue can", "green bowl")),
        ("put it back", ("on", "red cube", "table")),
        ("actually, put the blue can in the bin", ("in", "blue can", "bin")),
    ],
)
def test_what_a_correction_leaves_out_comes_from_the_instruction_before(text: str, goal: tuple[str, str, str]):
    before = recognise("put the red cube in the green bowl", TRUTH)
    assert before is not None
    task = recognise_correction(text, before, TRUTH)
    assert task is not None and [(g.relation, g.subject, g.target) for g in task.goals] == [goal]


def test_what_cannot_be_read_is_no_task():
    before = recognise("put the red cube in the green bowl", TRUTH)
    assert before is not None
    assert recognise_correction("what a lovely day", before, TRUTH) is None
    assert recognise_correction("no " * 500, before, TRUTH) is None


@pytest.mark.parametrize("split", ["train", "test"])
def test_sampled_changes_of_mind_are_read_back(split):
    read = count = 0
    for seed in range(150):
        rng, truth = Random(seed), truth_of(sample_scene(seed))
        task = sample_task(truth, rng, split)
        changed = sample_change(truth, task, rng, split) if task else None
        if task is None or changed is None:
            continue
        found = recognise_correction(changed.instruction, task, truth)
        same = found is not None and set(found.goals) == set(changed.goals)
        read, count = read + (same and found is not None and bool(found.cannot) == bool(changed.cannot)), count + 1
    assert count > 80 and read / count > 0.9
