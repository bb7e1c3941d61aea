"""What a world costs on one core: python tools/measure_world.py [WORLD] [ROBOT] [SEED ...]

Prints, for each seed, CPU time per time step of the physics without rendering, how many times faster than real time that is,
CPU time of an observation's picture with depth, and what they follow from: contacts, degrees of freedom, shapes drawn.
"""

import sys
import time
from collections.abc import Callable

import numpy as np

from vlp.sim import WORLDS, sample
from vlp.sim.render import Camera
from vlp.sim.simulation import Simulation


def cpu_s(call: Callable[[], object], repeats: int = 9) -> float:
    """Return the median CPU time of a call in seconds, all threads together."""
    call()  # what happens once only
    taken = []
    for _ in range(repeats):
        start_s = time.process_time()
        call()
        taken.append(time.process_time() - start_s)
    return float(np.median(taken))


def main(world: str, robot: str, seeds: list[int]) -> None:
    """Print a line for each seed."""
    steps = 100
    for seed in seeds:
        simulation = Simulation(sample(world, seed), robot, world)
        model, body = simulation.model, simulation.embodiment
        step_s = cpu_s(lambda simulation=simulation: simulation.step(steps)) / steps
        camera = Camera(model, body.camera, body.intrinsics.width, body.intrinsics.height)
        picture_s = cpu_s(lambda camera=camera, simulation=simulation: camera.rgb_and_depth(simulation.data))
        print(
            f"{world} seed {seed}: step {1e3 * step_s:.3f} ms, {model.opt.timestep / step_s:.1f} times real time, "
            f"picture {1e3 * picture_s:.0f} ms; {simulation.data.ncon} contacts, {model.nv} degrees of freedom, "
            f"{int((model.geom_group < 3).sum())} shapes drawn"
        )


if __name__ == "__main__":
    told = sys.argv[1:]
    numbers = [int(word) for word in told if word.isdigit()]
    names = [word for word in told if not word.isdigit()]
    main(names[0] if names else next(iter(WORLDS)), names[1] if len(names) > 1 else "", numbers or [0, 1, 2])
