"""The rows of `vlp bench speed`: what each must show, and the function that measures it."""

import json
import os
import platform
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from vlp import __version__
from vlp.core.errors import UsageError, closest
from vlp.core.files import write_whole
from vlp.core.strict import Strict, first_fault
from vlp.core.timing import Interval
from vlp.evaluation.speed.figure import check_drawable, draw


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
    def told(self) -> str:
        """The value with its interval and unit."""
        return f"{self.value} {self.unit}".rstrip()

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
        progress: told what is counted in a row that takes long, how many are done, and of how many.
    """

    repeats: int
    base: str
    folder: Path
    progress: Callable[[str, int, int], None] = lambda what, done, total: None

    def counting(self, what: str) -> Callable[[int, int], None]:
        """Return what to tell how many are done, of how many."""
        return partial(self.progress, what)


@dataclass(frozen=True)
class SpeedRow:
    """A row as it is asked for.

    Args:
        entry: "module:function" under `vlp.evaluation.speed`; takes `Effort`, returns its `Measured`.
        what: it measures, in a few words.
        minutes: that it takes, about, on two cores with the default model and seven repeats.
    """

    entry: str
    what: str
    minutes: int

    def __str__(self) -> str:
        return f"{self.what} ({self.minutes} min)"


ROWS: dict[str, SpeedRow] = {
    "P1": SpeedRow("replanning:new_policies", "a new policy, against `transformers.generate`", 7),
    "P1b": SpeedRow("parts:whole_replan", "a re-plan in an episode, by part", 3),
    "P2": SpeedRow("replanning:passes", "passes of the model for each token", 12),
    "P3": SpeedRow("replanning:reading", "time to the first token, prompt known over new", 1),
    "P4": SpeedRow("imposed:constrained", "time a token, with the grammar over without", 1),
    "P5": SpeedRow("early:first_step", "first step sent, over the whole policy written", 2),
    "P6": SpeedRow("episodes:episodes_an_hour", "episodes an hour, two workers over a plain loop", 7),
    "P7": SpeedRow("rendering:render_on_demand", "an episode drawn on demand, against a 20 Hz camera", 8),
    "P8": SpeedRow("training_step:lora_step", "a LoRA step's time and memory, against TRL", 8),
    "P9": SpeedRow("several_robots:policies_a_second", "policies a second, several robots over one", 1),
    "P10": SpeedRow("stepping:overhead", "a step of a run, over its bare HTTP call", 1),
    "P11": SpeedRow("stopping:stop", "a stop to the last motion command, under load", 3),
    "P12": SpeedRow("starting:start", "Enter to first motion", 1),
    "P13": SpeedRow("scaling:scaled_out", "rows that differ on a Ray cluster", 4),
}
"""In the order of the page."""


def row_named(name: str) -> str:
    """Return the row of `ROWS` that a word means, in capitals or not.

    Raises:
        UsageError: there is none; lists the rows.
    """
    names = {row.lower(): row for row in ROWS}
    if found := names.get(name.lower()):
        return found
    near = closest(name.lower(), names)
    question = f"Did you mean {names[near]!r}? " if near else ""
    raise UsageError(
        f"unknown row {name[:200]!r}.", f"{question}Rows: {'; '.join(f'{row}: {it}' for row, it in ROWS.items())}."
    )


def measure(names: Sequence[str], effort: Effort, tell: Callable[[Measured], None] = lambda one: None) -> list[Measured]:
    """Measure rows one after the other; speed.json, speed.md and speed.png are whole after each.

    Args:
        names: of `ROWS`; those measured before stay in the files until they are measured anew.
        effort: how.
        tell: told each figure as it comes.

    Raises:
        UsageError: no such row, no turn at all, a folder that cannot be written, or a speed.json that was not written here;
            all before anything is measured.
        MissingComponent: nothing is installed that draws.
    """
    if effort.repeats < 1:
        raise UsageError(f"{effort.repeats} turns measure nothing.", "Give --repeats 1 or more.")
    asked = dict.fromkeys(map(row_named, names))
    check_drawable()
    _check_folder(effort.folder)
    file = effort.folder / "speed.json"
    kept = _known(file) if file.is_file() else []
    for name in asked:
        module, _, function = ROWS[name].entry.partition(":")
        row: Callable[[Effort], list[Measured]] = getattr(import_module(f"vlp.evaluation.speed.{module}"), function)
        found = row(replace(effort, progress=partial(_of_row, name, effort.progress)))
        anew = {name, *(one.row for one in found)}
        kept = sorted([*(one for one in kept if one.row not in anew), *found], key=_place)
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
        lines.append(f"| {one.row} | {one.what} | {one.wanted} | {one.told} | {verdict} |")
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


def _of_row(name: str, progress: Callable[[str, int, int], None], what: str, done: int, total: int) -> None:
    progress(f"{name}: {what}", done, total)


def _check_folder(folder: Path) -> None:
    """Make the folder and write a file into it: what cannot be written is said before an hour of measurements, not after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder) as trial:
            trial.write(b"trial")
            trial.flush()
    except OSError as error:
        said = f"cannot write into {str(folder)[:300]!r}: {error.strerror or error}."
        raise UsageError(said, "Choose another folder with --out.") from None
    for name in ("speed.json", "speed.md", "speed.png"):
        if (folder / name).is_dir():
            raise UsageError(f"{str(folder / name)[:300]!r} is a folder.", "Choose another one with --out.")


_Figure = Annotated[float, Field(ge=-1e12, le=1e12)]
_Line = Annotated[str, Field(pattern=r"^[^\r\n]*$", max_length=2000)]


class _Value(Strict):
    median: _Figure
    low: _Figure
    high: _Figure


class _Row(Strict):
    """A `Measured` in speed.json."""

    row: Annotated[str, Field(pattern=r"^P[0-9]{1,4}[a-z]?$")]
    what: _Line
    value: _Value
    compared: _Line
    at_least: _Figure | None
    at_most: _Figure | None
    unit: _Line
    parts: dict[_Line, _Figure]
    more: dict[str, Any]

    @model_validator(mode="after")
    def _divisible(self) -> "_Row":
        if self.parts and not sum(self.parts.values()) > 0:
            raise ValueError("parts whose sum is above 0")
        return self


class _File(Strict):
    """The schema of speed.json."""

    machine: str
    rows: list[_Row]


def _known(file: Path) -> list[Measured]:
    try:
        rows = _File.model_validate_json(file.read_bytes()).rows
    except OSError as error:
        raise UsageError(f"cannot read {str(file)[:300]!r}: {error.strerror}.", "Choose another --out.") from None
    except ValidationError as error:
        said = f"{str(file)[:300]!r} holds no rows of this command: {first_fault(error)}"
        raise UsageError(said, "Choose another --out.") from None
    return [Measured(**{**one.model_dump(), "value": Interval(**one.value.model_dump())}) for one in rows]


def _place(one: Measured) -> tuple[int, str]:
    """Return where a figure stands on the page: P2 before P2b before P10."""
    return int(re.sub(r"\D", "", one.row)), one.row
