"""Everything that a request to a model is made from."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vlp.core.images import ImageView
from vlp.core.observation import RobotState
from vlp.core.things import Names
from vlp.primitives.manifest import Manifest
from vlp.prompt.memory import Memory


@dataclass(frozen=True)
class PlanRequest:
    """What one prompt for a policy says.

    Args:
        rgb: the robot's camera image, (height, width, 3) uint8.
        instruction: the instruction that holds now, already cleaned.
        state: proprioception.
        memory: the run so far.
        manifest: what the robot can do.
        now_s: the robot's clock, for the age of beliefs; None leaves ages out.
        scene_text: text read from the scene; shown as quoted data.
        names: the only things that the robot finds in its images; None for whatever can be named.
    """

    rgb: NDArray[np.uint8]
    instruction: str
    state: RobotState
    memory: Memory
    manifest: Manifest
    now_s: float | None = None
    scene_text: tuple[str, ...] = ()
    names: Names | None = None


@dataclass(frozen=True)
class GroundRequest:
    """What one prompt for places in an image says.

    Args:
        rgb: the image, (height, width, 3) uint8.
        phrases: what is looked for, already cleaned; none asks for everything in view.
        view: how the model writes places.
    """

    rgb: NDArray[np.uint8]
    phrases: tuple[str, ...] = ()
    view: ImageView = field(default_factory=ImageView)
