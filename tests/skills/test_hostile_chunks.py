"""A model that writes whatever it likes never moves a hand beyond its bounds."""

from random import Random

import pytest
from moving import FAR_M, Pen, mover

from vlp.evaluation.stress.hostile_motion import hostile_chunk
from vlp.language_actions.hand import move_space
from vlp.language_actions.vocabulary import open_vocabulary
from vlp.robot.protocol import Step
from vlp.skills.skill import SkillBounds
from vlp.skills.skilled import SkilledRobot


@pytest.mark.parametrize("name", ["numbers", "directions"])
def test_a_thousand_hostile_chunks_keep_the_bounds_of_move_hand(name: str) -> None:
    rng, robot = Random(name), Pen()
    space = move_space(robot.describe())
    bounds = SkillBounds(chunks=1000, in_vain=1000)
    words = open_vocabulary(name, space)
    model = mover(lambda: hostile_chunk(rng, words), lambda: False)
    result = SkilledRobot(robot, model, words, bounds=bounds).execute(Step("skill", {"text": "go"}, "one", timeout_s=1e6))
    assert (result.status, result.code, result.done["chunks"]) == ("failed", "not-done", 1000)
    assert 100 < result.done["refused"] < 900, "they are no test where all are read, or none"
    assert len(robot.moves) > 100
    assert max(abs(move[axis]) for move in robot.moves for axis in ("x_m", "y_m", "z_m")) <= 0.05 + 1e-9
    assert abs(robot.at).max() <= FAR_M
