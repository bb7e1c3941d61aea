"""Break the simulator in one of a hundred short episodes: each is a fault of its own, with a dump that steps into it again.

    python -m vlp.evaluation.stress.physics --n 10000 --out runs/physics

An episode is a fifth of a second of driving in one of twenty scenes. In every hundredth the state, the controls or the applied
forces are spoiled between two time steps, or a thing is set into another one.
"""

import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vlp.core.errors import SimulationFault
from vlp.evaluation.stress.command import stress_command
from vlp.robot.protocol import Step
from vlp.sim.embodiments.protocol import SimulatedRobot
from vlp.sim.faults import broken, replay
from vlp.sim.open import simulated
from vlp.sim.simulation import Simulation

Plant = Callable[[Simulation, random.Random], None]


def _number(simulation: Simulation, rng: random.Random) -> None:
    values = rng.choice([simulation.data.qpos, simulation.data.qvel, simulation.data.ctrl])
    values[rng.randrange(len(values))] = rng.choice([np.nan, np.inf, -np.inf])


def _speed(simulation: Simulation, rng: random.Random) -> None:
    speeds = simulation.data.qvel
    speeds[rng.randrange(len(speeds))] = rng.choice([-1, 1]) * 10 ** rng.uniform(4, 12)


def _force(simulation: Simulation, rng: random.Random) -> None:
    """Push a thing with a weight of ten tons or more; the force stays until the fault."""
    thing = simulation.data.body(rng.choice(sorted(simulation.objects)))
    simulation.data.xfrc_applied[thing.id, rng.randrange(3)] = rng.choice([-1, 1]) * 10 ** rng.uniform(5, 9)


def _depth(simulation: Simulation, rng: random.Random) -> None:
    """Set a thing where it is deep in another one, or in what stands still."""
    names = sorted(simulation.objects)
    for _ in range(1000):
        a, b = rng.sample(names, 2)
        x, y, z = simulation.data.body(b).xpos
        simulation.put(a, (x + rng.uniform(-0.05, 0.05), y + rng.uniform(-0.05, 0.05), z + rng.uniform(-0.05, 0.02)))
        if "deep" in broken(simulation.model, simulation.data):
            return
    raise AssertionError("no place was deep in anything")


PLANTS: dict[str, Plant] = {"not a number": _number, "speed": _speed, "force": _force, "depth": _depth}


class Spoiler:
    """Spoils a simulation once, between two time steps.

    Args:
        plant: how.
        at: after so many time steps.
    """

    def __init__(self, simulation: Simulation, plant: Plant, at: int, rng: random.Random) -> None:
        self.simulation, self.plant, self.left, self.rng = simulation, plant, at, rng

    def __call__(self) -> None:
        """Count a time step."""
        self.left -= 1
        if self.left == 0:
            self.plant(self.simulation, self.rng)


def episodes(n: int, seed: int, every: int = 100, scenes: int = 20) -> dict[str, Any]:
    """Run short episodes, and return what was planted, what became of it, and the faults.

    Args:
        n: episodes.
        seed: of scenes, moments and kinds.
        every: a fault is planted in every so many.
        scenes: that the episodes are in, in turn.
    """
    rng, counts, faults = random.Random(seed), Counter[str](), list[str]()
    worlds = [simulated(seed=1000 * seed + scene) for scene in range(min(n, scenes))]
    starts = [_snapshot(body) for body, _ in worlds]
    for index in range(n):
        body, simulation = worlds[index % len(worlds)]
        simulation.data.xfrc_applied[:] = 0.0
        body.on_step.clear()
        kind = rng.choice(sorted(PLANTS)) if index % every == every - 1 else ""
        if kind:
            body.on_step.append(Spoiler(simulation, PLANTS[kind], rng.randint(1, 80), rng))
        _restore(body, starts[index % len(worlds)])
        told = _told(body, rng.choice(list(body.describe().places)), f"{seed}-{index}")
        counts[f"planted: {kind}" if kind else "plain"] += 1
        if isinstance(told, str):
            counts[f"{kind or 'plain'} ended: {told}"] += 1
            # What is set a little into a thing comes out of it within the tick that would be looked at.
            faults += [f"episode {index}: {kind} ended as {told}"] if kind not in ("", "depth") else []
        elif not kind:
            faults.append(f"episode {index}: a fault where none was planted: {told}")
        else:
            counts[f"named: {kind}"] += 1
            again = _again(told)
            counts[f"reproduced {again}"] += 1
            faults += [f"episode {index}: {kind}: {told} {again}"] if again.startswith("otherwise") else []
    if (named := counts["named: depth"]) < 0.75 * (deep := counts["planted: depth"]):
        faults.append(f"{named} of {deep} things set into each other were named")
    return {"n": n, "seed": seed, "counts": dict(sorted(counts.items())), "faults": faults}


def _snapshot(body: SimulatedRobot) -> bytes:
    return body.snapshot()  # pyright: ignore[reportAttributeAccessIssue]  # which simulated robots offer


def _restore(body: SimulatedRobot, start: bytes) -> None:
    body.restore(start)  # pyright: ignore[reportAttributeAccessIssue]  # which simulated robots offer


def _told(body: SimulatedRobot, place: str, key: str) -> str | SimulationFault:
    """Return how a step ended, or the fault of the simulator that it met."""
    try:
        return body.execute(Step("go_to", {"place": place}, key, timeout_s=0.2)).status
    except SimulationFault as fault:
        return fault


def _again(fault: SimulationFault) -> str:
    """Return how a fault comes again from its dump: "by stepping", "as it was found" or "otherwise" and how."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "fault.json"
        file.write_text(fault.dump)
        if file.stat().st_size > 100_000:
            return f"otherwise: a dump of {file.stat().st_size} bytes"
        written, found = replay(file)
    if written not in str(fault):
        return f"otherwise: {written} in the dump"
    if found == written:
        return "by stepping"
    return "as it was found" if found == f"as it was found: {written}" else f"otherwise: {found}"


if __name__ == "__main__":
    sys.exit(stress_command("physics", __doc__, episodes))
