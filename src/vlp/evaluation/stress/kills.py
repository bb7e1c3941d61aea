"""SIGKILL at chosen points of runs, then `resume`: one effect per step, and the step in flight is asked for, never guessed.

    python -m vlp.evaluation.stress.kills --n 1000 --out runs/kills

The model is a script. The robot is the fake one: behind its HTTP server in a process of its own, with a record on disk and a
log of its effects, or within the run, from which it is restored. Killed is the run before and after each group of events that
it writes, as soon as the robot has taken a step on, or at a random moment; or the robot's server between taking a step on and
recording its end, with the act done or not. `vlp.evaluation.stress.crash` has the simulated robot and real physics.
"""

import contextlib
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

from vlp.core.messages import Instruction
from vlp.evaluation.stress.command import quantiles, rows_command
from vlp.evaluation.stress.crash import die, dying, repeated
from vlp.evaluation.stress.journal import POLICY
from vlp.journal import Event, read_events
from vlp.models.scripted import ScriptedModel
from vlp.robot.client import RemoteRobot
from vlp.robot.protocol import Robot, Step, StepResult
from vlp.robot.serving import Address, running_server
from vlp.robot.wire import Http, Refusal
from vlp.runtime.run import Run, Spec, read_run
from vlp.sim.fake.robot import FakeRobot

Way = Literal["before", "after", "taken on", "moment", "server before", "server after", "within before", "within after"]
"""Who is killed when; "within" has no server."""


class KeptRobot(FakeRobot):
    """A fake robot whose world outlives its process in a log of effects, one line each, as a real one's does.

    Args:
        log: the file; what it holds has happened.
        dies: when this process kills itself: "before" or "after" a step of a policy, and its number; "slow" makes that step
            take 1.5 s. None to let it live.
    """

    def __init__(self, log: Path, dies: tuple[str, int] | None = None) -> None:
        super().__init__()
        self._log, self._dies = log, dies
        if effects := effects_of(log):
            self.restore(json.dumps({**effects[-1]["world"], "stopped": False, "keys": {}}).encode())

    def execute(self, step: Step) -> StepResult:
        """Act, and write what came of it."""
        look = ".look." in step.key
        number = sum(".look." not in effect["key"] for effect in effects_of(self._log))
        if self._dies == ("before", number) and not look:
            die()
        if self._dies == ("slow", number) and not look:
            self._stop.wait(1.5)
        time.sleep(0.003)
        result = super().execute(step)
        world = json.loads(self.snapshot())
        line = {"key": step.key, "do": step.do, "status": result.status, "world": {n: world[n] for n in world if n != "keys"}}
        with self._log.open("a") as file:
            file.write(json.dumps(line) + "\n")
        if self._dies == ("after", number) and not look:
            die()
        return result


def effects_of(log: Path) -> list[dict[str, Any]]:
    """Return what a robot has done, in order."""
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


class Watching:
    """The judge of a run: knows the world, and whether the task is done in it.

    Args:
        world: gives the symbols of the world now, as in a snapshot of the fake robot.
    """

    def __init__(self, world: Callable[[], dict[str, Any]]) -> None:
        self._world = world

    def on_event(self, event: Event) -> None:
        """Need no event."""

    def apply(self, text: str) -> None:
        """Take no event."""

    def __call__(self) -> bool:
        """Return whether the thing lies where it belongs."""
        check = POLICY["subtasks"][0]["steps"][-1]
        return self._world()["objects"][check["subject"]][1] == check["object"]

    def reply(self, messages: Any) -> str:
        """Return the policy for the world as it is."""
        steps = POLICY["subtasks"][0]["steps"]
        left = steps[-1:] if self() else steps[3:] if self._world()["holding"] else steps
        return json.dumps({**POLICY, "subtasks": [{**POLICY["subtasks"][0], "steps": left}]})


def _serve(folder: Path, dies: tuple[str, int] | None, pipe: Any) -> None:
    parent = os.getppid()
    with running_server(KeptRobot(folder / "effects.jsonl", dies), "a-token-for-the-stress", record=folder / "record.db") as at:
        pipe.send(at)
        while os.getppid() == parent:
            time.sleep(0.5)


