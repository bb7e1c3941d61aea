"""Verdicts of `--verify` against the true state, where actions lie, slip and miss; and what episodes gain by them.

    python -m vlp.evaluation.verification --n 60 --out runs/verification

Episodes in simulation with the expert for a model and the oracle for a grounder; each is run twice with the same faults, with
verification and without. In every second episode a quarter of the actions do nothing and say that they succeeded, in the others
half of what is put down is elsewhere at the end of the step. A verdict "no" is right where an effect that was asked for is not
so in the true state.
"""

import shutil
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from vlp.core.messages import Instruction
from vlp.episodes.assemble import open_robot
from vlp.episodes.cases import sample_episode
from vlp.episodes.expert_model import ExpertModel
from vlp.episodes.faults import FaultyRobot
from vlp.episodes.verdict import Verdict
from vlp.episodes.world_events import happen
from vlp.evaluation.runner import wilson
from vlp.evaluation.stress.command import rows_command
from vlp.journal import Event
from vlp.primitives.facts import SPATIAL
from vlp.runtime.run import Run, Spec
from vlp.runtime.story import Outcome
from vlp.sim.language.relations import holds
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.seeds import seed_of


class TrueVerdicts:
    """Compares each verdict with the true state at that moment.

    Args:
        simulation: the world.

    Attributes:
        rows: what was said and what is so.
        held: what was in the hand before the step under way, or some step before it.
    """

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self.rows: list[dict[str, Any]] = []
        self.held = ""

    def on_event(self, event: Event) -> None:
        """Take note of what was found and of what is so."""
        if event.kind == "step-started":
            self.held = self._simulation.truth().holding or self.held
        elif event.kind == "verified":
            truth = self._simulation.truth()
            so = all(_is_so(f["fact"], truth) for f in event.data["findings"])
            self.rows.append({"said": event.data["verdict"], "so": so, "looks": event.data["looks"]})


def _is_so(fact: str, truth: Any) -> bool:
    """Return whether an effect, in words, is so; phrases have two words in this world."""
    words = fact.split()
    if fact == "hand empty":
        return not truth.holding
    if words[0] == "at":
        return truth.at == " ".join(words[1:])
    if words[0] == "holding":
        return truth.holding == " ".join(words[1:])
    relation = next(r for r in sorted(SPATIAL, key=len, reverse=True) if fact.startswith(f"{r.replace('_', ' ')} "))
    rest = fact[len(relation) + 1 :].split()
    return holds(truth, relation, " ".join(rest[:2]), " ".join(rest[2:]))


def case(index: int, seed: int, out: Path) -> dict[str, Any]:
    """Run one episode with and without verification, and return its verdicts and both ends.

    Args:
        index: of the episode.
        seed: of the faults.
        out: the runs' directories are made here, and deleted.
    """
    began_s, said, row = time.monotonic(), list[dict[str, Any]](), dict[str, Any]()
    for verify in (True, False):
        folder = out / f"run-{index}-{verify}"
        shutil.rmtree(folder, ignore_errors=True)
        outcome, verdicts, wrong = _run(index, seed, folder, verify)
        shutil.rmtree(folder, ignore_errors=True)
        name = "with" if verify else "without"
        row |= {name: outcome.verdict is True, f"believed_{name}": outcome.outcome == "success" and outcome.verdict is not True}
        row |= {f"went_wrong_{name}": wrong}
        said += verdicts
    return {**row, "verdicts": said, "faults": [], "seconds": round(time.monotonic() - began_s, 1)}


def _run(index: int, seed: int, folder: Path, verify: bool) -> tuple[Outcome, list[dict[str, Any]], int]:
    """Run one episode; return how it ended, its verdicts, and how many steps went wrong."""
    episode = sample_episode(seed_of("test", index))
    robot, simulation = open_robot(seed=episode.scene_seed, grounder="oracle")
    assert simulation is not None
    true, chance = TrueVerdicts(simulation), np.random.default_rng([seed, index])
    fault, share = (("no-effect", 0.25), ("misplaced", 0.5))[index % 2]
    inner: Any = robot
    faulty = inner.robot = FaultyRobot(
        inner.robot, fault, Random(f"{seed} {index}"), share, slip=lambda: list(happen(simulation, f"move {true.held}", chance))
    )
    verdict = Verdict(simulation, episode.task, [], final=episode.final_task, seed=episode.seed)
    expert = ExpertModel(simulation.world.tasks, simulation.truth, lambda: verdict.task)
    spec = Spec(Instruction.of(episode.task.instruction))
    outcome = Run(folder, spec, robot, expert, judge=verdict, subscribers=[true], verify=verify).go()
    return outcome, true.rows, len(faulty.wrong)


def tell(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return precision and recall of verdicts "no", and how many episodes were done with and without them."""
    every = [verdict for row in rows for verdict in row["verdicts"]]
    wrong = [verdict for verdict in every if not verdict["so"]]
    said_no = [verdict for verdict in every if verdict["said"] == "no"]
    right = sum(not verdict["so"] for verdict in said_no)
    told: dict[str, Any] = {"verdicts": len(every), "unsure": sum(verdict["said"] == "unsure" for verdict in every)}
    told |= {"not_so": len(wrong), "said_no": len(said_no), "said_no_and_right": right}
    told |= {"precision": _rate(right, len(said_no)), "recall": _rate(right, len(wrong))}
    for name in ("with", "without"):
        told[f"done_{name}"] = _rate(sum(row[name] for row in rows), len(rows))
        told[f"believed_{name}"] = sum(row[f"believed_{name}"] for row in rows)
        told[f"faults_{name}"] = sum(row[f"went_wrong_{name}"] for row in rows)
    return told


def _rate(count: int, of: int) -> str:
    low, high = wilson(count, of)
    return f"{count} of {of} ({100 * low:.0f} to {100 * high:.0f} %)"


if __name__ == "__main__":
    sys.exit(rows_command("verification", __doc__, case, tell))
