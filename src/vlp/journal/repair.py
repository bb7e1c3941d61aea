"""The good beginning of a damaged journal, as a journal that a run can go on from."""

import os
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import NamedTuple

from vlp.core.errors import UsageError
from vlp.core.files import cannot_write, free
from vlp.journal.file import (
    DamagedJournal,
    Event,
    NotAJournal,
    StoredEvent,
    hold,
    journal_path,
    last_noted,
    log_path,
    note_last,
)
from vlp.journal.reading import read_rows
from vlp.journal.writing import Journal


class Repaired(NamedTuple):
    """How many events were good and the number of the first one that was not; the last one that was written, 0 if unknown; why,
    and where the damaged journal is kept."""

    good: int
    seq: int
    last: int
    why: str
    kept: Path


def repair(where: str | Path) -> Repaired | None:
    """Put the good beginning of a damaged journal in its place and keep the damaged one beside it, with its log.

    A trigger comes last: a run that goes on from there looks anew and writes a new policy. The keys of its steps begin anew
    too, as the robot may remember steps that the journal does not.

    Args:
        where: run directory or journal file.

    Returns:
        what was done; None where nothing was wrong.

    Raises:
        UsageError: no event is good; not a journal, of a newer version, or open for writing in another process.
        MissingComponent: it cannot be read, or nothing can be written there.
    """
    path = journal_path(where)
    try:
        lock = hold(path)
    except OSError as error:
        raise cannot_write(path, error) from None
    try:
        with tempfile.TemporaryDirectory(prefix="vlp-journal-") as folder:
            rows, damage = _good(path)
            if isinstance(damage, NotAJournal) or (isinstance(damage, DamagedJournal) and not rows):
                rows, _ = _good(_with_head(path, Path(folder)))
        if damage is None:
            return None
        if not rows:
            raise UsageError(damage.message, "Nothing of it can be kept. Is there a copy of it?")
        why = damage.why if isinstance(damage, DamagedJournal) else "its head was damaged"
        last, seq = last_noted(path), rows[-1].seq + 1
        kept = _put(path, rows, f"the journal was damaged, and what came after event {rows[-1].seq} is lost: {why}")
        note_last(lock, seq)
        return Repaired(len(rows), seq, last, why, kept)
    finally:
        os.close(lock)


def _good(path: Path) -> tuple[list[StoredEvent], UsageError | None]:
    """Return the good rows of a journal, and what is wrong after them."""
    rows: list[StoredEvent] = []
    try:
        for row, _ in read_rows(path, to_write=True, held=True):
            rows.append(row)
    except (DamagedJournal, NotAJournal) as error:
        return rows, error
    return rows, None


def _with_head(path: Path, folder: Path) -> Path:
    """Return a copy of a journal with the head of a new one, but for what differs from file to file: sizes and counters."""
    Journal(folder / "new.db").close()
    head, data = (folder / "new.db").read_bytes(), path.read_bytes()
    copy = folder / path.name
    copy.write_bytes(head[:24] + data[24:44] + head[44:92] + data[92:])
    if log_path(path).exists():
        shutil.copyfile(log_path(path), log_path(copy))
    return copy


def _put(path: Path, rows: list[StoredEvent], why: str) -> Path:
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
