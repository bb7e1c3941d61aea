"""The simulated HSR grasps, carries and puts down by contact alone, stops at once, and can be put back as it was."""

import threading
from typing import Any

import numpy as np
import pytest
from on_table import do, robot_before, see

from vlp.robot.protocol import Step
from vlp.sim.embodiments.hsr.body import GRIPPER, HOME
from vlp.sim.embodiments.mechanics import Mechanics


def world(*things):
    return robot_before("hsr", *things)


def at_home(robot):
    wanted = {**HOME, **dict.fromkeys(Mechanics.base_joints, 0.0)}
    return all(abs(robot.motion.joints()[n] - v) < 0.02 for n, v in wanted.items() if n != GRIPPER)


@pytest.mark.parametrize("kind", ["cube", "block", "ball", "can", "bottle", "mug"])
def test_every_kind_of_thing_is_grasped_from_above_and_carried_home(kind):
    robot = world((f"red {kind}", 0.6, -0.2, 0.7))
    result = do(robot, "grasp", target=see(robot, f"red {kind}"))
    assert result.status == "succeeded", result
    assert robot.simulation.truth().holding == f"red {kind}"
    assert robot.observe().state.holding == f"red {kind}"
    assert at_home(robot)


@pytest.mark.parametrize(
    ("thing", "relation", "host", "support"),
    [
        ("red cube", "on", "blue cube", "blue cube"),
        ("red ball", "in", "blue bowl", "blue bowl"),
        ("red can", "on", "blue tray", "blue tray"),
        ("red cube", "in", "blue box", "blue box"),
        ("red bottle", "left_of", "blue can", "table"),
    ],
)
def test_things_are_put_where_they_should_go(thing, relation, host, support):
    robot = world((thing, 0.52, 0.2, 0.3), (host, 0.6, -0.1, 0.2))
    assert do(robot, "grasp", target=see(robot, thing)).status == "succeeded"
    result = do(robot, "place", target=see(robot, host), relation=relation)
    assert result.status == "succeeded", result
    truth = robot.simulation.truth()
    assert truth.objects[thing].support == support and truth.holding == "" and at_home(robot)
    if relation == "left_of":
        assert truth.objects[thing].position_in_world[1] > truth.objects[host].position_in_world[1] + 0.05


def test_the_bin_takes_what_is_held_and_the_robot_comes_back():
    robot = world(("red mug", 0.6, 0.2, 0.3))
    do(robot, "grasp", target=see(robot, "red mug"))
    assert do(robot, "place", target="bin", relation="in").status == "succeeded"
    assert robot.simulation.truth().objects["red mug"].support == "bin" and at_home(robot)


def test_fingers_that_close_on_nothing_say_so():
    robot = world(("red cube", 0.6, 0.0, 0.0))
    result = do(robot, "grasp", target=see(robot, "red cube", error_m=(0.0, 0.15, 0.0)))
    assert (result.status, result.code) == ("failed", "slipped") and at_home(robot)
    assert robot.observe().state.holding == ""


@pytest.mark.parametrize(
    ("what", "arguments", "code"),
    [
        ("lift", {"height_m": 0.1}, "hand-empty"),
        ("place", {"target": "table", "relation": "on"}, "hand-empty"),
        ("grasp", {"target": "red bowl"}, "too-large"),
    ],
)
def test_what_cannot_be_done_is_refused_without_moving(what: str, arguments: dict[str, Any], code: str):
    robot = world(("red bowl", 0.6, 0.0, 0.0))
    if arguments.get("target") == "red bowl":
        arguments = {"target": see(robot, "red bowl")}
    result = do(robot, what, **arguments)
    assert (result.status, result.code, result.duration_s) == ("failed", code, 0.0)


def test_a_push_moves_the_thing_about_that_far():
    robot = world(("red block", 0.6, 0.0, 0.2))
    assert do(robot, "push", target=see(robot, "red block"), direction="left", distance_m=0.1).status == "succeeded"
    assert robot.simulation.truth().objects["red block"].position_in_world[1] == pytest.approx(0.1, abs=0.025)


@pytest.mark.parametrize(
    ("things", "direction", "code"),
    [
        ([("red block", 0.6, 0.42, 0.0)], "left", "no-room"),
        ([("red block", 0.42, 0.0, 0.0)], "back", "no-room"),
        ([("red block", 0.6, 0.0, 0.0), ("blue can", 0.6, 0.13, 0.0)], "left", "blocked"),
        ([("red ball", 0.6, 0.0, 0.0)], "left", "unstable"),
    ],
)
def test_a_push_keeps_to_the_table_and_touches_nothing_else(things, direction, code):
    """`push` shoved things off the table, or others before it, and said "succeeded"."""
    robot = world(*things)
    before = robot.simulation.truth().objects
    result = do(robot, "push", target=see(robot, things[0][0]), direction=direction, distance_m=0.1)
    assert (result.status, result.code) == ("failed", code) and at_home(robot)
    after = robot.simulation.truth().objects
    assert all(np.allclose(after[name].position_in_world, before[name].position_in_world, atol=0.005) for name in before)


def test_a_push_that_moved_nothing_says_so():
    robot = world(("red block", 0.6, 0.2, 0.0), ("blue block", 0.7, -0.3, 0.0))
    elsewhere = see(robot, "red block", error_m=(0.0, -0.16, 0.0))
    assert do(robot, "push", target=elsewhere, direction="right", distance_m=0.1).code == "slipped"


def test_a_key_acts_once():
    robot = world(("red cube", 0.6, 0.0, 0.0))
    first = robot.execute(Step("go_to", {"place": "start"}, "k"))
    time_s = robot.simulation.data.time
    assert robot.execute(Step("go_to", {"place": "start"}, "k")) == first
    assert robot.simulation.data.time == time_s
    assert robot.execute(Step("go_to", {"place": "table"}, "k")).code == "key-reused"


def test_stop_ends_a_motion_at_once_latches_and_the_next_action_recovers():
    robot = world(("red cube", 0.6, 0.0, 0.0))
    robot.on_tick.append(lambda now_s: threading.Thread(target=robot.stop).start() if now_s > 3.0 else None)
    target = see(robot, "red cube")
    result = do(robot, "grasp", target=target)
    assert result.status == "stopped" and result.duration_s < 3.3
    assert do(robot, "home").status == "stopped"
    robot.on_tick.clear()
    robot.reset_stop()
    assert do(robot, "grasp", target=target).status == "succeeded" and at_home(robot)


def test_a_time_limit_ends_a_step():
    robot = world(("red cube", 0.6, 0.0, 0.0))
    result = robot.execute(Step("grasp", {"target": see(robot, "red cube")}, "k", timeout_s=2.0))
    assert result.status == "timeout" and result.duration_s == pytest.approx(2.0, abs=0.05)


def test_a_restored_robot_goes_on_exactly_as_the_first_did():
    def finish(robot):
        do(robot, "place", key="b", target=see(robot, "blue can"), relation="on")
        return robot.simulation.data.qpos.copy()

    things = (("red cube", 0.52, 0.2, 0.3), ("blue can", 0.6, -0.1, 0.2))
    first = world(*things)
    result = do(first, "grasp", key="a", target=see(first, "red cube"))
    snapshot = first.snapshot()
    second = world(*things)
    second.restore(snapshot)
    assert second.result_of("a") == result and second.observe().state.holding == "red cube"
    assert np.array_equal(first.observe().depth_m, second.observe().depth_m)
    assert np.array_equal(finish(first), finish(second))
