"""A full disk is named by its cause, what was written stays, and the run goes on once there is space."""

import contextlib
import json
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from vlp.core.errors import MissingComponent
from vlp.core.messages import Instruction
from vlp.evaluation.stress.journal import POLICY
from vlp.journal import Event, Journal, JournalError, Subscriber, read_events
from vlp.models.scripted import ScriptedModel
from vlp.runtime.run import Run, Spec, read_run
from vlp.runtime.subscribers.report import ReportFiles
from vlp.runtime.subscribers.video import Video
from vlp.sim.fake.robot import FakeRobot

CUBE = Spec(Instruction.of(POLICY["goal"]))
NO_SPACE = r"No space left on device\. Free some space on that disk, then "


class Filling:
    """Takes the journal the room for more, a few pages after the n-th event of a kind."""

    def __init__(self, kind: str, nth: int, pages: int) -> None:
        self.kind, self.left, self.pages, self.run = kind, nth, pages, None

    def on_event(self, event: Event) -> None:
        self.left -= event.kind == self.kind
        if not self.left and self.run is not None:
            db = self.run.journal._db
            db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0] + self.pages}")
            self.run = None


def filled(out: Path, filling: Filling) -> Run:
    run = Run(out, CUBE, FakeRobot(), ScriptedModel([json.dumps(POLICY)]), subscribers=[filling])
    filling.run = run
    return run


@pytest.mark.parametrize("pages", [0, 1, 2])
@pytest.mark.parametrize(("kind", "nth"), [("observation", 1), ("policy", 1), ("step-started", 2), ("step-finished", 3)])
def test_a_run_that_a_full_disk_ended_goes_on_with_space(tmp_path: Path, kind: str, nth: int, pages: int) -> None:
    """Against: a run that could not be resumed, and "Is the directory writable?"."""
    run = filled(tmp_path, Filling(kind, nth, pages))
    with pytest.raises(JournalError, match=rf"cannot write the journal '.*journal\.db': {NO_SPACE}`vlp resume` the run\."):
        run.go()
    before = read_events(tmp_path)
    finished = [e.data["key"] for e in before if e.kind == "step-finished"]
    spec, past = read_run(tmp_path)
    assert past == before
    outcome = Run(tmp_path, spec, FakeRobot(), ScriptedModel([json.dumps(POLICY)]), past=past).go()
    assert outcome.outcome == "success"
    after = read_events(tmp_path)
    assert [e.seq for e in after[: len(before)]] == [e.seq for e in before]
    sent_later = [e.data["key"] for e in after[len(before) :] if e.kind == "step-started"]
    assert not set(finished) & set(sent_later)


def test_a_disk_that_is_full_from_the_start_says_to_start_again(tmp_path: Path) -> None:
    """Against: "then `vlp resume` the run" for one that never began."""
    journal = Journal(tmp_path / "journal.db")
    journal._db.execute("PRAGMA max_page_count = 1")  # of those that there are
    with pytest.raises(JournalError, match=NO_SPACE + r"start the run again\."):
        journal.append(Event("snapshot", {"after": "start"}, blob=bytes(30_000)))
    journal.close()
    assert list(tmp_path.iterdir()) == []  # against: an empty journal, which was refused as one whose log is missing


@pytest.mark.parametrize("statement", ["PRAGMA journal_mode = WAL", "CREATE TABLE event"])
def test_a_journal_that_cannot_be_made_leaves_nothing(tmp_path: Path, monkeypatch, statement: str) -> None:
    """An empty journal.db was left: the next run there was refused, and reading it named a log that had never been."""

    class Full(sqlite3.Connection):
        def execute(self, sql: str, *values):
            if statement in sql:
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(sql, *values)

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *words, **named: connect(*words, **named, factory=Full))
    with pytest.raises(JournalError):
        Journal(tmp_path / "run" / "journal.db")
    assert list((tmp_path / "run").iterdir()) == []
    monkeypatch.undo()
    assert Run(tmp_path / "run", CUBE, FakeRobot(), ScriptedModel([json.dumps(POLICY)])).go().outcome == "success"


