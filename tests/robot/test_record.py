"""What a robot's server must not forget when it dies."""

import contextlib
import random
import sqlite3
from pathlib import Path

import httpx
import pytest

from vlp.core.errors import MissingComponent, UsageError
from vlp.robot.executor import Executor
from vlp.robot.protocol import Step, StepResult
from vlp.robot.record import Record, default_path
from vlp.robot.serving import running_server
from vlp.sim.fake.robot import FakeRobot, Script

from .conftest import serving
from .test_server import code, until

TOKEN = "a-token-for-the-record"


class Client:
    """Plain requests to a server that has a record."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False, timeout=10)

    def lease(self) -> int:
        return self.http.post("/lease", json={"holder": "tester", "ttl_s": 30}).json()["epoch"]

    def home(self, key: str, epoch: int) -> httpx.Response:
        return self.http.post("/executions", json={"primitive": "home", "arguments": {}, "key": key, "epoch": epoch})

    def end(self, id: str) -> dict:
        return self.http.get(f"/executions/{id}", params={"wait_s": 10}).json()


def test_epochs_of_a_restarted_server_are_higher_however_many_were_granted(tmp_path: Path) -> None:
    """Epochs came from the wall clock's seconds: with more than one grant a second, a successor repeated them."""
    record = Record(tmp_path / "r.db")
    first = [record.next_epoch() for _ in range(60)]
    record.close()
    again = Record(tmp_path / "r.db")
    assert again.next_epoch() > first[-1]
    assert first == sorted(set(first))
    again.close()


@pytest.mark.parametrize("now_s", [0.0, 9e9], ids=["set back", "far ahead"])
def test_a_clock_that_jumps_does_not_repeat_an_epoch(now_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = Record(tmp_path / "r.db")
    before = record.next_epoch()
    monkeypatch.setattr("vlp.robot.record.time.time", lambda: now_s)
    ahead = record.next_epoch()
    monkeypatch.undo()
    assert before < ahead < record.next_epoch() < 2**53
    record.close()


def test_an_old_command_is_refused_and_an_old_key_answered_after_a_restart(tmp_path: Path) -> None:
    """A stale command was accepted by a restarted server and acted twice."""
    with running_server(FakeRobot(), TOKEN, record=tmp_path / "r.db", silence_s=60) as at:
        client = Client(at.url)
        old = client.lease()
        done = client.end(client.home("done", old).json()["id"])
    fake = FakeRobot()
    with running_server(fake, TOKEN, record=tmp_path / "r.db", silence_s=60) as at:
        client = Client(at.url)
        new = client.lease()
        assert new > old
        assert code(client.home("other", old)) == "stale-epoch"
        assert client.home("done", new).json() == done
        assert client.http.get("/executions", params={"key": "done"}).json() == done
    assert fake.log == []


def test_a_step_that_the_server_died_in_is_unknown_and_never_done_again(tmp_path: Path) -> None:
    """The successor answered 404 to the key of the step in flight, and did it again when it was sent again."""
    record = Record(tmp_path / "r.db")
    record.take("id-1", "tester", Step("home", {}, "k", 7))  # and then the process died
    record.close()
    fake = FakeRobot()
    with running_server(fake, TOKEN, record=tmp_path / "r.db") as at:
        client = Client(at.url)
        found = client.home("k", client.lease()).json()
        assert (found["id"], found["state"], found["result"]["code"]) == ("id-1", "finished", "outcome-unknown")
    assert fake.log == []


def test_the_latch_holds_over_a_restart_until_it_is_reset(tmp_path: Path) -> None:
    """A robot that a person had stopped could be moved again by restarting its server."""
    path = tmp_path / "r.db"
    with running_server(FakeRobot(), TOKEN, record=path, silence_s=60) as at:
        Client(at.url).http.post("/stop", json={"reason": "a hand in the way"})
    for _ in range(2):
        with running_server(FakeRobot(), TOKEN, record=path, silence_s=60) as at:
            client = Client(at.url)
            assert client.http.get("/health").json()["stop_reason"] == "a hand in the way"
            assert code(client.home("k", client.lease())) == "stopped"
    with running_server(FakeRobot(), TOKEN, record=path, silence_s=60) as at:
        assert Client(at.url).http.post("/stop/reset").json()["stopped"] is False
    with running_server(FakeRobot(), TOKEN, record=path, silence_s=60) as at:
        client = Client(at.url)
        assert client.home("k", client.lease()).status_code == 202


def test_a_latch_from_before_a_restart_opens_only_after_a_stop_that_works(tmp_path: Path) -> None:
    """The brake had failed; the server was started again, and its first reset was taken although the brake still failed."""

    class Brakeless(FakeRobot):
        works = False

        def stop(self) -> None:
            if not self.works:
                raise RuntimeError("no pressure in the brake")
            super().stop()

    with running_server(Brakeless(), TOKEN, record=tmp_path / "r.db", silence_s=60) as at:
        assert Client(at.url).http.post("/stop", json={}).json()["confirmed"] is False
    robot = Brakeless()
    with running_server(robot, TOKEN, record=tmp_path / "r.db", silence_s=60) as at:
        client = Client(at.url)
        assert code(client.http.post("/stop/reset")) == "stop-failed"
        robot.works = True
        assert client.http.post("/stop", json={}).json()["confirmed"] is True
        assert client.http.post("/stop/reset").json()["stopped"] is False


def test_a_server_that_is_closed_in_motion_comes_back_latched(tmp_path: Path) -> None:
    fake = FakeRobot()
    fake.script("home", Script(delay_s=60.0))
    with running_server(fake, TOKEN, record=tmp_path / "r.db", silence_s=60) as at:
        client = Client(at.url)
        client.home("k", client.lease())
    kept = Record(tmp_path / "r.db")
    assert kept.stop_reason == "the server is closing"
    kept.close()


def test_two_servers_do_not_share_a_record(tmp_path: Path) -> None:
    first = Record(tmp_path / "r.db")
    with pytest.raises(UsageError, match="has this robot already"):
        Record(tmp_path / "r.db")
    first.close()
    Record(tmp_path / "r.db").close()


def test_what_is_no_record_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "r.db").write_bytes(b"no database at all, just some text that is long enough" * 9)
    with pytest.raises(UsageError, match="no record of a robot's server"):
        Record(tmp_path / "r.db")


