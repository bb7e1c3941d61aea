"""What the expert of motion was asked and answered becomes samples that a model can be trained on."""

import pytest

from vlp.core.errors import UsageError
from vlp.data.store import Store
from vlp.episodes.demonstrations import collect, demonstrate


def test_an_episode_becomes_samples_of_four_kinds(tmp_path):
    made = collect(tmp_path / "motion", 1, "reach", actions="directions")
    assert (made.done, str(made).split(";")[0]) == (1, "1 of 1 episodes done")
    found = list(Store(tmp_path / "motion").samples())
    assert len(found) == made.new == sum(made.kinds.values())
    assert set(made.kinds) == {"subtask", "plan", "chunk", "done"}
    assert made.kinds["plan"] == made.kinds["chunk"] > 2
    done = [sample.reply for sample in found if sample.source["family"] == "done"]
    assert done.count("yes") == done.count("no") == 1, "else a model learns to say no"


@pytest.mark.parametrize("family", ["put", "push"])
def test_the_expert_of_motion_can_do_the_other_families_too(family):
    """The last subtask of "put X in Y" was read as an instruction, and a hand that had just been told to go down as stuck."""
    shown = next(filter(None, (demonstrate(number, family) for number in range(5))))
    assert shown.done, shown.result
    assert shown.result.done["refused"] == 0


def test_unknown_words_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UsageError, match="family of skills"):
        collect(tmp_path / "motion", 1, "juggle")
    with pytest.raises(UsageError, match="0 episodes"):
        collect(tmp_path / "motion", 0, "reach")
    assert not (tmp_path / "motion").exists()
