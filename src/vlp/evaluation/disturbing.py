"""Episodes with errors at stated rates, under several ways to go on: what re-planning, retries and verification make up for."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from vlp.core.errors import VlpError
from vlp.episodes.cases import sample_episode
from vlp.episodes.disturbed import Errors
from vlp.episodes.episode import System, run_episode
from vlp.evaluation.attribution import Witness
from vlp.evaluation.rows import append_rows
from vlp.evaluation.runner import Rate
from vlp.evaluation.suites import Row
from vlp.sim.worlds.seeds import seed_of


@dataclass(frozen=True)
class DisturbedCase:
    """One episode with errors of one kind.

    Args:
        errors: a field of `Errors`.
        share: how often.
        index: of the seed in its split.
        arm: a row of `ways_on`.
    """

    errors: str
    share: float
    index: int
    arm: str


@cache
def ways_on() -> dict[str, dict[str, Any]]:
    """Return the systems by name, as arguments of `System`."""
    return {
        "fixed plan": {"without": "replan"},
        "re-planning": {},
        "retries": {"sequencer": "retry"},
        "verification": {"verify": True},
        "verification and retries": {"verify": True, "sequencer": "retry"},
    }


def cases(shares: Sequence[float], n: int) -> list[DisturbedCase]:
    """Return n episodes of every kind of error, share and system, such that the first ones already tell about all."""
    kinds = [known.name for known in fields(Errors)]
    return [DisturbedCase(kind, share, i, arm) for i in range(n) for kind in kinds for share in shares for arm in ways_on()]


def measure(number: int, todo: Sequence[DisturbedCase], split: str, out: Path, end_s: float) -> None:
    """Run an episode and write its row into `out`, if there is time; what a person can act on ends the measurement.

    Args:
        number: of the case in `todo`.
        todo: cases.
        split: which seeds they come from.
        out: directory of rows.jsonl, and of the runs that failed.
        end_s: when no further run begins, in seconds since the epoch.
    """
    if time.time() >= end_s:
        return
    case = todo[number]
    system = System(None, "oracle", errors=Errors(**{case.errors: case.share}), **ways_on()[case.arm])
    try:
        row = run_episode(sample_episode(seed_of(split, case.index), "static"), system, out / "runs" / f"{number}", Witness)
    except VlpError:
        raise
    except Exception as error:
        row = {"success": False, "fault": True, "cause": f"program fault: {type(error).__name__}: {str(error)[:300]}"}
    append_rows(out / "rows.jsonl", [{**row, **_named(case)}])


def died(case: DisturbedCase) -> Row:
    """Return the row of a run that killed its process twice."""
    return {**_named(case), "success": False, "fault": True, "cause": "it killed its process twice"}


def _named(case: DisturbedCase) -> Row:
    return {"errors": case.errors, "share": case.share, "index": case.index, "arm": case.arm}


def left(todo: Sequence[DisturbedCase], rows: Sequence[Row]) -> list[int]:
    """Return the numbers of the cases that have no row."""
    done = {(row["errors"], row["share"], row["index"], row["arm"]) for row in rows}
    return [k for k, case in enumerate(todo) if (case.errors, case.share, case.index, case.arm) not in done]


def some(rows: Sequence[Row], errors: str, share: float, arm: str) -> list[Row]:
    """Return the rows of one kind of error, share and system."""
    return [row for row in rows if (row["errors"], row["share"], row["arm"]) == (errors, share, arm)]


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield, for each kind of error and share, how many episodes each system finished; then what it took."""
    yield f"| what goes wrong | share | {' | '.join(ways_on())} |"
    yield "| --- " * (len(ways_on()) + 2) + "|"
    for kind in (known.name for known in fields(Errors)):
        for share in sorted({row["share"] for row in rows if row["errors"] == kind}):
            cells = [some(rows, kind, share, arm) for arm in ways_on()]
            yield f"| {kind} | {share:.0%} | {' | '.join(str(Rate.of(cell)) if cell else 'not run' for cell in cells)} |"
    yield ""
    for arm in ways_on():
        mine = [row for row in rows if row["arm"] == arm and not row.get("fault")]
        if mine:
            policies, steps, seconds = (sum(row[name] for row in mine) / len(mine) for name in ("policies", "steps", "robot_s"))
            yield f"{arm}: {policies:.2f} policies, {steps:.1f} steps, {seconds:.0f} s of the robot's in the mean"