@pytest.mark.parametrize("page", range(1, 5))
def test_a_damaged_record_is_told_by_name_and_its_latch_for_lost(page: int, tmp_path: Path) -> None:
    """A page of other bytes gave a traceback ("database disk image is malformed"), and "Move it aside." discarded a stop."""
    record = Record(tmp_path / "r.db")
    record.keep_stop("a hand in the way")
    for n in range(100):
        record.take(f"id-{n}", "tester", Step("home", {}, f"k-{n}", 7))
    record.close()
    with open(tmp_path / "r.db", "r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(random.Random(page).randbytes(4096))
    with pytest.raises(UsageError, match=r"r\.db' is no record of a robot's server, or a damaged one") as told:
        Record(tmp_path / "r.db")
    assert "A stop that it keeps is lost with it" in told.value.hint and "look at the robot" in told.value.hint


@pytest.mark.parametrize(("name", "value"), [("epoch", "soon"), ("epoch", 1.5), ("epoch", 2**60), ("stop_reason", b"\xff")])
def test_a_record_with_a_value_of_another_kind_is_told(name: str, value: object, tmp_path: Path) -> None:
    Record(tmp_path / "r.db").close()
    write(tmp_path / "r.db", "INSERT INTO state VALUES (?, ?)", name, value)
    with pytest.raises(UsageError, match="or a damaged one: its"):
        Record(tmp_path / "r.db")


def test_a_record_that_is_damaged_while_it_is_served_is_told(tmp_path: Path) -> None:
    """A text for the epoch made POST /lease a bare 500."""
    with running_server(FakeRobot(), TOKEN, record=tmp_path / "r.db", silence_s=60) as at:
        client = Client(at.url)
        write(tmp_path / "r.db", "INSERT INTO state VALUES ('epoch', 'soon')")
        write(tmp_path / "r.db", "INSERT INTO taken (key, id, holder, step) VALUES ('k', 'i', 'h', '{')")
        lease = client.http.post("/lease", json={"holder": "tester"})
        for told in (lease, client.http.get("/executions", params={"key": "k"}), client.http.get("/executions/i")):
            assert (told.status_code, code(told)) == (503, "not-recorded")
            assert "r.db' is no record of a robot's server, or a damaged one" in told.json()["error"]["message"]
        assert client.http.post("/stop").json()["stopped"] is True


def write(path: Path, sql: str, *values: object) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(sql, values)


def test_a_step_that_cannot_be_recorded_is_not_carried_out(tmp_path: Path) -> None:
    """What is not on the disk would be done again by the next server."""
    fake, record = FakeRobot(), Record(tmp_path / "r.db")
    executor = Executor(fake, record)
    executor.start()
    executor.lease.acquire("tester", 30.0)
    record._db.execute("PRAGMA max_page_count = 1")  # a full disk
    with pytest.raises(MissingComponent, match="full"):
        executor.submit(Step("home", {}, "k" * 5000, executor.lease.epoch))
    executor.stop("still heeded")
    executor.close()
    record.close()
    assert fake.log == [] and executor.stopped


def test_the_record_is_below_the_state_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
    assert default_path("my/../robot") == Path("/somewhere/vlp/robots/my-..-robot.db")


def test_a_result_is_kept_as_it_was(tmp_path: Path) -> None:
    record = Record(tmp_path / "r.db")
    record.take("i", "h", Step("home", {"a": [1, "x"]}, "k", 3, 2.5))
    record.finish("i", StepResult("k", "succeeded", {"b": 1.5}, {"c": None}, duration_s=0.25))
    found = record.find(key="k")
    assert found == record.find(id="i")
    assert found is not None and found.step == Step("home", {"a": [1, "x"]}, "k", 3, 2.5)
    assert found.result == StepResult("k", "succeeded", {"b": 1.5}, {"c": None}, duration_s=0.25)
    record.close()


def test_a_client_that_dies_as_its_step_ends_leaves_the_robot_latched() -> None:
    """The lease ran on for seconds after a client had been killed just as a step ended, and nothing was latched."""
    with serving(silence_s=0.3) as served:
        epoch = served.lease(ttl_s=30.0).json()["epoch"]
        served.fake.script("home", Script(delay_s=0.1))
        assert served.wait(served.post("home", "k", epoch).json()["id"])["state"] == "finished"
        assert until(lambda: served.http.get("/health").json()["stopped"])
        health = served.http.get("/health").json()
        assert "silent" in health["stop_reason"] and health["lease"] is None
        assert code(served.lease("tester", epoch=epoch)) == "no-lease"
        assert served.http.post("/stop/reset").json()["stopped"] is False
        assert served.http.get("/health").json()["stopped"] is False
