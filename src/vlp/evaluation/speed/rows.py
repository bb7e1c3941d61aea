"""The rows of `vlp bench speed`: what each must show, and the function that measures it."""

import importlib
import json
import os
import platform
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vlp import __version__
from vlp.core.errors import UsageError, lookup
from vlp.core.files import write_whole
from vlp.evaluation.speed.turns import Interval


@dataclass(frozen=True)
class Measured:
    """One figure of the table.

    Args:
        row: of `ROWS`.
        what: was measured, in a few words.
        value: with its interval.
        at_least: the least that is wanted; None where less is better.
        at_most: the most that is wanted; None where more is better.
        compared: a sentence: both arms by name, what was equal, how much was measured.
        unit: of the value; "times" for a ratio.
        more: further figures, for the file.
    """

    row: str
    what: str
    value: Interval
    compared: str
    at_least: float | None = None
    at_most: float | None = None
    unit: str = "times"
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def wanted(self) -> str:
        """The bound in words."""
        if self.at_least is None and self.at_most is None:
            return ""
        return f"at least {self.at_least:g}" if self.at_least is not None else f"at most {self.at_most:g}"

    @property
    def reached(self) -> bool:
        """Whether the median keeps to the bound."""
        low = self.at_least is None or self.value.median >= self.at_least
        return low and (self.at_most is None or self.value.median <= self.at_most)


@dataclass(frozen=True)
class Effort:
    """What a row is measured with.

    Args:
        repeats: turns of each arm.
        base: the model, as `vlp run --model` takes it.
        folder: for what a row writes.
    """

    repeats: int
    base: str
    folder: Path


ROWS: dict[str, str] = {
    "P1": "replanning:new_policies",
    "P2": "replanning:passes",
    "P3": "replanning:reading",
    "P4": "imposed:constrained",
    "P6": "episodes:episodes_an_hour",
    "P7": "rendering:render_on_demand",
    "P8": "training_step:lora_step",
    "P10": "stepping:overhead",
    "P12": "starting:start",
    "P13": "scaling:scaled_out",
}
"""Row -> "module:function" under `vlp.evaluation.speed`: takes `Effort`, returns its `Measured`."""


def measure(names: Sequence[str], effort: Effort, tell: Callable[[Measured], None] = lambda one: None) -> list[Measured]:
    """Measure rows one after the other; speed.json and speed.md are whole after each.

    Args:
        names: of `ROWS`; those measured before stay in the files until they are measured anew.
        effort: how.
        tell: told each figure as it comes.

    Raises:
        UsageError: no such row, no turn at all, or a speed.json that was not written here.
    """
    if effort.repeats < 1:
        raise UsageError(f"{effort.repeats} turns measure nothing.", "Give --repeats 1 or more.")
    entries = {name: lookup(name, ROWS, "row") for name in names}
    file = effort.folder / "speed.json"
    kept = _known(file) if file.is_file() else []
    for name, entry in entries.items():
        module, _, function = entry.partition(":")
        found: list[Measured] = getattr(importlib.import_module(f"vlp.evaluation.speed.{module}"), function)(effort)
        anew = {name, *(one.row for one in found)}
        kept = sorted(
            [*(one for one in kept if one.row not in anew), *found], key=lambda one: (int(re.sub(r"\D", "", one.row)), one.row)
        )
        effort.folder.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps({"machine": machine(), "rows": [asdict(one) for one in kept]}, indent=1) + "\n")
        write_whole(effort.folder / "speed.md", page(kept))
        for one in found:
            tell(one)
    return kept


def page(rows: Sequence[Measured]) -> str:
    """Return the table, and a sentence for each row."""
    lines = [
        "# Speed",
        "",
        f"`vlp bench speed`; {machine()}. Medians with 95 % intervals; both arms of a row in turns, in one run.",
        "",
    ]
    lines += ["| | what | wanted | measured | |", "| --- | --- | --- | --- | --- |"]
    for one in rows:
        reached = "" if not one.wanted else "reached" if one.reached else "**missed**"
        lines.append(f"| {one.row} | {one.what} | {one.wanted} | {one.value} {one.unit} | {reached} |")
    return "\n".join([*lines, "", *(f"* **{one.row}**, {one.what}: {one.compared}" for one in rows)]) + "\n"


def machine() -> str:
    """Return on what it was measured."""
    return f"vlp {__version__}, {platform.machine()}, {len(os.sched_getaffinity(0))} cores"


def _known(file: Path) -> list[Measured]:
    try:
        rows = json.loads(file.read_text())["rows"]
        return [Measured(**{**one, "value": Interval(**one["value"])}) for one in rows]
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{str(file)[:300]!r} holds no rows of this command.", "Choose another --out.") from None


def _place(one: Measured) -> tuple[int, str]:
    return int(re.sub(r"\D", "", one.row)), one.row
