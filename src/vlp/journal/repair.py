"""The good beginning of a damaged journal, as a journal that a run can go on from."""

import os
import uuid
from pathlib import Path
from typing import NamedTuple

from vlp.core.files import cannot_write, free
from vlp.journal.events import Event
from vlp.journal.file import DamagedJournal, Row, hold, journal_path, last_noted, log_path, note_last
from vlp.journal.reading import read_rows
from vlp.journal.writing import Journal


class Repaired(NamedTuple):
    """What was wrong, where the damaged journal is kept, and the number of the last event that was written, 0 if unknown."""

    damage: DamagedJournal
    kept: Path
    last: int


def repair(where: str | Path) -> Repaired | None:
    """Put the good beginning of a damaged journal in its place and keep the damaged one beside it, with its log.

    A trigger comes last: a run that goes on from there looks anew and writes a new policy. The keys of its steps begin anew
    too, as the robot may remember steps that the journal does not.

    Args:
        where: run directory or journal file.

    Returns:
        what was done; None where nothing was wrong.

    Raises:
        DamagedJournal: no event is good.
        UsageError: not a journal, of a newer version, or open for writing in another process.
        MissingComponent: it cannot be read, or nothing can be written there.
    """
    path = journal_path(where)
    try:
        lock = hold(path)
    except OSError as error:
        raise cannot_write(path, error) from None
    try:
        rows: list[Row] = []
        try:
            for row, _ in read_rows(path, held=True):
                rows.append(row)
        except DamagedJournal as found:
            if not rows:
                raise
            last = last_noted(path)
            kept = _put(path, rows, f"the journal was damaged; from event {found.seq} on it is lost: {found.why}")
            note_last(lock, rows[-1].seq + 1)
            return Repaired(found, kept, last)
        return None
    finally:
        os.close(lock)


def _put(path: Path, rows: list[Row], why: str) -> Path:
    """Put a journal of some rows in the place of another one, and return where that is kept."""
    new, kept = path.with_name(f"{path.stem}-repaired.db"), free(path.with_name(f"{path.stem}-damaged.db"))
    for left in (new, log_path(new), new.with_suffix(".lock")):
        left.unlink(missing_ok=True)  # of a repair that was killed
    journal = Journal(new)
    try:
        journal.copy(rows)
        journal.append(Event("trigger", {"name": "journal-repaired", "detail": why, "keys": uuid.uuid4().hex[:12]}))
    finally:
        journal.close()
    try:
        new.with_suffix(".lock").unlink()
        if log_path(path).exists():  # first: left beside the new journal, it would be read as its own
            log_path(path).rename(log_path(kept))
        path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
        path.rename(kept)
        new.rename(path)
    except OSError as error:
        raise cannot_write(path, error) from None
    return kept
