"""What a broken simulation is, and the small file from which anybody can step into the same break again."""

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vlp.core.errors import UsageError
from vlp.sim.opengl import mujoco

if TYPE_CHECKING:
    from vlp.sim.simulation import Simulation

STATE = mujoco.mjtState.mjSTATE_INTEGRATION
"""All that the next time step follows from, controls and applied forces included."""


def broken(model: mujoco.MjModel, data: mujoco.MjData) -> str:
    """Return what cannot be true of a state, "" when nothing is: numbers that are none, speeds, depths of contact."""
    why = _why(data)
    if not why or not np.isfinite(data.qpos).all():
        return why
    mujoco.mj_forward(model, data)  # contacts are those of the step before; so told, the state alone says it again
    return _why(data) or why


def _why(data: mujoco.MjData) -> str:
    for name, values in (("position", data.qpos), ("speed", data.qvel), ("control", data.ctrl)):
        if not np.isfinite(values).all():
            return f"a {name} is not a number"
    if (fastest := np.abs(data.qvel).max(initial=0.0)) > 100.0:  # m/s, rad/s; in tasks at most 7.5
        return f"something moves at {fastest:.3g} m/s or rad/s"
    if (deepest := -data.contact.dist.min(initial=0.0)) > 0.02:  # m; in tasks at most 0.0044, where the hand presses
        return f"two things are {100 * deepest:.3g} cm deep in each other"
    return ""


def state_of(model: mujoco.MjModel, data: mujoco.MjData) -> NDArray[np.float64]:
    """Return the whole state of a simulation as numbers."""
    state = np.empty(mujoco.mj_stateSize(model, STATE))
    mujoco.mj_getState(model, data, state, STATE)
    return state


def dump(simulation: "Simulation", before: NDArray[np.float64], why: str) -> str:
    """Return the text of a file that reproduces a fault.

    Args:
        simulation: which is broken.
        before: its last good state; since then nothing but its controls and applied forces were set from outside.
        why: what is broken.
    """
    found = state_of(simulation.model, simulation.data)
    names = {"world": simulation.world.name, "robot": simulation.embodiment.name, "seed": simulation.scene.seed}
    what = {"format": "vlp-simulation-fault", "version": 1, "mujoco": mujoco.__version__, **names, "fault": why}
    return json.dumps({**what, "before": _text(before), "found": _text(found)}, indent=1) + "\n"


def replay(file: Path) -> tuple[str, str]:
    """Step a dumped simulation from its last good state, and return the fault that was written down and the one that comes.

    Where stepping does not break it so, it was broken from outside: then the second is what is wrong with the state as it was
    found, after "as it was found: ".

    Raises:
        UsageError: it is no such file, or of another version of world, robot or simulator.
    """
    from vlp.sim import sample
    from vlp.sim.simulation import Simulation

    said = _read(file)
    simulation = Simulation(sample(said["world"], said["seed"]), said["robot"], said["world"])
    model, data = simulation.model, simulation.data
    before, found = (np.frombuffer(base64.b64decode(said[name]), "<f8").copy() for name in ("before", "found"))
    if not before.size == found.size == mujoco.mj_stateSize(model, STATE):
        raise UsageError(f"{file.name!r} is of another version of this world.", f"It was made with MuJoCo {said['mujoco']}.")
    user = np.empty(mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_USER))
    mujoco.mj_setState(model, data, found, STATE)
    mujoco.mj_getState(model, data, user, mujoco.mjtState.mjSTATE_USER)
    end_s = data.time
    mujoco.mj_setState(model, data, before, STATE)
    mujoco.mj_setState(model, data, user, mujoco.mjtState.mjSTATE_USER)
    for _ in range(min(100_000, round((end_s - data.time) / model.opt.timestep))):
        mujoco.mj_step(model, data)
    if broken(model, data) == said["fault"]:
        return said["fault"], said["fault"]
    mujoco.mj_setState(model, data, found, STATE)
    if np.isfinite(found).all():
        mujoco.mj_forward(model, data)
    return said["fault"], f"as it was found: {broken(model, data) or 'nothing is wrong'}"


def _text(state: NDArray[np.float64]) -> str:
    return base64.b64encode(state.astype("<f8").tobytes()).decode()


def _read(file: Path) -> dict[str, Any]:
    kinds = {"world": str, "robot": str, "seed": int, "fault": str, "before": str, "found": str, "mujoco": str}
    try:
        if file.stat().st_size > 10_000_000:
            raise ValueError("too large")
        said = json.loads(file.read_bytes())
        if said["format"] != "vlp-simulation-fault" or any(type(said[name]) is not kind for name, kind in kinds.items()):
            raise ValueError("another format")
        for name in ("before", "found"):
            if len(base64.b64decode(said[name], validate=True)) % 8:
                raise ValueError(f"{name} is cut off")
        return said
    except OSError as error:
        raise UsageError(f"{str(file)[:300]!r} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(f"{str(file)[:300]!r} is no dump of a fault of the simulator: {str(error)[:80]}.") from None
