"""A table with chosen things on it, what a robot sees of them, and a step that it is told."""

import numpy as np

from vlp.core.observation import Located
from vlp.robot.protocol import Step
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.tabletop.kinds import colours
from vlp.sim.worlds.tabletop.layout import stand_at
from vlp.sim.worlds.tabletop.objects import SceneObject
from vlp.sim.worlds.tabletop.scene import Look, Scene, Table

TABLE = Table(near_m=0.35, depth_m=0.48, width_m=0.95, height_m=0.43)
LOOK = Look((0.6, 0.5, 0.4), (0.6, 0.5, 0.4), "flat", (0.5, 0.5, 0.5), (0.7, 0.7, 0.7), (0.3, 0.2, 2.2), 0.5, 0.35)
SIZES = {
    "cube": (0.05, 0.05, 0.05), "block": (0.10, 0.05, 0.045), "ball": (0.06, 0.06, 0.06), "can": (0.06, 0.06, 0.095),
    "bottle": (0.056, 0.056, 0.17), "mug": (0.10, 0.069, 0.08), "bowl": (0.15, 0.15, 0.06), "tray": (0.22, 0.16, 0.028),
    "box": (0.15, 0.14, 0.075),
}  # fmt: skip


def robot_before(embodiment, *things):
    """Return a robot before a table with (phrase, x, y, yaw) on it."""
    objects = []
    for phrase, x, y, yaw in things:
        colour, kind = phrase.split()
        objects.append(stand_at(SceneObject(colour, kind, SIZES[kind], colours()[colour]), x, y, yaw, TABLE.height_m))
    simulation = Simulation(Scene(1, tuple(objects), TABLE, LOOK), embodiment)
    return simulation.embodiment.robot(simulation)


def see(robot, phrase, error_m=(0.004, -0.004, 0.003), **changes):
    """What a camera would make of an object: a little off."""
    thing = robot.simulation.truth().objects[phrase]
    x, y, z = (float(v) for v in np.array(thing.position_in_world) + error_m)
    yaw = (thing.yaw_rad + 0.06 + np.pi / 2) % np.pi - np.pi / 2
    return {**Located(phrase, (0, 0, 9, 9), (x, y, z), thing.size_m, float(yaw), 1.0, 0.0).to_json(), **changes}


def do(robot, what, key="", **arguments):
    return robot.execute(Step(what, arguments, key or f"{what}{robot.simulation.data.time}"))
