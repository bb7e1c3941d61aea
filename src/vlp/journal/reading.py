"""A journal read back: no event is given that is not the one that was written."""

import contextlib
import shutil
import sqlite3
import struct
import tempfile
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path

from vlp.core.errors import MissingComponent, UsageError
from vlp.core.files import cannot_write
from vlp.core.messages import counted
from vlp.journal.file import (
    APPLICATION_ID,
    MIGRATIONS,
    DamagedJournal,
    Event,
    NotAJournal,
    StoredEvent,
    digest_of,
    is_locked,
    is_written,
    journal_path,
    last_noted,
    link,
    locked,
    log_path,
)


def read_events(where: str | Path, kinds: Iterable[str] = (), blobs: bool = True) -> list[Event]:
    """Return the events of a journal in order; of snapshots, only the last two have their blob.

    Args:
        where: run directory or journal file.
        kinds: only these kinds; empty for all.
        blobs: whether to read images and snapshots too.

    Raises:
        DamagedJournal, UsageError, MissingComponent: as `read_rows` does.
    """
    wanted = set(kinds)
    return [event for _, event in read_rows(where, blobs) if not wanted or event.kind in wanted]


def read_rows(
    where: str | Path, blobs: bool = True, to_write: bool = False, held: bool = False
) -> Iterator[tuple[StoredEvent, Event]]:
    """Give the events of a journal in order, each as it stands in the file too; the first bad one raises, after all good ones.

    Args:
        where: run directory or journal file.
        blobs: whether to read images and snapshots too, and compare them with their hashes.
        to_write: whether what is no event is looked at too, such as SQLite's list of free pages: damage there would destroy
            events when more are written.
        held: whether this process has the lock of the writer; nobody else writes then.

    Raises:
        DamagedJournal: it does not go on as it was written.
        UsageError: not a journal, or a newer version.
        MissingComponent: another process keeps it locked, or it cannot be read.
    """
    path = journal_path(where)
    good, last = 0, 0
    try:
        with _opened(path) as db:
            for row in _rows(db, path, blobs):
                try:
                    event = row.event()
                except (ValueError, RecursionError, UsageError, TypeError, AttributeError) as error:
                    raise _Bad(row.seq, f"it cannot be read: {str(error)[:100].rstrip('.')}") from None
                good, last = good + 1, row.seq
                yield row, event
            if to_write and (found := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != b"ok":
                raise _Bad(0, f"the file is no place for more: {' '.join(found.decode(errors='replace').split())[:100]}")
        _check_end(path, last, held)
    except _Bad as bad:
        raise DamagedJournal(path, bad.seq or last + 1, good, bad.why) from None
    except OSError as error:
        raise MissingComponent(f"the journal {str(path)!r} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:  # of Python's sqlite3, which tells of a damaged name in SQLite's own words
        raise DamagedJournal(path, last + 1, good, "the names in it are damaged") from None
    except sqlite3.Error as error:
        if is_locked(error):
            raise locked(path) from None
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM):
            raise MissingComponent(f"the journal {str(path)!r} cannot be read: {error}.") from None
        if code == sqlite3.SQLITE_NOTADB:
            raise NotAJournal(path, f"is not a journal: {error}") from None
        raise DamagedJournal(path, last + 1, good, str(error)[:100]) from None


def has_chain(where: str | Path) -> bool:
    """Return whether a chain goes through the events of a journal that can be read: not where an older program wrote it."""
    path = journal_path(where)
    with _opened(path) as db:
        db.text_factory = bytes
        return _check(db, path) is not False


class _Bad(Exception):
    """An event that is not the one that was written, 0 for the one after the last good one; and how that is known."""

    def __init__(self, seq: int, why: str) -> None:
        super().__init__(why)
        self.seq, self.why = seq, why


def _rows(db: sqlite3.Connection, path: Path, blobs: bool) -> Iterator[StoredEvent]:
    """Give what stands in the tables, each event held against its link."""
    db.text_factory = bytes  # what was written, also where it is no text any more
    db.execute("BEGIN")  # events and links of one moment
    if (chained := _check(db, path)) is None:
        return
    events = db.execute(
        f"SELECT seq, wall_s, kind, data, {'blob' if blobs else 'NULL'}, blob IS NULL FROM event NOT INDEXED ORDER BY seq"
    )
    if not chained:
        for seq, wall_s, kind, data, blob, _ in events:
            yield StoredEvent(seq, wall_s, kind, data, blob, digest_of(blob) if isinstance(blob, bytes) else None)
        return
    before = b""
    for event, known in zip_longest(events, db.execute("SELECT seq, digest, hash FROM link ORDER BY seq")):
        if not event or not known or event[0] != known[0]:
            seq = min(row[0] for row in (event, known) if row)
            raise _Bad(seq, "an event is missing, or one that nobody wrote is there")
        row, bare = StoredEvent(*event[:5], digest=known[1]), event[5]
        try:
            before = link(before, row)
        except (TypeError, struct.error):
            raise _Bad(row.seq, "what stands there is no event") from None
        if before != known[2]:
            raise _Bad(row.seq, "its hash does not fit")
        what = "snapshot" if row.kind == b"snapshot" else "image"
        if bare != (row.digest is None) and not (bare and what == "snapshot"):  # an old snapshot is deleted
            raise _Bad(row.seq, f"its {what} is missing, or one that nobody wrote is there")
        if row.blob is not None and (not isinstance(row.blob, bytes) or digest_of(row.blob) != row.digest):
            raise _Bad(row.seq, f"the hash of its {what} does not fit")
        yield row


def _check(db: sqlite3.Connection, path: Path) -> bool | None:
    """Return whether a journal has a chain, None where nothing was written to it yet."""
    mark, version = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not tables and mark in (0, APPLICATION_ID):
        raise _empty(path)
    if mark != APPLICATION_ID:
        raise NotAJournal(path, "is an SQLite file, but not a journal")
    if version > len(MIGRATIONS):
        raise UsageError(f"{str(path)!r} has schema version {version}, newer than {len(MIGRATIONS)}.", "Update vlp.")
    if not tables and not version:
        return None
    if b"event" not in tables or (chained := b"link" in tables) != (version >= 2):
        raise _Bad(0, f"its tables are not those of its version, {version}")
    return chained


def _empty(path: Path) -> UsageError:
    log = log_path(path)
    there = log.is_file() and log.stat().st_size
    state = f"is damaged: {log_fault(log) or 'it holds no whole event'}" if there else "is missing or empty"
    return UsageError(
        f"{str(path)!r} holds no event: those of a run that was killed stand in {log.name} beside it, which {state}.",
        "" if there else "Copy the whole directory of the run.",
    )


def _check_end(path: Path, last: int, held: bool) -> None:
    """Raise where more was written than what could be read."""

    def why() -> str:
        noted = last_noted(path)
        if noted and noted <= last:
            return ""
        log = log_path(path)
        if (fault := log_fault(log)) or not noted:
            return fault
        missing = "" if log.is_file() and log.stat().st_size else f"{log.name} is missing or empty, and "
        return f"{missing}{path.stem}.lock says that {counted(noted, 'event')} were written"

    if not why() or (not held and is_written(path)):
        return
    with _opened(path) as db:  # a writer may have ended meanwhile
        last = max(last, db.execute("SELECT coalesce(max(seq), 0) FROM event").fetchone()[0])
    if found := why():
        raise _Bad(0, found)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a journal for reading, also where nothing can be written and SQLite cannot make the file beside it that it wants."""
    if not path.stat().st_size:
        raise _empty(path)  # SQLite would delete the log beside it
    with contextlib.ExitStack() as until:
        db = _connected(path, until)
        fault = None
        try:
            db.execute("SELECT count(*) FROM sqlite_schema")
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if isinstance(error, sqlite3.Error) and error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
                raise
            fault = error
            db.execute("PRAGMA writable_schema = ON")  # nothing is written: now a file that was cut off is read up to there
        yield db
        if fault:
            raise fault


def _connected(path: Path, until: contextlib.ExitStack) -> sqlite3.Connection:
    address, log = path.resolve().as_uri(), log_path(path)

    def connected(address: str) -> sqlite3.Connection:
        return until.enter_context(contextlib.closing(sqlite3.connect(address, uri=True, timeout=5)))

    db = connected(f"{address}?mode=ro")
    try:
        db.execute("PRAGMA user_version")
        return db
    except sqlite3.OperationalError as error:
        code = error.sqlite_errorcode
        # The disk is too full for the file beside a journal in which readers and a writer meet.
        full = code in (sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMMAP)
        if not full and code & 0xFF not in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            raise
    except sqlite3.DatabaseError:
        return db
    if not log.is_file() or not log.stat().st_size:
        return connected(f"{address}?mode=ro&immutable=1")
    # The last events may stand in the log alone, which an immutable file would be read without.
    try:
        folder = Path(until.enter_context(tempfile.TemporaryDirectory(prefix="vlp-journal-")))
        for file in (path, log):
            shutil.copyfile(file, folder / file.name)
    except OSError as error:
        said = f"the journal {str(path)!r} cannot be read without a copy of it: {error.strerror}."
        raise MissingComponent(said, cannot_write(path, error).hint) from None
    return connected((folder / path.name).as_uri())


FRAME_HEAD = 24


def log_fault(log: Path) -> str:
    """Return what is wrong with SQLite's log of a journal, "" where nothing is (https://sqlite.org/fileformat2.html#walformat).

    SQLite reads the log up to the first frame that does not fit, and says nothing of what stands behind it.

    What a killed process leaves is in order: frames without the end of their transaction, or a part of a frame. A log that was
    cut off between two frames cannot be told from one that was never longer.
    """
    try:
        data = log.read_bytes()
    except OSError:
        return ""
    if len(data) <= 32 + FRAME_HEAD:
        return ""
    magic, _, page = struct.unpack(">III", data[:12])
    order = ">" if magic & 1 else "<"
    sums = _sums(order, data[:24], (0, 0))
    if magic & ~1 != 0x377F0682 or sums != struct.unpack(">II", data[24:32]):
        return f"the beginning of {log.name} is damaged"
    salts, size = data[16:24], FRAME_HEAD + page
    frames = [data[at : at + size] for at in range(32, len(data) - size + 1, size)]
    for number, frame in enumerate(frames):
        sums = _sums(order, frame[:8] + frame[FRAME_HEAD:], sums)
        fits, same = sums == struct.unpack(">II", frame[16:24]), frame[8:16] == salts
        if fits and same:
            continue
        # Frames with other salts are left from before the log was begun anew, those without an end of their transaction from
        # one that failed, as on a full disk.
        ended = fits or any(later[8:16] == salts and later[4:8] != bytes(4) for later in frames[number:])
        return f"{log.name} is damaged, from its frame {number + 1} of {len(frames)} on" if ended else ""
    return ""


def _sums(order: str, data: bytes, before: tuple[int, int]) -> tuple[int, int]:
    """Return the running checksum of a log after more data."""
    a, b = before
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for first, second in zip(words, words, strict=True):
        a = (a + first + b) & 0xFFFFFFFF
        b = (b + second + a) & 0xFFFFFFFF
    return a, b
