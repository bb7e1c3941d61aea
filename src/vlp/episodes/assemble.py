"""A robot with eyes, and the world it stands in where that is simulated: the one place that all who run one share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from vlp.core.errors import UsageError
from vlp.core.observation import Box, Described, Observation
from vlp.models.protocol import Model
from vlp.perception.grounder import DEFAULT_GROUNDER, Sources, make_grounder
from vlp.primitives.manifest import Manifest
from vlp.robot.protocol import Robot, Step, StepResult, is_own
from vlp.runtime.body import executed, observed

if TYPE_CHECKING:
    from vlp.sim.simulation import Simulation


def open_robot(
    robot: str = "",
    *,
    world: str = "",
    seed: int = 0,
    grounder: str = DEFAULT_GROUNDER,
    model: Model | None = None,
    ask_person: Callable[[str], str | None] | None = None,
    token: str = "",
    ask_checks: bool = False,
    skills: Callable[[Robot], Model] | None = None,
    hand: bool = False,
) -> tuple[Robot, Simulation | None]:
    """Return a robot that can act and look, and its world; None for a robot that is reached over HTTP.

    Args:
        robot: a row of `vlp.sim.EMBODIMENTS` ("" takes the first), "module:Class" of one's own, or the URL
            of a robot's server.
        world, seed: for simulated robots; see `vlp.sim.open.simulated`.
        grounder: a row of `vlp.perception.grounder.GROUNDERS`.
        model: for the grounder "model", and for checks where it is to answer them.
        ask_person: question -> answer, for `ask`.
        token: of a robot's server.
        ask_checks: whether the model answers checks of relations; else they are measured.
        skills: gives, for the robot, the model that carries out skills; None for a robot without.
        hand: whether the hand of a simulated robot can be moved from outside, as skills do.

    Raises:
        UsageError: an unknown name, or a robot of one's own with a manifest that cannot be used.
        MissingComponent: an extra that is not installed, weights that are not there, a server that does not answer.
    """
    if ask_checks and (model is None or not model.can.images):
        raise UsageError("checks are to be answered by a model, and none that sees is named.", "Name one with --model.")
    judge = model if ask_checks else None
    remote = robot.startswith(("http://", "https://"))
    if remote or is_own(robot):
        real = _with_skills(_remote(robot, token) if remote else _own(robot), skills)
        manifest = real.describe()
        if remote and manifest.looks and ask_person is None:
            return real, None
        from vlp.perception.perceiving import PerceivingRobot

        eyes = make_grounder(grounder, Sources(model=model)) if manifest.sees_depth else None
        return PerceivingRobot(real, eyes, judge, ask_person), None
    from vlp.perception.perceiving import PerceivingRobot
    from vlp.perception.reading import Ocr
    from vlp.sim.open import simulated

    body, simulation = simulated(robot, world, seed, hand=hand or skills is not None)
    acting = _with_skills(body, skills)
    stage, described = simulation.world, partial(_described, simulation)
    eyes = make_grounder(grounder, Sources(true_boxes(simulation), described, model))
    reader = Ocr() if stage.legible else None
    return PerceivingRobot(acting, eyes, judge, ask_person, stage.sizes(), reader), simulation


def _with_skills(robot: Robot, skills: Callable[[Robot], Model] | None) -> Robot:
    if skills is None:
        return robot
    from vlp.skills.skilled import SkilledRobot

    return SkilledRobot(robot, skills(robot))


def manifest_in(robot: str = "", world: str = "") -> Manifest:
    """Return what a simulated robot says of itself in a world, with what its eyes add; names as in `open_robot`."""
    from vlp.perception.perceiving import with_perceptions
    from vlp.sim import open_world
    from vlp.sim.open import manifest_of

    return with_perceptions(manifest_of(robot, world), open_world(world).legible)


class OwnRobot:
    """A robot of one's own, whose answers are checked and made plain before anything that wraps it uses them.

    Args:
        robot: the robot; what it offers beyond the four methods is found through here.
    """

    def __init__(self, robot: Robot) -> None:
        self.robot = robot
        if callable(state := getattr(robot, "observe_state", None)):
            self.observe_state = state

    def describe(self) -> Manifest:
        """Return what the robot says of itself."""
        return self.robot.describe()

    def observe(self) -> Observation:
        """Return what the robot perceives now; raises ProgramFault when that is no observation."""
        return observed(self.robot)

    def execute(self, step: Step) -> StepResult:
        """Return what was really done, as plain data; raises ProgramFault when that is no result."""
        return executed(self.robot, step)

    def stop(self) -> None:
        """Stop the robot."""
        self.robot.stop()


def true_boxes(simulation: Simulation) -> Callable[[], Mapping[str, Box]]:
    """Return a function that gives the true visible boxes of a simulation now: for the oracle grounder only."""
    cameras: list[Any] = []

    def boxes() -> Mapping[str, Box]:
        from vlp.sim.render import Camera, boxes_of

        if not cameras:
            cameras.append(Camera(simulation.model, simulation.embodiment.camera))
        shown = boxes_of(simulation.model, cameras[0].shot(simulation.data).bodies, simulation.world.sights(simulation))
        least_px = 40
        return {name: box for name, (box, pixels) in shown.items() if pixels >= least_px}

    return boxes


def _described(simulation: Simulation) -> Mapping[str, Described]:
    return simulation.world.described(simulation.truth())


def _own(name: str) -> Robot:
    from vlp.robot.own import usable_robot

    return OwnRobot(usable_robot(name))


def _remote(url: str, token: str) -> Robot:
    from vlp.robot.client import RemoteRobot

    return RemoteRobot(url, token)
