"""A model that writes whatever it likes never moves a hand beyond its bounds."""

from random import Random

import pytest
from moving import FAR_M, Pen, mover

from vlp.evaluation.stress.hostile_motion import hostile_chunk
from vlp.language_actions.hand import move_space
from vlp.language_actions.vocabulary import open_vocabulary
from vlp.primitives.standard import make_manifest
from vlp.robot.protocol import Step
from vlp.sim.embodiments.actions.hand import hand_primitives
from vlp.skills.skill import SkillBounds
from vlp.skills.skilled import SkilledRobot


@pytest.mark.parametrize("name", ["numbers", "directions"])
def test_a_thousand_hostile_chunks_keep_the_bounds_of_move_hand(name: str) -> None:
    real = {primitive.name: primitive for primitive in hand_primitives()}["move_hand"]  # of the simulated bodies
    rng, robot = Random(name), Pen(make_manifest("pen", [real]))
    space = move_space(robot.describe())
    bounds = SkillBounds(chunks=1000, in_vain=1000)
    words = open_vocabulary(name, space)
    model = mover(lambda: hostile_chunk(rng, words), lambda: False)
    result = SkilledRobot(robot, model, words, bounds=bounds).execute(Step("skill", {"text": "go"}, "one", timeout_s=1e6))
    assert (result.status, result.code, result.done["chunks"]) == ("failed", "not-done", 1000)
    assert 100 < result.done["refused"] < 900, "they are no test where all are read, or none"
    assert len(robot.moves) > 100
    most = {argument.name: argument.maximum for argument in real.arguments if argument.maximum}
    assert set(most) == {"x_m", "y_m", "z_m", "roll_rad", "pitch_rad", "yaw_rad", "wrist_rad"}
    for axis, bound in most.items():
        assert 0.9 * bound < max(abs(move.get(axis, 0.0)) for move in robot.moves) <= bound
    assert abs(robot.at).max() <= FAR_M
