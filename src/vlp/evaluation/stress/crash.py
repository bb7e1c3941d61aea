"""SIGKILL of runs on the simulated robot, then `resume`: what is finished stays finished.

    python -m vlp.evaluation.stress.crash --n 100 --seed 0 --out runs/crash
    python -m vlp.evaluation.stress.crash --n 100 --seed 0 --changes --out runs/crash-changes

Each case is a run with the expert as its model, in a process that kills itself, at a random moment or before or after a group
of events is written, and a second process that takes the run over; the same command goes on where it stopped. With `--changes`
instruction or scene change midway, in each way that people can change them but "stop", and the kill comes some time after it. A
case holds when no finished step was repeated, no step of an old plan began after a new instruction, and the task is done or the
run ended in a clear hold. A world in which the run fails without a kill, or ends before it comes, says nothing about kills: it
is drawn again, and counted.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from vlp.core.errors import UsageError, first
from vlp.episodes.after_change import stale_steps
from vlp.evaluation.stress.command import kept_rows
from vlp.journal import read_events
from vlp.sim import EMBODIMENTS, WORLDS


@dataclass(frozen=True)
class Case:
    """One killed run.

    Args:
        index: its number.
        seed: of its world and task.
        way: when it was to die: at a "moment", "before" or "after" a group of events is written, or after a "change".
        number: seconds from its first event, or from the change; number of the group.
        killed: whether it did; a run that ended before is no case and is drawn again.
        events_before: events in the journal at the kill.
        in_flight: whether a step was under way.
        repeated: keys of steps that finished twice or were sent again after they had finished.
        outcome, verdict, reason: how the resumed run ended.
        error: the kind of error that ended it; "Hold" where the robot's state cannot be known.
        redrawn: worlds passed over because the run fails there without a kill too, or ends before it comes.
        change: what kind of change comes midway, a row of `vlp.sim.worlds.changes.change_kinds`; "" for none.
        stale: how many steps of an old plan began after a new instruction.
    """

    index: int
    seed: int
    way: str
    number: float
    killed: bool
    events_before: int
    in_flight: bool
    repeated: tuple[str, ...]
    outcome: str
    verdict: bool | None
    reason: str
    error: str = ""
    redrawn: tuple[int, ...] = ()
    change: str = ""
    stale: int = 0

    @property
    def holds(self) -> bool:
        """True when it was killed, no step was repeated or of an old plan, and the end is right or a clear hold."""
        clear_hold = self.outcome == "stopped" and self.error == "Hold" and bool(self.reason)
        done = self.outcome == "success" and self.verdict is True
        return self.killed and not self.repeated and not self.stale and (clear_hold or done)


def run_crash(n: int, seed: int, out: str | Path, workers: int = 1, changes: bool = False) -> dict[str, Any]:
    """Kill and resume n runs; write rows.jsonl and summary.json.

    Args:
        n: cases.
        seed: of worlds, tasks and moments.
        out: directory for everything; empty, new, or that of the same stress, which goes on.
        workers: cases at a time.
        changes: whether instruction or scene change midway, and kills come after that.

    Returns:
        the summary: n, held, rate, how many had a step in flight, and the cases that did not hold.
    """
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()) and not (folder / "whole").is_dir():
        raise UsageError(f"{str(folder)!r} is not empty.", "Choose another directory.")
    usual_s = _whole_life_s(folder / "whole", seed, changes)
    coming: dict[int, Future[Case]] = {}

    def row(index: int) -> dict[str, Any]:
        for ahead in range(index, min(n, index + workers)):
            if ahead not in coming:
                coming[ahead] = pool.submit(_case, ahead, seed, usual_s, folder, changes)
        case = coming.pop(index).result()
        return {**asdict(case), "holds": case.holds}

    with ThreadPoolExecutor(workers) as pool:
        rows = kept_rows(n, folder, row)
    bad = [row for row in rows if not row["holds"]]
    summary = {
        "n": n,
        "held": n - len(bad),
        "rate": (n - len(bad)) / n if n else None,
        "repeated_steps": sum(len(row["repeated"]) for row in rows),
        "ways": dict(Counter(row["way"] for row in rows)),
        "changes": dict(Counter(row.get("change", "") for row in rows)),
        "in_flight": sum(row["in_flight"] for row in rows),
        "outcomes": dict(Counter(row["outcome"] for row in rows)),
        "seed": seed,
        "redrawn_worlds": sorted(world for row in rows for world in row["redrawn"]),
        "faults": bad,
    }
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    return summary


def _case(index: int, seed: int, usual_s: float, folder: Path, changes: bool) -> Case:
    """Kill and resume one run, in a world where it would succeed without the kill."""
    world = seed * 100_000 + index + 1
    redrawn: list[int] = []
    while True:
        case = _killed_run(index, world, usual_s, folder / f"{index:03d}-{world}", changes)
        wrong = bool(case.repeated or case.stale)
        tells = case.killed and (case.holds or wrong or _succeeds(folder / f"whole-{world}", world, changes))
        if tells or len(redrawn) >= 5:
            return replace(case, redrawn=tuple(redrawn))
        redrawn.append(world)
        world += 10_000


def _killed_run(index: int, world: int, usual_s: float, folder: Path, changes: bool) -> Case:
    """Draw moments until one falls into the run, then resume it and look at its journal."""
    shutil.rmtree(folder, ignore_errors=True)  # what a stress that was stopped has left of it
    rng, way = random.Random(world), "change" if changes else ("moment", "before", "moment", "after")[index % 4]
    killed, number, out = False, 0.0, folder
    for attempt in range(8):
        out = folder / f"{attempt}"
        seconds = rng.uniform(0.0, usual_s / (1 + attempt + 2 * changes))
        number = seconds if way in ("moment", "change") else rng.randint(2, 3 + 40 // (1 + attempt))
        killed = _life(out, world, (way, number), changes) == -signal.SIGKILL
        if killed and _is_under_way(out):
            break
    before = read_events(out, blobs=False)
    keys = {kind: [e.data["key"] for e in before if e.kind == kind] for kind in ("step-started", "step-finished")}
    if killed:
        _life(out, world, None, changes)
    after = read_events(out, blobs=False)
    end = next((e.data for e in reversed(after) if e.kind == "run-finished"), {})
    return Case(
        index=index,
        seed=world,
        way=way,
        number=round(number, 3),
        killed=killed,
        events_before=len(before),
        in_flight=len(set(keys["step-started"])) > len(set(keys["step-finished"])),
        repeated=repeated(after),
        outcome=end.get("outcome", "none"),
        verdict=end.get("verdict"),
        reason=end.get("reason", ""),
        error=end.get("error", ""),
        change=_change(world) if changes else "",
        stale=stale_steps(after),
    )


def _is_under_way(out: Path) -> bool:
    """Return whether a run has begun and not ended."""
    events = read_events(out, blobs=False) if (out / "journal.db").exists() else []
    return bool(events) and events[-1].kind != "run-finished"


def repeated(events: list[Any]) -> tuple[str, ...]:
    """Return keys of steps that were sent or finished after they had finished."""
    finished: set[str] = set()
    again: list[str] = []
    for event in events:
        if event.kind in ("step-started", "step-finished"):
            key = event.data["key"]
            if key in finished:
                again.append(key)
            if event.kind == "step-finished":
                finished.add(key)
    return tuple(again)


def _succeeds(out: Path, world: int, changes: bool) -> bool:
    """Return whether a run that nobody kills reaches its goal."""
    _life(out, world, None, changes)
    return any(e.kind == "run-finished" and e.data["verdict"] is True for e in read_events(out, blobs=False))


def _whole_life_s(out: Path, seed: int, changes: bool) -> float:
    """Return how long a run takes on this machine now, or took when the stress began, from its first to its last event."""
    if not (out / "journal.db").exists():
        _life(out, seed * 100_000, None, changes)
    events = read_events(out, blobs=False)
    return events[-1].wall_s - events[0].wall_s


def _life(out: Path, world: int, kill: tuple[str, float] | None, changes: bool = False) -> int:
    """Start or resume a run in a process of its own and return its exit status."""
    command = [sys.executable, "-m", "vlp.evaluation.stress.crash", "--life", str(world), "--out", str(out)]
    command += ["--changes"] if changes else []
    if kill is not None:
        command += ["--kill", *map(str, kill)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900.0)
    (out / "life.log").write_text(done.stdout + done.stderr)
    return done.returncode


class _Killer:
    """Kills this process some time after an event of the run.

    Args:
        after_s: how long after it.
        change: whether it is the change midway, and not the first event.
    """

    def __init__(self, after_s: float, change: bool = False) -> None:
        self._after_s, self._change = after_s, change
        self._armed = False

    def on_event(self, event: Any) -> None:
        """Arm at the first event, or at the change."""
        changes = event.kind == "world-event" or (event.kind == "instruction" and event.data["source"].startswith("scheduled"))
        if not self._armed and (changes or not self._change):
            self._armed = True
            threading.Thread(target=self._kill, daemon=True).start()

    def _kill(self) -> None:
        time.sleep(self._after_s)
        die()


def dying(owner: object, method: str, number: int, after: bool) -> None:
    """Let this process die before or after the call of a method with this number."""
    call, calls = getattr(owner, method), Counter[str]()

    def counted(*arguments: Any) -> Any:
        calls[method] += 1
        if calls[method] == number and not after:
            die()
        result = call(*arguments)
        if calls[method] == number:
            die()
        return result

    setattr(owner, method, counted)


def die() -> None:
    """Kill this process, as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def live(out: Path, world: int, kill: tuple[str, float] | None, changes: bool = False) -> str:
    """Run a task of a world with the expert as its model, or take it over; return how it ended.

    Args:
        out: the run's directory.
        world: seed of world and task.
        kill: when this process kills itself, as `Case` has it; None to let it live.
        changes: whether instruction or scene change midway.
    """
    when, number = kill or ("", 0.0)
    killers = [_Killer(number, when == "change")] if when in ("moment", "change") else []
    run = _changing(out, world, killers) if changes else _plain(out, world, killers)
    if when in ("before", "after"):
        dying(run.journal, "append", int(number), after=when == "after")
    return run.go().outcome


