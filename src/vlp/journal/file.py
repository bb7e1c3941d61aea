"""Events, and the file that keeps them: its tables, the hash that chains them, who writes it, and its errors."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shlex
import sqlite3
import struct
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from vlp.core.errors import MissingComponent, UsageError, VlpError, did_you_mean
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
    # A perception about to be sent while its policy is still being written; a policy that begins with it names its key.
    "step-begun": ("key", "do", "arguments", "text"),
    # A step about to be sent.
    "step-started": ("revision", "id", "key", "do", "arguments", "epoch"),
    # What a step did.
    "step-finished": ("revision", "id", "key", "do", "status", "result"),
    # What looks say of the effects that a step declares, before its end is written.
    "verified": ("revision", "id", "verdict", "findings"),
    # The step that failed is tried once more, without a new policy.
    "retry": ("revision", "id", "tries", "how", "bound"),
    # A reason to ask for a new policy.
    "trigger": ("name", "detail"),
    # Where an object was last seen; null when it was not found.
    "belief": ("phrase", "located"),
    # A scripted change of the scene.
    "world-event": ("text", "after_steps"),
    # State of a simulated robot (blob), valid after all events before it. Only the last two keep their blob.
    "snapshot": ("after",),
    # What was looked for among the lessons of earlier runs, and those that the next prompt shows.
    "lessons": ("asked", "shown"),
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


FILE_NAME = "journal.db"
GIVE_RUN = "Give the directory that `vlp run --out` wrote."
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
    CREATE INDEX event_kind ON event (kind, seq)
    """,
    # Links have a table of their own: where the last events are cut off, their links still stand.
    """
    DROP INDEX IF EXISTS event_kind;
    CREATE TABLE link (
        seq INTEGER PRIMARY KEY,
        digest BLOB,
        hash BLOB NOT NULL
    ) STRICT
    """,
)
"""Entry n brings a file from version n to n + 1; the list only grows."""


class JournalError(MissingComponent):
    """An event could not be written; nothing after it may happen (exit status 3)."""


class NotAJournal(UsageError):
    """A file without the marks of a journal."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{str(path)!r} {why}.", "If it was a journal, `vlp journal repair` may read it.")


class DamagedJournal(UsageError):
    """A journal is not what was written.

    Args:
        path: the file.
        seq: number of the first event that is not as it was written.
        good: how many events before it are.
        why: how that is known.
    """

    def __init__(self, path: Path, seq: int, good: int, why: str) -> None:
        self.seq, self.good, self.why = seq, good, why
        before = {0: "no event before it is good", 1: "the one event before it is good"}
        run = shlex.quote(str(path.parent if path.name == FILE_NAME else path))
        super().__init__(
            f"{str(path)!r} is damaged at event {seq}: {why}; {before.get(good, f'the {good} events before it are good')}.",
            f"`vlp journal repair {run}` keeps what is good." if good else "Is there a copy of it?",
        )


class StoredEvent(NamedTuple):
    """An event as it stands in the file, texts in UTF-8.

    `digest` is the hash of its blob; an old snapshot keeps it when the blob itself is deleted.
    """

    seq: int
    wall_s: float
    kind: bytes
    data: bytes
    blob: bytes | None
    digest: bytes | None

    @classmethod
    def of(cls, event: Event) -> "StoredEvent":
        """Return an event as it will stand there; raises ValueError where its data is no JSON."""
        data = json.dumps(event.data, allow_nan=False).encode()
        return cls(event.seq, event.wall_s, event.kind.encode(), data, event.blob, digest_of(event.blob))

    def event(self) -> Event:
        """Return the event."""
        return Event(self.kind.decode(), json.loads(self.data), self.blob, self.seq, float(self.wall_s))


def digest_of(blob: bytes | None) -> bytes | None:
    """Return the hash of the bytes that belong to an event, None where it has none."""
    return None if blob is None else hashlib.sha256(blob).digest()


def link(before: bytes, row: StoredEvent) -> bytes:
    """Return the hash of an event and, through the hash before it (b"" for the first), of all events so far."""
    lengths = struct.pack("<qdII", row.seq, row.wall_s, len(row.kind), len(row.data))
    return hashlib.sha256(b"".join((before, lengths, row.kind, row.data, row.digest or b""))).digest()


def journal_path(where: str | Path) -> Path:
    """Return the journal file for a run directory or a file.

    Raises:
        UsageError: there is none.
    """
    path = Path(where) / FILE_NAME if os.path.isdir(where) else Path(where)
    if not os.path.isfile(path):  # of a name that no file system takes, too
        raise UsageError(f"no journal at {str(path)[:300]!r}.", nearest(where) or GIVE_RUN)
    return path


def log_path(path: Path) -> Path:
    """Return SQLite's log beside a journal: what it holds was written, and is not in the file yet."""
    return path.with_name(path.name + "-wal")


def hold(path: Path) -> int:
    """Take the lock that makes one process the writer; the system drops it when that process dies."""
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        who = holder(path.with_suffix(".lock"))
        raise UsageError(f"{who} is writing {str(path)!r}.", "Wait for it to end, or stop it.") from None
    return lock


def note_last(lock: int, seq: int) -> None:
    """Write the number of the last event into the lock, as a witness should the log be lost with the last events in it."""
    with contextlib.suppress(OSError):  # a full disk: the journal says so itself
        os.pwrite(lock, f"{seq:>20}\n".encode(), 0)


def last_noted(path: Path) -> int:
    """Return the number of the last event by the lock beside a journal; 0 where it says none."""
    with contextlib.suppress(OSError, ValueError):
        return int(path.with_suffix(".lock").read_bytes()[:64])
    return 0


def is_written(path: Path) -> bool:
    """Return whether a process writes a journal just now."""
    with contextlib.suppress(FileNotFoundError, PermissionError), open(path.with_suffix(".lock"), "rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def refusal(path: Path, verb: str, error: sqlite3.Error, begun: bool) -> VlpError:
    """Return the error for what SQLite could not do with a journal that is to be written; `begun` when it holds events."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return NotAJournal(path, f"is not a journal: {error}")
    if is_locked(error):
        return locked(path)
    cause = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) if code == sqlite3.SQLITE_FULL else _cause(path)
    if cause is None:
        return JournalError(f"cannot {verb} the journal {str(path)!r}: {error}.")
    remedy = cannot_write(path, cause).hint.rstrip(".") or "Mend that"
    then = "`vlp resume` the run" if begun else "start the run again"
    return JournalError(f"cannot {verb} the journal {str(path)!r}: {cause.strerror}.", f"{remedy}, then {then}.")


def _cause(path: Path) -> OSError | None:
    """Return why nothing can be written beside a journal: SQLite keeps to itself what the system said."""
    try:
        with tempfile.TemporaryFile(dir=path.parent) as probe:
            probe.seek(max(file.stat().st_size for file in (path, log_path(path)) if file.exists()))
            probe.write(bytes(1 << 16))
            probe.flush()
    except OSError as error:
        return error
    return None


def is_locked(error: sqlite3.Error) -> bool:
    """Whether SQLite gave up because another process has the file locked."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def locked(path: Path) -> JournalError:
    """Return the error for a journal that another program, such as a database browser, keeps locked."""
    files = (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm")))
    return JournalError(f"{holder(*files)} keeps the journal {str(path)!r} locked.", "End it, or let it go of the file.")
