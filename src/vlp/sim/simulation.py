"""A running world: physics, true state, snapshots, and events that come from outside the robot."""

import hashlib
import math
import struct
from dataclasses import replace

import mujoco
import numpy as np

from vlp.core.errors import UsageError, VlpError, lookup
from vlp.sim.truth import Truth
from vlp.sim.worlds.tabletop.layout import fits
from vlp.sim.worlds.tabletop.objects import SceneObject
from vlp.sim.worlds.tabletop.scene import Scene
from vlp.sim.worlds.tabletop.true_state import read_truth
from vlp.sim.worlds.tabletop.words import CONTAINERS
from vlp.sim.worlds.tabletop.world import beside_others, build, free_spot

STATE = mujoco.mjtState.mjSTATE_INTEGRATION
MAGIC = b"vlpsim01"
PARKED_X_M = -20.0
FASTEST_M_S = 100.0
NEAR_STATION_M = 0.15


class SimulationDiverged(VlpError):
    """The physics broke down (not a number, or speeds beyond reason): neither a success nor the planner's failure."""


class Simulation:
    """One world with one robot, in simulated time.

    Args:
        scene: what stands where.
        embodiment: a row of `vlp.sim.embodiments.EMBODIMENTS`.

    Attributes:
        model, data: MuJoCo's own, for the robot's controllers and for cameras.
        scene: the scene it was built from.
    """

    def __init__(self, scene: Scene, embodiment: str = "hsr") -> None:
        from vlp.sim.embodiments.hsr import body as hsr

        self.scene, self.embodiment = scene, embodiment
        # MuJoCo would write its warnings to a file in the working folder; `check` raises what matters.
        mujoco.set_mju_user_warning(_ignore)
        self.model = build(scene, embodiment)
        # A diverged state must be seen, not reset behind our back.
        self.model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
        self.data = mujoco.MjData(self.model)
        self.stations = hsr.STATIONS
        hsr.set_home(self.model, self.data)
        self.objects: dict[str, SceneObject] = {o.phrase: o for o in scene.objects}
        for _ in range(50):
            mujoco.mj_step(self.model, self.data)
        self.data.time = 0.0

    def step(self, n: int = 1) -> None:
        """Advance the physics by n time steps.

        Raises:
            SimulationDiverged: the state is no longer finite or moves faster than anything here can.
        """
        for _ in range(n):
            mujoco.mj_step(self.model, self.data)
        self.check()

    def check(self) -> None:
        """Raise SimulationDiverged when the state is broken; call it after stepping `data` yourself."""
        speed = self.data.qvel
        if not (np.isfinite(self.data.qpos).all() and np.isfinite(speed).all()) or np.abs(speed).max() > FASTEST_M_S:
            raise SimulationDiverged(
                f"the simulation diverged at {self.data.time:.2f} s.", f"Report the scene's seed, {self.scene.seed}."
            )

    def at(self) -> str:
        """Return the named place the robot stands at, "" when between places."""
        x, y = (float(self.data.joint(j).qpos[0]) for j in ("base_x", "base_y"))
        distances = {name: math.hypot(x - s[0], y - s[1]) for name, s in self.stations.items()}
        nearest = min(distances, key=lambda name: distances[name])
        return nearest if distances[nearest] < NEAR_STATION_M else ""

    def truth(self) -> Truth:
        """Return the true state of everything, for experts, the oracle grounder and success tests."""
        return read_truth(self.model, self.data, self.objects.values(), at=self.at())

    def now(self) -> dict[str, SceneObject]:
        """Return the objects still in the world with their present poses."""
        return {
            name: replace(
                self.objects[name],
                position_m=t.position_in_world, yaw_rad=t.yaw_rad, support=t.support, relation=t.relation,
            )
            for name, t in self.truth().objects.items()
        }  # fmt: skip

    # Snapshots: bytes that a later process can go on from.

    def snapshot(self) -> bytes:
        """Return the whole physical state; only a simulation of the same scene and robot can restore it."""
        state = np.empty(mujoco.mj_stateSize(self.model, STATE))
        mujoco.mj_getState(self.model, self.data, state, STATE)
        body = state.astype("<f8").tobytes()
        return MAGIC + struct.pack("<I", len(state)) + hashlib.sha256(body).digest()[:8] + body

    def restore(self, snapshot: bytes) -> None:
        """Put back what `snapshot` returned.

        Raises:
            UsageError: it is not a snapshot, is damaged, or belongs to another world.
        """
        size, head = mujoco.mj_stateSize(self.model, STATE), len(MAGIC) + 12
        body = snapshot[head:]
        good = snapshot[: len(MAGIC)] == MAGIC and hashlib.sha256(body).digest()[:8] == snapshot[head - 8 : head]
        if not good or len(body) != 8 * size:
            raise UsageError("this is not a whole snapshot of this world.", "Build the simulation from the same scene.")
        mujoco.mj_setState(self.model, self.data, np.frombuffer(body, "<f8").copy(), STATE)
        mujoco.mj_forward(self.model, self.data)

    # Events: what a person does to the scene while the robot works.

    def move(self, phrase: str, rng: np.random.Generator, *, at: tuple[float, float] | None = None) -> bool:
        """A person's hand puts an object elsewhere on the table, upright.

        Args:
            phrase: the object.
            rng: decides the place when `at` is None.
            at: x, y in the world frame.

        Returns:
            False when there is no free place; then nothing has moved.
        """
        now = self.now()
        thing = lookup(phrase, now, "object")
        others = [o for name, o in now.items() if name != phrase]
        table = self.scene.table
        if at is not None:
            z = table.height_m + thing.size_m[2] / 2 + 0.001
            spot = replace(thing, position_m=(at[0], at[1], z))
        else:
            spot = free_spot(thing, others, table, rng, tries=500)
        if spot is None:
            return False
        self.put(spot)
        return True

    def remove(self, phrase: str) -> None:
        """A person takes an object away; it is no longer in the world."""
        thing = lookup(phrase, self.now(), "object")
        row = list(self.objects).index(phrase)
        self.put(replace(thing, position_m=(PARKED_X_M - row, 0.0, thing.size_m[2] / 2)))

    def knock_out(self, rng: np.random.Generator) -> str:
        """A person knocks the held object out of the hand onto the table; returns its phrase, "" when none is held."""
        held = self.truth().holding
        if held and self.move(held, rng):
            return held
        return ""

    def block(self, container: str, rng: np.random.Generator, *, by: str | None = None) -> str:
        """A person puts a thing in or on a container; returns its phrase, "" when nothing fits.

        Args:
            container: the phrase of the container.
            rng: decides which thing, and where in the container.
            by: the thing; by default any that lies freely on the table and fits.
        """
        now = self.now()
        host = lookup(container, now, "object")
        if host.kind not in CONTAINERS:
            raise UsageError(f"{container!r} is not a container.", f"Containers: {', '.join(CONTAINERS)}.")
        loose = [o for o in now.values() if o.support == "table" and o.kind not in CONTAINERS and fits(o, host)]
        choice = [lookup(by, now, "object")] if by else [loose[i] for i in rng.permutation(len(loose))]
        for thing in choice:
            spot = beside_others(thing, host, list(now.values()), rng, crowded=True)
            if spot is not None:
                self.put(spot)
                return spot.phrase
        return ""

    def put(self, thing: SceneObject) -> None:
        """Set an object's pose at rest: for events from outside and for building scenes, never for a robot."""
        set_pose(self.model, self.data, thing)
        mujoco.mj_forward(self.model, self.data)


def _ignore(_: str) -> None:
    """Take a warning of MuJoCo's and do nothing."""


def compute_poses(model: mujoco.MjModel, data: mujoco.MjData) -> None:
    """Compute where everything stands in the state as it was written."""
    mujoco.mj_forward(model, data)


def set_pose(model: mujoco.MjModel, data: mujoco.MjData, thing: SceneObject) -> None:
    """Write an object's position and yaw into the state, upright and at rest; the caller runs `compute_poses`."""
    joint = data.joint(thing.phrase)
    half = thing.yaw_rad / 2
    joint.qpos[:] = (*thing.position_m, math.cos(half), 0.0, 0.0, math.sin(half))
    joint.qvel[:] = 0.0
