"""The guide's own robot is a robot, and its address of curl examples is the server's."""

import re
from pathlib import Path
from typing import Any

from vlp.robot.conformance import check_robot
from vlp.robot.protocol import Step
from vlp.robot.server import create_app
from vlp.sim.fake.robot import FakeRobot

GUIDE = (Path(__file__).parents[2] / "docs" / "robot_api.md").read_text()


class Driver:
    """What the guide's robot drives."""

    stopped = False
    read_camera = FakeRobot().observe

    def wave(self, times: int) -> int:
        return times

    def brake(self) -> None:
        self.stopped = True


def test_the_robot_of_the_guide_passes_the_conformance_check() -> None:
    names: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", GUIDE, re.S)[0], names)
    robot = names["MyRobot"](Driver())
    assert robot.execute(Step("wave", {"times": 2}, "k")).done == {"times": 2}
    assert str(check_robot(robot)) == "ok"


def test_the_guide_names_every_path_that_people_need() -> None:
    for path in create_app(FakeRobot(), "a-token-for-tests").openapi()["paths"]:
        if path.count("/") == 1:
            assert f"$URL{path}" in GUIDE