@pytest.mark.parametrize("ended", [True, False])
def test_a_journal_is_read_where_sqlite_has_no_room_for_the_file_beside_it(tmp_path: Path, monkeypatch, ended: bool) -> None:
    """Against: "cannot be read: disk I/O error" for a run that had ended, and no word of the disk."""
    journal = Journal(tmp_path / "run" / "journal.db")
    journal.append(Event("note", {"text": "one"}))
    kept = tmp_path / "kept"
    if ended:
        journal.close()
    shutil.copytree(tmp_path / "run", kept)
    (kept / "journal.db-shm").unlink(missing_ok=True)
    with no_room():
        if ended:
            assert [event.data["text"] for event in read_events(kept)] == ["one"]
        else:  # the event stands in the log alone, and of log and file a copy is needed
            monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
            with pytest.raises(MissingComponent, match=r"'.*' cannot be read without a copy of it: File too large\. Let files"):
                read_events(kept)
        with pytest.raises(MissingComponent, match=r"File too large\. Let files grow"):
            Journal(kept / "journal.db", must_exist=True)
    assert [event.data["text"] for event in read_events(kept)] == ["one"]


@contextlib.contextmanager
def no_room() -> Iterator[None]:
    """Let this process make no file longer, as on a full disk; the system names that otherwise."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_limit_on_the_size_of_files_is_not_called_a_full_disk(tmp_path: Path) -> None:
    """Against: "disk I/O error. Free some space": SQLite does not say why the system refused."""
    script = textwrap.dedent(f"""
        import json, resource
        from vlp.core.errors import VlpError
        from vlp.evaluation.stress.journal import POLICY
        from vlp.models.scripted import ScriptedModel
        from vlp.runtime.run import Run
        from vlp.sim.fake.robot import FakeRobot
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_full_disk import CUBE
        run = Run({str(tmp_path / "run")!r}, CUBE, FakeRobot(), ScriptedModel([json.dumps(POLICY)]))
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
        try:
            run.go()
        except VlpError as error:
            print(error)
    """)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 1
    assert "File too large. Let files grow larger there (`ulimit -f`), then `vlp resume` the run." in done.stdout
    spec, past = read_run(tmp_path / "run")
    outcome = Run(tmp_path / "run", spec, FakeRobot(), ScriptedModel([json.dumps(POLICY)]), past=past).go()
    assert outcome.outcome == "success"


def test_report_and_film_that_do_not_fit_are_told_and_the_run_ends_well(tmp_path: Path, monkeypatch) -> None:
    """Against: a film without its end, listed among what was written, and nobody told."""

    def cut_off(path: str, *_: object, **__: object) -> Iterator[None]:
        with open(path, "wb") as film:
            film.write(bytes(1000))  # what there was room for: the encoder itself ends in silence
        while True:
            yield

    def full(path: Path, data: object) -> None:
        raise MissingComponent(f"cannot write {str(path)!r}: No space left on device.")

    monkeypatch.setattr("imageio_ffmpeg.write_frames", cut_off)
    monkeypatch.setattr("vlp.runtime.subscribers.report.write_whole", full)
    film = Video(tmp_path, lambda: np.zeros((240, 320, 3), np.uint8))
    subscribers: list[Subscriber] = [film, ReportFiles(tmp_path)]
    run = Run(tmp_path, CUBE, FakeRobot(), ScriptedModel([json.dumps(POLICY)]), subscribers=subscribers)
    assert run.go().outcome == "success"
    notes = [e.data["text"] for e in read_events(tmp_path) if e.kind == "note"]
    assert any("run.mp4 could not be written to its end and is deleted. Is the disk full?" in text for text in notes)
    assert any("ReportFiles failed and was dropped: MissingComponent: cannot write" in text for text in notes)
    assert not (tmp_path / "run.mp4").exists()


def test_a_display_that_fails_as_it_is_closed_takes_nothing_with_it(tmp_path: Path) -> None:
    """Against: an error while a display closed that left the journal open and locked, and the log beside it."""

    class Broken:
        def on_event(self, event: Event) -> None:
            pass

        def close(self) -> None:
            raise OSError("no room")

    run = Run(tmp_path, CUBE, FakeRobot(), ScriptedModel([json.dumps(POLICY)]), subscribers=[Broken()])
    assert run.go().outcome == "success"
    assert read_events(tmp_path)[-1].data["text"] == "Broken failed and was dropped: OSError: no room"
