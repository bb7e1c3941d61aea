"""The long form of the promises of docs/safety.md: stress until a count or the time is reached, and the page of what held.

    python recipes/soak.py --minutes 30                   # goes on where it stopped; below runs/soak
    python recipes/soak.py --minutes 30 --only stops silence
    python recipes/soak.py --tell > docs/results/reliability.md

Everything talks to loopback only, and ends by itself. Each row is a command of its own, whose summary.json is read.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Row:
    """One promise.

    Args:
        promise: in words.
        module: under `vlp.evaluation.stress`, with its arguments before `--n`. It goes on where it stopped, or begins anew.
        n: cases of the long form.
        told: what was measured, with places for values of the summary; quantiles take their unit (see `Quantiles`).
    """

    promise: str
    module: str
    n: int
    told: str


ROWS = {
    "stops": Row(
        "A stop gets through an idle, a busy and a flooded server and a frozen client; no motion follows `confirmed`",
        "motion stops", 2000, "last motion command after {last_motion_ms:ms}",
    ),
    "silence": Row(
        "A client killed or frozen in motion: the robot stops and latches",
        "motion silence", 200, "last motion command after {last_motion_ms:ms}",
    ),
    "delivery": Row(
        "Steps doubled, late, shuffled, over restarts and jumps of the clock act once, under the newest epoch; the latch holds",
        "delivery", 10_000,
        "{happened[send]:,} steps sent, {happened[carried out]:,} carried out, {happened[restart]} restarts",
    ),
    "commanders": Row(
        "Never two commanders", "commanders", 10_000, "8 clients, {epochs:,} grants, {steps:,} steps carried out",
    ),
    "crash": Row(
        "kill -9 in simulation, then resume: no finished step is repeated",
        "crash", 100, "{in_flight} with a step in flight, {repeated_steps} steps repeated",
    ),
    "kills": Row(
        "Resumed after kill -9 of run or robot's server, before and after each event and under a step: one effect per step;"
        " what is not known holds until a person has looked",
        "kills", 1000,
        "{killed} taken over, {in_flight} with a step in flight, {held} held or latched; resumed after {resume_s:s}",
    ),
    "late": Row(
        "A primitive that never returns, late, or with another one's result is no success; retries are bounded",
        "late", 200, "{injected}; at most {policies} policies; ended after {end_s:s}",
    ),
    "lies": Row(
        "A primitive that does nothing and says that it did is found by a look",
        "lies", 60,
        "{lies} lies in {actions} actions, {without_effect} without effect; {found} found, {named} named as executions",
    ),
    "flood": Row(
        "Oversize, endless and slow requests are refused within 1 s; others get through ten times the load",
        "flood", 120,
        "oversize ones refused after {answer_ms[oversize]:ms}, slow ones after {answer_ms[slow body]:ms}; requests of others"
        " {alone_ms:ms} alone, {beside_ms:ms} beside the load, refused after {refused_s:s}; stops {stop_ms:ms}",
    ),
    "clocks": Row(
        "Clocks that jump and processes that are suspended leave deadlines, leases and order",
        "clocks", 70, "{injected}; {hangs} with a hang, ended within {longest_hang_s} s",
    ),
    "storms": Row(
        "New instructions at 1 kHz, or in turn, and plans that always fail: merged and bounded; the run ends with the reason",
        "storms", 70,
        "{said:,} sentences, {refused:,} refused at once; at most {policies} policies a run; ended after {seconds:s}",
    ),
    "starts": Row(
        "1,000 robots' servers started and stopped in one process leave nothing",
        "starts servers", 1000,
        "memory grows by {mb_per_hour[0]} MB an hour (standard error {mb_per_hour[1]}), {kb_per_start[0]} kB a start;"
        " {last[handles]:.0f} handles, no child left",
    ),
    "runs": Row(
        "25 episodes in one process leave nothing",
        "starts runs", 25, "{first[mb]:.0f} MB at first, {last[mb]:.0f} MB at last; {last[handles]:.0f} handles, no child left",
    ),
    "model-late": Row(
        "A model's server that hangs, drips or stalls: the limit holds, the robot waits, one more try, nothing leaks",
        "model_late", 1100,
        "at most {most_over_s:.3f} s over the limit of {limit_s:g} s; {more_after_them[threads]} threads,"
        " {more_after_them[handles]} handles and {more_after_them[kib]:,} KiB more after {replies_in_a_row:,} late replies",
    ),
    "model-garbage": Row(
        "A model's server that answers garbage, bombs or another robot's policy: no step, an error by name, 64 MiB",
        "model_garbage", 500, "at most {most_more_kib:,} KiB more; {changed:,} changed answers read",
    ),
    "model-breaks": Row(
        "A model's server that breaks off, refuses or is started anew: the task goes on by itself, or ends before any step",
        "model_breaks", 500, "{ways} ways",
    ),
    "hostile-bodies": Row(
        "Hostile bodies end no server, and no schema, expression, template, URL or path of a client reaches a model's server",
        "hostile_bodies", 10_000,
        "one process, {steps:,} declared steps; {asked_of_the_model:,} requests to a model's server looked at",
    ),
    "fuzz": Row(
        "Malformed policies, guided by coverage: no crash, none accepted that a second judge refuses (needs atheris)",
        "coverage", 10_000_000, "{reached_new_code} inputs kept; a traced check takes {cpu_ms[p99]:.1f} ms (99 %)",
    ),
    "hostile": Row(
        "No well-formed, hostile policy is accepted that breaches a limit",
        "hostile", 100_000, "{verdicts[accepted]:,} accepted; of {safe:,} safe ones {safe_refused} refused",
    ),
    "sentences": Row(
        "A model that complies with everything moves nothing after a hostile or senseless sentence",
        "sentences", 1100, "harmless ones lost: {harmless_lost}",
    ),
    "signs": Row(
        "A sign in the scene does not change the policy",
        "signs", 200, "the policy as without it in {as_without[text]} scenes, with a blank one in {as_without[blank]}",
    ),
    "physics": Row(
        "A simulator that breaks is an outcome of its own, with a dump that reproduces it",
        "physics", 10_000,
        "{counts[reproduced by stepping]} faults came again by stepping, {counts[reproduced as it was found]} as found",
    ),
    "saving": Row(
        "Killed while saving, or the disk full: what was there is whole",
        "saving", 2000,
        "8 kinds of files; every file operation and page, at most 250 a kind: all there are but for the pages of a model",
    ),
    "planted": Row(
        "A fault in a model, an adapter or samples is named before anything is loaded",
        "planted", 2000, "{grown_mb} MB more memory",
    ),
    "workers": Row("The same rows on 1, 2 and 4 workers, in another order, with one killed", "workers", 12, "{rows} rows each"),
}  # fmt: skip


class Quantiles(dict[str, float]):
    """Median, 95th percentile, 99.9 % of a thousand cases and more, and the greatest; formatted with their unit."""

    def __format__(self, unit: str) -> str:
        names = {"p50": "median", "p95": "95 %", "p99.9": "99.9 %", "max": "most"}
        return ", ".join(f"{self[name]:g} {unit} ({words})" for name, words in names.items() if name in self)


class Counts(dict[str, Any]):
    """Named numbers; formatted as a list."""

    def __missing__(self, name: str) -> int:
        return 0

    def __format__(self, spec: str) -> str:
        return ", ".join(f"{value} {name}" for name, value in self.items())


def figures(name: str, out: Path) -> dict[str, Any]:
    """Return what a row's command has measured; n is 0 where it has not."""
    file = out / name / "summary.json"
    summary = json.loads(file.read_text(), object_hook=_formatted) if file.is_file() else {"n": 0, "faults": []}
    summary = summary if "n" in summary else next(iter(summary.values()))
    return summary.get("all", summary)


