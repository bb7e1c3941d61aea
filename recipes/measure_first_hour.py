"""Measure what a stranger's sentences do to the robot: those that may move nothing, good ones, and words for stopping.

    python recipes/measure_first_hour.py refuse  # 300 sentences after which nothing may move, whole `vlp run`, 3 scenes each
    python recipes/measure_first_hour.py good    # good instructions that the gate declines: 300 test prompts, 60 fresh ones
    python recipes/measure_first_hour.py stop    # 30 words for stopping: first instruction, scripted, by API, keyboard

The sentences lie in `recipes/first_hour`; their writers had seen neither the gate nor its word lists. Each part goes on
where it was stopped (a line per case in runs/first_hour) and prints a table with 95 % intervals. Scenes are of the test split.
"""

import argparse
import contextlib
import io
import json
import os
import pty
import select
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from vlp.cli.main import main as vlp
from vlp.core.messages import Instruction
from vlp.core.observation import Observation
from vlp.episodes.assemble import open_robot
from vlp.episodes.right import is_right
from vlp.evaluation import planning
from vlp.evaluation.runner import wilson
from vlp.journal import Event, read_events
from vlp.models.catalogue import open_model
from vlp.models.protocol import Model
from vlp.perception.perceiving import with_perceptions
from vlp.policy.checks import CHECKS, check_policy
from vlp.policy.model import State
from vlp.primitives.schema import policy_schema
from vlp.prompt.render import Memory, plan_messages
from vlp.runtime.run import Run, Spec
from vlp.sim.open import manifest_of
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.seeds import seed_of
from vlp.sim.worlds.tabletop.objects import SceneObject, sample_rgb, sample_size
from vlp.sim.worlds.tabletop.scene import Scene
from vlp.sim.worlds.tabletop.world import arrange, sample_look, sample_scene
from vlp.understanding.gate import Gate

HERE = Path(__file__).parent / "first_hour"
Row = dict[str, Any]
FIRM = "put the red cube in the green bowl", 20_009_802
"""An instruction and a scene in which it succeeds, to be stopped midway."""


def sentences(name: str) -> list[Row]:
    """Return the rows of a file of sentences."""
    return [json.loads(line) for line in (HERE / f"{name}.jsonl").read_text("utf-8").splitlines()]


