"""The camera of films: where the world's own shows the robot small, it turns to it and zooms in, as a person would."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlp.sim.opengl import mujoco
from vlp.sim.render import Camera
from vlp.sim.simulation import Simulation


class FilmCamera(Camera):
    """The camera of a world's audience, which keeps its place and follows the robot without haste.

    Args:
        simulation: the world.
        size_px: width and height of a picture; smaller where the model cannot be drawn so large.
    """

    def __init__(self, simulation: Simulation, size_px: tuple[int, int]) -> None:
        largest = simulation.model.vis.global_
        share = min(1.0, largest.offwidth / size_px[0], largest.offheight / size_px[1])
        super().__init__(simulation.model, simulation.world.audience, *(int(share * side) for side in size_px))
        self._simulation = simulation
        self._aim: NDArray[np.float64] | None = None

    def _update(self, data: mujoco.MjData, scene: mujoco.MjvScene) -> mujoco.MjvScene:
        scene = super()._update(data, scene)
        eye = np.array(scene.camera[0].pos, float)
        x, y, yaw = self._simulation.embodiment.base(data)
        ahead_m, height_m, haste = 0.35, 0.75, 0.12  # haste: part of the way in each picture
        there = np.array([x + ahead_m * math.cos(yaw), y + ahead_m * math.sin(yaw), height_m])
        self._aim = there if self._aim is None else self._aim + haste * (there - self._aim)
        own = math.radians(float(self.model.cam_fovy[self._view.fixedcamid]))
        shown_m = 2.8
        wanted = 2 * math.atan(shown_m / 2 / float(np.linalg.norm(self._aim - eye)))
        if wanted < 0.8 * own:
            for view in scene.camera:
                _turn(view, self._aim - np.array(view.pos), wanted / own)
        return scene


def _turn(view: Any, towards: NDArray[np.float64], narrower: float) -> None:
    """Turn a view of a scene level towards a direction, and narrow it to a share of its angle."""
    forward = towards / np.linalg.norm(towards)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    view.forward, view.up = forward, np.cross(right, forward)
    angle_rad = math.atan(view.frustum_top / view.frustum_near)
    share = math.tan(narrower * angle_rad) / math.tan(angle_rad)
    view.frustum_top *= share
    view.frustum_bottom *= share
    view.frustum_width *= share
