"""A journal in a place that cannot be written is read whole, or named; a locked one names who holds it."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from vlp.core.errors import MissingComponent
from vlp.journal import Event, Journal, JournalError, read_events

NOBODY = 65534


@pytest.fixture
def run() -> Iterator[Path]:
    """A run whose process was killed: what it wrote stands in the file and, the newer part, in the log beside it."""
    folder = Path(tempfile.mkdtemp(prefix="vlp-read-only-"))
    journal = Journal(folder / "kept" / "journal.db")
    journal.append(*(Event("note", {"text": str(n)}) for n in range(23)))
    journal._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    journal.append(*(Event("note", {"text": str(n)}) for n in range(23, 27)))
    shutil.copytree(folder / "kept", folder / "run")
    journal.close()
    folder.chmod(0o755)
    yield folder / "run"
    (folder / "run").chmod(0o755)
    shutil.rmtree(folder)


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let this process write nothing in a folder; what root may write, it gives up being root for."""
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
        folder.chmod(0o755)


@pytest.mark.parametrize("beside", ["the log alone", "log and shared memory", "nothing"])
def test_all_events_are_read_where_nothing_can_be_written(run: Path, beside: str) -> None:
    """Against: 23 of 27 events, those in the log left out, and then a traceback."""
    if beside == "the log alone":
        (run / "journal.db-shm").unlink()
    if beside == "nothing":
        with contextlib.closing(sqlite3.connect(run / "journal.db")) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert not (run / "journal.db-wal").exists()
    with read_only(run):
        assert [event.data["text"] for event in read_events(run)] == [str(n) for n in range(27)]
    assert {file.name for file in run.iterdir()} <= {"journal.db", "journal.db-wal", "journal.db-shm", "journal.lock"}


def test_writing_there_is_refused_in_one_line_and_can_be_tried_again(run: Path) -> None:
    with read_only(run), pytest.raises(JournalError, match=r"cannot write '.*journal\.db': Permission denied\. Choose a place"):
        Journal(run / "journal.db", must_exist=True)
    for file in run.iterdir():
        file.chmod(0o644)
    journal = Journal(run / "journal.db", must_exist=True)  # against: a lock left behind by the attempt
    assert journal.append(Event("note", {"text": "more"}))[0].seq == 28
    journal.close()


LOCKS = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA locking_mode = EXCLUSIVE")
db.execute("BEGIN EXCLUSIVE")
print("ready", flush=True)
sys.stdin.read()
"""


def test_who_keeps_a_journal_locked_is_named(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against: "database is locked" for a database browser that was left open."""
    connect = sqlite3.connect
    monkeypatch.setattr("sqlite3.connect", lambda *a, **k: connect(*a, **{**k, "timeout": 0.1}))
    words = [sys.executable, "-c", LOCKS, str(run / "journal.db")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "ready\n"
        who = rf"(process {other.pid} \(.+\)|another process) keeps the journal '.*' locked"
        with pytest.raises(MissingComponent, match=who):
            read_events(run)
        with pytest.raises(JournalError, match=who):
            Journal(run / "journal.db")
        other.communicate("")
    assert len(read_events(run)) == 27
