"""The journal's file: tables in SQLite, written event by event, each one durable before the next step."""

import contextlib
import fcntl
import json
import os
import sqlite3
import threading
import time
from dataclasses import replace
from pathlib import Path

from vlp.core.errors import MissingComponent, UsageError
from vlp.core.files import cannot_write, holder
from vlp.journal.events import KINDS, Event

APPLICATION_ID = 0x564C504A
"""Marks an SQLite file as a journal ("VLPJ")."""

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE event (
        seq INTEGER PRIMARY KEY,
        wall_s REAL NOT NULL,
        kind TEXT NOT NULL,
        data TEXT NOT NULL,
        blob BLOB
    ) STRICT;
    CREATE INDEX event_kind ON event (kind, seq);
    """,
)
"""Entry n brings a file from version n to n + 1; the list only grows."""

FILE_NAME = "journal.db"


class JournalError(MissingComponent):
    """An event could not be written; nothing after it may happen (exit status 3)."""


class Journal:
    """The durable record of one run, open for writing.

    Args:
        path: the SQLite file; made when it does not exist.
        must_exist: refuse to make a new file.

    Raises:
        UsageError: the file is not a journal, of a newer version, or open for writing in another process.
        JournalError: it cannot be opened or written.
    """

    def __init__(self, path: str | Path, must_exist: bool = False) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        if must_exist and not self.path.is_file():
            raise UsageError(f"no journal at {str(self.path)!r}.", "Give the directory that `vlp run --out` wrote.")
        with contextlib.ExitStack() as opened:  # what was opened is closed again when the rest cannot be
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._hold = _hold(self.path)
                opened.callback(os.close, self._hold)
                self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=5)
                opened.callback(self._db.close)
                self._db.execute("PRAGMA journal_mode = WAL")
                migrate(self._db, self.path)
                self._next = self._db.execute("SELECT coalesce(max(seq), 0) + 1 FROM event").fetchone()[0]
            except sqlite3.DatabaseError as error:
                raise _refusal(self.path, "open", error) from None
            except OSError as error:
                refused = cannot_write(self.path, error)
                raise JournalError(refused.message, refused.hint) from None
            opened.pop_all()

    def append(self, *events: Event) -> list[Event]:
        """Write events in one transaction and return them with their numbers and times.

        Raises:
            JournalError: nothing was written.
        """
        with self._lock:
            numbered = [
                replace(event, seq=self._next + i, wall_s=event.wall_s or time.time()) for i, event in enumerate(events)
            ]
            rows = [(e.seq, e.wall_s, e.kind, json.dumps(e.data, allow_nan=False), e.blob) for e in numbered]
            durable = any(KINDS[e.kind].durable for e in events)
            try:
                self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                self._write(rows, prune=any(e.kind == "snapshot" for e in events))
            except sqlite3.Error as error:
                raise _refusal(self.path, "write", error) from None
            self._next += len(rows)
            return numbered

    def _write(self, rows: list[tuple[int, float, str, str, bytes | None]], prune: bool) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany("INSERT INTO event (seq, wall_s, kind, data, blob) VALUES (?, ?, ?, ?, ?)", rows)
            if prune:
                self._db.execute(
                    "DELETE FROM event WHERE kind = 'snapshot' AND seq NOT IN "
                    "(SELECT seq FROM event WHERE kind = 'snapshot' ORDER BY seq DESC LIMIT 2)"
                )
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Fold the log into the file and close it."""
        with self._lock:
            with contextlib.suppress(sqlite3.Error):  # then the log stays beside the file and is read from there
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._db.close()
            os.close(self._hold)


def _hold(path: Path) -> int:
    """Take the lock that makes one process the writer; the system drops it when that process dies."""
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        who = holder(path.with_suffix(".lock"))
        raise UsageError(f"{who} is writing {str(path)!r}.", "Wait for it to end, or stop it.") from None
    return lock


def migrate(db: sqlite3.Connection, path: Path) -> None:
    """Bring a file to the present schema version, each step in its own transaction."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    mark = db.execute("PRAGMA application_id").fetchone()[0]
    tables = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if mark not in (0, APPLICATION_ID) or (mark == 0 and tables):
        raise UsageError(f"{str(path)!r} is an SQLite file, but not a journal.")
    if version > len(MIGRATIONS):
        raise UsageError(
            f"{str(path)!r} has schema version {version}; this program knows versions up to {len(MIGRATIONS)}.",
            "Update vlp.",
        )
    for number in range(version, len(MIGRATIONS)):
        head = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number + 1};"
        db.executescript(f"BEGIN IMMEDIATE; {MIGRATIONS[number]} {head} COMMIT;")


def is_locked(error: sqlite3.Error) -> bool:
    """Whether SQLite gave up because another process has the file locked."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def locked(path: Path) -> JournalError:
    """Return the error for a journal that another program, such as a database browser, keeps locked."""
    files = (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm")))
    return JournalError(f"{holder(*files)} keeps the journal {str(path)!r} locked.", "End it, or let it go of the file.")


def _refusal(path: Path, verb: str, error: sqlite3.Error) -> Exception:
    text = str(error)
    if "not a database" in text or "malformed" in text:
        return UsageError(f"{str(path)!r} is not a journal: {text}.")
    if is_locked(error):
        return locked(path)
    full = "full" in text or error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_IOERR
    hint = "Free some space, then `vlp resume` the run." if full else "Is the directory writable?"
    return JournalError(f"cannot {verb} the journal {str(path)!r}: {text}.", hint)
