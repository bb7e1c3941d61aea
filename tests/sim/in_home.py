"""A body in a home, what it sees of the things there, and what it has bumped into."""

import numpy as np
from on_table import see

from vlp.robot.protocol import Step
from vlp.sim import sample
from vlp.sim.embodiments.actions.scope import Held
from vlp.sim.simulation import Simulation


class Bumps:
    """Counts by body what the robot touches besides the things that may be moved, the floor and what it is told to touch.

    Args:
        robot: a simulated robot.
        allowed: bodies that it may touch.
    """

    def __init__(self, robot, *allowed):
        self.simulation, self.counted = robot.simulation, {}
        model = self.simulation.model
        self.own = model.body("base_footprint").id
        free = {b for b in range(model.nbody) if model.body_jntnum[b] and model.jnt_type[model.body_jntadr[b]] == 0}
        self.free = free | {model.body(name).id for name in allowed}
        self.floor = model.geom("floor").id
        robot.on_tick.append(self.count)

    def count(self, now_s):
        model, contacts = self.simulation.model, self.simulation.data.contact
        for one, other in contacts.geom[contacts.exclude == 0]:
            a, b = model.geom_bodyid[one], model.geom_bodyid[other]
            roots = model.body_rootid[a], model.body_rootid[b]
            if (roots[0] == self.own) == (roots[1] == self.own):
                continue
            theirs, geom = (b, other) if roots[0] == self.own else (a, one)
            if geom != self.floor and theirs not in self.free:
                name = model.body(theirs).name
                self.counted[name] = self.counted.get(name, 0) + 1


def robot_in_home(embodiment, seed):
    simulation = Simulation(sample("home", seed), embodiment, "home")
    return simulation.embodiment.robot(simulation)


def do(robot, what, **arguments):
    return robot.execute(Step(what, arguments, f"{what}{robot.simulation.data.time}"))


def with_in_hand(robot, thing):
    """Let the robot hold a thing where it stands."""
    if robot.simulation.embodiment.name != "hsr":  # what is posed in another's hand falls out of it
        do(robot, "walk_to", place="coffee table")
        assert do(robot, "grasp", target=see(robot, thing)).status == "succeeded"
        return
    simulation, size_m = robot.simulation, robot.simulation.objects[thing].size_m
    simulation.embodiment.put_in_hand(simulation.model, simulation.data, thing, size_m, np.random.default_rng(0))
    mechanics = robot.motion.mechanics
    robot.motion.reload()
    robot.motion.target[mechanics.closer] = mechanics.gripper.closed_rad
    robot.motion.wait(0.5)
    robot.memory.held = Held(thing, size_m, 0.03, min(size_m[:2]), min(size_m[:2]) + 0.02, (0.0, 0.0))


__all__ = ["Bumps", "do", "robot_in_home", "see", "with_in_hand"]