def live(folder: Path, at: Address | None, kill: tuple[str, float] | None, looked: bool = False) -> None:
    """Begin the run of a directory, or take it over.

    Args:
        folder: of the case.
        at: the robot's server; None for a robot within.
        kill: when this process kills itself: "before" or "after" a group of events, "taken on" of a step, each with its
            number; "moment" with seconds. None to let it live.
        looked: whether a person has looked at the robot.
    """
    began = time.monotonic()
    out, log = folder / "run", folder / "effects.jsonl"
    robot: Robot = RemoteRobot(at.url, at.token, timeout_s=2.0, give_up_s=0.3) if at else FakeRobot()
    at_rest = json.loads(FakeRobot().snapshot())
    judge = Watching(lambda: json.loads(robot.snapshot()) if isinstance(robot, FakeRobot) else _last(log, at_rest))
    begun = (out / "journal.db").exists() and read_events(out, blobs=False)
    spec, past = read_run(out) if begun else (Spec(Instruction.of(POLICY["goal"])), [])
    run = Run(out, spec, robot, ScriptedModel(judge.reply), judge=judge, past=past, looked=looked)
    when, number = kill or ("", 0)
    if isinstance(robot, RemoteRobot) and when == "taken on":
        dying(robot, "_send", int(number), after=True)
    if when in ("before", "after"):
        dying(run.journal, "append", int(number), after=when == "after")
    if when == "moment":
        threading.Timer(number, die).start()
    append = run.journal.append

    def timed(*events: Event) -> list[Event]:
        if any(event.kind in ("run-resumed", "step-started") for event in events):
            with (folder / "times.txt").open("a") as file:
                file.write(f"{events[0].kind} {time.monotonic() - began:.4f}\n")
        return append(*events)

    run.journal.append = timed
    run.go()
    if isinstance(robot, RemoteRobot):
        robot.close()


def _last(log: Path, at_rest: dict[str, Any]) -> dict[str, Any]:
    effects = effects_of(log)
    return effects[-1]["world"] if effects else at_rest


class Lives:
    """Processes for runs and robots, forked from one that has loaded all that they need."""

    def __init__(self) -> None:
        self.server_pid = 0
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(
            ["vlp.evaluation.stress.crash", "vlp.runtime.run", "vlp.robot.server", "vlp.robot.stop_line"]
        )

    def begin(self, *arguments: Any) -> Any:
        """Let a run live, and return its process."""
        process = self._context.Process(target=live, args=arguments, daemon=True)
        process.start()
        return process

    def run(self, *arguments: Any) -> int:
        """Let a run live to its end, and return its exit status."""
        return self.end(self.begin(*arguments))

    def end(self, process: Any) -> int:
        """Wait for the end of a run, and return its exit status."""
        process.join(60.0)
        if process.is_alive():
            process.kill()
            process.join()
            return 1000
        return process.exitcode or 0

    @contextlib.contextmanager
    def served(self, folder: Path, dies: tuple[str, int] | None = None) -> Any:
        """Serve the robot of a case, on its record."""
        near, far = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(folder, dies, far), daemon=True)
        process.start()
        far.close()
        self.server_pid = process.pid or 0
        try:
            yield near.recv()
        finally:
            process.kill()
            process.join()


def case(index: int, seed: int, out: Path, lives: Lives | None = None) -> dict[str, Any]:
    """Kill one run, or its robot's server, take it over, and return what was not as promised.

    Args:
        index: of the way in which it is killed, and of the point.
        seed: of moments.
        out: unused; a case has a directory of its own, which is deleted.
        lives: makes processes.
    """
    del out
    lives = lives or Lives()
    ways = get_args(Way)
    way, turn, rng = ways[index % len(ways)], index // len(ways), random.Random(f"{seed} {index}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if way.startswith("server"):
            faults, held = _server_killed(folder, lives, (way.removeprefix("server "), turn % 6))
        else:
            points = {"taken on": 1 + turn % 6, "moment": rng.uniform(0.0, 0.25)}
            kill = (way.removeprefix("within "), points.get(way, 1 + turn % 22))
            faults, held = _run_killed(folder, lives, kill, served=not way.startswith("within"))
        faults += _judged(folder, served=not way.startswith("within"))
        events = read_events(folder / "run", blobs=False)
        times = [line.split() for line in (folder / "times.txt").read_text().splitlines()]
        resumed = [float(seconds) for kind, seconds in times if kind == "run-resumed"]
        flights = [e.data["in_flight"] for e in events if e.kind == "run-resumed"]
    row = {"way": way, "turn": turn, "resumed": bool(resumed), "in_flight": any(flights), "held": held, "faults": faults}
    return {**row, "resume_s": max(resumed, default=None)}


