"""The server moves a robot for one holder at a time, once per key, and stops it whatever else hangs."""

import contextlib
import gc
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from vlp.core.errors import UsageError
from vlp.robot.access import Access, Grant
from vlp.robot.executor import Executor
from vlp.robot.protocol import Step
from vlp.robot.record import Record
from vlp.robot.serving import running_server, serve
from vlp.robot.wire import Refusal
from vlp.sim.fake.robot import FakeRobot, Script

from .conftest import Served, serving


def code(response: httpx.Response) -> str:
    assert response.status_code >= 400, response.text
    return response.json()["error"]["code"]


def until(condition: Any, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(condition())


# Keys.


def test_one_key_from_many_clients_at_once_acts_once(served: Served) -> None:
    epoch = served.lease().json()["epoch"]
    served.fake.script("home", Script(delay_s=0.2))
    with ThreadPoolExecutor(12) as pool:
        replies = list(pool.map(lambda _: served.post("home", "same", epoch), range(24)))
    assert {reply.status_code for reply in replies} == {202}
    assert len({reply.json()["id"] for reply in replies}) == 1
    assert served.wait(replies[0].json()["id"])["result"]["status"] == "succeeded"
    assert [step.key for step in served.fake.log] == ["same"]


def test_a_repeated_key_is_answered_from_memory_even_when_stopped_or_without_lease(served: Served) -> None:
    epoch = served.lease().json()["epoch"]
    first = served.wait(served.post("home", "k", epoch).json()["id"])
    served.http.post("/stop")
    again = served.post("home", "k", 0)
    assert again.status_code == 202 and again.json() == first
    assert served.http.get("/executions", params={"key": "k"}).json() == first
    assert len(served.fake.log) == 1


def test_a_key_with_another_body_is_refused(served: Served) -> None:
    epoch = served.lease().json()["epoch"]
    served.wait(served.post("go_to", "k", epoch, place="bin").json()["id"])
    assert code(served.post("go_to", "k", epoch, place="table")) == "key-reused"
    assert served.fake.world.at == "bin"


# Lease and fencing.


def test_only_the_holder_of_the_newest_epoch_moves_the_robot(served: Served) -> None:
    assert code(served.post("home", "a", 0)) == "no-lease"
    old = served.lease("ann", ttl_s=0.2).json()["epoch"]
    assert code(served.lease("bob")) == "lease-held"
    time.sleep(0.25)
    assert code(served.post("home", "b", old)) == "no-lease"
    new = served.lease("bob").json()["epoch"]
    assert new > old
    assert code(served.post("home", "c", old)) == "stale-epoch"
    assert code(served.lease("ann", epoch=old)) == "stale-epoch"
    assert code(served.lease("ann", epoch=new)) == "lease-held"
    assert served.fake.log == []
    assert served.post("home", "d", new).status_code == 202


def test_the_same_holder_takes_its_own_lease_over_after_a_crash(served: Served) -> None:
    old = served.lease("run-7").json()["epoch"]
    new = served.lease("run-7").json()["epoch"]
    assert code(served.post("home", "a", old)) == "stale-epoch"
    assert served.post("home", "b", new).status_code == 202


def test_a_released_lease_is_free_at_once(served: Served) -> None:
    epoch = served.lease("ann").json()["epoch"]
    assert served.http.post("/lease/release", json={"holder": "ann", "epoch": epoch}).status_code == 204
    assert served.lease("bob").status_code == 200


def test_a_restarted_server_refuses_the_epoch_of_its_predecessor(served: Served) -> None:
    old = served.lease().json()["epoch"]
    time.sleep(1.1)
    with running_server(FakeRobot(), served.address.token) as address:
        body = {"primitive": "home", "arguments": {}, "key": "k", "epoch": old}
        headers = {"Authorization": f"Bearer {address.token}"}
        httpx.post(f"{address.url}/lease", json={"holder": "new"}, headers=headers)
        assert code(httpx.post(f"{address.url}/executions", json=body, headers=headers)) == "stale-epoch"


# Silence and stop.


def test_a_robot_whose_client_goes_silent_stops_by_itself(served: Served) -> None:
    epoch = served.lease(ttl_s=0.3).json()["epoch"]
    served.fake.script("home", Script(delay_s=60.0))
    id = served.post("home", "k", epoch).json()["id"]
    began = time.monotonic()
    assert served.wait(id)["result"]["status"] == "stopped"
    assert time.monotonic() - began < 5.0
    health = served.http.get("/health").json()
    assert health["stopped"] and "silent" in health["stop_reason"]
    epoch = served.lease().json()["epoch"]
    assert code(served.post("home", "next", epoch)) == "stopped"


def test_a_renewed_lease_keeps_a_long_step_going(served: Served) -> None:
    epoch = served.lease(ttl_s=0.8).json()["epoch"]
    served.fake.script("home", Script(delay_s=1.6))
    id = served.post("home", "k", epoch).json()["id"]
    while served.wait(id, 0.1)["state"] != "finished":
        served.lease(ttl_s=0.8, epoch=epoch)
    assert served.wait(id)["result"]["status"] == "succeeded"


def test_stop_gets_through_while_an_execution_hangs_and_holds_until_reset(served: Served) -> None:
    epoch = served.lease().json()["epoch"]
    served.fake.script("home", Script(delay_s=2.0, deaf=True))
    id = served.post("home", "hangs", epoch).json()["id"]
    assert until(lambda: served.wait(id, 0)["state"] == "running")
    began = time.monotonic()
    reply = served.http.post("/stop", json={"reason": "hand in the way"})
    assert time.monotonic() - began < 1.5
    assert reply.json() == {
        "stopped": True,
        "reason": "hand in the way",
        "confirmed": False,
        "standing": "the step that was under way has not ended",
    }
    assert code(served.post("home", "next", epoch)) == "stopped"
    assert code(served.http.post("/stop/reset")) == "busy"
    assert served.wait(id)["result"]["status"] == "stopped"
    assert served.http.post("/stop").json()["confirmed"] is True
    assert code(served.post("home", "next", epoch)) == "stopped"
    assert served.http.post("/stop/reset").json()["stopped"] is False
    assert served.post("home", "next", epoch).status_code == 202


def test_stop_answers_even_when_the_driver_hangs_in_its_own_stop() -> None:
    class Stuck(FakeRobot):
        def stop(self) -> None:
            time.sleep(6)

    with running_server(Stuck()) as address:
        headers = {"Authorization": f"Bearer {address.token}"}
        with httpx.Client(base_url=address.url, headers=headers, timeout=10) as http:
            assert http.post("/stop").json()["confirmed"] is False
            assert http.get("/health").json()["stopped"] is True


def test_a_step_that_overruns_its_limit_is_stopped() -> None:
    with serving(grace_s=0.1) as served:
        epoch = served.lease().json()["epoch"]
        served.fake.script("home", Script(delay_s=2.0, deaf=True))
        body = {"primitive": "home", "key": "k", "epoch": epoch, "timeout_s": 0.1}
        id = served.http.post("/executions", json=body).json()["id"]
        assert until(lambda: served.http.get("/health").json()["stopped"], 1.9)
        assert "time limit" in served.http.get("/health").json()["stop_reason"]
        served.wait(id)


def test_stop_needs_the_token(served: Served) -> None:
    reply = httpx.post(f"{served.address.url}/stop", headers={"Authorization": "Bearer wrong-token"})
    assert reply.status_code == 401 and code(reply) == "unauthorized"
    assert not served.http.get("/health").json()["stopped"]


# Executions.


def test_one_step_at_a_time(served: Served) -> None:
    epoch = served.lease().json()["epoch"]
    served.fake.script("home", Script(delay_s=0.3))
    id = served.post("home", "a", epoch).json()["id"]
    assert code(served.post("home", "b", epoch)) == "busy"
    assert code(served.http.get("/observation")) == code(served.http.get("/state")) == "busy"
    served.wait(id)
    assert served.http.get("/observation").status_code == 200


def test_looks_that_wait_keep_no_step_out(tmp_path: Path) -> None:
    """Four clients that looked without a pause had every step refused as busy, for seconds."""
    robot, ready = FakeRobot(), threading.Event()
    with contextlib.closing(Executor(robot, Record(tmp_path / "r.db"))) as executor:
        executor.start()
        executor.lease.acquire("ann", 60.0)
        looks = [executor.call(ready.wait) for _ in range(4)]
        with pytest.raises(Refusal, match="carrying out a step"):
            executor.call(ready.wait)
        step = executor.submit(Step("home", {}, "k", executor.lease.epoch))
        with pytest.raises(Refusal, match="carrying out a step"):  # looks that come later do not go before it
            executor.call(ready.wait)
        ready.set()
        assert until(lambda: step.state == "finished") and all(look.result(1.0) for look in looks)


def test_cancel_ends_an_interruptible_step_and_leaves_the_robot_ready(served: Served) -> None:
    epoch = served.lease().json()["epoch"]
    served.fake.script("home", Script(delay_s=30.0))
    id = served.post("home", "a", epoch).json()["id"]
    assert code(served.http.post(f"/executions/{id}/cancel", json={"epoch": epoch - 1})) == "stale-epoch"
    assert served.http.post(f"/executions/{id}/cancel", json={"epoch": epoch}).status_code == 202
    assert served.wait(id)["result"]["status"] == "stopped"
    assert served.post("home", "b", epoch).status_code == 202


def test_a_wrapped_robot_is_reset_and_cancelled_through_its_wrapper() -> None:
    """Guards against a served wrapper that could never be reset because only the robot inside can be."""

    class Wrapper:
        def __init__(self, robot: FakeRobot) -> None:
            self.robot = robot
            self.describe, self.observe = robot.describe, robot.observe
            self.execute, self.stop = robot.execute, robot.stop

    with running_server(Wrapper(FakeRobot())) as address:
        headers = {"Authorization": f"Bearer {address.token}"}
        assert httpx.post(f"{address.url}/stop", headers=headers).json()["stopped"] is True
        assert httpx.post(f"{address.url}/stop/reset", headers=headers).json()["stopped"] is False


def test_cancel_of_what_cannot_be_interrupted_says_so(served: Served) -> None:
    epoch = served.lease().json()["epoch"]
    cube = served.wait(served.post("locate", "a", epoch, object="red cube").json()["id"])["result"]["value"]
    served.fake.script("grasp", Script(delay_s=0.3))
    id = served.post("grasp", "b", epoch, target=cube).json()["id"]
    assert code(served.http.post(f"/executions/{id}/cancel", json={"epoch": epoch})) == "not-interruptible"
    assert served.wait(id)["result"]["status"] == "succeeded"


def test_a_driver_that_raises_or_returns_nonsense_is_a_failed_step(served: Served) -> None:
    epoch = served.lease().json()["epoch"]
    results: list[Any] = [ZeroDivisionError("boom"), "not a result"]

    def broken(step: object) -> Any:
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    served.fake.execute = broken  # type: ignore[method-assign]
    for key in ("a", "b"):
        assert served.wait(served.post("home", key, epoch).json()["id"])["result"]["code"] == "robot-fault"


def test_a_camera_that_fails_is_503_with_a_body(served: Served) -> None:
    def broken() -> Any:
        raise OSError("camera unplugged")

    served.fake.observe = broken  # type: ignore[method-assign]
    reply = served.http.get("/observation")
    assert reply.status_code == 503 and "camera unplugged" in reply.json()["error"]["message"]


def test_a_camera_that_is_too_slow_leaves_the_worker_alive() -> None:
    """Guards against a worker killed by handing a late result to a caller that had given up."""
    with serving(observe_wait_s=0.1) as served:
        quick = served.fake.observe

        def slow() -> Any:
            time.sleep(0.4)
            return quick()

        served.fake.observe = slow  # type: ignore[method-assign]
        with ThreadPoolExecutor(2) as pool:
            replies = list(pool.map(lambda _: served.http.get("/observation"), range(2)))
        assert [reply.status_code for reply in replies] == [503, 503]
        served.fake.observe = quick  # type: ignore[method-assign]
        epoch = served.lease().json()["epoch"]
        assert served.wait(served.post("home", "k", epoch).json()["id"])["result"]["status"] == "succeeded"


def test_events_tell_each_state_once_and_resume_after_the_last_seen(served: Served) -> None:
    epoch = served.lease().json()["epoch"]
    served.wait(served.post("home", "a", epoch).json()["id"])

    def read(**params: Any) -> list[tuple[int, str]]:
        text = served.http.get("/events", params={"wait_s": 0.1, **params}).text
        blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("id:")]
        return [(int(block[0][4:]), json.loads(block[2][6:])["state"]) for block in blocks]

    events = read()
    assert [state for _, state in events] == ["queued", "running", "finished"]
    assert read(after=events[1][0]) == events[2:]


