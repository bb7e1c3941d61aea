"""A stop gets through whatever else hangs: half-open connections, bodies without an end, a busy server."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import httpx
import pytest

from vlp.cli.main import main
from vlp.robot import connections, stop_line
from vlp.robot.serving import Address, running_server
from vlp.sim.fake.robot import FakeRobot, Script

from .conftest import Served, serving
from .test_server import until


def stop_port(at: Address) -> int:
    headers = {"Authorization": f"Bearer {at.token}"}
    return httpx.get(f"{at.url}/health", headers=headers, trust_env=False).json()["stop_port"]


def raw(port: int, data: bytes) -> tuple[int, Any]:
    """Send bytes and return status and body of the answer; status 0 when the connection was closed without one."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data)
        answer = b""
        with suppress(ConnectionResetError):  # closed before all was read
            while chunk := connection.recv(4096):
                answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    return (int(head.split()[1]), json.loads(body)) if head else (0, None)


def request(at: Address, body: bytes = b"", path: str = "/stop", host: str = "127.0.0.1", more: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: Bearer {at.token}\r\n"
    head += f"{more}Content-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


@contextmanager
def flooded(port: int, count: int) -> Iterator[list[socket.socket]]:
    """Open connections that send half a head and then nothing."""
    with ExitStack() as until_:
        held = []
        for _ in range(count):
            connection = until_.enter_context(socket.socket())
            connection.settimeout(5)
            connection.connect(("127.0.0.1", port))
            connection.sendall(b"POST /stop HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
            held.append(connection)
        yield held


def test_the_line_stops_a_robot_in_motion_and_says_when_it_is_at_rest(served: Served) -> None:
    served.fake.script("home", Script(delay_s=60.0))
    id = served.post("home", "k", served.lease().json()["epoch"]).json()["id"]
    assert until(lambda: served.wait(id, 0)["state"] == "running")
    status, body = raw(stop_port(served.address), request(served.address, b'{"reason": "a hand"}'))
    assert (status, body) == (200, {"stopped": True, "reason": "a hand", "confirmed": True, "standing": ""})
    assert served.wait(id)["result"]["status"] == "stopped"


@pytest.mark.parametrize("line", [False, True], ids=["server", "stop line"])
def test_a_stop_gets_through_thousands_of_half_open_heads(line: bool, served: Served) -> None:
    """1,100 half-open heads used the server's file handles up, and an authorised stop timed out after 8 s."""
    at = served.address
    ports = (int(at.url.rsplit(":", 1)[1]), stop_port(at))
    with flooded(ports[0], 400), flooded(ports[1], 400):
        began = time.monotonic()
        assert raw(ports[line], request(at))[0] == 200
        assert time.monotonic() - began < 5.0
        assert served.http.get("/health").json()["stopped"]


def test_connections_that_say_nothing_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.2)
    monkeypatch.setattr(stop_line, "REQUEST_S", 0.2)
    with running_server(FakeRobot()) as at:
        for port in (int(at.url.rsplit(":", 1)[1]), stop_port(at)):
            with flooded(port, 3) as held:
                for connection in held:
                    with suppress(ConnectionResetError):
                        assert connection.recv(10) == b""


@pytest.mark.parametrize("token", ["wrong-token-here", ""])
def test_a_body_without_an_end_is_not_read_from_whom_nobody_knows(token: str, served: Served) -> None:
    """After a 401 the server went on to read: 1.9 GB in 15 s."""
    head = (
        f"POST /executions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", int(served.address.url.rsplit(":", 1)[1])), timeout=5) as connection:
        connection.sendall(head.encode())
        sent, chunk = 0, b"10000\r\n" + b"x" * 65536 + b"\r\n"
        with pytest.raises(OSError):
            while sent < 50_000_000:
                connection.sendall(chunk)
                sent += len(chunk)
    assert sent < 50_000_000


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"host": "robot.example.com"}, 403),
        ({"more": "Origin: http://127.0.0.1\r\n"}, 403),
        ({"path": "/stop/reset"}, 404),
        ({"path": "/"}, 404),
    ],
)
def test_the_line_refuses_what_is_no_stop(change: dict[str, str], status: int, served: Served) -> None:
    assert raw(stop_port(served.address), request(served.address, **change))[0] == status
    assert not served.http.get("/health").json()["stopped"]


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n",
        b"\xff" * 100 + b"\r\n\r\n",
        b"POST /stop\r\n\r\n",
        b"GET /stop HTTP/1.1\r\n\r\n",
        b"POST /stop HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /stop HTTP/1.1\r\nHost\r\n: :\r\n\r\n",
    ],
)
def test_the_line_survives_what_is_no_http(data: bytes, served: Served) -> None:
    port = stop_port(served.address)
    assert raw(port, data)[0] in (403, 404)
    assert raw(port, b"A" * 20000)[0] == 0
    assert raw(port, request(served.address, b"{not json"))[1]["stopped"] is True


