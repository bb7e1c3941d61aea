"""Several robots at one model: one object, handed to runs on threads of their own.

    python examples/several_robots.py            # four robots, each in a scene of its own
    python examples/several_robots.py --smoke    # two of them

What the robots ask for at the same time is decoded together.
"""

import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from vlp.core.messages import Instruction
from vlp.episodes.assemble import open_robot
from vlp.models.catalogue import open_model
from vlp.models.protocol import Model
from vlp.runtime.run import Run, Spec

os.environ.setdefault("MUJOCO_GL", "egl")  # render without a display
TASKS = {
    20009802: "put the red cube in the green bowl",
    20014865: "put the red cube in the green bowl",
    20009803: "pick up the red cube",
    20009804: "put the purple cube in the white tray",
}
"""What each robot is told, by the seed of its scene."""


def drive(model: Model, seed: int, say: str, out: Path) -> str:
    """Run one instruction and return how it ended."""
    robot, _ = open_robot(seed=seed)
    outcome = Run(out, Spec(Instruction.of(say), seed=seed), robot, model).go()
    return f"scene {seed}, {say!r}: {outcome.outcome} {outcome.reason}".rstrip()


def main() -> int:
    """Run all of them and tell how each ended."""
    model = open_model("nano")
    tasks = dict([*TASKS.items()][:2]) if "--smoke" in sys.argv else TASKS
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(len(tasks)) as pool:
        runs = [pool.submit(drive, model, seed, say, Path(folder, str(seed))) for seed, say in tasks.items()]
        for run in runs:
            print(run.result())
    return 0


if __name__ == "__main__":
    sys.exit(main())
