"""The simulated robot keeps the limits that it declares, whatever a policy asks for: measured in the physics."""

import math
from dataclasses import replace

import pytest

pytest.importorskip("mujoco")

from vlp.core.observation import Located
from vlp.evaluation.stress import limits as stress
from vlp.evaluation.suites import Options
from vlp.robot.protocol import Step
from vlp.sim.embodiments.hsr.actions.scope import READY
from vlp.sim.embodiments.motion import Failed
from vlp.sim.open import simulated

pytestmark = pytest.mark.slow


def gauged(seed=4):
    robot, simulation = simulated(seed=seed)
    gauge = stress.Gauge(simulation, robot.describe().limits)
    robot.on_step.append(gauge.after_step)
    robot.on_tick.append(gauge.after_tick)
    return robot, simulation, gauge


def thing(simulation):
    return next(n for n, o in simulation.truth().objects.items() if o.kind in ("cube", "block", "can") and o.support == "table")


def seen(simulation, phrase):
    true = simulation.truth().objects[phrase]
    yaw = math.remainder(true.yaw_rad, math.pi)
    return Located(phrase, (0, 0, 9, 9), true.position_in_world, true.size_m, yaw, 1.0, 0.0).to_json()


def test_five_hostile_policies_break_no_limit(tmp_path):
    rows = stress.limits(2, Options(), tmp_path, policies=5)
    assert len(rows) == 5 and sum(row["robot_s"] for row in rows) > 10
    assert max(row["base_speed_m_s"] for row in rows) > 0.3, "nothing drove: the measurement shows nothing"
    assert [row["cause"] for row in rows] == [""] * 5


def test_a_drive_askew_is_no_faster_than_one_ahead():
    """Against: x and y each had the base's highest speed, so that a drive askew had 1.4 times it."""
    robot, _, gauge = gauged()
    for place in ("start", "bin"):
        robot.execute(Step("go_to", {"place": place}, place))
    assert 0.3 < gauge.most["base_speed_m_s"] < 0.4
    assert gauge.most["hand_speed_m_s"] < 0.6


def test_what_is_too_heavy_is_put_back():
    robot, simulation, gauge = gauged()
    phrase = thing(simulation)
    before = simulation.truth().objects[phrase].position_in_world
    stress.make_heavy(simulation, phrase, 2.0)
    result = robot.execute(Step("grasp", {"target": seen(simulation, phrase)}, "heavy"))
    assert (result.status, result.code) == ("failed", "too-heavy"), result
    assert gauge.most.get("payload_kg", 0.0) < 1.2 and robot.memory.held is None
    assert math.dist(simulation.truth().objects[phrase].position_in_world, before) < 0.03


def test_the_hand_does_not_leave_its_workspace():
    """Against: the corners of the workspace were declared and compared with nothing but what a step named."""
    robot, simulation, gauge = gauged()
    robot.motion.follow({**READY, "arm_lift_joint": 0.5})
    with pytest.raises(Failed) as failed:
        robot.motion.follow({"base_y": 1.5})
    assert failed.value.code == "out-of-workspace" and gauge.most["out_of_workspace_m"] == 0.0
    assert simulation.data.body("hand_palm_link").xpos[1] > 0.6, "it stops at the border, not before"
    assert robot.execute(Step("home", {}, "back")).status == "succeeded", "the way back is open"


def test_the_gauge_tells_a_breach():
    """A gauge that cannot find anything would pass every robot."""
    robot, _, gauge = gauged()
    robot.execute(Step("go_to", {"place": "bin"}, "bin"))
    gauge.limits = type(gauge.limits)(base_speed_m_s=0.1, hand_speed_m_s=0.1)
    assert {text.split(" ")[0] for text in gauge.breaches()} >= {"base_speed_m_s", "hand_speed_m_s"}


def test_a_load_is_what_is_carried_for_a_tick():
    """Against: a can that the fingers pushed hopped for single time steps, in which their friction read as 1.3 kg carried."""
    robot, simulation, gauge = gauged()
    phrase = thing(simulation)
    assert robot.execute(Step("grasp", {"target": seen(simulation, phrase)}, "light")).status == "succeeded"
    carried_kg = float(simulation.model.body(phrase).mass[0])
    assert carried_kg <= gauge.most["payload_kg"] < 1.2
    robot.on_step.clear()
    stress.make_heavy(simulation, phrase, 1.5)
    gauge = stress.Gauge(simulation, robot.describe().limits)
    for _ in range(9):
        simulation.step(1)
        gauge.after_step()
    assert "payload_kg" not in gauge.most
    for _ in range(30):
        simulation.step(1)
        gauge.after_step()
    assert 1.2 < gauge.most["payload_kg"] < 1.6 and [text.split(" ")[0] for text in gauge.breaches()] == ["payload_kg"]


def test_a_robot_that_felt_no_weight_would_break_the_payload():
    robot, simulation, gauge = gauged()
    mechanics = robot.motion.mechanics
    robot.motion.mechanics = replace(mechanics, bounds=replace(mechanics.bounds, payload_kg=50.0))
    phrase = thing(simulation)
    stress.make_heavy(simulation, phrase, 1.5)
    assert robot.execute(Step("grasp", {"target": seen(simulation, phrase)}, "heavy")).status == "succeeded"
    assert gauge.most["payload_kg"] > 1.4, gauge.most
