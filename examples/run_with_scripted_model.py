"""A whole run with real physics and a model that reads its replies from a list: useful for trying primitives and tests.

    python examples/run_with_scripted_model.py            # picks the cube up and puts it in the bowl
    python examples/run_with_scripted_model.py --smoke    # only looks

The grounder here is the oracle, which reads the simulator's true boxes: no weights are needed. With "nano" in its place
the robot sees for itself.
"""

import json
import os
import sys
import tempfile

from vlp.core.messages import Instruction
from vlp.episodes.assemble import open_robot
from vlp.episodes.verdict import Verdict
from vlp.models.scripted import ScriptedModel
from vlp.runtime.run import Run, Spec
from vlp.runtime.subscribers.terminal import Terminal

os.environ.setdefault("MUJOCO_GL", "egl")  # render without a display
SEED = 20014865
SAY = "put the red cube in the green bowl"
LOOK = [{"do": "locate", "object": "red cube", "as": "red_cube"}, {"do": "look_at", "target": "$red_cube"}]
PUT = [
    {"do": "locate", "object": "red cube", "as": "red_cube"},
    {"do": "grasp", "target": "$red_cube"},
    {"do": "lift", "height_m": 0.1},
    {"do": "locate", "object": "green bowl", "as": "green_bowl"},
    {"do": "place", "target": "$green_bowl", "relation": "in"},
    {"do": "check", "relation": "in", "subject": "red cube", "object": "green bowl"},
]


def main() -> int:
    """Run it in a temporary directory and say what the world's true state thinks of it."""
    smoke = "--smoke" in sys.argv
    steps = LOOK if smoke else PUT
    policy = {"goal": "the red cube is in the green bowl", "subtasks": [{"name": "do it", "steps": steps}]}
    robot, simulation = open_robot("hsr", world="tabletop", seed=SEED, grounder="oracle")
    assert simulation is not None
    spec = Spec(Instruction.of(SAY), "hsr", "tabletop")
    verdict = Verdict(simulation, spec.instruction)
    with tempfile.TemporaryDirectory() as out:
        outcome = Run(out, spec, robot, ScriptedModel([json.dumps(policy)]), judge=verdict, subscribers=[Terminal()]).go()
    print(f"the system says {outcome.outcome}; the true state says {outcome.verdict}")
    return 0 if outcome.outcome == "success" and outcome.verdict == (not smoke) else 1


if __name__ == "__main__":
    sys.exit(main())
