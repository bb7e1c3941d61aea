"""The fake robot keeps the contract that tests of other packages lean on."""

import threading

import pytest

from vlp.core.observation import deproject, transform
from vlp.robot.protocol import Step, StepResult
from vlp.sim.fake.robot import FakeRobot, Script


def do(robot: FakeRobot, name: str, key: str | None = None, timeout_s: float | None = None, **arguments: object) -> StepResult:
    return robot.execute(Step(name, arguments, key or f"key-{len(robot.log)}-{name}", timeout_s=timeout_s))


def test_put_in_bowl_works_from_locate_to_check() -> None:
    robot = FakeRobot({"red cube": "table", "green bowl": "table"})
    cube = do(robot, "locate", object="red cube").value
    assert do(robot, "grasp", target=cube).status == "succeeded"
    assert robot.observe().state.holding == "red cube"
    assert do(robot, "lift", height_m=0.1).status == "succeeded"
    assert do(robot, "check", relation="in", subject="red cube", object="green bowl").code == "check-failed"
    bowl = do(robot, "locate", object="green bowl").value
    assert do(robot, "place", target=bowl, relation="in").status == "succeeded"
    assert do(robot, "check", relation="in", subject="red cube", object="green bowl").value is True
    assert robot.world.holding == ""


@pytest.mark.parametrize(
    ("relation", "other"),
    [
        ("left_of", "right_of"),
        ("right_of", "left_of"),
        ("behind", "in_front_of"),
        ("in_front_of", "behind"),
        ("next_to", "in"),
    ],
)
def test_placing_makes_its_relation_true_and_the_opposite_false(relation: str, other: str) -> None:
    robot = FakeRobot({"red cube": "table"})
    robot.world.put("blue can", position=(0.66, 0.0, 0.445))
    do(robot, "grasp", target=do(robot, "locate", object="red cube").value)
    placed = do(robot, "place", target=do(robot, "locate", object="blue can").value, relation=relation)
    assert placed.status == "succeeded", placed.message
    assert do(robot, "check", relation=relation, subject="red cube", object="blue can").status == "succeeded"
    assert do(robot, "check", relation=other, subject="red cube", object="blue can").code == "check-failed"


def test_a_key_acts_once_even_when_sent_from_many_threads() -> None:
    robot = FakeRobot()
    robot.script("home", Script(delay_s=0.05))
    results: list[StepResult] = []
    threads = [threading.Thread(target=lambda: results.append(do(robot, "home", key="same"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(robot.log) == 1 and len({id(result) for result in results}) == 1
    assert do(robot, "lift", key="same", height_m=0.1).code == "key-reused"


def test_stop_interrupts_latches_and_is_released_by_reset_only() -> None:
    robot = FakeRobot()
    robot.script("home", Script(delay_s=30.0))
    threading.Timer(0.05, robot.stop).start()
    assert do(robot, "home").status == "stopped"
    assert do(robot, "go_to", place="bin").status == "stopped" and robot.world.at == "table"
    robot.reset_stop()
    assert do(robot, "go_to", key="after", place="bin").status == "succeeded"


def test_a_delay_beyond_the_time_limit_is_a_timeout() -> None:
    robot = FakeRobot()
    robot.script("home", Script(delay_s=30.0))
    assert do(robot, "home", timeout_s=0.05).status == "timeout"


def test_scripted_failures_count_down() -> None:
    robot = FakeRobot()
    cube = do(robot, "locate", object="red cube").value
    robot.fail_next("grasp", "slipped", times=2)
    codes = [do(robot, "grasp", key=f"try {n}", target=cube).code for n in range(3)]
    assert codes == ["slipped", "slipped", ""]


def test_snapshot_restores_world_and_keys() -> None:
    robot = FakeRobot()
    cube = do(robot, "locate", object="red cube").value
    done = do(robot, "grasp", key="grasped", target=cube)
    other = FakeRobot({})
    other.restore(robot.snapshot())
    assert other.snapshot() == robot.snapshot()
    assert other.result_of("grasped") == done
    assert do(other, "grasp", key="grasped", target=cube) == done and other.log == []


def test_depth_and_camera_agree_with_the_table() -> None:
    observation = FakeRobot({}).observe()
    pixel = (320, 240)
    point = deproject([pixel], [observation.depth_m[pixel[1], pixel[0]]], observation.intrinsics)  # type: ignore[arg-type]
    assert transform(point, observation.camera_in_base)[0, 2] == pytest.approx(0.42, abs=1e-6)


def test_moved_and_missing_objects_are_not_grasped() -> None:
    robot = FakeRobot()
    cube = do(robot, "locate", object="red cube").value
    robot.world.put("red cube", position=(0.66, -0.3, 0.445))
    assert do(robot, "grasp", target=cube).code == "moved"
    del robot.world.objects["red cube"]
    assert do(robot, "grasp", key="again", target=cube).code == "not-found"
    assert do(robot, "locate", key="look", object="red cube").code == "not-found"


def test_heights_are_clipped_to_the_workspace_and_say_so() -> None:
    from dataclasses import replace

    from vlp.sim.fake.robot import fake_manifest

    low = replace(fake_manifest(), limits=replace(fake_manifest().limits, workspace_max_m=(0.9, 0.6, 0.52)))
    robot = FakeRobot(manifest=low)
    do(robot, "grasp", target=do(robot, "locate", object="red cube").value)
    assert do(robot, "lift", height_m=0.3).done["height_m"] == pytest.approx(0.1)