def _run_killed(folder: Path, lives: Lives, kill: tuple[str, float], served: bool) -> tuple[list[str], bool]:
    """Kill the run; the robot's server lives on. A run that ended before it was to die is no fault and no kill."""
    with lives.served(folder) if served else contextlib.nullcontext() as at:
        died = lives.run(folder, at, kill)
        faults = [] if died in (-signal.SIGKILL, 0) else [f"the run ended with status {died}"]
        if died == 0 or _end(folder):  # killed behind its last event, it has ended too: there is nothing to take over
            return faults, False
        held = settled(folder, at) if at else False
        if lives.run(folder, at, None) != 0:
            faults.append("the resumed run ended with an error")
        if _end(folder).get("error") in ("Hold", "Unsettled"):
            if served and kill[0] != "moment":
                faults.append(f"held, though the robot could be asked: {_end(folder)['reason']}")
            held = True
            lives.run(folder, at, None, True)
    return faults, held


def _server_killed(folder: Path, lives: Lives, dies: tuple[str, int]) -> tuple[list[str], bool]:
    """Kill the robot's server while a step is under way: nobody knows what became of it, so a person has to look."""
    with lives.served(folder, dies) as at:
        lives.run(folder, at, None)
    before = effects_of(folder / "effects.jsonl")
    faults = [] if _end(folder).get("error") else [f"the run took it for {_end(folder)}"]
    with lives.served(folder) as at:
        settled(folder, at)
        lives.run(folder, at, None)
        end = _end(folder)
        if end.get("error") != "Unsettled" or effects_of(folder / "effects.jsonl") != before:
            faults.append(f"guessed: {end.get('outcome')}, {end.get('reason')}")
        lives.run(folder, at, None, True)
    return faults, True


def settled(folder: Path, at: Address) -> bool:
    """Wait until the robot has stopped by itself or rests, then reset it, as a person would; return whether it was latched."""
    http = Http(at.url, at.token, 2.0)
    try:
        end_s = time.monotonic() + 0.7
        while not (health := http.call("GET", "/health"))["stopped"] and time.monotonic() < end_s:
            time.sleep(0.02)
        while http.call("GET", "/health")["stopped"]:
            with contextlib.suppress(Refusal):
                http.call("POST", "/stop/reset")
        return bool(health["stopped"])
    finally:
        http.close()


def _end(folder: Path) -> dict[str, Any]:
    events = read_events(folder / "run", blobs=False) if (folder / "run" / "journal.db").exists() else []
    return events[-1].data if events and events[-1].kind == "run-finished" else {}


def _judged(folder: Path, served: bool) -> list[str]:
    """Return what is wrong with what a case has left behind."""
    end, events = _end(folder), read_events(folder / "run", blobs=False)
    faults = [] if end.get("outcome") == "success" and end.get("verdict") is True else [f"ended {end}"]
    faults += [f"{key} was sent again after its end" for key in repeated(events)]
    if served:
        acted = Counter(effect["key"] for effect in effects_of(folder / "effects.jsonl"))
        faults += [f"{key} acted {count} times" for key, count in acted.items() if count > 1]
    return faults


def tell(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of rows."""
    killed = [row for row in rows if row["resumed"]]
    ways = {way: sum(row["way"] == way for row in killed) for way in get_args(Way)}
    return {
        "killed": len(killed),
        "ways": ways,
        "in_flight": sum(row["in_flight"] for row in rows),
        "held": sum(row["held"] for row in rows),
        "resume_s": quantiles([row["resume_s"] for row in killed]),
    }


if __name__ == "__main__":
    sys.exit(rows_command("kills", __doc__, case, tell))
