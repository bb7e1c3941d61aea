"""The rover of `examples/rover.py` under a general model: twenty tasks with changes, twenty kills.

    python recipes/rover/measure.py > docs/results/rover.md

The model is a stand-in that plans by rules from the text of the general prompt alone (`planner.py`), behind an
OpenAI-compatible server. Each kill is a SIGKILL of a `vlp run` process, after which `vlp resume` goes on.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from planner import served
from tasks import TASKS, Row, TroubledRover, run_task

from vlp.core.errors import VlpError
from vlp.journal import Event, read_events
from vlp.models.openai_model import OpenAIModel
from vlp.robot.client import RemoteRobot
from vlp.robot.serving import running_server

ROOT = Path(__file__).parents[2]
SENTENCE = "tell me the temperature in every room behind a door, then go to the dock"
REPORTS = [["temperature in the lab", 21], ["temperature in the store", 6]]
STEPS = 11
LIMIT_S = 60.0
PAGE = """\
# A robot that is nothing like an HSR

    python recipes/rover/measure.py > docs/results/rover.md

`examples/rover.py` drives through a building, looks, measures, opens doors and reports. It has no hand and no depth camera. The
model is a stand-in that plans by rules from the text of the general prompt alone, behind an OpenAI-compatible server: what it
needs to know of the robot must stand in the prompt. The rover's own state judges each end: where it stands, its doors, what it
reported, what it did.

| what | wanted | found |
| --- | --- | --- |
| tasks that end as they should | all | {right} |
| killed runs that end as they should, no finished step repeated | all | {held} |

## Tasks

A change in quotes is a new instruction after so many steps; the others happen to the rover.

| instruction | changes | outcome | policies | steps | as it should |
| --- | --- | --- | --- | --- | --- |
{tasks}

## Kills

"{sentence}" takes {steps} steps. SIGKILL ends the process of `vlp run`, then `vlp resume` goes on. A rover in the same process
dies too and is restored from the journal; a served one lives on and is asked what became of the step in flight.

