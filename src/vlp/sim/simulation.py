"""A running world: physics, true state, snapshots, and things that are put elsewhere or taken away from outside."""

import hashlib
import math
import struct
from collections.abc import Collection

import numpy as np

from vlp.core.errors import SimulationFault, UsageError, lookup
from vlp.sim import open_embodiment, open_world
from vlp.sim.embodiments.protocol import Embodiment
from vlp.sim.faults import STATE, broken, dump, state_of
from vlp.sim.opengl import mujoco
from vlp.sim.truth import Truth, alike
from vlp.sim.worlds.protocol import Sampled, SampledThing, World

MAGIC = b"vlpsim01"


class Simulation:
    """One scene of a world with one robot body in it, in simulated time.

    Args:
        scene: what stands where.
        embodiment: the body, or its row of `vlp.sim.EMBODIMENTS`; "" takes the first.
        world: whose scene it is, or its row of `vlp.sim.WORLDS`; "" takes the first.

    Attributes:
        model, data: MuJoCo's own, for the robot's controllers and for cameras.
        scene, embodiment, world: what it was built from.
        places: where the world's named places are.
        stations: where the body's base stands at each of them.
        objects: the scene's things by phrase.
    """

    def __init__(self, scene: Sampled, embodiment: Embodiment | str = "", world: World | str = "") -> None:
        self.scene = scene
        self.embodiment = open_embodiment(embodiment) if isinstance(embodiment, str) else embodiment
        self.world = open_world(world) if isinstance(world, str) else world
        # MuJoCo would write its warnings to a file in the working folder; `check` raises what matters.
        mujoco.set_mju_user_warning(_ignore)
        self.model = self.world.build(scene, self.embodiment.spec())
        # A diverged state must be seen, not reset behind our back.
        self.model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
        self.data = mujoco.MjData(self.model)
        self.places = self.world.stations(scene)
        self.stations = self.embodiment.stations(self.places)
        self.embodiment.set_home(self.model, self.data, self.stations[self.world.places[0].name])
        self.objects: dict[str, SampledThing] = {o.phrase: o for o in scene.objects}
        for _ in range(50):
            mujoco.mj_step(self.model, self.data)
        self.data.time = 0.0
        self._good = state_of(self.model, self.data)

    def step(self, n: int = 1) -> None:
        """Advance the physics by n time steps.

        Raises:
            SimulationFault: the state is broken, see `vlp.sim.faults.broken`.
        """
        for _ in range(n):
            mujoco.mj_step(self.model, self.data)
            self.world.react(self)
        self.check()

    def check(self) -> None:
        """Raise SimulationFault when the state is broken, else let the world react; call it after stepping `data` yourself."""
        if why := broken(self.model, self.data):
            raise SimulationFault(
                f"the simulation diverged at {self.data.time:.2f} s: {why}.",
                f"Report the scene's seed, {self.scene.seed}.",
                dump(self, self._good, why),
            )
        self.world.react(self)
        self._good = state_of(self.model, self.data)

    def at(self) -> str:
        """Return the named place the robot stands at, "" when between places."""
        x, y, _ = self.embodiment.base(self.data)
        distances = {name: math.hypot(x - s[0], y - s[1]) for name, s in self.stations.items()}
        nearest = min(distances, key=lambda name: distances[name])
        return nearest if distances[nearest] < 0.15 else ""

    def truth(self) -> Truth:
        """Return the true state of everything, for experts, the oracle grounder and success tests."""
        return self.world.truth(self)

    # Snapshots: bytes that a later process can go on from.

    def snapshot(self) -> bytes:
        """Return the whole physical state, and wake what sleeps; a simulation of the same scene and robot can restore it."""
        self._wake()
        state = state_of(self.model, self.data)
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
        self._wake()
        self.world.react(self)
        self._good = state_of(self.model, self.data)

    def _wake(self) -> None:
        """Wake what sleeps: which that is belongs to no state, and what is restored must go on as the original does."""
        if self.data.ntree_awake == self.model.ntree:
            return
        usual, self.model.opt.enableflags = self.model.opt.enableflags, 0
        mujoco.mj_forward(self.model, self.data)
        self.model.opt.enableflags = usual

    # What a person does to the scene while the robot works, or what builds it; never a robot.

    def put(self, phrase: str, position_m: tuple[float, float, float], yaw_rad: float = 0.0) -> None:
        """Set a thing down upright and at rest, with its middle at a point of the world."""
        set_pose(self.data, phrase, position_m, yaw_rad)
        mujoco.mj_forward(self.model, self.data)
        self._good = state_of(self.model, self.data)

    def remove(self, phrase: str) -> None:
        """Take a thing away; it is no longer in the world.

        Raises:
            UsageError: there is no such thing, or it has been taken away already.
        """
        size_m = lookup(phrase, self.truth().objects, "object").size_m
        self.put(phrase, (-20.0 - list(self.objects).index(phrase), 0.0, size_m[2] / 2))


def taken_away(simulation: Simulation) -> list[str]:
    """Return the things of the scene that are not in the world now, by phrase."""
    there = simulation.truth().objects
    return [phrase for phrase in simulation.objects if phrase not in there]


def exchange(simulation: Simulation, one: str, other: str, surfaces: Collection[str]) -> bool:
    """Let two things change places, upright; return False where they are not of one size, or one does not stand by itself.

    Args:
        simulation: the world.
        one, other: their phrases.
        surfaces: what they may stand on.
    """
    truth = simulation.truth()
    now = truth.objects
    free = all(now[name].support in surfaces and not truth.inside(name) for name in (one, other))
    if one == other or not free or not alike(now[one], now[other]):
        return False
    for name, there in ((one, now[other]), (other, now[one])):
        x, y, z = there.position_in_world
        simulation.put(name, (x, y, z + (now[name].size_m[2] - there.size_m[2]) / 2 + 0.001), there.yaw_rad)
    return True


def _ignore(_: str) -> None:
    """Take a warning of MuJoCo's and do nothing."""


def compute_poses(model: mujoco.MjModel, data: mujoco.MjData) -> None:
    """Compute where everything stands in the state as it was written."""
    mujoco.mj_forward(model, data)


def set_pose(data: mujoco.MjData, phrase: str, position_m: tuple[float, float, float], yaw_rad: float) -> None:
    """Write a thing's position and yaw into the state, upright and at rest; the caller runs `compute_poses`."""
    joint = data.joint(phrase)
    half = yaw_rad / 2
    joint.qpos[:] = (*position_m, math.cos(half), 0.0, 0.0, math.sin(half))
    joint.qvel[:] = 0.0
