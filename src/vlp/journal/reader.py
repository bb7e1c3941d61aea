"""Reading a journal: the whole run in order, without touching it."""

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from vlp.core.errors import UsageError
from vlp.journal.events import KINDS, Event
from vlp.journal.migrations import APPLICATION_ID, SCHEMA_VERSION
from vlp.journal.writer import FILE_NAME


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
    """
    path = journal_path(where)
    wanted = list(kinds) or list(KINDS)
    marks = ", ".join("?" * len(wanted))
    query = f"SELECT seq, wall_s, kind, data, {'blob' if blobs else 'NULL'} FROM event WHERE kind IN ({marks})"
    try:
        db = _open(path)
        try:
            _check(db, path)
            rows = db.execute(f"{query} ORDER BY seq", wanted).fetchall()
        finally:
            db.close()
        return [Event(k, json.loads(data), blob, seq, wall_s) for seq, wall_s, k, data, blob in rows]
    except sqlite3.Error as error:
        raise UsageError(f"{str(path)!r} cannot be read as a journal: {error}.") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{str(path)!r} holds a damaged event: {error}.") from None


def _open(path: Path) -> sqlite3.Connection:
    address = path.resolve().as_uri()
    try:
        db = sqlite3.connect(f"{address}?mode=ro", uri=True, timeout=5)
        db.execute("SELECT count(*) FROM sqlite_schema")
        return db
    except sqlite3.OperationalError:  # a directory that cannot be written holds no shared memory file
        return sqlite3.connect(f"{address}?mode=ro&immutable=1", uri=True)


def _check(db: sqlite3.Connection, path: Path) -> None:
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise UsageError(f"{str(path)!r} is an SQLite file, but not a journal.")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise UsageError(f"{str(path)!r} has schema version {version}, newer than {SCHEMA_VERSION}.", "Update vlp.")