def _change(world: int) -> str:
    """Return what kind of change comes midway in a world: one after the other, but for the stop that ends a run."""
    from vlp.episodes.cases import tasks_of

    kinds = [kind for kind in tasks_of(first(WORLDS)).changes if kind != "stopped"]
    return kinds[world % len(kinds)]


def _changing(out: Path, world: int, killers: list[_Killer]) -> Any:
    """Return a run of a dynamic episode, or one that takes it over."""
    from vlp.core.messages import Instruction
    from vlp.episodes.assemble import open_robot
    from vlp.episodes.cases import sample_episode
    from vlp.episodes.episode import words_of
    from vlp.episodes.expert_model import ExpertModel
    from vlp.episodes.verdict import Verdict
    from vlp.robot.protocol import offered
    from vlp.runtime.loop import Change
    from vlp.runtime.run import Run, Spec, read_run

    # Between steps, also where the episode has it within one: a run is taken over by what its journal tells.
    episode = sample_episode(world, "dynamic", "train", change=_change(world))
    robot, simulation = open_robot(seed=episode.scene_seed, grounder="oracle")
    assert simulation is not None
    events = [(e, words_of(e)) for e in episode.events]
    changes = [Change(e.step, Instruction.of(words) if e.kind == "instruct" else words) for e, words in events]
    asked = Instruction.of(episode.task.instruction)
    fresh = Spec(asked, first(EMBODIMENTS), episode.world, "expert", episode.scene_seed, tuple(changes))
    spec, past = read_run(out) if (out / "journal.db").exists() else (fresh, [])
    following = [e.task for e in episode.events if e.task is not None]
    restore = offered(robot, "restore") if past else None
    verdict = Verdict(simulation, episode.task, following, final=episode.final_task, seed=episode.seed, restore=restore)
    expert = ExpertModel(simulation.world.tasks, simulation.truth, lambda: verdict.task)
    return Run(out, spec, robot, expert, judge=verdict, subscribers=killers, past=past)


