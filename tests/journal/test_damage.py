"""A damaged journal is never believed: nothing is read that was not written, and what is good is not lost."""

import contextlib
import json
import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest
from test_read_only import read_only

from vlp.cli.main import main
from vlp.core.errors import UsageError
from vlp.data.from_runs import from_runs
from vlp.evaluation.stress.journal import POLICY, make_journals, run_damage
from vlp.journal import DamagedJournal, Event, Journal, NotAJournal, read_events, read_rows
from vlp.journal.reading import log_fault
from vlp.journal.repair import repair
from vlp.models.scripted import ScriptedModel
from vlp.runtime.memory import RunMemory
from vlp.runtime.run import Hold, Run, read_run
from vlp.runtime.subscribers.report import replay
from vlp.sim.fake.robot import FakeRobot, fake_manifest


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Journals of a scripted run: whole, and as a process that was killed leaves it."""
    folder = tmp_path_factory.mktemp("made")
    make_journals(folder)
    return folder


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A whole run of one's own to damage."""
    return shutil.copytree(made / "whole", tmp_path / "run")


def overwrite(run: Path, old: bytes, new: bytes) -> None:
    file = run / "journal.db"
    data = file.read_bytes()
    assert data.count(old) >= 1 and len(old) == len(new)
    file.write_bytes(data.replace(old, new))


def resumed(run: Path, steps_done: int = 0) -> Run:
    """Return the run taken over; a new policy does what is left."""
    left = {"name": "put it there", "steps": POLICY["subtasks"][0]["steps"][steps_done:]}
    spec, past = read_run(run)
    return Run(run, spec, FakeRobot(), ScriptedModel([json.dumps({**POLICY, "subtasks": [left]})]), past=past)


@contextlib.contextmanager
def database(run: Path):
    with contextlib.closing(sqlite3.connect(run / "journal.db")) as db:
        yield db
        db.commit()


def test_flipped_bits_and_cuts_give_what_was_written_or_a_refusal(tmp_path: Path) -> None:
    """Against: 388 of 500 flipped bits accepted in silence, 4 of 28 events lost, and tracebacks."""
    shared = Path("/dev/shm")  # memory: what is written to a disk thousands of times here takes minutes
    folder = shared / f"vlp-{tmp_path.name}-{id(tmp_path)}" if shared.is_dir() else tmp_path / "damage"
    try:
        summary = run_damage(300, 7, folder, stride=1024)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    assert summary["faults"] == []
    told = {kind for outcomes in summary["outcomes"].values() for kind in outcomes}
    assert {"same", "prefix", "refused"} <= told


def test_a_journal_that_was_cut_off_anywhere_is_refused(made: Path, run: Path) -> None:
    whole = (made / "whole" / "journal.db").read_bytes()
    good = set()
    for length in range(0, len(whole), 64):
        (run / "journal.db").write_bytes(whole[:length])
        with pytest.raises(UsageError) as refused:
            read_events(run)
        assert "\n" not in str(refused.value)
        good.add(getattr(refused.value, "good", 0))
    assert len(good) > 3  # the events before the cut are found, not only the file refused


def test_every_reader_names_the_first_bad_event_and_the_next_step(run: Path, tmp_path: Path, capsys) -> None:
    """Against: a policy with another step in it, resumed, shown and trained on."""
    number = next(e.seq for e in read_events(run) if e.kind == "policy")
    overwrite(run, b"red cube", b"red cuba")
    with pytest.raises(DamagedJournal) as found:
        read_events(run)
    first = found.value.seq
    assert 1 < first <= number and found.value.good == first - 1
    said = rf"damaged at event {first}: its hash does not fit; the .*event.* before it .* good\. `vlp journal repair"
    for reader in (
        lambda: read_run(run),
        lambda: replay(run),
        lambda: from_runs(tmp_path / "data", [run], fake_manifest(), lambda: RunMemory(fake_manifest().primitives)),
        lambda: Journal(run / "journal.db", must_exist=True),
    ):
        with pytest.raises(UsageError, match=said):
            reader()
    for words, status in ((["journal", "verify"], 1), (["resume"], 2), (["replay"], 2), (["journal", "export"], 2)):
        capsys.readouterr()
        assert main([*words, str(run)]) == status
        told = capsys.readouterr()
        assert f"damaged at event {first}" in told.err and len(told.err.splitlines()) == 1
        assert told.out.count("\n") == (first - 1 if words[-1] == "export" else 0)