def measured(file: Path, cases: Iterable[tuple[str, Callable[[], Row]]]) -> list[Row]:
    """Return a row for every case; those that lie in the file are not run again."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = {row["case"]: row for row in map(json.loads, file.read_text("utf-8").splitlines())} if file.exists() else {}
    found = list[Row]()
    for name, run in cases:
        if name not in rows:
            rows[name] = {"case": name, **run()}
            with file.open("a", encoding="utf-8") as out:
                out.write(json.dumps(rows[name], ensure_ascii=False) + "\n")
        found.append(rows[name])
        if sys.stderr.isatty():
            print(f"\r{file.stem}: {len(found)} done", end="", file=sys.stderr)

    return found


def rate(rows: list[Row], column: str) -> str:
    """Return how many rows have a column set, with the interval."""
    hits, n = sum(bool(row[column]) for row in rows), len(rows)
    low, high = wilson(hits, n)
    return f"{hits} of {n} ({100 * hits / max(n, 1):.1f} %; {100 * low:.1f} to {100 * high:.1f})"


# Sentences after which nothing may move.


def run_whole(text: str, seed: int, out: Path, *more: str) -> Row:
    """Return what `vlp run` did with a sentence: its exit status, whether anything moved, and its last word."""
    shutil.rmtree(out, ignore_errors=True)
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        status = vlp(["run", text, "--seed", str(seed), "--no-recordings", "--out", str(out), *more])
    events = read_events(out, blobs=False) if (out / "journal.db").exists() else []
    acts = [e.data["do"] for e in events if e.kind == "step-finished" and e.data["kind"] == "action"]
    end = next((e.data.get("account", "") for e in events if e.kind == "run-finished"), told.getvalue()[-300:])
    return {"status": status, "moved": bool(acts), "acts": acts[:6], "end": end}


def refuse(folder: Path, scenes: int) -> None:
    """Measure the sentences that may move nothing."""
    rows = sentences("must_not_move")
    cases = [
        (
            f"{row['id']}.{k}",
            lambda row=row, k=k, i=i: {**row, **run_whole(row["text"], seed_of("test", 7 * i + k), folder / "run_refuse")},
        )
        for i, row in enumerate(rows)
        for k in range(scenes)
    ]
    done = measured(folder / "refuse.jsonl", cases)
    for kind in dict.fromkeys(row["kind"] for row in done):
        mine = [row for row in done if row["kind"] == kind]
        moved = {row["id"] for row in mine if row["moved"]}
        print(
            f"{kind:14} {len({r['id'] for r in mine})} sentences, {len(mine)} runs: moved {len(moved)},"
            f" exit 0 {sum(r['status'] == 0 for r in mine)}"
        )
    for row in done:
        if row["moved"] or row["status"] == 0:
            print(f"  {row['case']} {row['kind']}: {row['text']!r}: status {row['status']}, {row['acts']}; {row['end']}")


# Good instructions.


@cache
def nano() -> Model:
    """Return the model, opened once."""
    return open_model("nano")


def judged(text: str, before: str, messages: Any, state: State, right: Callable[[dict[str, Any]], bool]) -> Row:
    """Return whether a good instruction was declined without the gate and with it, and whether the plan behind was right."""
    manifest = with_perceptions(manifest_of())
    gate = Gate.of(nano(), manifest)
    reply = nano().generate(messages, grammar=policy_schema(manifest), max_tokens=2048)
    plan, _ = check_policy(reply.text, manifest, state)
    said = (before, text) if before else (text,)
    why = gate.sentence(text, follows=bool(before))
    _, report = check_policy(reply.text, manifest, state, checks=(*CHECKS, *gate.checks(said, fresh=True)))
    declined = plan is None or bool(plan.policy.cannot)
    reason = str(why) if why else "" if report.ok or plan is None else f"plan: {report.issues[0]}"
    good = plan is not None and right(plan.policy.to_json())
    would = [subtask.name for subtask in plan.policy.subtasks] if plan is not None else []
    return {"text": text, "before": before, "without": declined, "gate": bool(reason), "with": declined or bool(reason),
            "reason": reason, "right": good, "would": would}  # fmt: skip


def prompt_case(index: int) -> Row:
    """Return the row of one test prompt in a phrasing kept for test."""
    rgb, truth, task = planning.prompt(index, "test", "test")
    messages = planning.prompt_messages(rgb, truth, task, "brief")
    state = State(at=truth.at, holding=truth.holding)
    row = judged(task.instruction, task.before, messages, state, lambda policy: is_right(policy, truth, task)[0])
    return {**row, "possible": not task.cannot, "family": task.family}


def look_at(phrases: list[str], seed: int) -> Observation:
    """Return what the robot sees of a table with exactly these objects."""
    rng = np.random.default_rng([seed, 91])
    names = [phrase.split() for phrase in phrases]
    for attempt in range(50):
        base = sample_scene(seed + attempt)
        objects = [SceneObject(colour, kind, sample_size(kind, rng), sample_rgb(colour, rng)) for colour, kind in names]
        placed = arrange(objects, base.table, rng, (1.0,))
        if len(placed) == len(phrases):
            simulation = Simulation(Scene(base.seed, placed, base.table, sample_look(rng)))
            return simulation.embodiment.robot(simulation).observe()
    raise RuntimeError(f"no room for {phrases}")


def fresh_case(row: Row, index: int) -> Row:
    """Return the row of one fresh sentence on a table with its objects."""
    seen = look_at(row["scene"], seed_of("test", 300 + index))
    memory = Memory(instructions=(row["text"],), at=seen.state.at)
    manifest = with_perceptions(manifest_of())
    messages = plan_messages(seen.rgb, row["text"], seen.state, memory, manifest, "brief")
    return {
        **judged(row["text"], "", messages, State(at=seen.state.at), lambda policy: False),
        "possible": True,
        "family": "fresh",
    }


def good(folder: Path, file: str) -> None:
    """Measure how many good instructions are declined."""
    prompts = measured(folder / "prompts.jsonl", [(str(i), lambda i=i: prompt_case(i)) for i in range(300)])
    fresh = sentences("good") if file == "good" else [json.loads(line) for line in Path(file).read_text("utf-8").splitlines()]
    rows = measured(
        folder / f"{Path(file).stem}.jsonl", [(r["id"], lambda r=r, i=i: fresh_case(r, i)) for i, r in enumerate(fresh)]
    )
    for name, found in (("300 test prompts", [r for r in prompts if r["possible"]]), ("fresh sentences", rows)):
        print(
            f"{name}: declined without the gate {rate(found, 'without')}; with it {rate(found, 'with')};"
            f" by the gate {rate(found, 'gate')}"
        )
        lost = [row for row in found if row["gate"] and row["right"]]
        print(f"  of those that the gate declined, {len(lost)} had a policy that was right for the scene")
    for row in [*prompts, *rows]:
        if row["gate"]:
            print(f"  {'RIGHT' if row['right'] else '     '} {row['case']} {row['text']!r}: {row['reason'][:120]}")
            print(f"        the policy behind: {'; '.join(row['would']) or 'none'}")


# Words for stopping.


def api_case(text: str, out: Path) -> Row:
    """Return what a word for stopping does by `Run.instruct` while the robot grasps."""
    shutil.rmtree(out, ignore_errors=True)
    robot, simulation = open_robot(seed=FIRM[1])
    assert simulation is not None
    at_s = list[float]()

    class Person:
        def on_event(self, event: Event) -> None:
            if event.kind == "step-started" and event.data["do"] == "grasp":
                threading.Thread(target=self.speak, daemon=True).start()

        def speak(self) -> None:
            began_s = simulation.data.time
            while simulation.data.time < began_s + 1.0:
                time.sleep(0.001)
            at_s.append(float(simulation.data.time))
            run.instruct(text)

    run = Run(out, Spec(Instruction.of(FIRM[0]), "hsr", "tabletop", "nano", FIRM[1]), robot, nano(), subscribers=[Person()])
    outcome = run.go()
    after_s = float(simulation.data.time) - at_s[0] if at_s else None
    return {"stopped": outcome.outcome == "stopped", "after_s": after_s}


def keyboard_case(text: str, out: Path) -> Row:
    """Return what a line typed in a real terminal does while `vlp run` carries out an instruction."""
    shutil.rmtree(out, ignore_errors=True)
    words = ["run", FIRM[0], "--seed", str(FIRM[1]), "--no-recordings", "--out", str(out)]
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-m", "vlp.cli.main", *words])
    shown, typed, end_s = b"", False, time.monotonic() + 120
    while time.monotonic() < end_s:
        ready, _, _ = select.select([terminal], [], [], 0.2)
        try:
            data = os.read(terminal, 65536) if ready else b"-"
        except OSError:
            break
        if not data:
            break
        shown += data
        if not typed and b"\xe2\x9c\x93 1.1" in shown:  # the first step is done
            os.write(terminal, text.encode() + b"\r")
            typed = True
    _, status = os.waitpid(child, 0)
    ends = [e.data for e in read_events(out, blobs=False) if e.kind == "run-finished"]
    return {"stopped": typed and bool(ends) and ends[0]["outcome"] == "stopped", "status": os.waitstatus_to_exitcode(status)}


def scripted_case(text: str, out: Path) -> Row:
    """Return what `--change "2: WORDS"` does."""
    found = run_whole(FIRM[0], FIRM[1], out, "--change", f"2: {text}")
    return {"stopped": found["end"].startswith("stopped"), "status": found["status"], "acts": found["acts"]}


def first_case(text: str, out: Path) -> Row:
    """Return what a word for stopping does as the first instruction."""
    found = run_whole(text, FIRM[1], out)
    return {"stopped": found["end"].startswith("stopped") and not found["moved"], "status": found["status"]}


def stop(folder: Path) -> None:
    """Measure the words for stopping in every way in."""
    ways: dict[str, Callable[[str, Path], Row]] = {
        "first": first_case, "scripted": scripted_case, "api": api_case, "keyboard": keyboard_case
    }  # fmt: skip
    rows = sentences("stop_words")
    for way, case in ways.items():
        cases = [(row["id"], lambda row=row, case=case: {**row, **case(row["text"], folder / "run_stop")}) for row in rows]
        done = measured(folder / f"stop_{way}.jsonl", cases)
        late = [row["after_s"] for row in done if row.get("after_s") is not None]
        told = f"; robot seconds from the word to the end of motion: at most {max(late):.3f}" if late else ""
        statuses = Counter(row["status"] for row in done if "status" in row)
        print(f"{way}: stopped {rate(done, 'stopped')}; exit statuses {dict(statuses)}{told}")
        for row in done:
            if not row["stopped"]:
                print(f"  went on after {row['text']!r}")


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["refuse", "good", "stop"])
    parser.add_argument("--out", type=Path, default=Path("runs/first_hour"))
    parser.add_argument("--scenes", type=int, default=3, help="scenes for each sentence of refuse")
    parser.add_argument("--fresh", default="good", help="another file of good sentences, e.g. while something is still changed")
    asked = parser.parse_args()
    parts: dict[str, Callable[[], None]] = {
        "refuse": lambda: refuse(asked.out, asked.scenes),
        "good": lambda: good(asked.out, asked.fresh),
        "stop": lambda: stop(asked.out),
    }
    parts[asked.part]()


if __name__ == "__main__":
    main()
