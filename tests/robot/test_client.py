"""A remote robot is a robot: same results as near by, one action per key, no guess when line or server breaks."""

import base64
import json
import multiprocessing
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from vlp.core.errors import MissingComponent, SimulationFault, UsageError, VlpError
from vlp.core.images import encode_png
from vlp.core.observation import Located, Observation
from vlp.primitives.manifest import Manifest
from vlp.robot.access import Access
from vlp.robot.client import RemoteRobot
from vlp.robot.conformance import check_robot
from vlp.robot.protocol import Step, StepResult
from vlp.robot.serving import new_token, running_server, serve
from vlp.sim.fake.robot import FakeRobot, Script, fake_manifest

from .conftest import Served, run

TOKEN = "a-token-for-tests"


def test_a_remote_robot_passes_the_conformance_check(served: Served) -> None:
    with served.remote() as robot:
        assert str(check_robot(robot)) == "ok"


def test_description_observation_and_results_arrive_unchanged(served: Served) -> None:
    with served.remote() as robot:
        assert robot.describe() == served.fake.describe()
        near, far = served.fake.observe(), robot.observe()
        assert np.array_equal(near.rgb, far.rgb) and np.allclose(near.depth_m, far.depth_m, atol=0.0006)
        assert np.array_equal(near.camera_in_base, far.camera_in_base)
        assert (near.intrinsics, near.state, near.stamp_s) == (far.intrinsics, far.state, far.stamp_s)
        cube = run(robot, "locate", "a", object="red cube")
        assert cube == served.fake.result_of("a")
        assert run(robot, "grasp", "b", target=cube.value).status == "succeeded"
        assert robot.observe().state.holding == "red cube"
        assert robot.result_of("b") == served.fake.result_of("b") and robot.result_of("never") is None


def test_what_the_robot_says_it_cannot_reach_arrives(served: Served) -> None:
    """A served robot was never asked: policies that it could have refused began."""
    with served.remote() as robot:
        cube = Located.from_json(run(robot, "locate", "a", object="red cube").value)
        grasp = Step("grasp", {"target": "$cube"}, key="")
        assert robot.reachable(grasp, cube) == ""  # the fake does not say
        served.fake.reachable = lambda step, thing: f"the {thing.phrase} is behind the box"  # type: ignore[attr-defined]
        assert robot.reachable(grasp, cube) == "the red cube is behind the box"
        with pytest.raises(VlpError, match="Did you mean 'grasp'"):
            robot.reachable(Step("gasp", {}, key=""), cube)
    assert [step.do for step in served.fake.log] == ["locate"]


def test_rejections_and_stops_are_results_not_exceptions(served: Served) -> None:
    with served.remote() as robot:
        assert run(robot, "fly", "a").code == "unknown-primitive"
        assert run(robot, "lift", "b", height_m=9.0).code == "out-of-bounds"
        assert run(robot, "lift", "c", height_m=float("nan")).status == "rejected"
        assert run(robot, "lift", "d", height_m=object()).status == "rejected"
        robot.stop()
        assert run(robot, "home", "e").status == "stopped"
        robot.reset_stop()
        assert run(robot, "home", "f").status == "succeeded"
    assert [step.key for step in served.fake.log] == ["f"]


def test_a_second_client_is_kept_out_until_the_first_closes(served: Served) -> None:
    with served.remote(holder="second") as second:
        with served.remote(holder="first") as first:
            assert run(first, "home", "a").status == "succeeded"
            assert run(second, "home", "b").code == "lease-held"
        assert run(second, "home", "c").status == "succeeded"


def test_two_clients_of_one_process_do_not_share_a_lease(served: Served) -> None:
    """Both held the robot as "vlp-PID": the second took the first one's lease over."""
    with served.remote(ttl_s=0.6) as first, served.remote(ttl_s=0.6) as second:
        first.take_lease()
        with pytest.raises(MissingComponent, match=f"vlp-{os.getpid()}-[0-9a-f]{{8}} holds the robot"):
            second.take_lease()


def test_the_lease_of_a_client_that_died_is_waited_for(served: Served) -> None:
    """`vlp resume` within five seconds of a kill was told that the dead process holds the robot."""
    assert served.lease("dead", ttl_s=1.0).is_success
    with served.remote(holder="second", ttl_s=5.0) as robot:
        assert run(robot, "home", "a").status == "succeeded"


def test_the_lease_of_a_client_that_lives_is_not(served: Served) -> None:
    with served.remote(holder="first", ttl_s=0.6) as first, served.remote(holder="second", ttl_s=5.0) as second:
        assert run(first, "home", "a").status == "succeeded"  # and renews its lease from now on
        assert run(second, "home", "b").code == "lease-held"


def test_the_heartbeat_keeps_a_step_longer_than_the_lease_going(served: Served) -> None:
    served.fake.script("home", Script(delay_s=2.0))
    with served.remote(ttl_s=0.8) as robot:
        assert run(robot, "home", "long").status == "succeeded"


