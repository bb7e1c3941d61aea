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
        module: under `vlp.evaluation.stress`, with its arguments before `--n`. It goes on where it stopped, or begins anew.
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
    rare = f"{last['p99.9']:.0f} ms (99.9 %), " if figures["n"] >= 1000 else ""
    said = f"last motion command after {last['p50']:.0f} ms (median), {rare}{last['max']:.0f} ms (most)"
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


def _kills(summary: dict[str, Any]) -> tuple[int, str, int]:
    told = summary["kills"]
    said = f"{told['killed']} taken over, {told['in_flight']} with a step in flight, {told['held']} held or latched; "
    return told["n"], said + f"resumed after {_times(told['resume_s'], 's')}", len(told["faults"])


def _late(summary: dict[str, Any]) -> tuple[int, str, int]:
    told = summary["late"]
    said = ", ".join(f"{count} {fault}" for fault, count in told["injected"].items())
    return (
        told["n"],
        f"{said}; at most {told['policies']} policies; ended after {_times(told['end_s'], 's')}",
        len(told["faults"]),
    )


def _lied(summary: dict[str, Any]) -> tuple[int, str, int]:
    told = summary["lies"]
    said = f"{told['lies']} lies in {told['actions']} actions, {told['without_effect']} without effect; "
    return told["n"], said + f"{told['found']} found, {told['named']} named as executions", len(told["faults"])


def _flooded(summary: dict[str, Any]) -> tuple[int, str, int]:
    told = summary["flood"]
    said = f"refused after at most {max(times['max'] for times in told['answer_ms'].values()):.0f} ms; requests of others "
    said += f"{_times(told['alone_ms'], 'ms')} alone, {_times(told['beside_ms'], 'ms')} beside the load"
    return told["n"], f"{said}, stops {_times(told['stop_ms'], 'ms')}", len(told["faults"])


def _clocks(summary: dict[str, Any]) -> tuple[int, str, int]:
    told = summary["clocks"]
    said = ", ".join(f"{count} {what}" for what, count in told["injected"].items())
    return told["n"], f"{said}; {told['hangs']} with a hang, ended within {told['longest_hang_s']} s", len(told["faults"])


def _storms(summary: dict[str, Any]) -> tuple[int, str, int]:
    told = summary["storms"]
    said = f"{told['said']:,} sentences, {told['refused']:,} refused at once; at most {told['policies']} policies a run"
    return told["n"], f"{said}; ended after {_times(told['seconds'], 's')}", len(told["faults"])


def _started(summary: dict[str, Any]) -> tuple[int, str, int]:
    told = summary["starts"]
    hour, error = told.get("mb_per_hour", ("?", "?"))
    said = f"memory grows by {hour} MB an hour (standard error {error}), {told['kb_per_start'][0]} kB a start"
    return told["n"], f"{said}; {told['last']['handles']:.0f} handles, no child left", len(told["faults"])


def _times(values: dict[str, float], unit: str) -> str:
    return f"{values['p50']:g} {unit} (median), {values['max']:g} {unit} (most)" if values else "nothing"


def _was_late(summary: dict[str, Any]) -> tuple[int, str, int]:
    told = summary["model_late"]
    more = told["more_after_them"]
    said = f"at most {told['most_over_s'] * 1000:.0f} ms over the limit of {told['limit_s']:g} s; {more['threads']} threads, "
    said += f"{more['handles']} handles and {more['kib']:,} KiB more after {told['replies_in_a_row']:,} late replies in a row"
    return told["n"], said, len(told["faults"])


def _garbled(summary: dict[str, Any]) -> tuple[int, str, int]:
    told = summary["model_garbage"]
    most_mib = told["most_more_kib"] / 1024
    said = f"{len(told['garbage'])} kinds, at most {most_mib:.0f} MiB more; {told['changed']:,} changed answers read"
    return told["n"], said, len(told["faults"])


def _broke_off(summary: dict[str, Any]) -> tuple[int, str, int]:
    told = summary["model_breaks"]
    return told["n"], f"{told['ways']} ways; {told['failed'].get('kept failing', 0)} servers kept failing", len(told["faults"])


