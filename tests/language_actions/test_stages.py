"""Episodes to three-stage samples."""

import itertools
from collections import Counter

import pytest
from episodes_of_hands import pick_and_place, walked
from spaces import NAMES, vocabulary

from vlp.core.errors import UsageError
from vlp.language_actions.chunking import ChunkRule
from vlp.language_actions.move import Chunk
from vlp.language_actions.space import MoveSpace
from vlp.language_actions.stages import Demonstration, Labelling, StageSample, chunks_of, stage_samples

SPACE = MoveSpace({"x": 50, "y": 50, "z": 50})
SHOWN = Demonstration("put the red cube in the bowl", pick_and_place(), "red cube")


def labelled(name: str = "numbers", **options: object) -> list[StageSample]:
    return list(stage_samples(SHOWN, Labelling(vocabulary(name, SPACE), **options)))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
def test_the_chunks_of_an_episode_lead_where_the_hand_went(name: str) -> None:
    """Against: samples whose moves, carried out one after the other, end somewhere else."""
    written = vocabulary(name, SPACE)
    moves = []
    for sample in labelled(name):
        if sample.kind == "chunk":
            chunk, report = written.read(sample.answer)
            assert chunk is not None, report
            moves += chunk.moves
    chunks = sum(sample.kind == "chunk" for sample in labelled(name))
    first, last = SHOWN.poses[0].position_m, SHOWN.poses[-1].position_m
    strayed = [a - (c - b) for a, b, c in zip(Chunk("base", tuple(moves)).net_m, first, last, strict=True)]
    assert max(map(abs, strayed)) <= chunks * 0.0005, "half a step for each chunk at most"
    assert [move.gripper for move in moves if move.gripper != "keep"] == ["close", "open"]


def test_each_stage_is_given_what_the_one_before_it_answered() -> None:
    samples = labelled()
    assert samples[0].question == 'The instruction is "put the red cube in the bowl". What is the next subtask?'
    assert samples[0].answer == "grasp the red cube"
    for plan, chunk in itertools.pairwise(samples):
        if plan.kind == "plan":
            assert chunk.kind == "chunk"
            assert plan.images == chunk.images
            assert f'the motion plan "{plan.answer}"' in chunk.question
            assert "mm" in chunk.question
            assert "frame base" in chunk.question


def test_auxiliary_samples_ask_about_pairs_of_images() -> None:
    samples = labelled()
    done = [sample for sample in samples if sample.kind == "done"]
    assert Counter(sample.answer for sample in done) == {"yes": 3, "no": 3}
    assert all(len(sample.images) == 2 for sample in done)
    assert all(yes.images[0] > no.images[0] for yes, no in zip(done[::2], done[1::2], strict=True))
    ways = [sample.answer for sample in samples if sample.kind == "direction"]
    assert ways == ["none", "none", "none", "left", "none", "none"]
    assert {sample.kind for sample in labelled(auxiliary=False)} == {"subtask", "plan", "chunk"}


def test_chunks_are_as_long_as_the_rule_says() -> None:
    """Against: the rule being passed by on the way to the samples."""
    how = Labelling(vocabulary("numbers", SPACE))
    assert max(max(map(abs, chunk.net_m)) for chunk in chunks_of(SHOWN, how)) == pytest.approx(0.03)
    fine = Labelling(vocabulary("numbers", SPACE), ChunkRule(run_m=0.01))
    assert len(chunks_of(SHOWN, fine)) > 2 * len(chunks_of(SHOWN, how))


@pytest.mark.parametrize("merge_m", [0.0, 0.003])
def test_other_ways_are_further_answers_with_the_same_end(merge_m: float) -> None:
    one, more = labelled(merge_m=merge_m), labelled(others=2, seed=3, merge_m=merge_m)
    assert more == labelled(others=2, seed=3, merge_m=merge_m)
    count = Counter(sample.kind for sample in more)
    assert count["chunk"] > 2 * Counter(sample.kind for sample in one)["chunk"]
    by_question: dict[tuple, set] = {}
    for sample in more:
        if sample.kind == "chunk":
            chunk, _ = vocabulary("numbers", SPACE).read(sample.answer)
            assert chunk is not None
            net_mm = tuple(round(1000 * value) for value in chunk.net_m)
            by_question.setdefault((sample.images, sample.question), set()).add(net_mm)
    assert all(len(ends) == 1 for ends in by_question.values())


def test_merged_chunks_lead_to_the_same_places_with_fewer_moves() -> None:
    plain, few = (chunks_of(SHOWN, Labelling(vocabulary("directions", SPACE), merge_m=m)) for m in (0.0, 0.003))
    for one, other in zip(plain, few, strict=True):
        assert other.net_m == pytest.approx(one.net_m, abs=0.001)
        assert len(other.moves) <= 2


def test_what_a_space_cannot_write_is_said() -> None:
    flat = Labelling(vocabulary("numbers", MoveSpace({"x": 50, "y": 50})))
    with pytest.raises(UsageError, match="a move along z, which this space does not write"):
        list(stage_samples(SHOWN, flat))
    short = Labelling(vocabulary("numbers", MoveSpace({"x": 50, "y": 50, "z": 50}, max_moves=1)))
    with pytest.raises(UsageError, match="expected 1 to 1"):
        list(stage_samples(Demonstration("go", walked([(0.0, 0.0, 0.0), (0.1, 0.0, 0.0)])), short))
