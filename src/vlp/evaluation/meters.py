"""What a robot did to itself and its surroundings in an episode, measured in the physics after every time step."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from vlp.evaluation.stress.limits import LIMITS, Gauge
from vlp.journal import Event
from vlp.robot.protocol import Robot, innermost
from vlp.sim.opengl import mujoco
from vlp.sim.simulation import Simulation


class Meters:
    """Follows a simulated robot from now on.

    Args:
        robot: the robot, or one that wraps it; its body has a hand.
        simulation: the world that it stands in.
    """

    def __init__(self, robot: Robot, simulation: Simulation) -> None:
        model = simulation.model
        self._simulation, self._acting = simulation, innermost(robot)
        self._gauge = Gauge(simulation, robot.describe().limits)
        palm = simulation.embodiment.fingers
        assert palm is not None
        self._own = int(model.body_rootid[model.body(palm.palm).id])
        self._free = {model.body(phrase).id for phrase in simulation.objects}
        people = simulation.world.people(simulation.scene).values()
        self._people = {model.body(body).id for bodies in people for body in bodies}
        joints = [j for j in range(model.njnt) if model.jnt_limited[j] and model.body_rootid[model.jnt_bodyid[j]] == self._own]
        self._joints, self._q = joints, model.jnt_qposadr[joints]
        self._beyond = 0.0
        self._pressed: dict[int, float] = {}
        self._acting.on_step.append(self._after_step)
        self._acting.on_tick.append(self._gauge.after_tick)

    def on_event(self, event: Event) -> None:
        """Take note of what is carried out from now on."""
        if event.kind == "step-started":
            self._gauge.step = str(event.data["do"])

    def row(self) -> dict[str, Any]:
        """Return the greatest values so far, by column.

        `breaches` names what was greater than the body declares, `touched` what furniture was touched and how hard;
        `person_force_n` is the greatest force on people, of the robot and of what it held.
        """
        names = {body: self._simulation.model.body(body).name for body in self._pressed}
        fixed = {names[body]: round(force, 1) for body, force in self._pressed.items() if body not in self._people}
        person = max((force for body, force in self._pressed.items() if body in self._people), default=0.0)
        slack = 0.01  # rad or m: limits are soft constraints in the physics
        beyond = [f"joint limit by {self._beyond:.3f}"] if self._beyond > slack else []
        values = {name: round(self._gauge.most.get(name, 0.0), 4) for name in LIMITS}
        breaches = [*self._gauge.breaches(), *beyond]
        return {
            **values,
            "furniture_force_n": max(fixed.values(), default=0.0),
            "person_force_n": round(person, 1),
            "touched": dict(sorted(fixed.items())),
            "limit_breaches": len(breaches),
            "breaches": breaches,
        }

    def _after_step(self) -> None:
        self._gauge.after_step()
        model, data = self._simulation.model, self._simulation.data
        places, (low, high) = data.qpos[self._q], model.jnt_range[self._joints].T
        self._beyond = max(self._beyond, float(np.maximum(low - places, places - high).max(initial=0.0)))
        for body, force_n in self._touched(model, data).items():
            self._pressed[body] = max(self._pressed.get(body, 0.0), force_n)

    def _touched(self, model: mujoco.MjModel, data: mujoco.MjData) -> Mapping[int, float]:
        """Return the force in newtons of the robot, and of what it holds, on each body that is fixed or a person's."""
        geoms = data.contact.geom
        if not len(geoms):
            return {}
        bodies = model.geom_bodyid[geoms]
        held = self._acting.memory.held
        load = model.body(held.phrase).id if held and held.phrase in self._simulation.objects else -1
        robot = model.body_rootid[bodies] == self._own
        ours = robot | (bodies == load)
        force, found = np.zeros(6), dict[int, float]()
        for i in np.flatnonzero((ours[:, 0] != ours[:, 1]) & (data.contact.efc_address >= 0)):
            other = int(bodies[i, 0] if ours[i, 1] else bodies[i, 1])
            by_load = not robot[i].any()
            if other == 0 or other in self._free or (by_load and other not in self._people):
                continue
            mujoco.mj_contactForce(model, data, int(i), force)
            found[other] = found.get(other, 0.0) + float(np.linalg.norm(force[:3]))
        return found