@pytest.mark.parametrize("when", ["killed early", "killed late"])
def test_repair_keeps_what_is_good_and_the_run_goes_on_from_there(made: Path, tmp_path: Path, capsys, when: str) -> None:
    """Against: steps under keys that the robot had answered before the damage, and would answer again without acting."""
    run = shutil.copytree(made / when, tmp_path / "run")
    before = read_events(run)
    log = bytearray((run / "journal.db-wal").read_bytes())
    log[32 + 24] ^= 1
    (run / "journal.db-wal").write_bytes(log)
    damaged = {file.name: file.read_bytes() for file in run.iterdir() if file.name in ("journal.db", "journal.db-wal")}
    assert len(damaged) == 2 and main(["journal", "repair", str(run)]) == 0
    told = capsys.readouterr().out
    *kept, trigger = read_events(run)
    assert kept == before[: len(kept)] and kept[-1].kind == "snapshot" and trigger.data["name"] == "journal-repaired"
    assert f"kept {len(kept)} events, dropped event" in told and "journal-damaged.db" in told
    for name, data in damaged.items():
        assert (run / name.replace("journal", "journal-damaged")).read_bytes() == data
    assert resumed(run, steps_done=3 if when == "killed late" else 0).go().outcome == "success"
    sent = [[e.data["key"] for e in events if e.kind == "step-started"] for events in (before, read_events(run)[len(kept) :])]
    assert sent[1] and not set(sent[0]) & set(sent[1])
    assert main(["journal", "repair", str(run)]) == 0
    assert capsys.readouterr().out.startswith("nothing to repair")


def test_a_simulated_robot_whose_snapshots_are_lost_is_a_hold(made: Path, tmp_path: Path) -> None:
    """Against: a fresh simulated robot taken for one that has done the first steps."""
    run = shutil.copytree(made / "whole", tmp_path / "run")
    with database(run) as db:
        (early,) = db.execute("SELECT seq FROM event WHERE kind = 'step-started' LIMIT 1 OFFSET 2").fetchone()
        db.execute("UPDATE event SET data = '{}' WHERE seq = ?", (early,))
    repair(run)
    outcome = resumed(run).go()
    assert isinstance(outcome.error, Hold) and "snapshots" in outcome.reason


