"""What a robot may offer beyond the four methods."""

from collections.abc import Callable
from typing import Any

from vlp.robot.protocol import Robot


def offered(robot: Robot, method: str) -> Callable[..., Any] | None:
    """Return a method of the robot or of the one it wraps (its attribute `robot`), None when none has it."""
    inner: Any = robot
    while inner is not None:
        found = getattr(inner, method, None)
        if callable(found):
            return found
        inner = getattr(inner, "robot", None)
    return None