def test_a_lease_lost_between_steps_is_told_once(served: Served) -> None:
    with served.remote(ttl_s=0.3, holder="same") as robot:
        run(robot, "home", "a")
        served.lease("same")  # the same holder elsewhere: fences this one out
        time.sleep(0.3)
        assert run(robot, "home", "b").code == "lease-lost"
        assert run(robot, "home", "b").status == "succeeded"
    assert [step.key for step in served.fake.log] == ["a", "b"]


def test_stop_from_another_thread_ends_a_step_under_way(served: Served) -> None:
    served.fake.script("home", Script(delay_s=30.0))
    with served.remote() as robot:
        threading.Timer(0.2, robot.stop).start()
        began = time.monotonic()
        assert run(robot, "home", "a").status == "stopped"
        assert time.monotonic() - began < 10.0


def test_cancel_by_key_leaves_the_robot_ready(served: Served) -> None:
    served.fake.script("home", Script(delay_s=30.0))
    with served.remote() as robot:
        threading.Timer(0.2, robot.cancel, args=("a",)).start()
        assert run(robot, "home", "a").status == "stopped"
        assert run(robot, "home", "b").status == "succeeded"


@contextmanager
def flaky(target: str, drop: Callable[[int], bool]) -> Iterator[str]:
    """Forward to a server, but cut the line before the answer to the n-th POST /executions when `drop(n)`."""
    host, port = target.removeprefix("http://").split(":")
    count = 0
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            sink.close()

    def serve_one(client: socket.socket) -> None:
        nonlocal count
        server = socket.create_connection((host, int(port)))
        data = client.recv(65536)
        if data.startswith(b"POST /executions "):
            count += 1
            if drop(count):
                server.sendall(data)
                time.sleep(0.1)
                client.close()
                server.close()
                return
        server.sendall(data)
        threading.Thread(target=pump, args=(client, server), daemon=True).start()
        pump(server, client)

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve_one, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


def test_a_step_whose_answer_was_lost_acts_once(served: Served) -> None:
    with flaky(served.address.url, lambda n: n < 3) as url:
        robot = RemoteRobot(url, served.address.token)
        robot._http._client.headers["Connection"] = "close"  # each exchange on a connection of its own
        assert run(robot, "home", "once").status == "succeeded"
        robot.close()
    assert [step.key for step in served.fake.log] == ["once"]


def _serve_slow_robot(port: int) -> None:
    fake = FakeRobot()
    fake.script("home", Script(delay_s=60.0))
    serve(fake, Access.of(TOKEN, TOKEN), port=port)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _wait_for(robot: RemoteRobot) -> None:
    for _ in range(300):
        try:
            robot.describe()
            return
        except MissingComponent:
            time.sleep(0.05)
    pytest.fail("the server did not start")


@pytest.mark.parametrize("comes_back", [False, True])
def test_a_server_killed_midway_is_unreachable_or_its_outcome_unknown(comes_back: bool) -> None:
    port = _free_port()
    spawn = multiprocessing.get_context("spawn")
    server = spawn.Process(target=_serve_slow_robot, args=(port,), daemon=True)
    server.start()
    with RemoteRobot(f"http://127.0.0.1:{port}", TOKEN, give_up_s=1.0 if not comes_back else 20.0) as robot:
        _wait_for(robot)
        results = []
        thread = threading.Thread(target=lambda: results.append(run(robot, "home", "k")))
        thread.start()
        while not robot.health().busy:
            time.sleep(0.02)
        server.kill()
        server.join()
        if comes_back:
            with running_server(fake := FakeRobot(), TOKEN, port):
                thread.join(25)
            assert results[0].code == "outcome-unknown" and fake.log == []
        else:
            thread.join(15)
            assert results[0].code == "robot-unreachable"
            with pytest.raises(MissingComponent, match="cannot be reached"):
                robot.observe()
            with pytest.raises(MissingComponent, match="did not confirm the stop"):
                robot.stop()


def manifest_with(name: str, value: Any) -> bytes:
    data = fake_manifest().to_json()
    data["primitives"]["home"][name] = value
    return json.dumps(data).encode()


def _move_until_killed(url: str, token: str) -> None:
    run(RemoteRobot(url, token, ttl_s=0.6), "home", "long")


def test_a_robot_whose_client_is_killed_stops_by_itself(served: Served) -> None:
    served.fake.script("home", Script(delay_s=60.0))
    args = (served.address.url, served.address.token)
    client = multiprocessing.get_context("spawn").Process(target=_move_until_killed, args=args, daemon=True)
    client.start()
    with served.remote() as watcher:
        while not watcher.health().busy:
            time.sleep(0.02)
        time.sleep(1.0)
        assert watcher.health().busy, "renewed while the client lived"
        client.kill()
        client.join()
        end = time.monotonic() + 10
        while watcher.health().busy and time.monotonic() < end:
            time.sleep(0.02)
        assert watcher.health().stopped and "silent" in watcher.health().stop_reason
        result = watcher.result_of("long")
    assert result is not None and result.status == "stopped"


