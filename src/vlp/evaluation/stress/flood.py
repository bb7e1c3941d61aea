"""Bodies and heads that are oversize, endless or slow, and 10 times the load: refused within a second, and others get through.

    python -m vlp.evaluation.stress.flood --n 240 --out runs/flood

The robot's server has a process of its own. Every sixth case measures requests of one client at 20 Hz, for 3 s alone and 3 s
beside ten threads of another process that want as many each, with a token of their own or a wrong one, and then a stop; the
others send what no server should wait for.
"""

import functools
import http.client
import json
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vlp.evaluation.stress.command import quantiles, rows_command
from vlp.evaluation.stress.motion import SPAWN, TOKEN, Served, served


def answers() -> dict[str, int]:
    """Return what is sent, and the status that it is answered with; 0 is a connection that is closed."""
    return {"oversize": 413, "endless": 413, "slow body": 408, "slow head": 0, "streams": 429}


def case(index: int, seed: int, out: Path, server: Served) -> dict[str, Any]:
    """Send one thing, or measure under load, and return what was not as promised.

    Args:
        index: of the kind.
        seed, out: unused; every case is made by its number.
        server: the robot's.
    """
    del seed, out
    kind = [*answers(), "load"][index % 6]
    if kind == "load":
        return {"kind": kind, **_loaded(server, ("a-token-that-nobody-has", *server.observers)[index // 6 % 2])}
    began = time.monotonic()
    status = _streams(server.port) if kind == "streams" else _sent(kind, server.port)
    row = {"kind": kind, "status": status, "ms": round(1000 * (time.monotonic() - began), 1)}
    return {**row, "faults": [] if status == answers()[kind] else [f"{kind} was answered with {status}"]}


def _sent(kind: str, port: int) -> int:
    """Send a request that goes wrong, and return the status of the answer; 0 where the connection was closed."""
    length = {"oversize": f"Content-Length: {10**9}", "slow body": "Content-Length: 1000"}.get(
        kind, "Transfer-Encoding: chunked"
    )
    head = f"POST /executions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n{length}\r\n"
    end_s = time.monotonic() + 20.0
    with socket.create_connection(("127.0.0.1", port), timeout=0.05) as connection:
        connection.sendall(head.encode() if kind == "slow head" else f"{head}\r\n".encode())
        while time.monotonic() < end_s:
            try:
                connection.sendall(b"2000\r\n" + b"x" * 0x2000 + b"\r\n" if kind == "endless" else b"x")
            except TimeoutError:  # it reads no more: the answer is there, or comes
                pass
            except OSError:
                return _status(connection)
            try:
                data = connection.recv(4096)
                return int(data.split(b" ")[1]) if data else 0
            except TimeoutError:
                continue
            except OSError:
                return 0
    return -1


def _status(connection: socket.socket) -> int:
    try:
        data = connection.recv(4096)
    except OSError:
        return 0
    return int(data.split(b" ")[1]) if data else 0


def _streams(port: int) -> int:
    """Open streams of events until one is refused, and return its status."""
    opened: list[http.client.HTTPConnection] = []
    try:
        for _ in range(9):
            opened.append(http.client.HTTPConnection("127.0.0.1", port, timeout=5.0))
            opened[-1].request("GET", "/events?wait_s=20", headers={"Authorization": f"Bearer {TOKEN}"})
            if (status := opened[-1].getresponse().status) != 200:
                return status
        return 200
    finally:
        for connection in opened:
            connection.close()
        time.sleep(0.2)  # the server notices that they have gone


def _loaded(server: Served, token: str) -> dict[str, Any]:
    """Return the milliseconds of one client's requests, alone and beside ten times as many, and those of a stop beside them."""
    alone, statuses = _asked(server.port, 3.0)
    ready, refused_s, answers = SPAWN.Event(), SPAWN.Value("d", 60.0), SPAWN.Value("i", 0)
    flood = SPAWN.Process(target=_flood, args=(server.port, token, ready, refused_s, answers), daemon=True)
    flood.start()
    ready.wait(30.0)
    try:
        beside, more = _asked(server.port, 3.0)
        stop, _ = _timed(server.stop_port, TOKEN, "POST", "/stop")
        refused = refused_s.value
    finally:
        flood.kill()
        flood.join()
    _timed(server.port, TOKEN, "POST", "/stop/reset")
    faults = [f"the client was answered with {status}" for status in sorted({*statuses, *more} - {200})]
    faults += [] if refused < 1.0 else [f"who asked ten times as often heard 429 after {refused:.1f} s"]
    return {
        "alone_ms": alone,
        "beside_ms": beside,
        "stop_ms": stop,
        "refused_s": refused,
        "answers": answers.value,
        "faults": faults,
    }


def _flood(port: int, token: str, ready: Any, refused_s: Any, answers: Any) -> None:
    """Ask ten times as often, from ten threads, until this process is killed, at most for a minute; tell of the first 429."""
    began = time.monotonic()

    def heard(status: int) -> None:
        with answers.get_lock():
            answers.value += 1
            if status == 429:
                refused_s.value = min(refused_s.value, time.monotonic() - began)

    for _ in range(10):
        threading.Thread(target=_asked, args=(port, 60.0, token, heard), daemon=True).start()
    time.sleep(0.2)
    ready.set()
    time.sleep(60.0)


def _asked(
    port: int, seconds: float, token: str = TOKEN, heard: Callable[[int], None] = lambda status: None
) -> tuple[list[float], list[int]]:
    """Ask for the health and for the manifest in turn at 20 Hz, and return the milliseconds and the status of each answer."""
    began, took, statuses = time.monotonic(), list[float](), list[int]()
    for turn in range(int(seconds * 20)):
        time.sleep(max(0.0, began + turn / 20 - time.monotonic()))
        ms, status = _timed(port, token, *(("GET", "/health"), ("GET", "/manifest"))[turn % 2])
        heard(status)
        took.append(ms)
        statuses.append(status)
    return took, statuses


def _timed(port: int, token: str, method: str, path: str) -> tuple[float, int]:
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10.0)
    connection.request(method, path, headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    json.loads(answer.read())
    connection.close()
    return round(1000 * (time.monotonic() - began), 2), answer.status


def tell(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of rows."""
    load = [row for row in rows if row["kind"] == "load"]
    sent = [row for row in rows if row["kind"] != "load"]
    every = {name: quantiles([ms for row in load for ms in row[name]]) for name in ("alone_ms", "beside_ms")}
    return {
        "sent": dict(Counter(f"{row['kind']}: {row['status']}" for row in sent)),
        "answer_ms": {kind: quantiles([row["ms"] for row in sent if row["kind"] == kind]) for kind in answers()},
        "answers_beside": sum(row["answers"] for row in load),
        **every,
        "p95_ratio": round(every["beside_ms"]["p95"] / every["alone_ms"]["p95"], 2) if load else None,
        "refused_s": quantiles([row["refused_s"] for row in load]),
        "stop_ms": quantiles([row["stop_ms"] for row in load]),
    }


def main() -> int:
    """Run from the command line."""
    with served("a-token-that-may-look") as server:
        return rows_command("flood", __doc__, functools.partial(case, server=server), tell)


if __name__ == "__main__":
    sys.exit(main())
