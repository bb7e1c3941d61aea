"""Does a tuned model plan better than its base? The rate of right policies on prompts from scenes that nobody trained on."""

from collections.abc import Callable
from typing import Any

from vlp.core.errors import UsageError, first
from vlp.evaluation.gates.report import GateReport
from vlp.evaluation.planning import PHRASINGS, planning_rows
from vlp.evaluation.runner import Rate
from vlp.evaluation.suites import Row
from vlp.models.protocol import Model
from vlp.sim import EMBODIMENTS

ROBOT = first(EMBODIMENTS)
"""The robot whose prompts these are."""
Open = Callable[[], Model]
Progress = Callable[[str, int, int], None]


def plans(
    base: Open, tuned: Open, n: int, name: str = "the tuned model", split: str = "validation", at_least: float = 0.0,
    progress: Progress = lambda what, done, all_: None,
) -> GateReport:  # fmt: skip
    """Compare the policies of two models on the same prompts; one is open at a time.

    It passes when the tuned model has a right policy at all, no fewer than its base, and the share asked for.

    Args:
        base: opens the model before tuning.
        tuned: opens it after.
        n: scenes; each gives a prompt in a phrasing of the training set and one in a phrasing kept for test.
        name: of the tuned model.
        split: whose scenes: "validation" or "test".
        at_least: the share of right policies, of the tuned model, over all prompts.
        progress: told (which model, scenes done, all).
    """
    if n < 1 or not 0 <= at_least <= 1:
        raise UsageError(f"--n {n} or --at-least {at_least} is out of bounds.", "Give 1 or more scenes, and 0 to 1.")
    if split not in ("validation", "test"):
        raise UsageError(f"--split {split[:80]!r} is none that is kept from training.", "Expected validation or test.")
    found = {"base": _policies("base", base, n, split, progress), "tuned": _policies("tuned", tuned, n, split, progress)}
    rates = {which: Rate.of(rows) for which, rows in found.items()}
    tables, facts = [], dict[str, Any]()
    for which, rows in found.items():
        by = {phrasing: Rate.of(row for row in rows if row["phrasing"] == phrasing) for phrasing in PHRASINGS}
        tables.append(
            {"model": which, "right policies": str(rates[which]), "phrasings of training": str(by["train"]),
             "phrasings kept for test": str(by["test"])}
        )  # fmt: skip
        facts[which] = {"all": vars(rates[which]), **{phrasing: vars(rate) for phrasing, rate in by.items()}}
    new, old = rates["tuned"], rates["base"]
    passed = new.successes > 0 and new.successes >= old.successes and new.rate >= at_least
    least = f", at least {100 * at_least:.0f} % asked for" if at_least else ""
    said = f"{name}: right policies {100 * new.rate:.1f} %, base {100 * old.rate:.1f} %{least} (95 % intervals in brackets)."
    failures = [f"{row['instruction']}: {row['cause']}" for row in found["tuned"] if not row["success"]]
    return GateReport("plans", passed, said, tables, failures, {"split": split, "scenes": n, **facts})


def _policies(what: str, opened: Open, n: int, split: str, progress: Progress) -> list[Row]:
    model, rows = opened(), list[Row]()
    for index in range(n):
        rows += planning_rows(model, index, split)
        progress(what, index + 1, n)
    return rows