PIXEL = base64.b64encode(encode_png(np.zeros((1, 1, 3), np.uint8))).decode()
GARBAGE: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"<html>hello</html>",
    "a list": b"[]",
    "null": b"null",
    "another object": b'{"primitives": {"x": 1}}',
    "deep": b"[" * 100_000,
    "a manifest with a word for a number": manifest_with("timeout_s", "soon"),
    "a manifest with an unknown kind": manifest_with("kind", "magic"),
    "a manifest with NaN": manifest_with("timeout_s", float("nan")),
    "a state of text": json.dumps({"rgb_png": PIXEL, "stamp_s": 1.0, "state": {"base_in_world": "x"}}).encode(),
    "an execution of text": b'{"id":7,"key":"k","primitive":"home","epoch":"soon","state":"queued"}',
    "a lease of text": b'{"holder":"h","epoch":"soon","expires_in_s":1.0}',
    "wrong types": b'{"rgb_png":"AAAA","depth_mm_png":"AAAA","intrinsics":{},"camera_in_base":[],"state":{}}',
}


@pytest.mark.parametrize("name", GARBAGE)
def test_a_server_that_answers_garbage_is_a_missing_component(name: str) -> None:
    """What was wrong was told in the words of a library: "1 validation error for RobotState ... https://errors.pydantic.d"."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if length := int(self.headers.get("Content-Length", 0)):
                self.rfile.read(length)
            self.send_response(200)
            self.send_header("Content-Length", str(len(GARBAGE[name])))
            self.end_headers()
            self.wfile.write(GARBAGE[name])

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    robot = RemoteRobot(f"http://127.0.0.1:{server.server_port}", TOKEN, timeout_s=2.0, give_up_s=0.3)
    said = []
    for call in (robot.describe, robot.observe, robot.observe_state, robot.health, robot.stop, lambda: robot.result_of("k")):
        with pytest.raises(MissingComponent) as told:
            call()
        said.append(str(told.value))
    result = robot.execute(Step("home", {}, "k"))
    assert result.status == "failed"
    assert not [text for text in (*said, result.message) if re.search(r"validation error|pydantic|Body|\.\.|\. is\b", text)]
    robot.close()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "url", ["", "robot", "ftp://x", "http://", "file:///etc/passwd", "http://x?y=1", "http://[bad", "http://x:99999"]
)
def test_what_is_no_address_is_bad_usage(url: str) -> None:
    with pytest.raises(UsageError):
        RemoteRobot(url, TOKEN)


def test_nobody_listening_is_a_failed_step() -> None:
    robot = RemoteRobot(f"http://127.0.0.1:{_free_port()}", TOKEN, give_up_s=0.3)
    assert run(robot, "home", "k").code == "robot-unreachable"


def test_a_token_can_be_given_on_the_command_line() -> None:
    """Guards against "Missing value for argument '--token'": one token in 64 began with "-"."""
    tokens = {new_token() for _ in range(200)}
    assert len(tokens) == 200 and all(token.isalnum() and len(token) >= 32 for token in tokens)


class Diverging(FakeRobot):
    """Its physics break down in every step and look, once it is told to."""

    broken = False

    def execute(self, step: Step) -> StepResult:
        if self.broken:
            raise SimulationFault("the simulation diverged at 1.25 s.", "Report the scene's seed, 7.")
        return super().execute(step)

    def observe(self) -> Observation:
        if self.broken:
            raise SimulationFault("the simulation diverged at 1.25 s.", "Report the scene's seed, 7.")
        return super().observe()


def test_a_fault_of_the_simulator_is_told_apart_over_http_too() -> None:
    """Over HTTP it came back as `robot-fault`, which counts against the robot."""
    served = Diverging()
    with running_server(served) as at, RemoteRobot(at.url, at.token) as robot:
        robot.describe()
        served.broken = True
        with pytest.raises(SimulationFault, match=r"diverged at 1.25 s.*seed, 7"):
            run(robot, "home", "k")
        with pytest.raises(SimulationFault, match="diverged"):
            robot.observe()


def test_another_robot_at_the_same_address_gets_no_step() -> None:
    """A server that was replaced by another robot's, at the same port, was commanded as the first one."""

    class Other(FakeRobot):
        def describe(self) -> Manifest:
            return replace(super().describe(), robot="other")

    port, other = _free_port(), Other()
    with RemoteRobot(f"http://127.0.0.1:{port}", TOKEN, ttl_s=0.6) as robot:
        with running_server(FakeRobot(), TOKEN, port):
            assert run(robot, "home", "a").status == "succeeded"
        with running_server(other, TOKEN, port):
            end = time.monotonic() + 10
            while (result := run(robot, "home", "b")).code in ("lease-lost", "robot-unreachable") and time.monotonic() < end:
                time.sleep(0.1)
    assert (result.status, result.code) == ("rejected", "another-robot") and "another robot, other," in result.message
    assert other.log == []