def test_deleted_snapshots_leave_the_chain_whole(run: Path, capsys) -> None:
    snapshots = [row for row, event in read_rows(run) if event.kind == "snapshot"]
    assert len(snapshots) > 2 and [row.blob is None for row in snapshots] == [True] * (len(snapshots) - 2) + [False] * 2
    assert all(row.digest for row in snapshots)
    assert main(["journal", "verify", str(run)]) == 0
    assert capsys.readouterr().out == f"{len(read_events(run))} events, chain whole\n"
    assert main(["journal", "export", str(run)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["seq"] for line in lines] == [e.seq for e in read_events(run)]
    blobs = [line["blob"] for line in lines if line["kind"] == "snapshot"]
    assert blobs[0]["size"] is None and blobs[-1]["size"] > 0 and len(blobs[0]["sha256"]) == 64


CHANGES = (
    "DELETE FROM event WHERE seq = 5",
    "DELETE FROM event WHERE seq = (SELECT max(seq) FROM event)",
    "DELETE FROM link WHERE seq > 20",
    "DELETE FROM event WHERE seq > 20; DELETE FROM link WHERE seq > 20",  # the lock says that there were more
    "INSERT INTO event VALUES (1000, 0.0, 'note', '{\"text\": \"x\"}', NULL)",
    "UPDATE event SET wall_s = wall_s + 1 WHERE seq = 7",
    "UPDATE event SET blob = x'00' WHERE kind = 'observation'",
    "UPDATE event SET blob = NULL WHERE kind = 'observation'",
    "UPDATE link SET digest = NULL WHERE digest IS NOT NULL",
    "DROP TABLE link",
    "DROP TABLE event",
    "PRAGMA user_version = 1",
)


@pytest.mark.parametrize("change", CHANGES)
def test_what_another_hand_did_is_noticed(run: Path, change: str) -> None:
    with database(run) as db:
        db.executescript(change)
    with pytest.raises(DamagedJournal):
        read_events(run)


def test_an_old_journal_is_read_and_gets_its_chain_when_it_is_written(run: Path, capsys) -> None:
    before = read_events(run)
    with database(run) as db:  # as it was before there was a chain
        db.executescript("DROP TABLE link; CREATE INDEX event_kind ON event (kind, seq); PRAGMA user_version = 1")
    (run / "journal.lock").write_bytes(b"")
    assert read_events(run) == before
    assert main(["journal", "verify", str(run)]) == 0
    assert "from before there was a chain" in capsys.readouterr().out
    with database(run) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)  # reading changes nothing
    journal = Journal(run / "journal.db", must_exist=True)
    journal.append(Event("note", {"text": "more"}))
    journal.close()
    assert read_events(run)[:-1] == before
    assert main(["journal", "verify", str(run)]) == 0
    assert capsys.readouterr().out == f"{len(before) + 1} events, chain whole\n"
    overwrite(run, b"red cube", b"red cuba")
    with pytest.raises(DamagedJournal):
        read_events(run)


def test_the_file_alone_lacks_at_most_the_step_in_flight(tmp_path: Path) -> None:
    """Against: a run that stood wholly in the log, so that a copy of journal.db was "not a journal"."""
    journal = Journal(tmp_path / "run" / "journal.db")
    journal.append(
        Event("run-started", dict.fromkeys(("run_id", "robot", "world", "seed", "model", "versions", "options"), ""))
    )
    for n in range(3):
        step = dict.fromkeys(("revision", "id", "key", "do", "arguments", "epoch", "status", "result"), n)
        journal.append(Event("step-started", step))
        journal.append(Event("observation", {"purpose": "plan", "state": {}, "seconds": 0.1}, blob=bytes(20_000)))
        journal.append(Event("step-finished", step), Event("snapshot", {"after": str(n)}, blob=bytes(20_000)))
        ended = read_events(tmp_path / "run")
        journal.append(Event("step-started", step))
        shutil.copyfile(tmp_path / "run" / "journal.db", tmp_path / "copy.db")
        assert read_events(tmp_path / "copy.db") == ended
    journal.close()