def test_the_server_refuses_no_stop_for_what_it_says_either() -> None:
    """Without a JSON content type it answered 415, to a reason of 201 characters or another field 422: nothing was stopped."""
    bodies = {
        b'{"reason":"arm caught"}': "arm caught",
        b'{"reason":"' + b"x" * 300 + b'"}': "x" * 200,
        b'{"why":"a hand","reason":"now"}': "now",
        b'{"reason":7}': "7",
        b'{"reason":': "",
        b"[" * 60_000: "",
        b"\xff": "",
        b"null": "",
    }
    with serving() as served:
        for body, reason in bodies.items():
            for kind in ("application/json", "application/x-www-form-urlencoded"):
                told = served.http.post("/stop", content=body, headers={"Content-Type": kind})
                assert (told.status_code, told.json()["stopped"]) == (200, True), (body[:40], kind)
                assert told.json()["reason"] == (reason or "stop was asked for")
                assert served.http.post("/stop/reset").json()["stopped"] is False
        assert served.http.post("/stop", content=b"x" * 70_000).status_code == 413
        assert served.http.post("/stop", content=b"{", headers={"Origin": "http://a.page"}).status_code == 403
        assert served.http.post("/stop", content=b"{", headers={"Authorization": "Bearer another"}).status_code == 401
        assert not served.http.get("/health").json()["stopped"]


def test_a_driver_that_hangs_in_its_stop_is_said_to_stand(served: Served) -> None:
    class Stuck(FakeRobot):
        def stop(self) -> None:
            time.sleep(3)

    with running_server(Stuck()) as at:
        body = raw(stop_port(at), request(at))[1]
        assert body["stopped"] and not body["confirmed"] and body["standing"] == "the robot's own stop has not returned"


def test_the_client_stops_over_the_line_while_the_server_hangs() -> None:
    with serving() as served, served.remote() as robot:
        robot.observe()
        robot.take_lease()
        with flooded(int(served.address.url.rsplit(":", 1)[1]), 300):
            robot.stop()
        assert served.http.get("/health").json()["stopped"]


def test_the_command_reaches_the_line_by_its_address(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """`vlp robot stop` asked the whole server alone: where that was busy, the line of its own helped nobody at a terminal."""
    at = served.address
    assert main(["robot", "stop", "--robot", f"http://127.0.0.1:{stop_port(at)}", "--token", at.token]) == 0
    assert served.http.get("/health").json()["stopped"]
    assert "stopped. Look at the robot" in capsys.readouterr().out
    assert main(["robot", "stop", "--robot", at.url, "--token", "another-token"]) == 3
    assert "did not confirm the stop: " in capsys.readouterr().err


def test_the_command_imports_nothing_that_takes_time() -> None:
    """Loading what runs and models need took 4 s on a busy machine, and the robot moved on meanwhile."""
    words = ["robot", "stop", "--robot", "http://127.0.0.1:9", "--token", "a-token-of-nobody"]
    code = f"import sys; from vlp.cli.main import main; main({words!r}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "http.client" in loaded
    assert not loaded & {"numpy", "httpx", "pydantic", "vlp.cli.run", "vlp.robot.client", "vlp.sim"}
