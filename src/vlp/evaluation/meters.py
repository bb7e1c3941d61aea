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
        own = int(model.body_rootid[model.body(palm.palm).id])
        self._robot, self._body = (model.body_rootid == own).tolist(), model.geom_bodyid.tolist()
        self._bodies = {phrase: model.body(phrase).id for phrase in simulation.objects}
        self._free = set(self._bodies.values())
        people = simulation.world.people(simulation.scene).values()
        self._people = {model.body(body).id for bodies in people for body in bodies}
        joints = [j for j in range(model.njnt) if model.jnt_limited[j] and model.body_rootid[model.jnt_bodyid[j]] == own]
        self._q, self._range = model.jnt_qposadr[joints], model.jnt_range[joints].tolist()
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
        for place, (low, high) in zip(data.qpos[self._q].tolist(), self._range, strict=True):
            self._beyond = max(self._beyond, low - place, place - high)
        for body, force_n in self._touched(model, data).items():
            self._pressed[body] = max(self._pressed.get(body, 0.0), force_n)

    def _touched(self, model: mujoco.MjModel, data: mujoco.MjData) -> Mapping[int, float]:
        """Return the force in newtons of the robot, and of what it holds, on each body that is fixed or a person's."""
        held = self._acting.memory.held
        load = self._bodies.get(held.phrase, -1) if held else -1
        force, found = np.zeros(6), dict[int, float]()
        for i, (one, two) in enumerate(data.contact.geom.tolist()):
            a, b = self._body[one], self._body[two]
            robot = self._robot[a] or self._robot[b]
            if not robot and load not in (a, b):
                continue
            ours = (self._robot[a] or a == load, self._robot[b] or b == load)
            other = b if ours[0] else a
            if ours[0] == ours[1] or other == 0 or other in self._free or not (robot or other in self._people):
                continue
            if data.contact.efc_address[i] >= 0:
                mujoco.mj_contactForce(model, data, i, force)
                found[other] = found.get(other, 0.0) + float(np.linalg.norm(force[:3]))
        return found
