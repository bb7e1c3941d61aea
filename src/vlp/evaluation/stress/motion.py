"""Stops and silences of a served robot in motion: how long it still gets motion commands, and what it does afterwards.

    python -m vlp.evaluation.stress.motion stops --n 2000 --out runs/stops
    python -m vlp.evaluation.stress.motion silence --n 200 --out runs/silence

The robot has a process of its own and gives itself a motion command every millisecond while a step runs; the time of the last
one stands in shared memory. A row per case goes to rows.jsonl, and the same command goes on where it stopped.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from vlp.evaluation.stress.command import quantiles
from vlp.robot.access import Access, Grant
from vlp.robot.client import RemoteRobot
from vlp.robot.protocol import Step, StepResult
from vlp.robot.serving import precedence, running_server
from vlp.sim.fake.robot import FakeRobot

TOKEN = "a-token-for-the-stress"
LOADS = ("idle", "busy", "flooded", "frozen")
"""Nothing else; a process that computes on every core; 400 half-open connections at each port; the client SIGSTOPped."""
WAYS = ("kill", "freeze", "late")
"""The client is killed; it is SIGSTOPped; the same while the server, held up too, has not read its last beats."""
SPAWN = multiprocessing.get_context("spawn")


class TickingRobot(FakeRobot):
    """Moves until it is stopped: a motion command every millisecond.

    Args:
        last_s: gets the monotonic time of each.
    """

    def __init__(self, last_s: "Synchronized[float]") -> None:
        super().__init__()
        self._last_s = last_s

    def execute(self, step: Step) -> StepResult:
        """Give motion commands until the stop, or for the 60 s that the step has."""
        end_s = time.monotonic() + 60.0
        while not self._stop.wait(0.001) and time.monotonic() < end_s:
            self._last_s.value = time.monotonic()
        return StepResult(step.key, "stopped", code="stopped", message="the robot was stopped.")


@dataclass(frozen=True)
class Halt:
    """One stop or one silence.

    Args:
        index: its number.
        what: the load, or how the client went silent.
        moved_ms: from the request, or from the silence, to the last motion command.
        answered_ms: until the answer to the stop.
        confirmed: whether that said that the robot is at rest.
        after: motion commands later than a word "confirmed".
        faults: what was not as promised, e.g. a step that was taken while the latch was closed.
    """

    index: int
    what: str
    moved_ms: float
    answered_ms: float
    confirmed: bool
    after: bool
    faults: tuple[str, ...] = ()


def stops(case: int, server: "Served") -> Halt:
    """Stop the robot in motion over the stop line, from another client than the one that moves it."""
    load, rng = LOADS[case % len(LOADS)], random.Random(case)
    with server.moving() as client, _load(load, server, client):
        time.sleep(rng.uniform(0.02, 0.12))
        began = time.monotonic()
        answer = _ask(server.stop_port, "POST", "/stop", {"reason": "stress"})
        answered = time.monotonic()
        last = server.last_s.value
        time.sleep(0.02)
        after = server.last_s.value > answered and bool(answer.get("confirmed"))
        faults = tuple(_latched(server, rng))
    return Halt(
        case, load, 1000 * max(0.0, last - began), 1000 * (answered - began), bool(answer.get("confirmed")), after, faults
    )


def silence(case: int, server: "Served") -> Halt:
    """Kill or freeze the client of a robot in motion at a random moment."""
    way, rng = WAYS[case % len(WAYS)], random.Random(case)
    with server.moving() as client:
        time.sleep(rng.uniform(0.0, 0.4))
        if way == "late":
            os.kill(server.pid, signal.SIGSTOP)
            time.sleep(0.17)  # a beat is sent meanwhile
        began = time.monotonic()
        os.kill(client.pid or 0, signal.SIGKILL if way == "kill" else signal.SIGSTOP)
        if way == "late":
            time.sleep(0.25)
            os.kill(server.pid, signal.SIGCONT)
        time.sleep(1.2)
        last, health = server.last_s.value, _ask(server.port, "GET", "/health")
        moves = server.last_s.value > time.monotonic() - 0.1
        faults = [] if health["stopped"] and "silent" in health["stop_reason"] and not moves else [f"still {health}"]
        if way != "kill":
            os.kill(client.pid or 0, signal.SIGCONT)
            time.sleep(0.3)
            faults += ["moved again when it came back"] if server.last_s.value > time.monotonic() - 0.2 else []
        faults += _latched(server, rng)
    return Halt(case, way, 1000 * max(0.0, last - began), 0.0, True, False, tuple(faults))


def _latched(server: "Served", rng: random.Random) -> Iterator[str]:
    """Yield what a latched robot takes that it may not: a new step, an old one again, a step of a new lease."""
    epoch = _ask(server.port, "POST", "/lease", {"holder": "mover", "ttl_s": 5.0}).get("epoch", 0)
    for key, old in ((f"new-{rng.random()}", epoch), (f"late-{rng.random()}", epoch - 1)):
        body = {"primitive": "home", "arguments": {}, "key": key, "epoch": old}
        code = _ask(server.port, "POST", "/executions", body).get("error", {}).get("code", "taken")
        if code not in ("stopped", "stale-epoch", "no-lease"):
            yield f"a step was {code}"


@dataclass
class Served:
    """The robot's server in its own process, and what it shares.

    Args:
        last_s: when the last motion command was given.
        port, stop_port: where it listens.
        pid: of its process.
        observers: tokens that may look, besides the one that may do all.
        moves: how often it was moved.
    """

    last_s: "Synchronized[float]"
    port: int
    stop_port: int
    pid: int
    observers: tuple[str, ...] = ()
    moves: int = 0

    @contextlib.contextmanager
    def moving(self) -> Iterator[Any]:
        """Let a client in a process of its own move the robot; it is killed and the latch opened in the end."""
        self.moves += 1
        client = SPAWN.Process(target=_move, args=(self.port, f"move-{os.getpid()}-{self.moves}"), daemon=True)
        began = time.monotonic()
        client.start()
        try:
            while self.last_s.value < began:
                if time.monotonic() > began + 30.0:
                    raise TimeoutError("the robot does not move")
                time.sleep(0.002)
            yield client
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(client.pid or 0, signal.SIGKILL)
            client.join()
            _ask(self.port, "POST", "/stop")
            while _ask(self.port, "POST", "/stop/reset").get("stopped") is not False:
                time.sleep(0.01)


@contextlib.contextmanager
def served(*observers: str) -> Iterator[Served]:
    """Serve a ticking robot in a process of its own while the context is open.

    Args:
        observers: tokens that may look, besides the one that may do all.
    """
    last_s = SPAWN.Value("d", 0.0)
    near, far = SPAWN.Pipe()
    process = SPAWN.Process(target=_serve, args=(last_s, far, observers), daemon=True)
    process.start()
    try:
        port = near.recv()
        yield Served(last_s, port, int(_ask(port, "GET", "/health")["stop_port"]), process.pid or 0, observers)
    finally:
        process.kill()
        process.join()


def _serve(last_s: "Synchronized[float]", pipe: Any, observers: tuple[str, ...]) -> None:
    parent = os.getppid()
    os.setsid()  # the first process of its session, as where the session's weight counts (docs/safety.md)
    grants = [Grant.of(TOKEN, ("operate", "reset")), *(Grant.of(token, ("observe",)) for token in observers)]
    with precedence(), running_server(TickingRobot(last_s), TOKEN, access=Access(grants)) as at:  # as `vlp robot serve` does
        pipe.send(urlsplit(at.url).port)
        while os.getppid() == parent:  # it ends with whoever measures, however that dies
            time.sleep(0.5)


def _move(port: int, key: str) -> None:
    RemoteRobot(f"http://127.0.0.1:{port}", TOKEN, holder="mover").execute(Step("home", {}, key))
    time.sleep(60)  # the lease is kept until this process is killed


@contextlib.contextmanager
def _load(load: str, server: Served, client: Any) -> Iterator[None]:
    with contextlib.ExitStack() as until:
        if load == "busy":
            for _ in range(os.cpu_count() or 1):
                spinning = SPAWN.Process(target=_spin, daemon=True)
                spinning.start()
                until.callback(spinning.join)
                until.callback(spinning.kill)
            time.sleep(0.5)
        if load == "flooded":
            for port in (server.port, server.stop_port):
                for _ in range(400):
                    half = until.enter_context(socket.socket())
                    half.connect(("127.0.0.1", port))
                    half.sendall(b"POST /stop HTTP/1.1\r\nHost: ")
        if load == "frozen":
            os.kill(client.pid, signal.SIGSTOP)
        yield


def _spin() -> None:
    while True:
        sum(range(1000))


def _ask(port: int, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """Return the JSON answer of one request over a connection of its own."""
    data = json.dumps(body).encode() if body is not None else b""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head.encode() + data)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return json.loads(answer.partition(b"\r\n\r\n")[2] or b"{}")


def measure(what: str, n: int, out: Path) -> dict[str, Any]:
    """Run n cases, of which those in rows.jsonl are known, and return the summary, which is written beside them.

    Args:
        what: "stops" or "silence".
        n: cases.
        out: directory.
    """
    run = {"stops": stops, "silence": silence}[what]
    out.mkdir(parents=True, exist_ok=True)
    file = out / "rows.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    with served() as server, file.open("a") as written:
        for index in range(len(rows), n):
            rows.append(asdict(run(index, server)))
            written.write(json.dumps(rows[-1]) + "\n")
            written.flush()
            if index % 20 == 19:
                print(f"{index + 1} of {n}", file=sys.stderr, flush=True)
    groups = sorted({row["what"] for row in rows})
    summary = {what: {"all": _figures(rows), **{g: _figures([r for r in rows if r["what"] == g]) for g in groups}}}
    (out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    return summary


def _figures(rows: list[dict[str, Any]]) -> dict[str, Any]:
    after = sum(row["after"] for row in rows)
    return {
        "n": len(rows),
        "last_motion_ms": quantiles([row["moved_ms"] for row in rows]),
        "confirmed": sum(row["confirmed"] for row in rows),
        "motion_after_confirmed": after,
        "faults": sorted({fault for row in rows for fault in row["faults"]}) + ["moved after `confirmed`"] * after,
    }


def main() -> int:
    """Run from the command line; exit status 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("stops", "silence"))
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    summary = measure(options.what, options.n, options.out)
    print(json.dumps(summary, indent=2))
    figures = summary[options.what]["all"]
    return 1 if figures["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
