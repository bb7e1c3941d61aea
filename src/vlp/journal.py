"""The durable record of a run: typed events in one SQLite file, each on disk before the next step and before anyone is told."""

import contextlib
import fcntl
import json
import os
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from vlp.core.errors import MissingComponent, UsageError, did_you_mean
from vlp.core.files import cannot_write, holder, nearest

KINDS: dict[str, tuple[str, ...]] = {
    # The run's identity: with its first instruction, all that is needed to build it again.
    "run-started": ("run_id", "robot", "world", "seed", "model", "versions", "options"),
    # A new process took the run over.
    "run-resumed": ("in_flight", "how"),
    # A sentence from the person.
    "instruction": ("text", "source"),
    # What the robot saw (blob: JPEG).
    "observation": ("purpose", "state", "seconds"),
    # What the model wrote.
    "reply": ("text", "attempt", "timings_s", "tokens", "seconds"),
    # Failed checks of a reply.
    "report": ("attempt", "issues"),
    # A policy that passed the checks.
    "policy": ("revision", "policy", "steps", "diff", "claim"),
    # What a policy takes the instruction to mean, in one line.
    "understood": ("revision", "text", "final"),
    # A policy shown to a person, who is to say yes.
    "confirm-asked": ("revision", "text", "steps", "final"),
    # The answer ("yes", "no", "edit", "instruction") and through what it came.
    "confirm-answered": ("revision", "answer", "by"),
    # A step about to be sent.
    "step-started": ("revision", "id", "key", "do", "arguments", "epoch"),
    # What a step did.
    "step-finished": ("revision", "id", "key", "do", "status", "result"),
    # A reason to ask for a new policy.
    "trigger": ("name", "detail"),
    # Where an object was last seen; null when it was not found.
    "belief": ("phrase", "located"),
    # A scripted change of the scene.
    "world-event": ("text", "after_steps"),
    # State of a simulated robot (blob), valid after all events before it.
    "snapshot": ("after",),
    # A remark for people.
    "note": ("text",),
    # How the run ended.
    "run-finished": ("outcome", "reason", "claim", "verdict"),
}
"""Kinds of events, each with the keys that its data must have."""


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
        missing = [name for name in KINDS[self.kind] if name not in self.data]
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
GIVE_RUN = "Give the directory that `vlp run --out` wrote."


class JournalError(MissingComponent):
    """An event could not be written; nothing after it may happen (exit status 3)."""


class Subscriber(Protocol):
    """Something that follows a run: a display, a recording, a measurement; one with a method `close` is closed at the end."""

    def on_event(self, event: Event) -> None:
        """Take note of one event; called in order, from the thread of the loop."""
        ...


class Journal:
    """The durable record of one run, open for writing; those that follow the run are told of each event once it is written.

    Args:
        path: the SQLite file; made when it does not exist.
        must_exist: refuse to make a new file.
        inner: subscribers that the run depends on (its memory); their errors end the run.
        outer: subscribers that only show; one that fails is dropped with a note.

    Raises:
        UsageError: the file is not a journal, of a newer version, or open for writing in another process.
        JournalError: it cannot be opened or written.
    """

    def __init__(
        self, path: str | Path, must_exist: bool = False, inner: Sequence[Subscriber] = (), outer: Sequence[Subscriber] = ()
    ) -> None:
        self.inner, self.outer, self._given = tuple(inner), list(outer), tuple(outer)
        self.path = Path(path)
        self._lock = threading.Lock()
        if must_exist and not self.path.is_file():
            raise UsageError(f"no journal at {str(self.path)!r}.", nearest(self.path) or GIVE_RUN)
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

    def emit(self, *events: Event) -> None:
        """Write events as one group, then tell everybody who follows of each.

        Raises:
            JournalError: nothing was written and nobody was told.
        """
        for event in self.append(*events):
            for subscriber in self.inner:
                subscriber.on_event(event)
            self.show(event)

    def show(self, event: Event) -> None:
        """Tell those that only show of an event that is written already."""
        for subscriber in list(self.outer):
            try:
                subscriber.on_event(event)
            except Exception as error:  # a broken display must not stop a robot's run
                self.outer.remove(subscriber)
                text = f"{type(subscriber).__name__} failed and was dropped: {type(error).__name__}: {error}"
                self.emit(Event("note", {"text": text[:500]}))

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
            # On the disk before anything else happens, but for what a power cut may take: it moves nothing.
            durable = any(e.kind not in ("observation", "reply", "report", "belief", "note") for e in events)
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
        """Close the subscribers that can be closed; then fold the log into the file and close it."""
        for subscriber in self._given:
            close = getattr(subscriber, "close", None)
            if callable(close):
                close()
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
    path = Path(where) / FILE_NAME if os.path.isdir(where) else Path(where)
    if not os.path.isfile(path):  # of a name that no file system takes, too
        raise UsageError(f"no journal at {str(path)[:300]!r}.", nearest(where) or GIVE_RUN)
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
