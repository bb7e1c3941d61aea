"""`vlp robot stop` and `vlp robot reset`: the latch of a served robot."""

import os

from vlp.cli.robot import ADDRESS
from vlp.cli.robots import connect


def stop(robot: str = ADDRESS, token: str = "") -> int:
    """Stop a robot now, whoever commands it; it stays stopped until it is reset.

    Args:
        robot: the URL of its server.
        token: by default the environment's VLP_ROBOT_TOKEN.
    """
    with connect(robot, token) as remote:
        remote.stop()
    print("stopped. Look at the robot, then open the latch with: vlp robot reset")
    return 0


def reset(robot: str = ADDRESS, token: str = "") -> int:
    """Open the stop latch of a robot; look at the robot before you do.

    Args:
        robot: the URL of its server.
        token: one with the role "reset"; by default the environment's VLP_ROBOT_RESET_TOKEN, else VLP_ROBOT_TOKEN.
    """
    with connect(robot, token or os.environ.get("VLP_ROBOT_RESET_TOKEN", "")) as remote:
        remote.reset_stop()
    print("ready: the robot takes steps again.")
    return 0
