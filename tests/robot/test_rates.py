"""Who asks too often is refused, and nobody else; a stop and the beats of who moves the robot never are."""

import json
from pathlib import Path

import httpx
import pytest

from vlp.core.errors import MissingComponent
from vlp.robot.access import Access, Grant
from vlp.robot.client import RemoteRobot
from vlp.robot.rates import Rates
from vlp.robot.serving import running_server
from vlp.sim.fake.robot import FakeRobot

MOVES, LOOKS = "a-token-that-moves", "a-token-that-looks"


def access(rate_hz: float) -> Access:
    return Access([Grant.of(MOVES, ("operate", "reset"), "mover"), Grant.of(LOOKS, ("observe",), "looker")], rate_hz=rate_hz)


def test_a_bucket_lets_its_rate_through_and_says_when_the_next_may_come() -> None:
    now_s = 100.0
    rates = Rates(10.0, burst_s=1.0, most=2, clock=lambda: now_s)
    assert [rates.wait_s("ann") > 0 for _ in range(13)] == [False] * 11 + [True] * 2
    now_s += (wait_s := rates.wait_s("ann")) + 1e-6
    assert 0.0 < wait_s <= 0.1 and rates.wait_s("ann") == 0.0 < rates.wait_s("ann")
    assert not any(rates.wait_s("bob") for _ in range(11)), "one name used up another one's"
    assert [rates.wait_s(f"stranger {n}") > 0 for n in range(12)] == [False] * 11 + [True], "names without end have no end"
    now_s += 10.0
    assert rates.wait_s("cleo") == 0.0 and len(rates._empty_s) <= 3, "names that are silent are kept"


def test_one_that_asks_too_often_is_refused_and_the_others_are_not(tmp_path: Path) -> None:
    """There was no limit: with ten times as many requests beside them, others waited five times as long."""
    record = tmp_path / "r.db"
    with (
        running_server(FakeRobot(), MOVES, access=access(0.05), record=record) as at,
        httpx.Client(base_url=at.url, trust_env=False, timeout=30.0) as http,
    ):

        def asked(token: str, method: str = "GET", path: str = "/health", **more: object) -> httpx.Response:
            return http.request(method, path, headers={"Authorization": f"Bearer {token}"}, **more)  # type: ignore[arg-type]

        answers = [asked(LOOKS) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 429, 429, 429]
        assert answers[1].json()["error"]["code"] == "too-often" and 0 < int(answers[1].headers["retry-after"]) <= 20
        assert asked(MOVES).status_code == 200, "another token is not the one that asks too often"
        strangers = [asked("a-token-of-nobody").status_code for _ in range(3)]
        assert strangers == [401, 429, 429] and asked(MOVES).status_code == 429
        lease = asked(MOVES, "POST", "/lease", json={"holder": "ann"})
        assert lease.status_code == 200, "looks used up what moves the robot"
        assert [asked(MOVES, "POST", "/stop").status_code for _ in range(3)] == [200] * 3, "a stop is never too often"
        assert asked(MOVES, "POST", "/stop/reset").status_code == 200
    lines = [json.loads(line) for line in record.with_suffix(".audit.jsonl").read_text().splitlines()]
    assert 1 <= sum(line.get("status") == 429 and line["by"] == "looker" for line in lines) < 3, "a flood fills the log"


def test_steps_without_end_delay_no_heartbeat() -> None:
    """Quick steps used up the rate of the beats, and the robot of a client that lived was stopped: "the client went silent"."""
    with running_server(FakeRobot(), MOVES, access=access(0.05)) as at:
        headers = {"Authorization": f"Bearer {MOVES}"}
        with httpx.Client(base_url=at.url, headers=headers, trust_env=False, timeout=30.0) as http:
            steps = [http.post("/executions", json={}).status_code for _ in range(3)]
            assert steps == [422, 429, 429] and http.post("/lease", json={"holder": "ann"}).status_code == 200


def test_a_client_that_asked_too_often_waits_as_long_as_it_is_told() -> None:
    with running_server(FakeRobot(), MOVES, access=access(1.0)) as at, RemoteRobot(at.url, MOVES) as robot:
        assert [robot.health().stopped for _ in range(4)] == [False] * 4


def test_a_client_that_is_told_to_wait_for_too_long_gives_up() -> None:
    with running_server(FakeRobot(), MOVES, access=access(0.02)) as at, RemoteRobot(at.url, MOVES, timeout_s=2.0) as robot:
        robot.health()
        with pytest.raises(MissingComponent, match="too many requests"):
            robot.health()