def _sent(summary: dict[str, Any]) -> tuple[int, str, int]:
    told = summary["hostile_bodies"]
    said = (
        f"one process, {told['steps']:,} declared steps; {told['asked_of_the_model']:,} requests to a model's server looked at"
    )
    return told["n"], said, len(told["faults"])


def _physics(summary: dict[str, Any]) -> tuple[int, str, int]:
    told = summary["physics"]
    named = sum(count for name, count in told["counts"].items() if name.startswith("named"))
    by_stepping = told["counts"].get("reproduced by stepping", 0)
    return told["n"], f"{named} faults named, each from a dump again, {by_stepping} by stepping", len(told["faults"])


def _counted(summary: dict[str, Any]) -> tuple[int, str, int]:
    told = next(iter(summary.values()))
    most = sorted(told.get("counts", {}).items(), key=lambda pair: -pair[1])[:4]
    return told["n"], ", ".join(f"{name}: {count}" for name, count in most) or f"{told['rows']} rows each", len(told["faults"])


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
    "crash": Row("kill -9 in simulation, then resume: no finished step is repeated", "crash", 100, _killed),
    "kills": Row(
        "kill -9 of run or robot's server, before and after each event and under a step: one effect per step; what is not known"
        " holds until a person has looked",
        "kills", 1000, _kills,
    ),
    "late": Row(
        "A primitive that never returns, late, or with another one's result is no success; retries are bounded",
        "late", 200, _late,
    ),
    "lies": Row("A primitive that does nothing and says that it did is found by a look", "lies", 60, _lied),
    "flood": Row(
        "Oversize, endless and slow requests are refused within 1 s; others get through ten times the load",
        "flood", 120, _flooded,
    ),
    "clocks": Row("Clocks that jump and processes that are suspended leave deadlines, leases and order", "clocks", 70, _clocks),
    "storms": Row(
        "New instructions at 1 kHz, or in turn, and plans that always fail: taken together, bounded, ended with the reason",
        "storms", 70, _storms,
    ),
    "starts": Row("1,000 robots' servers started and stopped in one process leave nothing", "starts servers", 1000, _started),
    "runs": Row("25 episodes in one process leave nothing", "starts runs", 25, _started),
    "model-late": Row(
        "A model's server that hangs, drips or stalls: the limit holds, the robot waits, one more try, nothing leaks",
        "model_late", 1100, _was_late,
    ),
    "model-garbage": Row(
        "A model's server that answers garbage, bombs or another robot's policy: no step, an error by name, 64 MiB",
        "model_garbage", 500, _garbled,
    ),
    "model-breaks": Row(
        "A model's server that breaks off, refuses or is started anew: the task goes on by itself, or ends before any step",
        "model_breaks", 500, _broke_off,
    ),
    "hostile-bodies": Row(
        "Hostile bodies end no server, and no schema, expression, template, URL or path of a client reaches a model's server",
        "hostile_bodies", 10_000, _sent,
    ),
    "physics": Row(
        "A simulator that breaks is an outcome of its own, with a dump that reproduces it", "physics", 10_000, _physics
    ),
    "saving": Row("Killed while saving, or the disk full: what was there is whole", "saving", 2000, _counted),
    "planted": Row("A fault in a model, an adapter or samples is named before anything is loaded", "planted", 2000, _counted),
    "workers": Row("The same rows on 1, 2 and 4 workers, in another order, with one killed", "workers", 12, _counted),
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
        rows = out / name / "rows.jsonl"
        if done := len(rows.read_text().splitlines()) if rows.is_file() else 0:  # tell of those that there are
            told = [str(done) if word == str(row.n) else word for word in command]
            subprocess.run(told, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120.0, check=False)


def cases(name: str, out: Path) -> int:
    """Return how many cases of a row are done."""
    file = out / name / "summary.json"
    return ROWS[name].tell(json.loads(file.read_text()))[0] if file.is_file() else 0


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
        if (left_s := end_s - time.monotonic()) > 1 and cases(name, options.out) < ROWS[name].n:
            run(name, options.out, left_s)
    tell(options.out)


if __name__ == "__main__":
    main()
