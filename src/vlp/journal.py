"""The durable record of a run: typed events in one SQLite file, each on disk before the next step, and read back from there."""

import contextlib
import fcntl
import json
import os
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vlp.core.errors import MissingComponent, UsageError, did_you_mean
from vlp.core.files import cannot_write, holder


@dataclass(frozen=True)
class EventKind:
    """One kind of event.

    Args:
        doc: what it says.
        fields: keys that its data must have.
        durable: whether it must be on the disk before anything else happens.
    """

    doc: str
    fields: tuple[str, ...]
    durable: bool = False


KINDS: dict[str, EventKind] = {
    "run-started": EventKind(
        "The run's identity: with its first instruction, all that is needed to build it again.",
        ("run_id", "robot", "world", "seed", "model", "versions", "options"),
        durable=True,
    ),
    "run-resumed": EventKind("A new process took the run over.", ("in_flight", "how"), durable=True),
    "instruction": EventKind("A sentence from the person.", ("text", "source"), durable=True),
    "observation": EventKind("What the robot saw (blob: JPEG).", ("purpose", "state", "seconds")),
    "reply": EventKind("What the model wrote.", ("text", "attempt", "timings_s", "tokens", "seconds")),
    "report": EventKind("Failed checks of a reply.", ("attempt", "issues")),
    "policy": EventKind("A policy that passed the checks.", ("revision", "policy", "steps", "diff", "claim"), durable=True),
    "understood": EventKind(
        "What a policy takes the instruction to mean, in one line.", ("revision", "text", "final"), durable=True
    ),
    "confirm-asked": EventKind(
        "A policy shown to a person, who is to say yes.", ("revision", "text", "steps", "final"), durable=True
    ),
    "confirm-answered": EventKind(
        'The answer ("yes", "no", "edit", "instruction") and through what it came.', ("revision", "answer", "by"), durable=True
    ),
    "step-started": EventKind("A step about to be sent.", ("revision", "id", "key", "do", "arguments", "epoch"), durable=True),
    "step-finished": EventKind("What a step did.", ("revision", "id", "key", "do", "status", "result"), durable=True),
    "trigger": EventKind("A reason to ask for a new policy.", ("name", "detail"), durable=True),
    "belief": EventKind("Where an object was last seen; null when it was not found.", ("phrase", "located")),
    "world-event": EventKind("A scripted change of the scene.", ("text", "after_steps"), durable=True),
    "snapshot": EventKind("State of a simulated robot (blob), valid after all events before it.", ("after",), durable=True),
    "note": EventKind("A remark for people.", ("text",)),
    "run-finished": EventKind("How the run ended.", ("outcome", "reason", "claim", "verdict"), durable=True),
}


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Args:
        kind: a key of `KINDS`.
        data: plain data with at least the kind's fields.
        blob: bytes that belong to it (an image, a snapshot).
        seq: its place in the order, given by the journal; 0 before that.
        wall_s: seconds since the epoch, for people; order comes from `seq`.
        live: the object itself (an Observation, a Plan) for subscribers in this process; never stored.
    """

    kind: str
    data: dict[str, Any]
    blob: bytes | None = None
    seq: int = 0
    wall_s: float = 0.0
    live: Any = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"unknown event kind {self.kind!r}.", did_you_mean(self.kind, KINDS))
        missing = [name for name in KINDS[self.kind].fields if name not in self.data]
        if missing:
            raise UsageError(f"event {self.kind!r} lacks {', '.join(missing)}.")


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


def journal_path(where: str | Path) -> Path:
    """Return the journal file for a run directory or a file.

    Raises:
        UsageError: there is none.
    """
    path = Path(where)
    path = path / FILE_NAME if path.is_dir() else path
    if not path.is_file():
        raise UsageError(f"no journal at {str(path)[:300]!r}.", "Give the directory that `vlp run --out` wrote.")
    return path


def read_events(where: str | Path, kinds: Iterable[str] = (), blobs: bool = True) -> list[Event]:
    """Return the events of a journal in order.

    Args:
        where: run directory or journal file.
        kinds: only these kinds; empty for all.
        blobs: whether to read images and snapshots too.

    Raises:
        UsageError: not a journal, a newer version, or damaged.
        MissingComponent: another process keeps it locked, or it cannot be read.
    """
    path = journal_path(where)
    wanted = list(kinds) or list(KINDS)
    marks = ", ".join("?" * len(wanted))
    query = f"SELECT seq, wall_s, kind, data, {'blob' if blobs else 'NULL'} FROM event WHERE kind IN ({marks})"
    try:
        with _opened(path) as db:
            _check(db, path)
            rows = db.execute(f"{query} ORDER BY seq", wanted).fetchall()
        return [Event(k, json.loads(data), blob, seq, wall_s) for seq, wall_s, k, data, blob in rows]
    except OSError as error:
        raise MissingComponent(f"the journal {str(path)!r} cannot be read: {error.strerror}.") from None
    except sqlite3.Error as error:
        if is_locked(error):
            raise locked(path) from None
        raise UsageError(f"{str(path)!r} cannot be read as a journal: {error}.") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{str(path)!r} holds a damaged event: {error}.") from None


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a journal for reading, also where nothing can be written and SQLite cannot make the file beside it that it wants."""
    address = path.resolve().as_uri()
    db = sqlite3.connect(f"{address}?mode=ro", uri=True, timeout=5)
    try:
        db.execute("SELECT count(*) FROM sqlite_schema")
    except sqlite3.OperationalError as error:
        db.close()
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            raise
    else:
        with contextlib.closing(db):
            yield db
        return
    log = path.with_name(path.name + "-wal")
    if not log.is_file() or not log.stat().st_size:
        with contextlib.closing(sqlite3.connect(f"{address}?mode=ro&immutable=1", uri=True)) as db:
            yield db
        return
    # The last events may stand in the log alone, which an immutable file would be read without.
    with tempfile.TemporaryDirectory(prefix="vlp-journal-") as folder:
        for file in (path, log):
            shutil.copyfile(file, Path(folder) / file.name)
        with contextlib.closing(sqlite3.connect(Path(folder) / path.name)) as db:
            yield db


def _check(db: sqlite3.Connection, path: Path) -> None:
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise UsageError(f"{str(path)!r} is an SQLite file, but not a journal.")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise UsageError(f"{str(path)!r} has schema version {version}, newer than {len(MIGRATIONS)}.", "Update vlp.")
