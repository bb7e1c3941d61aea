"""A latch that cannot be written is written later, and said not to be on the disk until then."""

import contextlib
import logging
import sqlite3
from pathlib import Path

import httpx
import pytest

from vlp.core.errors import MissingComponent
from vlp.robot.executor import Executor, Waits
from vlp.robot.record import Record
from vlp.robot.serving import running_server
from vlp.sim.fake.robot import FakeRobot

from .test_server import until

REASON = "a hand in the way " * 500  # longer than what a page of the file has left


def free(record: Record, pages: int) -> None:
    """Leave a record space for so many pages: with one, what it has is all that there is, as on a full disk."""
    with record._lock:
        record._db.execute(f"PRAGMA max_page_count = {pages}")


def on_disk(path: Path) -> str:
    """Return the reason that a server would read that is started now, whatever has become of the one before."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        row = db.execute("SELECT value FROM state WHERE name = 'stop_reason'").fetchone()
    return row[0] if row else ""


def test_a_stop_given_while_the_disk_is_full_is_written_as_soon_as_there_is_space(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It was tried once, with a traceback: a server that was killed and started again moved the robot without a reset."""
    record = Record(tmp_path / "r.db")
    executor = Executor(FakeRobot(), record, Waits(record_retry_s=0.01))
    executor.start()
    free(record, 1)
    stopper = executor.stop(REASON)
    assert until(lambda: len(caplog.records) > 0)
    stopper.join()
    assert "not on the disk" in executor.standing(stopper) and not executor.latch_recorded
    free(record, 1000)
    assert until(lambda: executor.latch_recorded)
    assert executor.standing(stopper) == "" and on_disk(tmp_path / "r.db") == REASON
    assert [(line.levelno, line.exc_info) for line in caplog.records] == [(logging.ERROR, None)]
    executor.close()
    record.close()


def test_a_server_that_ends_writes_a_latch_that_it_could_not_write_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Ended in good order, with space on the disk again, it came back without the latch."""
    record = Record(tmp_path / "r.db")
    executor = Executor(FakeRobot(), record, Waits(record_retry_s=600.0))
    executor.start()
    free(record, 1)
    executor.stop(REASON)
    assert until(lambda: len(caplog.records) > 0)
    free(record, 1000)
    executor.close()
    record.close()
    with contextlib.closing(Record(tmp_path / "r.db")) as again:
        assert again.stop_reason == REASON


def test_the_answer_to_a_stop_and_the_health_say_when_the_latch_is_not_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop was confirmed that the next start of the server would have forgotten."""

    def full(record: Record, reason: str) -> None:
        raise MissingComponent("the disk is full.")

    with running_server(FakeRobot(), "a-token-of-its-own", record=tmp_path / "r.db", record_retry_s=0.01) as at:
        headers = {"Authorization": f"Bearer {at.token}"}
        with httpx.Client(base_url=at.url, headers=headers, trust_env=False) as http:
            monkeypatch.setattr(Record, "keep_stop", full)
            told = http.post("/stop").json()
            assert told["stopped"] and not told["confirmed"] and "not on the disk" in told["standing"]
            assert http.get("/health").json()["latch_recorded"] is False
            monkeypatch.undo()
            assert http.post("/stop").json()["confirmed"] is True
            assert http.get("/health").json()["latch_recorded"] is True
