"""A simulated world in the middle of a task, without driving there: steps done symbolically, then posed and settled.

Carrying a task out with physics takes seconds per step; a picture of its middle needs only the right poses. What comes
out is read back from the physics, and thrown away when it is not the state that the steps lead to.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vlp.core.observation import Located, Observation
from vlp.sim.render import Camera, Visible
from vlp.sim.simulation import Simulation, compute_poses, set_pose
from vlp.sim.symbolic import StepNotPossible, SymbolicTable, do_step
from vlp.sim.truth import Truth
from vlp.sim.worlds.tabletop.building import BIN
from vlp.sim.worlds.tabletop.events import scene_of, things_now
from vlp.sim.worlds.tabletop.layout import stand_at
from vlp.sim.worlds.tabletop.objects import SceneObject
from vlp.sim.worlds.tabletop.world import beside_others, free_spot

Json = dict[str, Any]


@dataclass
class Midway:
    """A world posed in the middle of a task.

    Args:
        simulation: posed, with the robot at its station.
        truth: the true state read back from it.
        seen: what the head camera shows of each thing.
        observation: what the robot perceives.
    """

    simulation: Simulation
    truth: Truth
    seen: dict[str, Visible]
    observation: Observation

    @property
    def clear(self) -> bool:
        """Whether everything that the expert knows of can be seen in the image."""
        hidden = [n for n, item in self.truth.objects.items() if item.support not in ("bin", "hand") and not self.shows(n)]
        return not hidden

    def shows(self, name: str) -> bool:
        """Return whether enough of a thing is seen to know it: a share of its outline, or pixels of the 640 x 480 image."""
        seen = self.seen.get(name)
        return seen is not None and (seen.fraction >= 0.15 or seen.pixels >= 200)

    def located(self, name: str, rng: np.random.Generator) -> Located | None:
        """Return what locating a thing would give now, with a sensor's noise; None when it is not seen."""
        if name not in self.seen:
            return None
        return _located(self.truth, name, self.seen[name], self.observation.stamp_s, rng)


def _located(truth: Truth, name: str, seen: Visible, stamp_s: float, rng: np.random.Generator) -> Located:
    item = truth.objects[name]
    noise_m = 0.004
    x, y, z = (p + float(rng.normal(0, noise_m)) for p in item.position_in_world)
    length, width = max(item.size_m[:2]), min(item.size_m[:2])
    yaw = (item.yaw_rad + np.pi / 2) % np.pi - np.pi / 2
    return Located(name, seen.box, (x, y, z), (length, width, item.size_m[2]), float(yaw), 0.9, stamp_s)


class MidwayScene:
    """One scene that can be posed in several ways.

    Args:
        simulation: freshly built.
        rng: decides what steps leave open.
    """

    def __init__(self, simulation: Simulation, rng: np.random.Generator) -> None:
        self.simulation = simulation
        self.start = simulation.truth()
        self._things = things_now(simulation)
        self._rng = rng
        self._camera = Camera(simulation.model, simulation.embodiment.camera)

    def at_start(self) -> Midway:
        """Return the world as it was built."""
        return self._look(self.start)

    def now(self) -> Midway:
        """Return the world as it is now, wherever the robot and its actions have brought it."""
        return self._look(self.simulation.truth())

    def after(self, steps: list[Json], moved: str = "", removed: str = "") -> Midway | None:
        """Return the world after steps of a policy, None when they cannot be posed as they should be.

        Args:
            steps: done one after the other from the start.
            moved: a thing that a person then puts elsewhere on the table, out of the hand if it is held.
            removed: a thing that a person then takes away.
        """
        table, things = SymbolicTable.of(self.start), dict(self._things)
        for step in steps:
            held = table.holding
            try:
                do_step(table, step)
            except StepNotPossible:
                return None
            if held and not table.holding:
                spot = self._put_down(things, held, table)
                if spot is None:
                    return None
                things[held] = spot
        held = table.holding
        if moved:
            others = [o for name, o in things.items() if name not in (moved, held)]
            spot = free_spot(things[moved], others, scene_of(self.simulation).table, self._rng, tries=200)
            if spot is None:
                return None
            things[moved] = spot
            held = "" if held == moved else held
        if removed:
            del things[removed]
        wanted = {name: item.support for name, item in table.objects.items() if name != removed}
        wanted |= {moved: "table"} if moved else {}
        truth = self._pose(things, held, removed)
        agrees = all(truth.objects[n].support == support for n, support in wanted.items() if n in truth.objects)
        return self._look(truth) if agrees and set(truth.objects) == set(wanted) else None

    def _put_down(self, things: dict[str, SceneObject], held: str, table: SymbolicTable) -> SceneObject | None:
        """Return the held thing where a step put it, as the world allows."""
        item, thing, rng = table.objects[held], things[held], self._rng
        x, y, _ = item.position_in_world
        if item.support == "bin":
            layer = sum(o.support == "bin" for o in things.values())
            x, y = BIN.at_m[0] + rng.uniform(-0.08, 0.08), BIN.at_m[1] + rng.uniform(-0.06, 0.06)
            return stand_at(thing, x, y, thing.yaw_rad, 0.01 + 0.17 * layer, "bin")
        if item.support == "table":
            return stand_at(thing, x, y, thing.yaw_rad, scene_of(self.simulation).table.height_m)
        others = [o for name, o in things.items() if name != held]
        return beside_others(thing, things[item.support], others, rng, crowded=True)

    def _pose(self, things: dict[str, SceneObject], held: str, removed: str) -> Truth:
        simulation, rng = self.simulation, self._rng
        model, data = simulation.model, simulation.data
        if removed:
            simulation.remove(removed)
        for name, thing in things.items():
            parked = (-5.0, 0.0, thing.size_m[2] / 2)
            set_pose(data, name, parked if name == held else thing.position_m, thing.yaw_rad)
        compute_poses(model, data)
        simulation.step(150)
        body = simulation.embodiment
        body.pose_near(model, data, simulation.stations[simulation.world.places[0].name], rng)
        if held:
            body.put_in_hand(model, data, held, things[held].size_m, rng)
        compute_poses(model, data)
        return simulation.world.truth(simulation, held)

    def _look(self, truth: Truth) -> Midway:
        simulation = self.simulation
        seen = self._camera.visible(simulation.data, list(truth.objects))
        observation = simulation.embodiment.robot(simulation).observe()
        state = replace(observation.state, holding=truth.holding, at=simulation.world.places[0].name)
        return Midway(simulation, truth, seen, replace(observation, state=state))
