"""`vlp journal verify|repair|export|learn`: whether the record of a run is as it was written, and what it teaches."""

import json
from pathlib import Path
from typing import Annotated

import tyro

from vlp.core.errors import TaskFailed, UsageError
from vlp.core.messages import counted
from vlp.journal import DamagedJournal, has_chain, journal_path, read_events, read_rows
from vlp.journal.repair import repair as put_good_beginning
from vlp.runtime.memory import reading
from vlp.runtime.sequencer import Learned

RunFolder = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]


def verify(run: RunFolder) -> None:
    """Check that every event of a run is the one that was written: images and snapshots too, and that none is missing.

    Exit status 1, with the first bad event, where that is not so.

    Args:
        run: the run's directory, or its journal.db.
    """
    try:
        count = sum(1 for _ in read_rows(run, to_write=True))
    except DamagedJournal as damage:
        raise TaskFailed(damage.message, damage.hint) from None
    whole = "chain whole" if has_chain(run) else "from before there was a chain: damage in them may go unnoticed"
    print(f"{counted(count, 'event')}, {whole}")


def repair(run: RunFolder) -> None:
    """Take the events up to the first bad one into a new journal, and keep the damaged one beside it as journal-damaged.db.

    `vlp resume` goes on from there with a new policy.

    Args:
        run: the run's directory, or its journal.db.
    """
    if (done := put_good_beginning(run)) is None:
        print(f"nothing to repair: {counted(sum(1 for _ in read_rows(run)), 'event')}, all as they were written")
        return
    dropped = f"events {done.seq} to {done.last}" if done.last > done.seq else f"event {done.seq} and what came after it"
    lost = f"dropped {dropped}" if done.last != done.seq - 1 else "dropped none"
    print(f"kept {counted(done.good, 'event')}, {lost}: {done.why}")
    print(f"the damaged journal is now {done.kept}")


def learn(runs: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN")], out: str) -> None:
    """Learn from runs when a step that failed is worth another try, for `vlp run --sequencer FILE`.

    It counts, by primitive and kind of failure, how often another try helped and how long tries and new policies took. Runs
    with `--sequencer retry` tell most.

    Args:
        runs: directories of runs.
        out: the file to write; of what is there already only another such table is replaced.
    """
    if not runs:
        raise UsageError("no runs were named.", "Name their directories, e.g. vlp journal learn runs/* --out sequencer.json.")
    if not Path(out).name or Path(out).is_dir():
        raise UsageError(f"{out[:300]!r} is a folder.", "Name the file to write, e.g. --out sequencer.json.")
    if Path(out).exists():
        Learned.load(Path(out))  # nothing else than another table is replaced
    table, each = Learned(), dict.fromkeys(journal_path(run).resolve() for run in runs)  # a run named twice counts once
    for run in each:
        with reading():
            table.learn(read_events(run, blobs=False))
    table.save(Path(out))
    tried = sum(tally.tried for tally in table.ways.values())
    print(f"{counted(tried, 'try')} and {counted(table.policies.tried, 'new policy')} in {counted(len(each), 'run')}: {out}")


def export(run: RunFolder) -> None:
    """Print the events of a run, one line of JSON each; of an image or a snapshot its SHA-256 and its size in bytes.

    Args:
        run: the run's directory, or its journal.db.
    """
    for row, event in read_rows(run):
        size = None if row.blob is None else len(row.blob)  # null where an old snapshot was deleted
        blob = None if row.digest is None else {"sha256": row.digest.hex(), "size": size}
        print(json.dumps({"seq": row.seq, "wall_s": row.wall_s, "kind": event.kind, "data": event.data, "blob": blob}))