def _plain(out: Path, world: int, killers: list[_Killer]) -> Any:
    """Return a run of a task that nothing changes, or one that takes it over."""
    from vlp.core.messages import Instruction
    from vlp.episodes.assemble import open_robot
    from vlp.episodes.expert_model import ExpertModel
    from vlp.episodes.verdict import Verdict
    from vlp.runtime.run import Run, Spec, read_run
    from vlp.sim.language.families import sample_task

    families = {"put": 3.0, "group": 1.0, "stack": 1.0, "swap": 1.0}  # by weight: some short, some with many steps
    for scene in range(world, world + 100_000_000, 1_000_000):  # the first with such a task, the same in every life
        robot, simulation = open_robot(seed=scene, grounder="oracle")
        assert simulation is not None
        if task := sample_task(simulation.truth(), random.Random(world), "train", families):
            break
    else:
        raise UsageError("no world had a task.")
    known = read_run(out) if (out / "journal.db").exists() else None
    spec, past = known or (Spec(Instruction.of(task.instruction), first(EMBODIMENTS), first(WORLDS), "expert", world), [])
    expert = ExpertModel(simulation.world.tasks, simulation.truth, lambda: task)
    return Run(out, spec, robot, expert, judge=Verdict(simulation, task), subscribers=killers, past=past)


def main() -> None:
    """Read the command line and run."""
    reader = argparse.ArgumentParser(description="Kill runs at random moments and resume them.")
    reader.add_argument("--n", type=int, default=100)
    reader.add_argument("--seed", type=int, default=0)
    reader.add_argument("--workers", type=int, default=1)
    reader.add_argument("--changes", action="store_true", help="instruction or scene change midway, and kills come after that")
    reader.add_argument("--out", type=Path, required=True)
    reader.add_argument("--life", type=int, help=argparse.SUPPRESS)
    reader.add_argument("--kill", nargs=2, help=argparse.SUPPRESS)
    given = reader.parse_args()
    if given.life is not None:
        print(live(given.out, given.life, (given.kill[0], float(given.kill[1])) if given.kill else None, given.changes))
        return
    summary = run_crash(given.n, given.seed, given.out, given.workers, given.changes)
    print(json.dumps(summary, indent=2))
    sys.exit(0 if not summary["faults"] else 1)


if __name__ == "__main__":
    main()
