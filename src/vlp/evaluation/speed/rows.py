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
from vlp.evaluation.speed.figure import check_drawable, draw
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
        parts: what the value is the sum of, about, in its unit: where the time goes.
        more: further figures, for the file.
    """

    row: str
    what: str
    value: Interval
    compared: str
    at_least: float | None = None
    at_most: float | None = None
    unit: str = "times"
    parts: dict[str, float] = field(default_factory=dict)
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

    @property
    def verdict(self) -> str:
        """ "reached", "missed", or "" where nothing is wanted."""
        return "" if not self.wanted else "reached" if self.reached else "missed"


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
    "P1b": "parts:whole_replan",
    "P2": "replanning:passes",
    "P3": "replanning:reading",
    "P4": "imposed:constrained",
    "P5": "early:first_step",
    "P6": "episodes:episodes_an_hour",
    "P7": "rendering:render_on_demand",
    "P8": "training_step:lora_step",
    "P9": "several_robots:policies_a_second",
    "P10": "stepping:overhead",
    "P11": "stopping:stop",
    "P12": "starting:start",
    "P13": "scaling:scaled_out",
}
"""Row -> "module:function" under `vlp.evaluation.speed`: takes `Effort`, returns its `Measured`."""


def measure(names: Sequence[str], effort: Effort, tell: Callable[[Measured], None] = lambda one: None) -> list[Measured]:
    """Measure rows one after the other; speed.json, speed.md and speed.png are whole after each.

    Args:
        names: of `ROWS`; those measured before stay in the files until they are measured anew.
        effort: how.
        tell: told each figure as it comes.

    Raises:
        UsageError: no such row, no turn at all, or a speed.json that was not written here.
        MissingComponent: nothing is installed that draws.
    """
    if effort.repeats < 1:
        raise UsageError(f"{effort.repeats} turns measure nothing.", "Give --repeats 1 or more.")
    entries = {name: lookup(name, ROWS, "row") for name in names}
    check_drawable()
    file = effort.folder / "speed.json"
    kept = _known(file) if file.is_file() else []
    for name, entry in entries.items():
        module, _, function = entry.partition(":")
        found: list[Measured] = getattr(importlib.import_module(f"vlp.evaluation.speed.{module}"), function)(effort)
        anew = {name, *(one.row for one in found)}
        kept = sorted([*(one for one in kept if one.row not in anew), *found], key=_place)
        effort.folder.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps({"machine": machine(), "rows": [asdict(one) for one in kept]}, indent=1) + "\n")
        write_whole(effort.folder / "speed.md", page(kept))
        if kept:
            draw(kept, effort.folder / "speed.png", f"vlp bench speed; {machine()}")
        for one in found:
            tell(one)
    return kept


def page(rows: Sequence[Measured]) -> str:
    """Return the table, a sentence for each row, and where the time of some of them goes."""
    lines = [
        "# Speed",
        "",
        f"`vlp bench speed`; {machine()}. Medians with 95 % intervals; both arms of a row in turns, in one run.",
        "",
        "![A bar for each row with its interval and the bound that is wanted](speed.png)",
        "",
    ]
    lines += ["| | what | wanted | measured | |", "| --- | --- | --- | --- | --- |"]
    for one in rows:
        verdict = "**missed**" if one.verdict == "missed" else one.verdict
        lines.append(f"| {one.row} | {one.what} | {one.wanted} | {one.value} {one.unit} | {verdict} |")
    lines += ["", *(f"* **{one.row}**, {one.what}: {one.compared}" for one in rows)]
    for one in rows:
        if one.parts:
            lines += ["", f"## {one.row} by part", "", f"| part | {one.unit} | share |", "| --- | --- | --- |"]
            whole = sum(one.parts.values())
            lines += [f"| {part} | {value:.3g} | {100 * value / whole:.0f} % |" for part, value in one.parts.items()]
    return "\n".join(lines) + "\n"


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
    """Return where a figure stands on the page: P2 before P2b before P10."""
    return int(re.sub(r"\D", "", one.row)), one.row
