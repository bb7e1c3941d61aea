"""What the parts of re-planning are worth: kinds of change with the whole system, and on the same seeds without each part."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from vlp.core.errors import VlpError
from vlp.episodes.ablations import Ablation, ablations
from vlp.episodes.after_change import WorkAfterChange
from vlp.episodes.assemble import manifest_in
from vlp.episodes.cases import changes_in, sample_episode
from vlp.episodes.episode import System, run_episode
from vlp.evaluation.attribution import Witness
from vlp.evaluation.rows import append_rows, rows_in
from vlp.evaluation.runner import paired
from vlp.evaluation.suites import Row
from vlp.sim.worlds.changes import change_kinds
from vlp.sim.worlds.seeds import seed_of


@dataclass(frozen=True)
class ChangeCase:
    """One change midway.

    Args:
        world, robot: rows of `vlp.sim.WORLDS` and `vlp.sim.EMBODIMENTS`.
        index: of the seed in its split.
        kind: of the change.
    """

    world: str
    robot: str
    index: int
    kind: str

    @property
    def scene(self) -> str:
        """World and robot in words."""
        return f"{self.world} {self.robot}"


def cases(scenes: Sequence[tuple[str, str]], n: int) -> list[ChangeCase]:
    """Return n cases of each scene, such that the first ones already tell about all scenes and kinds.

    Args:
        scenes: worlds and robots.
        n: cases of each.
    """
    kinds = {world: changes_in(world) for world, _ in scenes}
    return [
        ChangeCase(world, robot, index, kinds[world][(index + len(kinds[world]) * k // len(scenes)) % len(kinds[world])])
        for index in range(n)
        for k, (world, robot) in enumerate(scenes)
    ]


def missing(case: ChangeCase, rows: Sequence[Row]) -> list[str]:
    """Return what the system is without in the runs of a case that have no row yet."""
    done = {row["without"] for row in rows if _same_case(case, row)}
    return [without for without in ablations() if without not in done]


def measure(number: int, todo: Sequence[ChangeCase], split: str, out: Path, end_s: float) -> None:
    """Run a case with the whole system and without each part, what has no row in `out` yet, for as long as there is time.

    Args:
        number: of the case in `todo`.
        todo: cases.
        split: which seeds they come from.
        out: directory of rows.jsonl, and of the runs that failed.
        end_s: when no further run begins, in seconds since the epoch.
    """
    case, file = todo[number], out / "rows.jsonl"
    rows = [row for row in rows_in(file) if _same_case(case, row)]
    for without in missing(case, rows):
        if time.time() >= end_s:
            return
        rows.append(_row(case, without, split, out, rows))
        append_rows(file, rows[-1:])


def died(case: ChangeCase, without: str) -> Row:
    """Return the row of a run that killed its process twice."""
    return _fault(case, without, "it killed its process twice")


def _same_case(case: ChangeCase, row: Row) -> bool:
    return (row["scene"], row["index"], row["event"]) == (case.scene, case.index, case.kind)


def _fault(case: ChangeCase, without: str, cause: str) -> Row:
    return {**_named(case, without), "success": False, "fault": True, "cause": cause}


def _named(case: ChangeCase, without: str) -> Row:
    return {"scene": case.scene, "index": case.index, "event": case.kind, "without": without}


def _row(case: ChangeCase, without: str, split: str, out: Path, rows: Sequence[Row]) -> Row:
    """Return the row of a run; what a person can act on ends the measurement, any other error is a row."""
    whole = next((row for row in rows if not row["without"]), None)
    if whole is not None and untouched(whole, ablations()[without]):
        return {**whole, **_named(case, without), "same_as_whole": True}
    system = System(None, "oracle", without=without, robot=case.robot)
    try:
        episode = sample_episode(
            seed_of(split, case.index), "dynamic", world=case.world, manifest=manifest_in(case.robot, case.world),
            change=case.kind,
        )  # fmt: skip
        folder = out / "runs" / case.scene.replace(" ", "-") / (without or "whole")
        row = run_episode(episode, system, folder, Witness, WorkAfterChange)
    except VlpError:
        raise
    except Exception as error:
        return _fault(case, without, f"program fault: {type(error).__name__}: {str(error)[:300]}")
    return {**row, **_named(case, without), "same_as_whole": False}


def untouched(whole: Row, left: Ablation) -> bool:
    """Return whether a run of the whole system made no use of what an ablation takes away: without it the very same happens.

    The simulator and the expert leave nothing to chance. Of a run that was stopped and went on, the row tells its second half
    alone, so it counts as touched.

    Args:
        whole: the row of the whole system.
        left: what there is without the part.
    """
    if whole.get("fault") or whole["event"] == "stopped":
        return False
    fired, said = set(whole["triggers"]), change_kinds()[whole["event"]].side == "said"
    kept = fired <= {trigger.name for trigger in left.triggers}
    return kept and (left.hears or not said) and (left.replans or not fired) and (left.remembers or whole["policies"] < 2)


def pairs(rows: Sequence[Row], without: str) -> tuple[list[bool], list[bool]]:
    """Return whether each case was done by the whole system, and without a part, of the cases that have both runs."""
    done = {(row["without"], row["scene"], row["index"], row["event"]): bool(row["success"]) for row in rows}
    keys = [key for name, *key in done if name == without and ("", *key) in done]
    return [done["", *key] for key in keys], [done[without, *key] for key in keys]


def table(rows: Sequence[Row]) -> str:
    """Return, by kind of change, scene and in all, how many are done, and by how many points the whole system is ahead."""
    parts = [without for without in ablations() if without]
    lines = [
        f"| change | whole | {' | '.join(f'without {part}' for part in parts)} |",
        "| --- " * (len(parts) + 2) + "|",
    ]
    for name, some in groups(rows).items():
        whole = [bool(row["success"]) for row in some if not row["without"]]
        cells = [f"{sum(whole)} of {len(whole)}", *(_cell(*pairs(some, part)) for part in parts)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def groups(rows: Sequence[Row]) -> Mapping[str, list[Row]]:
    """Return rows by kind of change, then by scene, then all of them."""
    by_kind = {kind: [row for row in rows if row["event"] == kind] for kind in change_kinds()}
    by_scene = {scene: [row for row in rows if row["scene"] == scene] for scene in dict.fromkeys(row["scene"] for row in rows)}
    return {name: some for name, some in {**by_kind, **by_scene, "all": list(rows)}.items() if some}


def _cell(whole: Sequence[bool], less: Sequence[bool]) -> str:
    ahead, low, high = paired(whole, less)
    return f"{sum(less)} of {len(less)}: {100 * ahead:+.0f} ({100 * low:+.0f} to {100 * high:+.0f})" if less else "not run"


def notes(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a line on steps of outdated plans, on needless work where the task was done, and on runs that are not their own."""
    for without in ablations():
        own = [row for row in rows if row["without"] == without]
        name = f"without {without}" if without else "whole"
        stale = sum(row.get("stale_steps", 0) for row in own)
        work = [row["steps_after"] / row["steps_needed"] for row in own if row["success"] and row.get("steps_needed")]
        told = f"{median(work):.2f} (of {len(work)} that were done)" if work else "none was done"
        same, faults = (sum(bool(row.get(column)) for row in own) for column in ("same_as_whole", "fault"))
        yield (
            f"{name}: {len(own)} runs, {same} of them taken from the whole system, {faults} faults; {stale} steps of an old "
            f"plan after a new sentence; steps over the expert's own, median: {told}"
        )