def _formatted(values: dict[str, Any]) -> dict[str, Any]:
    return Quantiles(values) if "p50" in values else Counts(values)


def run(name: str, out: Path, seconds: float) -> None:
    """Run one row's command for at most so many seconds."""
    row = ROWS[name]
    module, *words = row.module.split()
    command = [sys.executable, "-m", f"vlp.evaluation.stress.{module}", *words, "--n", str(row.n), "--out", str(out / name)]
    print(f"{name}: {row.promise}", file=sys.stderr, flush=True)
    row_process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        if ended := row_process.wait(seconds):
            print(f"{name}: ended with status {ended}: a promise was broken, or it could not run", file=sys.stderr, flush=True)
    except (subprocess.TimeoutExpired, KeyboardInterrupt) as why:
        os.killpg(row_process.pid, signal.SIGKILL)  # its children too, which keep cores busy
        row_process.wait()
        if isinstance(why, KeyboardInterrupt):
            raise
        rows = out / name / "rows.jsonl"
        done = len(rows.read_text().splitlines()) if rows.is_file() else 0
        then = "the same command goes on" if done else f"it begins anew: give --only {name} more minutes"
        print(f"{name}: stopped after {seconds:.0f} s; {then}", file=sys.stderr, flush=True)
        if done:  # tell of those that there are
            told = [str(done) if word == str(row.n) else word for word in command]
            subprocess.run(told, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120.0, check=False)


def tell(out: Path) -> None:
    """Print the page."""
    print("# What was promised, under stress\n")
    print("`python recipes/soak.py --minutes 60`, then `--tell`. [Safety](../safety.md) has the promises in words.\n")
    print("| promise | cases | wanted | measured | broken |\n| --- | --- | --- | --- | --- |")
    for name, row in ROWS.items():
        told = figures(name, out)
        said, broken = (row.told.format_map(told), len(told["faults"])) if told["n"] else ("not run", "")
        print(f"| {row.promise} | {told['n']:,} | {row.n:,} | {said} | {broken} |")


def main() -> None:
    """Run what is not done yet, or tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="for all rows together")
    parser.add_argument("--only", nargs="*", choices=sorted(ROWS), default=list(ROWS))
    parser.add_argument("--out", type=Path, default=Path("runs/soak"))
    parser.add_argument("--tell", action="store_true", help="print the page of what was measured")
    options = parser.parse_args()
    if options.tell:
        tell(options.out)
        return
    end_s = time.monotonic() + 60 * options.minutes
    left = [name for name in options.only if figures(name, options.out)["n"] < ROWS[name].n]
    for row, name in enumerate(left):  # a row takes its share of the time that those before it have left
        if (left_s := end_s - time.monotonic()) > 1:
            run(name, options.out, left_s / (len(left) - row))
    tell(options.out)


if __name__ == "__main__":
    main()
