"""A served fake robot in a process of its own, which dies when it is told to grasp: `python robot_process.py TOKEN`."""

import os
import sys
import time

from vlp.robot.serving import running_server
from vlp.sim.fake.robot import FakeRobot, Script

robot = FakeRobot()
if "mortal" in sys.argv:
    robot.script("grasp", Script(before=lambda world: os._exit(9)))
with running_server(robot, sys.argv[1]) as address:
    print(address.url, flush=True)
    while os.getppid() != 1:
        time.sleep(0.1)