def test_one_token_does_not_take_the_streams_of_all(tmp_path: Path) -> None:
    """All eight streams went to whoever came first."""
    access = Access([Grant.of("a-token-that-looks", ("observe",)), Grant.of("another-that-moves", ("operate",))])
    with (
        running_server(FakeRobot(), "another-that-moves", access=access, record=tmp_path / "r.db") as at,
        httpx.Client(base_url=at.url, trust_env=False, timeout=10.0) as http,
        contextlib.ExitStack() as streams,
    ):
        lines: list[Iterator[str]] = []

        def asked(token: str) -> int:
            headers = {"Authorization": f"Bearer {token}"}
            stream = streams.enter_context(http.stream("GET", "/events", headers=headers, params={"wait_s": 5}))
            lines.append(stream.iter_lines())  # kept, since an iterator that ends closes its stream
            next(lines[-1])  # it has begun
            return stream.status_code

        assert [asked("a-token-that-looks") for _ in range(5)] == [200] * 4 + [429]
        assert asked("another-that-moves") == 200


def test_a_stream_shows_changes_as_they_happen(served: Served) -> None:
    epoch = served.lease().json()["epoch"]
    poster = threading.Timer(0.2, lambda: served.post("home", "live", epoch))
    poster.start()
    with served.http.stream("GET", "/events", params={"wait_s": 10}) as response:
        for line in response.iter_lines():
            if line.startswith("data:") and json.loads(line[5:])["state"] == "finished":
                assert json.loads(line[5:])["key"] == "live"
                poster.join()
                return
    pytest.fail("the stream ended before the execution")


# Serving.


def test_no_weak_token_no_public_address_and_no_taken_port(served: Served) -> None:
    with pytest.raises(UsageError, match="token"):
        Access.of("short", "long-enough-token")
    access = Access.of("long-enough-token", "another-long-one")
    with pytest.raises(UsageError, match="loopback"):
        serve(FakeRobot(), access, host="0.0.0.0")
    taken = int(served.address.url.rsplit(":", 1)[1])
    with pytest.raises(UsageError, match="cannot listen"):
        serve(FakeRobot(), access, port=taken)


def test_a_second_server_of_a_process_makes_no_routes() -> None:
    """FastAPI remembers every route for ever: each server that was started and stopped left 28 kB."""

    def routes() -> int:
        gc.collect()
        return sum(type(thing) is APIRoute for thing in gc.get_objects())

    counts: list[int] = []
    for _ in range(2):
        with serving() as served:
            assert served.http.get("/manifest").json()["robot"] == served.fake.describe().robot
        counts.append(routes())
    assert counts[0] == counts[1] > 0
