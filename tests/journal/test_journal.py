"""What the journal promises: order, whole groups or nothing, and a clear word when it cannot write."""

import resource
import sqlite3
import subprocess
import sys
import textwrap

import pytest

from vlp.core.errors import UsageError
from vlp.journal import Event, Journal, JournalError, journal_path, read_events
from vlp.journal.file import MIGRATIONS


def note(text: str) -> Event:
    return Event("note", {"text": text})


def snapshot(n: int) -> Event:
    return Event("snapshot", {"after": f"s{n}"}, blob=bytes([n]))


def test_events_come_back_as_written(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    written = journal.append(note("a"), Event("belief", {"phrase": "red cube", "located": None}))
    written += journal.append(Event("observation", {"purpose": "plan", "state": {}, "seconds": 0.1}, blob=b"\xff\xd8"))
    assert [e.seq for e in written] == [1, 2, 3]
    assert read_events(tmp_path) == written  # also while the writer has it open
    journal.close()
    assert read_events(tmp_path) == written
    assert [e.kind for e in read_events(tmp_path, kinds=["belief"])] == ["belief"]
    assert all(e.blob is None for e in read_events(tmp_path, blobs=False))


def test_numbers_go_on_in_the_next_process(tmp_path):
    Journal(tmp_path / "journal.db").close()
    for expected in (1, 2, 3):
        journal = Journal(tmp_path / "journal.db", must_exist=True)
        assert journal.append(note("x"))[0].seq == expected
        journal.close()


def test_only_the_last_two_snapshots_stay(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    for n in range(5):
        journal.append(note(str(n)), snapshot(n))
    kept = read_events(tmp_path, kinds=["snapshot"])  # the events stay: the chain goes through them
    assert [e.blob for e in kept] == [None, None, None, b"\x03", b"\x04"]
    assert len(read_events(tmp_path, kinds=["note"])) == 5


def test_a_group_is_written_whole_or_not_at_all(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    journal.append(note("before"))
    with pytest.raises(ValueError):
        journal.append(note("lost"), Event("note", {"text": float("nan")}))
    journal._next = 1  # the second event of the group collides
    with pytest.raises(JournalError):
        journal.append(note("lost"))
    journal._next = 2
    journal.append(note("after"))
    assert [e.data["text"] for e in read_events(tmp_path)] == ["before", "after"]


def test_a_full_disk_is_said_and_what_was_written_stays(tmp_path):
    """A write that the disk refuses must raise, not be lost in silence."""
    script = textwrap.dedent(f"""
        import resource, signal
        from vlp.journal import Event, Journal, JournalError
        journal = Journal({str(tmp_path / "journal.db")!r})
        journal.append(Event("note", {{"text": "kept"}}))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            for n in range(100):
                journal.append(Event("snapshot", {{"after": str(n)}}, blob=bytes(30_000)))
        except JournalError as error:
            print("refused:", error)
    """)
    assert resource.RLIMIT_FSIZE is not None
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "refused: cannot write the journal" in done.stdout
    assert read_events(tmp_path)[0].data["text"] == "kept"


def test_a_second_writer_is_refused(tmp_path):
    """Two processes resuming the same run would both move the robot."""
    first = Journal(tmp_path / "journal.db")
    with pytest.raises(UsageError, match=r"process .*is writing"):
        Journal(tmp_path / "journal.db")
    first.close()
    Journal(tmp_path / "journal.db").close()


def test_other_files_are_refused_and_left_alone(tmp_path):
    text = tmp_path / "a.db"
    text.write_bytes(b"not a database at all, only some text" * 100)
    other = tmp_path / "b.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE mine (x)")
    for file in (text, other):
        before = file.read_bytes()
        for attempt in (Journal, read_events):
            with pytest.raises(UsageError):
                attempt(file)
        assert file == text or sqlite3.connect(other).execute("SELECT count(*) FROM mine").fetchone() == (0,)
        assert file == other or file.read_bytes() == before
    with pytest.raises(UsageError, match="no journal"):
        journal_path(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="no journal"):
        Journal(tmp_path / "nowhere" / "journal.db", must_exist=True)


def test_a_newer_version_is_refused(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    journal._db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    journal.close()
    for attempt in (Journal, read_events):
        with pytest.raises(UsageError, match="version"):
            attempt(tmp_path / "journal.db")


def test_an_event_is_one_of_the_table_and_complete():
    with pytest.raises(UsageError, match="Did you mean 'trigger'"):
        Event("triger", {})
    with pytest.raises(UsageError, match="lacks detail"):
        Event("trigger", {"name": "step-failed"})
