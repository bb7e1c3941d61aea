"""A hand that is moved from outside goes where it is told, under the limits of every motion."""

import math

import numpy as np
import pytest
from on_table import robot_before

from vlp.robot.protocol import Step
from vlp.sim.open import manifest_of


def told(robot, do, key, **arguments):
    return robot.execute(Step(do, arguments, key))


@pytest.mark.parametrize("body", ["hsr", "anymal"])
def test_a_hand_goes_where_it_is_told_and_other_actions_bring_it_back(body):
    robot = robot_before(body, ("red cube", 0.75, 0.25, 0.0))
    assert not {"move_hand", "ready"} & set(manifest_of(body).primitives), "models made for the others would be refused"
    assert told(robot, "move_hand", "0", x_m=0.02).code == "unknown-primitive"
    robot.offer_hand()
    assert told(robot, "move_hand", "1", x_m=0.02).code == "not-ready"
    assert told(robot, "ready", "2").status == "succeeded"
    motion = robot.motion
    before = motion.reach.hand(motion.joints())
    assert before[2, 2] < -0.99, "it points down"
    result = told(robot, "move_hand", "3", x_m=0.06, y_m=-0.05, z_m=-0.04, wrist_rad=0.4)
    after = motion.reach.hand(motion.joints())
    assert result.status == "succeeded", result
    assert after[:3, 3] - before[:3, 3] == pytest.approx([0.06, -0.05, -0.04], abs=0.004)
    turned = math.atan2(*(np.cross(before[:3, 1], after[:3, 1]) @ before[:3, 2], before[:3, 1] @ after[:3, 1]))
    assert turned == pytest.approx(0.4, abs=0.03), "about the direction in which it points"
    assert told(robot, "move_hand", "4", x_m=0.11).code == "out-of-bounds"
    down = [told(robot, "move_hand", f"down {i}", z_m=-0.1) for i in range(4)]
    assert (down[-1].status, down[-1].code) == ("failed", "blocked"), "it feels the table"
    assert motion.lift_force() < 60.0
    assert told(robot, "move_hand", "5", z_m=0.05).status == "succeeded"
    robot.stop()
    assert told(robot, "move_hand", "6", z_m=0.05).status == "stopped"
    robot.reset_stop()
    assert told(robot, "home", "7").status == "succeeded"
    assert told(robot, "move_hand", "8", x_m=0.02).code == "not-ready"
