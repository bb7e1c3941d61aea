"""Flip bits of journals and cut them short: what is read is what was written, or a refusal, or a good beginning after repair.

    python -m vlp.evaluation.stress.journal --n 10000 --stride 1 --out /dev/shm/journal

The journals are those of a whole run, and of runs that were killed: their last events stand in SQLite's log. One is without
its lock, which witnesses how many events there were.
"""

import argparse
import json
import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from vlp.core.errors import UsageError, VlpError
from vlp.core.messages import Instruction
from vlp.journal import DamagedJournal, Event, NotAJournal, read_events
from vlp.journal.repair import repair
from vlp.models.scripted import ScriptedModel
from vlp.runtime.run import Run, Spec
from vlp.sim.fake.robot import FakeRobot

DATABASE, LOG, LOCK = "journal.db", "journal.db-wal", "journal.lock"
JOURNALS = {
    "whole": (DATABASE, LOCK), "killed early": (DATABASE, LOG, LOCK), "killed late": (DATABASE, LOG, LOCK),
    "killed, no lock": (DATABASE, LOG),
}  # fmt: skip

POLICY: dict[str, Any] = {
    "goal": "put the red cube in the green bowl",
    "subtasks": [
        {
            "name": "put it there",
            "steps": [
                {"do": "locate", "object": "red cube", "as": "cube"},
                {"do": "grasp", "target": "$cube"},
                {"do": "lift", "height_m": 0.1},
                {"do": "locate", "object": "green bowl", "as": "bowl"},
                {"do": "place", "target": "$bowl", "relation": "in"},
                {"do": "check", "relation": "in", "subject": "red cube", "object": "green bowl"},
            ],
        }
    ],
}


def run_damage(n: int, seed: int, out: str | Path, stride: int = 64) -> dict[str, Any]:
    """Damage journals and write what became of them to summary.json.

    Args:
        n: flipped bits, over all journals.
        seed: of the bits.
        out: directory for everything; must be empty or new.
        stride: each file is cut at every so many bytes.

    Returns:
        the summary: n, the number of cuts, how often there was which outcome, by journal and damage, and the cases that must
        not happen: other events than were written, an end that nobody is told of, a repair that loses more than it must, or
        any other error.
    """
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise UsageError(f"{str(folder)!r} is not empty.", "Choose another directory.")
    make_journals(folder / "made")
    counts: dict[str, Counter[str]] = {}
    bad: list[dict[str, Any]] = []
    rng, cuts = random.Random(seed), 0
    for number, (name, files) in enumerate(JOURNALS.items()):
        made = {file: (folder / "made" / name / file).read_bytes() for file in files}
        written = read_events(_put(folder / "read", made))
        share = n // len(JOURNALS) + (number < n % len(JOURNALS))
        for what, file, data in [*_flips(made, share, rng), *_cuts(made, stride)]:
            outcome = _outcome(_put(folder / "case", {**made, file: data}), written)
            kind = what.split(" ")[0]
            cuts += kind == "cut"
            counts.setdefault(f"{name}: {file} {kind}", Counter())[outcome.partition(":")[0]] += 1
            # A log without its witness that ends between two of its frames is one that was never longer.
            lawful = outcome == "shorter" and kind == "cut" and file == LOG and LOCK not in made
            if outcome.partition(":")[0] in ("shorter", "wrong") and not lawful:
                bad.append({"journal": name, "file": file, "damage": what, "outcome": outcome})
    outcomes = {name: dict(sorted(count.items())) for name, count in counts.items()}
    summary = {"n": n, "seed": seed, "cuts": cuts, "outcomes": outcomes, "faults": bad}
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    return summary


class _Killing:
    """Copies a journal's files as a process that is killed at the first step, or at a later one, would leave them."""

    def __init__(self, run: Path, out: Path) -> None:
        self._run, self._out, self._steps = run, out, 0

    def on_event(self, event: Event) -> None:
        self._steps += event.kind == "step-started"
        name = {1: "killed early", 5: "killed late"}.get(self._steps)
        if name and not (self._out / name).exists():
            (self._out / name).mkdir()
            for file in (DATABASE, LOG, LOCK):
                shutil.copyfile(self._run / file, self._out / name / file)


def make_journals(folder: Path) -> None:
    """Make the journals that are to be damaged, one directory each, of a scripted run of the fake robot."""
    whole = folder / "whole"
    model = ScriptedModel([json.dumps(POLICY)])
    run = Run(whole, Spec(Instruction.of(POLICY["goal"])), FakeRobot(), model, subscribers=[_Killing(whole, folder)])
    run.go()
    shutil.copytree(folder / "killed early", folder / "killed, no lock")
    (folder / "killed, no lock" / LOCK).unlink()


def _flips(made: dict[str, bytes], n: int, rng: random.Random) -> Iterator[tuple[str, str, bytes]]:
    """Give n damages by one bit: what was done, the file and its bytes; the lock is only a witness and stays as it is."""
    sizes = {file: len(data) for file, data in made.items() if file != LOCK}
    for _ in range(n):
        bit = rng.randrange(8 * sum(sizes.values()))
        file = DATABASE
        if bit >= 8 * sizes[DATABASE]:
            file, bit = LOG, bit - 8 * sizes[DATABASE]
        data = bytearray(made[file])
        data[bit // 8] ^= 1 << bit % 8
        yield f"flip {bit}", file, bytes(data)


def _cuts(made: dict[str, bytes], stride: int) -> Iterator[tuple[str, str, bytes]]:
    for file in (DATABASE, LOG):
        for length in range(0, len(made.get(file, b"")), stride):
            yield f"cut {length}", file, made[file][:length]


def _put(folder: Path, files: dict[str, bytes]) -> Path:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def _outcome(run: Path, written: list[Event]) -> str:
    """Return what becomes of a damaged journal, in a word; "shorter" and "wrong" must not happen."""
    return _tried(lambda: _read(run, written))


def _read(run: Path, written: list[Event]) -> str:
    try:
        events = read_events(run)
    except (DamagedJournal, NotAJournal) as damage:
        if "\n" in str(damage):
            return f"wrong: more than a line: {damage}"
        if (done := repair(run)) is None:
            return f"wrong: nothing to repair after: {damage}"
        *kept, trigger = read_events(run)
        good = damage.good if isinstance(damage, DamagedJournal) and damage.good else done.good
        right = kept == written[:good] and trigger.data.get("name") == "journal-repaired"
        return "prefix" if right else f"wrong: repaired to {len(kept)} events of {good} good ones"
    if events == written:
        return "same"
    return "shorter" if events == written[: len(events)] else "wrong: other events"


def _tried(work: Callable[[], str]) -> str:
    try:
        return work()
    except VlpError as error:
        return "refused" if "\n" not in str(error) else f"wrong: more than a line: {error}"
    except Exception as error:  # a traceback is what is looked for, whatever it is
        return f"wrong: {type(error).__name__}: {error}"[:300]


def main() -> None:
    """Read the command line and run."""
    reader = argparse.ArgumentParser(description="Flip bits of journals and cut them short.")
    reader.add_argument("--n", type=int, default=10_000)
    reader.add_argument("--seed", type=int, default=0)
    reader.add_argument("--stride", type=int, default=64)
    reader.add_argument("--out", type=Path, required=True)
    given = reader.parse_args()
    summary = run_damage(given.n, given.seed, given.out, given.stride)
    print(json.dumps(summary, indent=2))
    sys.exit(1 if summary["faults"] else 0)


if __name__ == "__main__":
    main()
