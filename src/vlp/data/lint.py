"""The linter: a loop over small checks, each with one stated property; every fault is named by its sample's id.

To add a check, pass `checks=(*default_checks(), MyCheck())`, or add a row to `CHECKS`. A check that needs a simulator
lives above this package and is passed in (`vlp.episodes.right`).
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from vlp.core.errors import UsageError, lookup
from vlp.data.fault import DataFault
from vlp.data.image_checks import Images
from vlp.data.policy_checks import Identity, Policies
from vlp.data.sample import Sample
from vlp.data.set_checks import Balance, Leakage, NearDuplicates
from vlp.data.store import SAMPLES, Store


class SampleCheck(Protocol):
    """One property of a dataset."""

    def look(self, sample: Sample, store: Store) -> Iterable[DataFault]:
        """Return what is wrong with one sample, seen after all those before it."""
        ...

    def end(self) -> Iterable[DataFault]:
        """Return what only the whole set shows."""
        ...


CHECKS: dict[str, Callable[[], SampleCheck]] = {
    "identity": Identity,
    "images": Images,
    "policies": Policies,
    "duplicates": NearDuplicates,
    "leakage": Leakage,
    "balance": Balance,
}
"""Checks by name, as they can be skipped by."""


@dataclass
class LintReport:
    """What was found.

    Args:
        samples: how many were read.
        faults: in the order of the file; those of the whole set last.
    """

    samples: int = 0
    faults: list[DataFault] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """True when there is no fault."""
        return not self.faults

    def counts(self) -> dict[str, int]:
        """Return the number of faults by code."""
        found: dict[str, int] = {}
        for fault in self.faults:
            found[fault.code] = found.get(fault.code, 0) + 1
        return dict(sorted(found.items()))

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        faults = [asdict(fault) for fault in self.faults]
        return {"ok": self.ok, "samples": self.samples, "counts": self.counts(), "faults": faults}


def default_checks(skip: Iterable[str] = ()) -> list[SampleCheck]:
    """Return fresh checks; raises UsageError for an unknown name to skip."""
    left_out = set(skip)
    for name in left_out:
        lookup(name, CHECKS, "check")
    return [make() for name, make in CHECKS.items() if name not in left_out]


def lint(
    folder: str | Path,
    checks: Sequence[SampleCheck] | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> LintReport:
    """Return every fault of a folder of samples; a fault never ends the search.

    Args:
        folder: a store.
        checks: asked in order for every sample; None takes the default ones.
        progress: told how many samples have been looked at.

    Raises:
        UsageError: there is no store at all.
    """
    store, report, seen = Store(folder), LintReport(), set[str]()
    asked = default_checks() if checks is None else checks
    for number, line in store.lines():
        report.samples += 1
        try:
            sample = Sample.from_json(line)
        except UsageError as error:
            found = re.search(rb'"id"\s*:\s*"([a-z0-9._-]{1,100})"', line[:4096])
            name = found.group(1).decode() if found else f"line {number}"
            report.faults.append(DataFault(name, "unreadable", f"{SAMPLES}, line {number}: {error.message}"))
            continue
        if sample.id in seen:
            report.faults.append(DataFault(sample.id, "same-id", f"line {number}: an earlier sample has this id.", "Keep one."))
        seen.add(sample.id)
        for check in asked:
            report.faults.extend(check.look(sample, store))
        progress(report.samples)
    for check in asked:
        report.faults.extend(check.end())
    report.faults.extend(_seal(store, report.ok))
    return report


def _seal(store: Store, ok: bool) -> Iterable[DataFault]:
    """Yield a fault when everything else is well and the file is still not the one that was written."""
    path = store.folder / SAMPLES
    sealed = store.sealed.get("files", {}).get(SAMPLES, {}).get("sha256")
    if not ok or not path.is_file():
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sealed:
        message = f"{SAMPLES} is not the file that was sealed ({found[:12]}, sealed {str(sealed)[:12]})."
        yield DataFault("", "not-sealed", message, "If a writer was killed or you changed it on purpose, run `vlp data seal`.")
