"""Writing a run's journal, and telling of each event once it is on disk."""

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from vlp.core.errors import UsageError
from vlp.core.files import cannot_write, nearest
from vlp.journal.file import (
    APPLICATION_ID,
    GIVE_RUN,
    MIGRATIONS,
    Event,
    JournalError,
    StoredEvent,
    digest_of,
    hold,
    link,
    log_path,
    note_last,
    refusal,
)
from vlp.journal.reading import read_rows


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
        UsageError: the file is not a journal, damaged, of a newer version, or open for writing in another process.
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
        self._never_begun = not self.path.exists()
        with contextlib.ExitStack() as opened:  # what was opened is closed again when the rest cannot be
            opened.callback(self._leave_nothing)
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._hold = hold(self.path)
                opened.callback(os.close, self._hold)
                if any(file.is_file() and file.stat().st_size for file in (self.path, log_path(self.path))):
                    for _ in read_rows(self.path, blobs=False, to_write=True, held=True):
                        pass  # nothing is added to a damaged journal
                self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=5)
                opened.callback(self._db.close)
                self._db.execute("PRAGMA journal_mode = WAL")
                self._durable: bool | None = None  # how the last group was written
                _migrate(self._db)
                last = self._db.execute("SELECT seq, hash FROM link ORDER BY seq DESC LIMIT 1").fetchone()
                self._next, self._before = (last[0] + 1, last[1]) if last else (1, b"")
                self._snapshots = [
                    seq for (seq,) in self._db.execute("SELECT seq FROM event WHERE kind = 'snapshot' ORDER BY seq")
                ]
                note_last(self._hold, self._next - 1)
                self._checkpoint()
                self._never_begun = False
            except sqlite3.DatabaseError as error:
                raise refusal(self.path, "open", error, begun=must_exist) from None
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
                self._drop(subscriber, error)

    def _drop(self, subscriber: Subscriber, error: Exception) -> None:
        if subscriber in self.outer:
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
            # On the disk before anything else happens, but for what a power cut may take: it moves nothing. A step's end gets
            # there with the checkpoint behind it: where it is lost, the step is in flight, and is asked about.
            passing = ("observation", "lessons", "reply", "report", "belief", "note", "snapshot", "step-begun", "step-finished")
            kinds = {event.kind for event in events}
            self._write([StoredEvent.of(event) for event in numbered], durable=not kinds <= {*passing})
            if kinds & {"run-started", "step-finished"}:
                self._checkpoint()
            return numbered

    def copy(self, rows: Sequence[StoredEvent]) -> None:
        """Write the rows of another journal as they stand there; nobody is told.

        Raises:
            JournalError: nothing was written.
        """
        with self._lock:
            self._write(rows, durable=True)

    def _write(self, rows: Sequence[StoredEvent], durable: bool) -> None:
        """Write rows with their links in one transaction, or nothing; of snapshots, only the last two keep their blob."""
        snapshots = [*self._snapshots, *(row.seq for row in rows if row.kind == b"snapshot")]
        before, links = self._before, list[tuple[int, bytes | None, bytes]]()
        for row in rows:
            before = link(before, row)
            links.append((row.seq, row.digest, before))
        try:
            if durable is not self._durable:
                self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                self._durable = durable
            with _transaction(self._db):
                self._db.executemany(
                    "INSERT INTO event (seq, wall_s, kind, data, blob) VALUES (?, ?, ?, ?, ?)",
                    [(row.seq, row.wall_s, row.kind.decode(), row.data.decode(), row.blob) for row in rows],
                )
                self._db.executemany("INSERT INTO link (seq, digest, hash) VALUES (?, ?, ?)", links)
                if snapshots[:-2]:
                    self._db.executemany("UPDATE event SET blob = NULL WHERE seq = ?", [(seq,) for seq in snapshots[:-2]])
        except sqlite3.Error as error:
            self._never_begun = self._next == 1
            raise refusal(self.path, "write", error, begun=self._next > 1) from None
        self._before, self._snapshots = before, snapshots[-2:]
        if rows:
            self._next = rows[-1].seq + 1
            note_last(self._hold, rows[-1].seq)

    def _checkpoint(self) -> None:
        """Bring what stands in the log into the file, which then is whole without it up to here.

        It takes 1.6 ms in the median, 3.6 ms at the 95th percentile, after a step with a 60 kB image and a 40 kB snapshot (ext4
        on a virtual disk); PASSIVE takes 5.2 ms and leaves a log that can be damaged. Where it cannot be done, as on a full
        disk or while somebody reads, the log stays and is read from there.
        """
        with contextlib.suppress(sqlite3.Error):
            self._db.execute("PRAGMA busy_timeout = 0")  # nobody is waited for: the next step tries again
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.execute("PRAGMA busy_timeout = 5000")

    def close(self) -> None:
        """Close the subscribers that can be closed; then fold the log into the file and close it."""
        for subscriber in self._given:
            close = getattr(subscriber, "close", None)
            try:
                if callable(close):
                    close()
            except Exception as error:
                with contextlib.suppress(JournalError):  # there is no more room for it
                    self._drop(subscriber, error)
        with self._lock:
            self._checkpoint()
            self._db.close()
            os.close(self._hold)
            self._leave_nothing()

    def _leave_nothing(self) -> None:
        """Take away a journal that could not be begun, as on a full disk: an empty one reads as a run that lost all."""
        if self._never_begun:
            beside = [self.path.with_name(self.path.name + end) for end in ("", "-wal", "-shm")]
            for file in (*beside, self.path.with_suffix(".lock")):
                with contextlib.suppress(OSError):
                    file.unlink(missing_ok=True)


def _migrate(db: sqlite3.Connection) -> None:
    """Bring a file to the present schema version; events from before there was a chain get theirs."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == len(MIGRATIONS):
        return
    with _transaction(db):
        for script in MIGRATIONS[version:]:
            for statement in script.split(";"):
                db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        before = b""
        for (seq,) in db.execute("SELECT seq FROM event ORDER BY seq").fetchall():
            wall_s, kind, data, blob = db.execute("SELECT wall_s, kind, data, blob FROM event WHERE seq = ?", (seq,)).fetchone()
            row = StoredEvent(seq, wall_s, kind.encode(), data.encode(), blob, digest_of(blob))
            before = link(before, row)
            db.execute("INSERT INTO link (seq, digest, hash) VALUES (?, ?, ?)", (seq, row.digest, before))


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