| killed | the rover | finished before | a step in flight | as it should |
| --- | --- | --- | --- | --- |
{kills}"""


@dataclass
class Kill:
    """One killed run.

    Args:
        step: at which step of the plan, from 1.
        during: whether while it was carried out, else behind its end.
        remote: whether the rover was served by another process and lived on, else it died too and came back from the journal.
        steps: how many had finished when the process died.
        in_flight: whether one was under way, as the journal tells.
        wrong: what is not as it should be; empty when all is.
    """

    step: int
    during: bool
    remote: bool
    steps: int = 0
    in_flight: bool = False
    wrong: tuple[str, ...] = ()


def kill_and_resume(kill: Kill, out: Path, model: str) -> Kill:
    """Run the task in a process, kill it at its moment, resume it in another one, and judge the end.

    Args:
        kill: the moment; what is found is written into it.
        out: a new directory.
        model: URL of the model.
    """
    with ExitStack() as until:
        rover, robot, token = None, "examples.rover:Rover", ""
        if kill.remote:
            rover = TroubledRover()
            rover.pause_s = 0.1
            address = until.enter_context(running_server(rover))
            robot, token = address.url, address.token
        environment = {**os.environ, "VLP_ROBOT_TOKEN": token, "MUJOCO_GL": "egl"}
        command = [
            "run",
            SENTENCE,
            "--robot",
            robot,
            "--model",
            model,
            "--no-recordings",
            "--confirm",
            "yes",
            "--out",
            str(out),
        ]
        process = _vlp(command, environment)
        kind = "step-started" if kill.during else "step-finished"
        _wait(lambda: sum(e.kind == kind for e in _events(out)) >= kill.step or process.poll() is not None)
        process.send_signal(signal.SIGKILL)
        if process.wait() != -signal.SIGKILL:
            kill.wrong = (f"it ended before the kill: {process.stdout.read()[-300:] if process.stdout else ''}",)
            return kill
        before = _events(out)
        kinds = Counter(e.kind for e in before)
        kill.steps, kill.in_flight = kinds["step-finished"], kinds["step-started"] > kinds["step-finished"]
        if kill.remote:
            _free(robot, token)
        resumed = _vlp(["resume", str(out)], environment)
        said = resumed.communicate(timeout=LIMIT_S)[0]
        kill.wrong = tuple(_wrong(_events(out), before, resumed.returncode, said, rover))
    return kill


def _wrong(events: list[Event], before: list[Event], status: int, said: str, rover: TroubledRover | None) -> Iterator[str]:
    """Yield what is not as it should be after the end of a resumed run."""
    if status != 0 or events[-1].data.get("outcome") != "success":
        yield f"it ended with {status}: {said[-300:]}"
    ends = Counter(e.data["key"] for e in events if e.kind == "step-finished")
    if len(ends) != STEPS or set(ends.values()) != {1}:
        yield f"{len(ends)} steps finished, expected {STEPS}, each once: {ends.most_common(1)}"
    done = {e.data["key"] for e in before if e.kind == "step-finished"}
    again = [e.data["key"] for e in events[len(before) :] if e.kind == "step-started" and e.data["key"] in done]
    if again:
        yield f"finished steps were begun again: {again}"
    end = next(e.data["state"] for e in reversed(events) if e.kind == "observation")
    if end["at"] != "dock" or not all(end["facts"].values()):
        yield f"it ended at {end['at']}, {end['facts']}"
    if rover is not None and (rover.reports != REPORTS or len(rover.acts) != STEPS):
        yield f"the rover itself did {len(rover.acts)} steps and reported {rover.reports}"


def _vlp(words: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "vlp.cli.main", *words]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def _events(out: Path) -> list[Event]:
    try:
        return read_events(out, blobs=False)
    except VlpError:  # nothing is written yet
        return []


def _free(url: str, token: str) -> None:
    """Wait until the lease of the killed process has run out, and reset a rover that its silence has stopped."""
    with RemoteRobot(url, token) as robot:
        _wait(lambda: robot.health().lease is None and not robot.health().busy)
        if robot.health().stopped:
            robot.reset_stop()


def _wait(so: Callable[[], bool]) -> None:
    end_s = time.monotonic() + LIMIT_S
    while not so():
        if time.monotonic() > end_s:
            raise TimeoutError("it did not come so far")
        time.sleep(0.005)


def kills(count: int) -> list[Kill]:
    """Return moments spread over the task: during a step and behind it, with a rover in the process and a served one."""
    moments = [Kill(1 + i // 2, i % 2 == 0, i % 4 in (1, 2)) for i in range(2 * STEPS - 2)]
    return [moments[i * (len(moments) - 1) // max(1, count - 1)] for i in range(count)]


def main() -> None:
    """Run tasks and kills, and print the page."""
    reader = argparse.ArgumentParser(description="Measure the rover example.")
    reader.add_argument("--tasks", type=int, default=len(TASKS))
    reader.add_argument("--kills", type=int, default=20)
    given = reader.parse_args()
    with served() as url, tempfile.TemporaryDirectory() as folder:
        model = OpenAIModel(url)
        rows = [run_task(task, Path(folder) / f"task-{n}", model) for n, task in enumerate(TASKS[: given.tasks])]
        killed = [kill_and_resume(kill, Path(folder) / f"kill-{n}", url) for n, kill in enumerate(kills(given.kills))]
    right, held = sum(not row.wrong for row in rows), sum(not kill.wrong for kill in killed)
    counts = {"right": f"{right} of {len(rows)}", "held": f"{held} of {len(killed)}", "sentence": SENTENCE, "steps": STEPS}
    print(PAGE.format(**counts, tasks="\n".join(map(_task_line, rows)), kills="\n".join(map(_kill_line, killed))))
    sys.exit(0 if right == len(rows) and held == len(killed) else 1)


def _task_line(row: Row) -> str:
    changes = "; ".join(_change(text) for text in row.task.changes) or "none"
    outcome = "says that it cannot be done" if row.claim == "cannot" else row.outcome
    cells = (f'"{row.task.sentence}"', changes, outcome, row.policies, row.steps, "; ".join(row.wrong) or "yes")
    return f"| {' | '.join(map(str, cells))} |"


def _kill_line(kill: Kill) -> str:
    moment = f"{'during' if kill.during else 'behind'} step {kill.step}"
    where, flight = "served, lives on" if kill.remote else "dies too", "yes" if kill.in_flight else "no"
    return f"| {moment} | {where} | {kill.steps} | {flight} | {'; '.join(kill.wrong) or 'yes'} |"


def _change(text: str) -> str:
    step, _, words = text.lstrip("!").partition(": ")
    return f"{step}: {words}" if text.startswith("!") else f'{step}: "{words}"'


if __name__ == "__main__":
    main()
