"""From Enter to the first motion: `vlp run` in fresh processes, timed by its own journal."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from vlp.core.errors import MissingComponent, UsageError
from vlp.core.messages import counted
from vlp.core.timing import Interval
from vlp.evaluation.speed.rows import Effort, Measured
from vlp.journal import Event, read_events
from vlp.journal.file import FILE_NAME


def start(effort: Effort) -> list[Measured]:
    """Row P12: seconds from the start of the process to the first step that moves the robot."""
    out, words = effort.folder / "start", ["run", "put the red cube in the green bowl", "--seed", "20009802"]
    words += ["--model", effort.base, "--out", str(out)]
    effort.folder.mkdir(parents=True, exist_ok=True)
    begin(out, words)  # the disk is warm, and the package compiled
    runs = [begin(out, words) for _ in range(effort.repeats)]
    ends = {name: median(run[name] for run in runs) for name in runs[0]}
    told = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in ends.items())
    parts = {f"to {name}": at_s - before_s for (name, at_s), before_s in zip(ends.items(), [0.0, *ends.values()], strict=False)}
    compared = f"{counted(len(runs), 'fresh start')} of `vlp {shlex.join(words[:4])}`, by the clock of their journals: {told}."
    value = Interval.of([run["motion"] for run in runs])
    return [Measured("P12", "Enter to first motion", value, compared, at_most=2.0, unit="s", parts=parts)]


def begin(out: Path, words: Sequence[str], limit_s: float = 120.0) -> dict[str, float]:
    """Return when, in seconds since the process was started, each part of the start ended; the run is stopped then.

    Args:
        out: the run's directory; what is there is removed.
        words: of the command line that writes it.
        limit_s: how long the start may take.

    Raises:
        MissingComponent: the robot was not moved in time.
    """
    shutil.rmtree(out, ignore_errors=True)
    compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began_s = time.time()
    said = out.with_suffix(".txt")
    with said.open("wb") as text:
        process = subprocess.Popen(
            [sys.executable, "-m", "vlp.cli.main", *words], env=compiled, stdin=subprocess.DEVNULL, stdout=text, stderr=text
        )
    try:
        while (moved := _motion(out)) is None:
            if process.poll() is not None or time.time() - began_s > limit_s:
                raise MissingComponent(f"`vlp run` moved nothing in {time.time() - began_s:.0f} s.", said.read_text()[-300:])
            time.sleep(0.2)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
    events = read_events(out, blobs=False)
    parts = ("run-started", "observation", "reply", "policy", "step-started")  # each ends with the first event of its kind
    ended = {kind: next(event.wall_s for event in events if event.kind == kind) for kind in parts}
    return {name: at_s - began_s for name, at_s in {**ended, "motion": moved.wall_s}.items()}


def _motion(out: Path) -> Event | None:
    """Return the start of the first step that moves the robot, None before that."""
    from vlp.sim.open import manifest_of

    moves = manifest_of().primitives  # perceptions are not the body's
    try:
        events = read_events(out, blobs=False) if (out / FILE_NAME).is_file() else []
    except UsageError:  # it is being made
        return None
    return next((event for event in events if event.kind == "step-started" and event.data["do"] in moves), None)
