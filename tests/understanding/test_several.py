"""Which sentences speak of things without naming each."""

import pytest

from vlp.episodes.cases import sample_episode
from vlp.sim.worlds.seeds import seed_of
from vlp.understanding.several import said_of_all


@pytest.mark.parametrize(
    ("sentence", "handled", "kind"),
    [
        ("put all the red things into the green bowl", ("red cube", "red ball"), {"red"}),
        ("put every red cube into the green bowl", ("red cube",), {"red", "cube"}),
        ("put the cubes into the green bowl", ("red cube", "green cube"), {"cube"}),
        ("clear the table", ("red cube", "green can"), set()),
        ("put all the fruit into the basket", ("plum",), set()),
        ("tidy up", ("plum", "cola can"), set()),
        ("put the red cube and the green can into the bin", ("red cube", "green can"), None),
        ("put the cola on the sofa and the iced tea too", ("cola can", "iced tea"), None),
        ("put it back", ("red cube",), None),
        ("put the cube into the green bowl", ("red cube",), None),
        ("switch on the lamp", (), None),
    ],
)
def test_what_is_said_of_all_things(sentence, handled, kind):
    assert said_of_all(sentence, handled, ("green bowl",)) == kind


@pytest.mark.parametrize("world", ["tabletop", "home"])
def test_sentences_for_several_things_are_told_from_those_for_one(world):
    """Guards against a look at all things for a sentence that names one, and none for "the table should be cleared"."""
    many = [sample_episode(seed_of("validation", i), "dynamic", world=world, change="appeared").task for i in range(40)]
    assert sum(said_of_all(task.instruction, task.subjects) is not None for task in many) >= 39
    one = {"put": 1.0, "hand": 1.0} if world == "home" else {"put": 1.0, "pick": 1.0, "throw": 1.0}
    few = [sample_episode(seed_of("validation", i), families=one, world=world).task for i in range(40)]
    assert not [task.instruction for task in few if said_of_all(task.instruction, task.subjects) is not None]
