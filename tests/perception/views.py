"""Scenes with their truth, as the HSR's head camera sees them."""

import os
from dataclasses import dataclass
from functools import lru_cache

os.environ.setdefault("MUJOCO_GL", "egl")

import numpy as np

from vlp.core.observation import Box, Observation
from vlp.sim.embodiments.hsr.body import CAMERA
from vlp.sim.render import Camera
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.tabletop.events import things_now
from vlp.sim.worlds.tabletop.objects import SceneObject
from vlp.sim.worlds.tabletop.world import sample_scene


@dataclass(frozen=True)
class View:
    """One scene as seen and as it is."""

    observation: Observation
    objects: dict[str, SceneObject]
    boxes: dict[str, Box]


@lru_cache(maxsize=16)
def make_view(seed: int) -> View:
    """Return the view of a seed; only what shows at least a third of its outline has a box."""
    simulation = Simulation(sample_scene(seed))
    robot = simulation.embodiment.robot(simulation)
    seen = Camera(simulation.model, CAMERA).visible(simulation.data, list(simulation.objects))
    boxes = {name: v.box for name, v in seen.items() if v.fraction > 0.34 and v.pixels > 100}
    return View(robot.observe(), things_now(simulation), boxes)


def rotation(about: tuple[float, float, float]) -> np.ndarray:
    """Return the 4x4 turn by a small vector (rad)."""
    x, y, z = about
    turn = np.eye(4)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn[:3, :3] += cross + cross @ cross / 2
    return turn
