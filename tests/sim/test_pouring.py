"""Small balls are poured from vessel to vessel by both bodies, and what is weighed, looked at and waited for."""

import numpy as np
import pytest
from in_home import Bumps, do, robot_in_home, see

from vlp.core.observation import Located, project
from vlp.evaluation.stress.limits import Gauge
from vlp.perception.points import base_pose
from vlp.sim.embodiments.actions.pour import TILTING, lip_level
from vlp.sim.embodiments.motion import Failed
from vlp.sim.worlds.home.catalogue import products
from vlp.sim.worlds.home.tasks.goals import place_under

SEED, CUP, BOWL_THERE = 83, "orange cup", "blue bowl"

BODIES = {"hsr": "go_to", "anymal": "walk_to"}


class FakeHeights:
    """A height map with one height before the target and the table everywhere else."""

    def __init__(self, before_m):
        self.before_m = before_m

    def highest_within(self, x, y, half_x, half_y, yaw_rad):
        return self.before_m if x < 0.5 else 0.43


BOWL = Located("blue bowl", (0, 0, 9, 9), (0.6, 0.1, 0.46), (0.16, 0.16, 0.06), 0.0, 1.0, 0.0)


def test_the_lip_is_held_over_the_rim_and_over_what_stands_before_it():
    assert lip_level(FakeHeights(0.43), BOWL, 0.3) == pytest.approx(0.49 + TILTING.over_rim_m)
    assert lip_level(FakeHeights(0.52), BOWL, 0.3) == pytest.approx(0.52 + TILTING.under_lip_m)
    with pytest.raises(Failed, match="what stands before the blue bowl") as failed:
        lip_level(FakeHeights(0.67), BOWL, 0.3)
    assert failed.value.code == "no-room"


@pytest.mark.long
@pytest.mark.parametrize("body", BODIES)
def test_balls_are_poured_from_a_cup_into_a_bowl(body):
    robot = robot_in_home(body, SEED)
    bumps, simulation = Bumps(robot), robot.simulation
    before = simulation.truth()
    gauge = Gauge(simulation, robot.describe().limits)
    robot.on_step.append(gauge.after_step)
    robot.on_tick.append(gauge.after_tick)
    do(robot, BODIES[body], place=place_under(before, CUP))
    assert do(robot, "grasp", target=see(robot, CUP)).status == "succeeded"
    assert simulation.truth().balls[CUP] == before.balls[CUP], "it is carried upright"
    result = do(robot, "pour", target=see(robot, BOWL_THERE))
    assert result.status == "succeeded", result
    now = simulation.truth()
    assert now.balls == {**before.balls, CUP: 0, BOWL_THERE: before.balls[CUP]} and now.holding == CUP
    assert bumps.counted == {} and gauge.breaches() == []
    moved = [
        n
        for n, o in before.objects.items()
        if np.linalg.norm(np.subtract(o.position_in_world, now.objects[n].position_in_world)) > 0.01
    ]
    assert moved == [CUP]


@pytest.mark.long
@pytest.mark.parametrize("body", BODIES)
def test_what_is_held_weighs_what_it_weighs(body):
    robot = robot_in_home(body, SEED)
    place = place_under(robot.simulation.truth(), "sugar box")
    do(robot, BODIES[body], place=place)
    assert do(robot, "grasp", target=see(robot, "sugar box")).status == "succeeded"
    assert do(robot, "weigh").done["weight_n"] == pytest.approx(9.81 * products()["sugar box"].mass_kg, abs=0.4)


@pytest.mark.long
@pytest.mark.parametrize("body", BODIES)
def test_a_closer_look_shows_the_same_place_larger_until_the_next_action(body):
    robot = robot_in_home(body, SEED)
    simulation = robot.simulation
    there = {"hsr": "gauges", "anymal": "coffee table"}[body]  # ANYmal's wrist is nearly at the gauges
    do(robot, BODIES[body], place=there)
    wide = robot.observe()
    result = do(robot, "look", target=there, zoom=3.0)
    assert result.status == "succeeded" and result.done["zoom"] == 3.0, result
    close = robot.observe()
    assert close.intrinsics.fx == 3 * wide.intrinsics.fx and close.state.at == there
    assert close.camera_in_base is not None and close.depth_m is not None
    middle = (*simulation.places[there].middle, 1)
    point = np.linalg.inv(base_pose(close.state.base_in_world) @ close.camera_in_base) @ middle
    ((u, v),) = project(point[None, :3], close.intrinsics)
    assert abs(u - 320) < 120 and abs(v - 240) < 120
    assert close.depth_m[int(v), int(u)] == pytest.approx(point[2], abs=0.25)
    kept = robot.snapshot()
    assert do(robot, "wait", duration_s=1.0).status == "succeeded" and robot.observe().intrinsics == wide.intrinsics
    robot.restore(kept)
    assert robot.observe().intrinsics == close.intrinsics and (robot.observe().rgb == close.rgb).all()
