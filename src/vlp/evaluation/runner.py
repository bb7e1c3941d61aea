"""Runs a suite: cases in worker processes, rows as they come, summary and page at the end; resumes where it stopped."""

import importlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from math import sqrt
from pathlib import Path
from typing import Any

from vlp import __version__
from vlp.core.errors import UsageError, VlpError, first, lookup
from vlp.core.files import write_whole
from vlp.core.workers import run_calls
from vlp.evaluation.report import write_report
from vlp.evaluation.rows import append_rows, rows_in
from vlp.evaluation.suites import SUITES, Options, Row, Suite
from vlp.models.catalogue import DEFAULT_MODEL
from vlp.models.protocol import NoReply
from vlp.perception.grounder import DEFAULT_GROUNDER
from vlp.sim import EMBODIMENTS, WORLDS

WHOLE: dict[str, tuple[str, int]] = {
    "fuzz": ("vlp.evaluation.stress.fuzz:run_fuzz", 100_000),
    "crash": ("vlp.evaluation.stress.crash:run_crash", 100),
    "journal": ("vlp.evaluation.stress.journal:run_damage", 1000),
}
"""Suites with runners of their own: function and default number of cases."""


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval (Wilson) of a rate; (0, 1) when there are no cases."""
    if n == 0:
        return 0.0, 1.0
    rate, z = successes / n, 1.959964
    middle = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * sqrt(rate * (1 - rate) / n + z**2 / (4 * n * n)) / (1 + z**2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def paired(first: Sequence[bool], second: Sequence[bool]) -> tuple[float, float, float]:
    """Return by how much the rate of the first is above that of the second on the same cases, and its 95 % interval.

    The interval is Newcombe's hybrid of Wilson's for each rate, with what the cases have in common (his method 10, 1998);
    (0, -1, 1) when there are no cases.

    Args:
        first, second: whether each case succeeded, in the same order.
    """
    n, pairs = len(first), Counter(zip(first, second, strict=True))
    if not n:
        return 0.0, -1.0, 1.0
    both, one, other, neither = (pairs[pair] for pair in ((True, True), (True, False), (False, True), (False, False)))
    (p, low, high), (q, less, more) = ((k / n, *wilson(k, n)) for k in (both + one, both + other))
    alike = both * neither - one * other
    alike = max(alike - n / 2, 0.0) if alike > 0 else alike
    margins = (both + one) * (other + neither) * (both + other) * (one + neither)
    phi = alike / sqrt(margins) if margins else 0.0

    def reach(up: float, down: float) -> float:
        return sqrt(max(0.0, up * up - 2 * phi * up * down + down * down))

    return p - q, p - q - reach(p - low, more - q), p - q + reach(high - p, q - less)


@dataclass(frozen=True)
class Rate:
    """Successes of n, with the 95 % interval."""

    n: int
    successes: int
    rate: float
    low: float
    high: float

    @classmethod
    def of(cls, rows: Iterable[Row]) -> "Rate":
        """Return the rate of rows by their `success`."""
        results = [bool(row["success"]) for row in rows]
        n, good = len(results), sum(results)
        low, high = wilson(good, n)
        return cls(n, good, round(good / n, 4) if n else 0.0, round(low, 4), round(high, 4))

    def __str__(self) -> str:
        return f"{100 * self.rate:.1f} % ({self.successes} of {self.n}; {100 * self.low:.1f} to {100 * self.high:.1f})"


@dataclass(frozen=True)
class Summary:
    """What a suite gave.

    Args:
        suite, doc: its name and what a success is.
        rate: over the rows that the suite is about.
        groups: rates by column and value.
        numbers: median, 95 % quantile and maximum by column.
        causes: failures by the first words of their cause.
        faults: rows in which simulator or program broke down; they count as failures.
        cases, seed, options: what was asked.
        seconds: wall clock of this call.
        version: of vlp.
        whole: the summary of a suite with a runner of its own.
    """

    suite: str
    doc: str
    rate: Rate
    groups: dict[str, dict[str, Rate]]
    numbers: dict[str, dict[str, float]]
    causes: dict[str, int]
    faults: int
    cases: int
    seed: int
    options: dict[str, str]
    seconds: float
    version: str = __version__
    whole: dict[str, Any] = field(default_factory=dict)


Progress = Callable[[int, int, list[Row]], None]


def run_suite(
    name: str,
    n: int | None = None,
    seed: int = 0,
    workers: int = 2,
    out: str | Path = "runs/bench",
    model: str = DEFAULT_MODEL,
    *,
    grounder: str = DEFAULT_GROUNDER,
    split: str = "test",
    world: str = "",
    robot: str = "",
    family: str = "",
    change: str = "",
    without: str = "",
    ray: str = "",
    progress: Progress = lambda done, cases, rows: None,
) -> Summary:
    """Run a suite and write rows.jsonl, summary.json and report.html.

    Args:
        name: a row of `SUITES` or `WHOLE`.
        n: cases; None takes the suite's own number.
        seed: index of the first case among the seeds of the split.
        workers: processes; on Ray 0 means one for each CPU of the cluster.
        out: directory; rows that lie there already are kept when they come from the same question.
        model, grounder: what is evaluated; suites of the upper bound set their own.
        split: "test", or "validation" while something is still being changed.
        world, robot: rows of `vlp.sim.WORLDS` and `vlp.sim.EMBODIMENTS`; "" takes the first.
        family: the only family of tasks; "" for all.
        change: the only kind of change midway, see `vlp.episodes.cases.changes_in`; "" for those of the suite.
        without: where something changes midway, what the second run of each case lacks, see `vlp.episodes.ablations`; "" for
            re-planning as a whole.
        ray: a Ray cluster on which the cases run, see `vlp.core.workers.run_calls`; "" for processes of this machine.
        progress: called with cases done, all cases, and rows: at first those that are there, then those of each case.

    Raises:
        UsageError: no such suite, or the directory holds rows of another question.
        MissingComponent: weights, an extra or the cluster are missing, or nothing can be written; the rows so far are kept.
    """
    folder = Path(out)
    lookup(split, dict.fromkeys(("test", "validation")), "split")
    if name in WHOLE:
        if split != "test":
            raise UsageError(f"the suite {name!r} draws no cases from a split.", "Leave --split out.")
        if ray:
            raise UsageError(f"the suite {name!r} runs on this machine alone.", "Leave --ray out.")
        return _whole(name, n, seed, workers, folder)
    suite = lookup(name, SUITES | dict.fromkeys(WHOLE, SUITES["static"]), "suite")
    n = suite.n if n is None else n
    if n < 1 or workers < (0 if ray else 1) or seed < 0:
        raise UsageError("a suite needs at least one case, one worker and a seed from 0 on.")
    options = replace(
        Options(
            model, grounder, split, world or first(WORLDS), robot or first(EMBODIMENTS), family, change,
            without or Options.without,
        ),
        **suite.fixed,
    )  # fmt: skip
    _check_scene(name, suite, options)
    began = time.monotonic()
    known = _known_rows(folder, {"suite": name, "seed": seed, **asdict(options)})
    todo = [i for i in range(seed, seed + n) if i not in {row["case"] for row in known}]
    rows = [row for row in known if seed <= row["case"] < seed + n]
    done = n - len(todo)
    progress(done, n, rows)
    for fresh in _results(name, todo, options, folder, workers, ray):
        append_rows(folder / "rows.jsonl", fresh)
        rows += fresh
        done += 1
        progress(done, n, fresh)
    summary = summarise(name, suite, rows, options, n, seed, time.monotonic() - began)
    _write_summary(folder, summary)
    write_report(folder, asdict(summary), rows)
    return summary


def _check_scene(name: str, suite: Suite, options: Options) -> None:
    """Refuse a world, robot, family, change or part that there is not, or that a suite does not take; raises UsageError."""
    lookup(options.world, WORLDS, "world")
    lookup(options.robot, EMBODIMENTS, "robot")
    asked = {"world": options.world, "robot": options.robot, "family": options.family}
    other = [f"--{option} {value}" for option, value in asked.items() if value != getattr(Options(), option)]
    if other and not suite.anywhere:
        able = ", ".join(known for known, row in SUITES.items() if row.anywhere)
        raise UsageError(f"the suite {name!r} does not take {other[0]}.", f"Suites that do: {able}.")
    if options.family:
        from vlp.episodes.cases import tasks_of

        known = {name: often for odds in tasks_of(options.world).kinds.values() for name, often in odds.items()}
        lookup(options.family, known, f"family of tasks in the {options.world}")
    parts = {"change": options.change, "without": options.without}
    midway = [option for option, value in parts.items() if value != getattr(Options(), option)]
    if midway and not suite.midway:
        able = ", ".join(known for known, row in SUITES.items() if row.midway)
        raise UsageError(f"in the suite {name!r} nothing changes midway.", f"Suites that take --{midway[0]}: {able}.")
    if "without" in midway:
        from vlp.episodes.ablations import ablations

        lookup(options.without, {part: row for part, row in ablations().items() if part}, "part of re-planning")
    if options.change:
        from vlp.episodes.cases import check_change

        check_change(options.change, "dynamic", options.world)


def summarise(name: str, suite: Suite, rows: list[Row], options: Options, cases: int, seed: int, seconds: float) -> Summary:
    """Return the summary of rows."""
    main = [row for row in rows if all(row.get(k) == v for k, v in suite.headline.items())]
    groups = {
        column: {
            str(value): Rate.of(row for row in (rows if column in suite.headline else main) if row.get(column) == value)
            for value in sorted({row.get(column) for row in (rows if column in suite.headline else main)}, key=str)
        }
        for column in suite.groups
    }
    causes = Counter(str(row.get("cause", "")).partition(":")[0] for row in main if not row["success"])
    return Summary(
        name, suite.doc, Rate.of(main), groups, {c: _quantiles(main, c) for c in suite.numbers},
        dict(causes.most_common()), sum(bool(row.get("fault")) for row in main), cases, seed, asdict(options),
        round(seconds, 1),
    )  # fmt: skip


def _results(name: str, todo: list[int], options: Options, folder: Path, workers: int, ray: str) -> Iterator[list[Row]]:
    """Yield the rows of each case as it ends; a case that killed its process twice is a fault and not tried a third time."""
    for index, rows in run_calls(partial(run_case, name, options=options, folder=folder), todo, workers, ray):
        cause = f"case {index} killed its process twice"
        died = {"case": index, "of": 1, **SUITES[name].headline, "success": False, "fault": True, "cause": cause}
        yield [died] if rows is None else rows


def run_case(name: str, index: int, options: Options, folder: Path) -> list[Row]:
    """Run one case in a worker; what a person can act on ends the suite, any other error is a row."""
    start = time.monotonic()
    try:
        rows = SUITES[name].case(index, options, folder)
    except NoReply as error:
        rows = [{**SUITES[name].headline, "success": False, "cause": f"no reply: {str(error)[:300]}"}]
    except VlpError:
        raise
    except Exception as error:
        cause = f"program fault: {type(error).__name__}: {str(error)[:300]}"
        rows = [{**SUITES[name].headline, "success": False, "fault": True, "cause": cause}]
    seconds = round(time.monotonic() - start, 2)
    return [{"case": index, "of": len(rows), **row, "case_s": seconds} for row in rows]


def _known_rows(folder: Path, question: dict[str, Any]) -> list[Row]:
    """Return the rows that lie in a folder already, and note what they answer."""
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / "question.json"
    same = {k: v for k, v in question.items() if k != "seed"}
    before = asdict(Options()) | json.loads(note.read_text()) if note.exists() else {}
    if other := [name for name, value in (asdict(Options()) | same).items() if before and before.get(name) != value]:
        was, wanted = (f"{'' if other[0] == 'suite' else '--'}{other[0]} {told.get(other[0])!r}" for told in (before, same))
        said = f"{str(folder)!r} holds rows of another question: of {was}, and {wanted} is asked for."
        raise UsageError(said, "Choose another directory.")
    write_whole(note, json.dumps(same))
    file = folder / "rows.jsonl"
    if not file.exists():
        return []
    rows = rows_in(file)
    written = Counter(row["case"] for row in rows)
    whole = [row for row in rows if written[row["case"]] == row["of"]]  # the process may have died while it wrote
    write_whole(file, "".join(json.dumps(row) + "\n" for row in whole))
    return whole


def _quantiles(rows: list[Row], column: str) -> dict[str, float]:
    values = sorted(float(row[column]) for row in rows if row.get(column) is not None)
    if not values:
        return {}
    return {
        "median": round(values[len(values) // 2], 4),
        "p95": round(values[min(len(values) - 1, int(0.95 * len(values)))], 4),
        "max": round(values[-1], 4),
    }


def _whole(name: str, n: int | None, seed: int, workers: int, folder: Path) -> Summary:
    """Run a suite that has a runner of its own; it writes its own files."""
    entry, default = WHOLE[name]
    module, _, function = entry.partition(":")
    began, cases = time.monotonic(), default if n is None else n
    arguments = {"workers": workers} if name == "crash" else {}
    whole = getattr(importlib.import_module(module), function)(cases, seed, folder, **arguments)
    bad = len(whole["faults"]) if "faults" in whole else whole["crashes"] + whole["wrongly_accepted"]
    rate = Rate.of([{"success": i >= bad} for i in range(cases)])
    return Summary(
        name, "Nothing that must not happen happened.", rate, {}, {}, {}, 0, cases, seed, {},
        round(time.monotonic() - began, 1), whole=whole,
    )  # fmt: skip


def _write_summary(folder: Path, summary: Summary) -> None:
    write_whole(folder / "summary.json", json.dumps(asdict(summary), indent=2) + "\n")
