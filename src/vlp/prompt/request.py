"""Everything a request for a policy is made from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vlp.core.observation import RobotState
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
    """

    rgb: NDArray[np.uint8]
    instruction: str
    state: RobotState
    memory: Memory
    manifest: Manifest
    now_s: float | None = None
    scene_text: tuple[str, ...] = ()
