"""`--skills`: the model that moves the hand."""

from __future__ import annotations

from collections.abc import Callable

from vlp.core.errors import UsageError
from vlp.models.catalogue import open_for_person
from vlp.models.protocol import Model
from vlp.robot.protocol import Robot


def skills_by(name: str) -> Callable[[Robot], Model] | None:
    """Return what gives the model that carries out skills on a robot; None for "".

    Args:
        name: a model as `--model` takes it, or "expert", which answers from the simulator's true state.

    Raises:
        UsageError, MissingComponent: the model cannot be opened.
    """
    if not name:
        return None
    if name != "expert":
        model = open_for_person(name)
        return lambda robot: model

    def expert(robot: Robot) -> Model:
        from vlp.episodes.motion_expert import MotionExpert
        from vlp.sim.embodiments.robot import SimRobot

        if not isinstance(robot, SimRobot):
            raise UsageError("the expert sees the true state of a simulated robot alone.", "Name a model with --skills.")
        return MotionExpert(robot)

    return expert
