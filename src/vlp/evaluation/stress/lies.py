"""Actions that say they succeeded and did nothing: found by a look, and named as what they are.

    python -m vlp.evaluation.stress.lies --n 60 --out runs/lies

Episodes in simulation with the expert for a model; a fifth of the actions lie. A lie is found when the run notices, by a step
that fails or a trigger, before it claims success; it is named when the run's account of what failed is that of an execution,
not of a policy or of perception. After a lie without effect everything is as it would be without it: no look could find it.
"""

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

from vlp.core.messages import Instruction
from vlp.core.observation import Box
from vlp.episodes.assemble import open_robot
from vlp.episodes.cases import sample_episode
from vlp.episodes.expert_model import ExpertModel
from vlp.episodes.faults import FaultyRobot
from vlp.episodes.verdict import Verdict
from vlp.evaluation.attribution import Witness
from vlp.evaluation.stress.command import rows_command
from vlp.journal import read_events
from vlp.runtime.run import Run, Spec


def case(index: int, seed: int, out: Path) -> dict[str, Any]:
    """Run one episode of a lying robot, and return which lies were found.

    Args:
        index: of the episode.
        seed: of the lies.
        out: the run's directory is made here, and deleted.
    """
    import shutil

    began, folder = time.monotonic(), out / f"run-{index}"
    shutil.rmtree(folder, ignore_errors=True)
    episode = sample_episode(index)
    robot, simulation = open_robot(seed=episode.scene_seed, grounder="oracle")
    assert simulation is not None
    liar = FaultyRobot(robot, "no-effect", Random(f"{seed} {index}"), share=0.2)
    verdict = Verdict(simulation, episode.task, [], final=episode.final_task, seed=episode.seed)
    nothing: Callable[[], Mapping[str, Box]] | None = None
    witness = Witness(simulation, verdict, nothing, expert=True)
    expert = ExpertModel(simulation.world.tasks, simulation.truth, lambda: verdict.task)
    run = Run(folder, Spec(Instruction.of(episode.task.instruction)), liar, expert, judge=verdict, subscribers=[witness])
    outcome = run.go()
    events = read_events(folder, blobs=False)
    shutil.rmtree(folder, ignore_errors=True)
    rows = [_told(key, events, witness) for key in liar.wrong]
    believed = outcome.outcome == "success" and outcome.verdict is not True
    faults = [f"success was claimed after a lie of {[row['do'] for row in rows]}"] if believed and rows else []
    row = {"actions": liar.met, "lies": rows, "outcome": outcome.outcome, "verdict": outcome.verdict}
    return {**row, "reason": outcome.reason[:200], "seconds": round(time.monotonic() - began, 1), "faults": faults}


def _told(key: str, events: list[Any], witness: Witness) -> dict[str, Any]:
    """Return what became of one lie."""
    place = next(i for i, e in enumerate(events) if e.kind == "step-finished" and e.data["key"] == key)
    after = events[place + 1 :]
    failed = [e.data["result"]["message"] for e in after if e.kind == "step-finished" and e.data["status"] != "succeeded"]
    triggers = [e.data["detail"] for e in after if e.kind == "trigger"]
    revision = events[place].data["revision"]
    execution = ("grasp failed", "grasp slipped", "placement missed", "action failed")
    causes = [finding.cause for finding in witness.findings if finding.revision == revision]
    return {
        "do": events[place].data["do"],
        "found": bool(failed or triggers),
        "by": (triggers or failed or [""])[0][:120],
        "named": bool(causes) and all(cause in execution for cause in causes),
        "causes": causes,
    }


def tell(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of rows; a lie in an episode that reached its goal all the same without a new policy had no effect."""
    every = [(row, lie) for row in rows for lie in row["lies"]]
    telling = [lie for row, lie in every if lie["found"] or row["verdict"] is not True]
    found = [lie for lie in telling if lie["found"]]
    share = len(found) / len(telling) if telling else 1.0
    return {
        "actions": sum(row["actions"] for row in rows),
        "lies": len(every),
        "without_effect": len(every) - len(telling),
        "found": len(found),
        "share_found": round(share, 3),
        "named": sum(lie["named"] for lie in found),
        "goal_reached": sum(row["verdict"] is True for row in rows),
        "not_found": [lie["do"] for lie in telling if not lie["found"]],
        "faults": [f"{share:.1%} of the lies were found, 95 % are wanted"] if share < 0.95 else [],
    }


if __name__ == "__main__":
    sys.exit(rows_command("lies", __doc__, case, tell))