@pytest.mark.parametrize("state", ["missing", "empty"])
def test_a_file_whose_log_is_gone_names_it(tmp_path: Path, state: str) -> None:
    db = sqlite3.connect(tmp_path / "made.db", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.executescript("PRAGMA application_id = 0x564C504A; CREATE TABLE event (seq); PRAGMA user_version = 1")
    (tmp_path / "journal.db").write_bytes((tmp_path / "made.db").read_bytes() if state == "missing" else b"")
    log = (tmp_path / "made.db-wal").read_bytes()
    db.close()
    for attempt in (read_events, Journal):
        if attempt is Journal and state == "empty":
            (tmp_path / "journal.db-wal").write_bytes(log)  # SQLite would delete it
        with pytest.raises(UsageError, match=r"holds no event: .* stand in journal\.db-wal beside it"):
            attempt(tmp_path / "journal.db")
    assert state == "missing" or (tmp_path / "journal.db-wal").read_bytes() == log


def test_a_lost_log_is_named_where_the_lock_knows_of_more(made: Path, tmp_path: Path) -> None:
    run = shutil.copytree(made / "killed early", tmp_path / "run")
    count = len(read_events(run))
    (run / "journal.db-wal").unlink()
    with pytest.raises(
        DamagedJournal, match=rf"journal\.db-wal is missing or empty, and journal\.lock says that {count} events"
    ):
        read_events(run)


def test_what_a_failed_transaction_leaves_in_the_log_is_no_damage(made: Path, tmp_path: Path) -> None:
    """Against: a run that a full disk ended, refused as damaged: frames without an end of their transaction stay in the log."""
    log = (made / "killed, no lock" / "journal.db-wal").read_bytes()
    size = 24 + int.from_bytes(log[8:12], "big")
    frame = bytearray(log[-size:])
    frame[30] ^= 1
    for commit, damaged in ((b"\0\0\0\0", False), (b"\0\0\0\7", True)):
        (tmp_path / "log").write_bytes(log + bytes(frame[:4]) + commit + bytes(frame[8:]))
        assert bool(log_fault(tmp_path / "log")) == damaged
    for left in (log[:20], log[:32], log + bytes(frame[:24]), log + bytes(size)):  # killed while it wrote; never written
        (tmp_path / "log").write_bytes(left)
        assert log_fault(tmp_path / "log") == ""


def test_reading_while_events_are_written_gives_no_alarm(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    told: list[int] = []

    class Reader:
        def on_event(self, event: Event) -> None:
            told.append(len(read_events(tmp_path)))

    journal.outer.append(Reader())
    journal.emit(*(Event("note", {"text": str(n)}) for n in range(3)))
    rows = read_rows(tmp_path)
    next(rows)
    journal.emit(Event("note", {"text": "more"}))
    assert [row.seq for row, _ in rows] == [2, 3]  # those of the moment at which reading began
    assert told == [3, 3, 3, 4]
    journal.close()


def test_nothing_is_added_where_it_could_destroy_events(tmp_path: Path, capsys) -> None:
    """Against: a bit in the list of free pages, which makes SQLite write over pages that hold events."""
    file = tmp_path / "journal.db"
    journal = Journal(file)
    for n in range(4):
        journal.append(Event("note", {"text": str(n)}), Event("snapshot", {"after": str(n)}, blob=bytes(50_000 - 10_000 * n)))
    journal.close()
    data = bytearray(file.read_bytes())
    first_free = int.from_bytes(data[32:36], "big")
    data[(first_free - 1) * 4096 + 8 : (first_free - 1) * 4096 + 12] = (2).to_bytes(4, "big")  # "that of the events is free"
    file.write_bytes(data)
    assert len(read_events(tmp_path)) == 8  # each of them is as it was written
    with pytest.raises(DamagedJournal, match="the file is no place for more"):
        Journal(file, must_exist=True)
    assert main(["journal", "verify", str(tmp_path)]) == 1
    assert main(["journal", "repair", str(tmp_path)]) == 0
    assert "kept 8 events, dropped none" in capsys.readouterr().out
    Journal(file, must_exist=True).close()


@pytest.mark.parametrize("at", [3, 17, 69])
def test_a_damaged_head_costs_no_event(run: Path, at: int) -> None:
    before = read_events(run)
    data = bytearray((run / "journal.db").read_bytes())
    data[at] ^= 4
    (run / "journal.db").write_bytes(data)
    with pytest.raises(NotAJournal, match="`vlp journal repair` may read it"):
        read_events(run)
    done = repair(run)
    assert done is not None and read_events(run)[:-1] == before


def test_replay_shows_a_run_where_nothing_can_be_written(made: Path, capsys) -> None:
    folder = Path(tempfile.mkdtemp(prefix="vlp-read-only-"))
    folder.chmod(0o755)
    try:
        run = shutil.copytree(made / "killed early", folder / "run")
        with read_only(run):
            status = main(["replay", str(run)])
        told = capsys.readouterr()
        assert status == 3 and "policy 1" in told.out
        assert told.err.count("\n") == 1 and "cannot write" in told.err and "result.json" in told.err
    finally:
        shutil.rmtree(folder)
