"""A robot whose actions fail at a stated rate (`vlp.sim.fake.unreliable`), under several ways to go on after a failure."""

import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlp.core.messages import Instruction
from vlp.journal import Event, read_events
from vlp.runtime.body import Budget
from vlp.runtime.run import Run, Spec
from vlp.runtime.sequencer import Decision, FailedStep, Learned, Replan, Retry, Sequencer
from vlp.sim.fake.unreliable import UnreliableRobot, clearing


@dataclass
class Exploring:
    """Any way at random: what a table is learned from.

    Args:
        rng: decides.
    """

    rng: random.Random

    def decide(self, failed: FailedStep) -> Decision:
        """Return one of the ways that are left, or a new policy."""
        ways: list[Decision] = [*failed.left, "replan"]
        return self.rng.choice(ways)


def arms() -> dict[str, tuple[str, int]]:
    """Return the ways to go on: which sequencer, and how many new policies there may be."""
    return {
        "fixed plan": ("", 0), "retries": ("retry", 0), "learned": ("learned", 0),
        "new policies": ("", 6), "retries, new policies": ("retry", 6), "learned, new policies": ("learned", 6),
    }  # fmt: skip


def episode(
    folder: Path, actions: int, share: float, sequencer: Sequencer, replans: int, seed: str
) -> tuple[dict[str, Any], list[Event]]:
    """Run one episode, and return its row and its events.

    Args:
        folder: of the run; it must not be there yet.
        actions: grasps and placements of the task, even.
        share: of them that fails.
        sequencer: decides after failures.
        replans: new policies at most.
        seed: of the failures.
    """
    robot = UnreliableRobot(actions // 2, share, random.Random(seed))
    spec = Spec(Instruction.of("clear the table"), budget=Budget(replans=replans))
    began_s = time.monotonic()
    outcome = Run(folder, spec, robot, clearing(robot), sequencer=sequencer).go()
    seconds = time.monotonic() - began_s
    events = read_events(folder, blobs=False)
    row = {"success": robot.done and outcome.outcome == "success", "seconds": round(seconds, 3), "steps": len(robot.log)}
    row |= {"policies": sum(e.kind == "policy" for e in events), "tries": sum(e.kind == "retry" for e in events)}
    return row, events


def learned(runs: int, share: float, seed: int, folder: Path) -> Learned:
    """Return a table that was learned from runs which try everything at random.

    Args:
        runs: how many.
        share: of actions that fail.
        seed: of failures and decisions; measurements take others.
        folder: where the runs are made.
    """
    table = Learned()
    for index in range(runs):
        rng = random.Random(f"explore {seed} {index}")
        table.learn(episode(folder / f"explore-{index}", 8, share, Exploring(rng), 6, f"explore {seed} {index}")[1])
    return table


def sequencer_of(name: str, table: Learned) -> Sequencer:
    """Return the sequencer of an arm."""
    return {"": Replan(), "retry": Retry(), "learned": table}[name]
