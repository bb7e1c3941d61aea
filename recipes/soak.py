"""The long form of the promises of docs/safety.md: stress until a count or the time is reached, and the page of what held.

    python recipes/soak.py --minutes 30                   # goes on where it stopped; below runs/soak
    python recipes/soak.py --minutes 30 --only stops silence
    python recipes/soak.py --tell > docs/results/reliability.md

Everything talks to loopback only, and ends by itself. Each row is a command of its own, whose summary.json is read.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Row:
    """One promise.

    Args:
        promise: in words.
        module: under `vlp.evaluation.stress`, with its arguments before `--n`.
        n: cases of the long form.
        tell: summary -> cases done, what was measured, faults.
    """

    promise: str
    module: str
    n: int
    tell: Callable[[dict[str, Any]], tuple[int, str, int]]


def _halts(summary: dict[str, Any]) -> tuple[int, str, int]:
    figures = next(iter(summary.values()))["all"]
    last = figures["last_motion_ms"]
    said = (
        f"last motion command after {last['p50']:.0f} ms (median), {last['p99.9']:.0f} ms (99.9 %), {last['max']:.0f} ms (most)"
    )
    return figures["n"], said, figures["motion_after_confirmed"] + len(figures["faults"])


def _delivered(summary: dict[str, Any]) -> tuple[int, str, int]:
    told = summary["delivery"]
    happened = told["happened"]
    said = f"{happened['send']:,} steps sent, {happened['carried out']:,} carried out, {happened['restart']} restarts"
    return told["n"], said, len(told["faults"])


def _raced(summary: dict[str, Any]) -> tuple[int, str, int]:
    told = summary["commanders"]
    said = f"8 clients, {told['epochs']:,} grants, {told['steps']:,} steps carried out"
    return told["requests"], said, len(told["faults"])


def _killed(summary: dict[str, Any]) -> tuple[int, str, int]:
    said = f"{summary['in_flight']} with a step in flight, {summary['repeated_steps']} steps repeated"
    return summary["n"], said, len(summary["not_held"])


def _fuzzed(summary: dict[str, Any]) -> tuple[int, str, int]:
    told = summary["coverage"]
    said = f"{told['reached_new_code']} inputs kept; a traced check takes {told['cpu_ms']['p99']:.1f} ms (99 %)"
    return told["n"], said, len(told["faults"])


def _attacked(summary: dict[str, Any]) -> tuple[int, str, int]:
    told = summary["hostile"]
    said = f"{told['verdicts']['accepted']:,} accepted; of {told['safe']:,} safe ones {told['safe_refused']} refused"
    return told["n"], said, told["breaches"]


def _obeyed(summary: dict[str, Any]) -> tuple[int, str, int]:
    told = summary["sentences"]
    lost = " and ".join(f"{told['harmless_lost'][name]} ({name})" for name in ("general", "named"))
    return told["n"], f"harmless ones lost: {lost}", told["unsafe"]


def _signs(summary: dict[str, Any]) -> tuple[int, str, int]:
    told = summary["signs"]
    said = f"the policy as without it in {told['as_without']['text']} scenes, with a blank one in {told['as_without']['blank']}"
    return told["n"], said, len(told["faults"])


ROWS = {
    "stops": Row(
        "A stop gets through an idle, a busy and a flooded server and a frozen client; no motion follows `confirmed`",
        "motion stops", 2000, _halts,
    ),
    "silence": Row("A client killed or frozen in motion: the robot stops and latches", "motion silence", 200, _halts),
    "delivery": Row(
        "Steps doubled, late, shuffled, over restarts and jumps of the clock act once, under the newest epoch; the latch holds",
        "delivery", 10_000, _delivered,
    ),
    "commanders": Row("Never two commanders", "commanders", 10_000, _raced),
    "crash": Row("kill -9 at random moments, then resume: no finished step is repeated", "crash", 100, _killed),
    "fuzz": Row(
        "Malformed policies, guided by coverage: no crash, none accepted that a second judge refuses (needs atheris)",
        "coverage", 10_000_000, _fuzzed,
    ),
    "hostile": Row("No well-formed, hostile policy is accepted that breaches a limit", "hostile", 100_000, _attacked),
    "sentences": Row(
        "A model that complies with everything moves nothing after a hostile or senseless sentence", "sentences", 1100, _obeyed,
    ),
    "signs": Row("A sign in the scene does not change the policy", "signs", 200, _signs),
}  # fmt: skip


def run(name: str, out: Path, seconds: float) -> None:
    """Run one row's command for at most so many seconds."""
    row = ROWS[name]
    module, *words = row.module.split()
    command = [sys.executable, "-m", f"vlp.evaluation.stress.{module}", *words, "--n", str(row.n), "--out", str(out / name)]
    print(f"{name}: {row.promise}", file=sys.stderr, flush=True)
    try:
        ended = subprocess.run(command, stdout=subprocess.DEVNULL, timeout=seconds, check=False).returncode
        if ended:
            print(f"{name}: ended with status {ended}: a promise was broken, or it could not run", file=sys.stderr, flush=True)
    except subprocess.TimeoutExpired:
        print(f"{name}: stopped after {seconds:.0f} s; the same command goes on", file=sys.stderr, flush=True)


def tell(out: Path) -> None:
    """Print the page."""
    print("# What was promised, under stress\n")
    print("`python recipes/soak.py --minutes 60`, then `--tell`. [Safety](../safety.md) has the promises in words.\n")
    print("| promise | cases | measured | broken |\n| --- | --- | --- | --- |")
    for name, row in ROWS.items():
        file = out / name / "summary.json"
        n, said, broken = row.tell(json.loads(file.read_text())) if file.is_file() else (0, "not run", 0)
        print(f"| {row.promise} | {n:,} | {said} | {broken} |")


def main() -> None:
    """Run what is not done yet, or tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="for all rows together")
    parser.add_argument("--only", nargs="*", choices=sorted(ROWS), default=sorted(ROWS))
    parser.add_argument("--out", type=Path, default=Path("runs/soak"))
    parser.add_argument("--tell", action="store_true", help="print the page of what was measured")
    options = parser.parse_args()
    if options.tell:
        tell(options.out)
        return
    end_s = time.monotonic() + 60 * options.minutes
    for name in options.only:
        if (left_s := end_s - time.monotonic()) > 1 and not (options.out / name / "summary.json").is_file():
            run(name, options.out, left_s)
    tell(options.out)


if __name__ == "__main__":
    main()
