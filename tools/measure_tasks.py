"""How many tasks of a family the expert finishes: python tools/measure_tasks.py WORLD ROBOT FAMILY [N] [SPLIT]

The expert plans, the oracle grounder sees, and the runtime carries out in physics one task in each of the first N scenes of a
split (30 of validation by default) that allow the family. Prints a line for each, and the count.
"""

import shutil
import sys
import tempfile
from itertools import count
from pathlib import Path
from random import Random

from vlp.core.messages import Instruction
from vlp.episodes.assemble import open_robot
from vlp.episodes.expert_model import ExpertModel
from vlp.episodes.verdict import Verdict
from vlp.runtime.body import Budget
from vlp.runtime.run import Run, Spec
from vlp.sim import open_world
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.seeds import seed_of
from vlp.sim.worlds.tasks import WorldTask


def drawn(simulation: Simulation, family: str) -> WorldTask | None:
    """Return a task of a family in a scene, None where none was drawn in 40 tries."""
    tasks, rng = simulation.world.tasks, Random(simulation.scene.seed)
    assert tasks is not None
    truth = simulation.truth()
    return next((task for _ in range(40) if (task := tasks.draw(truth, rng)) is not None and task.family == family), None)


def done(world: str, robot: str, family: str, seed: int, folder: Path) -> bool | None:
    """Carry out a task, print how it went, and return whether it was finished; None where the scene allows none."""
    body, simulation = open_robot(robot=robot, world=world, seed=seed, grounder="oracle")
    assert simulation is not None
    task = drawn(simulation, family)
    if task is None:
        return None
    verdict = Verdict(simulation, task, final=task, seed=seed)
    planner = ExpertModel(simulation.world.tasks, simulation.truth, lambda: verdict.task, body.describe())
    spec = Spec(Instruction.of(task.instruction), robot, world, "", seed, (), Budget(run_s=900.0, replans=1))
    outcome = Run(folder, spec, body, planner, judge=verdict).go()
    finished = outcome.verdict is True
    print(f"{seed} {'yes' if finished else 'NO '} {task.instruction!r} {outcome.outcome}: {outcome.reason}", flush=True)
    return finished


def main(world: str, robot: str, family: str, n: int, split: str) -> None:
    """Print a line for each task and the count."""
    assert open_world(world).tasks is not None, f"{world} has no tasks"
    results: list[bool] = []
    for index in count():
        folder = Path(tempfile.mkdtemp())
        result = done(world, robot, family, seed_of(split, index), folder / "run")
        shutil.rmtree(folder, ignore_errors=True)
        results += [] if result is None else [result]
        if len(results) == n:
            break
    print(f"{family}, {robot} in {world}, {split}: {sum(results)} of {n} finished")


if __name__ == "__main__":
    told = [*sys.argv[1:], *("30", "validation")[len(sys.argv) - 4 :]]
    main(told[0], told[1], told[2], int(told[3]), told[4])
