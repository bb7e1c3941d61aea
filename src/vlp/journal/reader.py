"""Reading a journal: the whole run in order, without touching it."""

import contextlib
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from vlp.core.errors import MissingComponent, UsageError
from vlp.journal.events import KINDS, Event
from vlp.journal.writer import APPLICATION_ID, FILE_NAME, MIGRATIONS, is_locked, locked


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
