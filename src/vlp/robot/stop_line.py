"""The way of a stop that nothing else is on: a port of its own, served by one thread that does nothing else."""

import contextlib
import json
import logging
import selectors
import socket
import threading
import time
from dataclasses import dataclass, field

from vlp.robot.access import Access
from vlp.robot.audit import Audit
from vlp.robot.executor import Executor, Stopping
from vlp.robot.wire import Refusal

log = logging.getLogger(__name__)
MOST = 32
"""Connections at one time; at more, the oldest that waits for its request makes room."""
REQUEST_S = 1.0
"""How long a connection may take to send its request."""
CONFIRM_S = 1.0
"""How long an answer waits for the robot to come to rest."""


@dataclass
class _Line:
    """One connection."""

    connection: socket.socket
    until_s: float
    got: bytearray = field(default_factory=bytearray)
    stopper: Stopping | None = None
    """The robot's stop that this connection waits for."""


class StopLine:
    """Serves `POST /stop` on a listening socket, beside the same route of the whole server.

    Stopping takes no lock that a step, a model, a disk or another request could hold.

    Args:
        listener: the socket; it is closed by `close`.
        executor: whom to tell.
        access: who may stop.
        audit: hears of every request.
    """

    def __init__(self, listener: socket.socket, executor: Executor, access: Access, audit: Audit) -> None:
        self._listener, self._executor, self._access, self._audit = listener, executor, access, audit
        self._lines: dict[socket.socket, _Line] = {}
        self._selector = selectors.DefaultSelector()
        self._closed = threading.Event()
        listener.listen(128)
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, name="robot-stop-line", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The TCP port."""
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """End the thread and close the connections."""
        self._closed.set()
        self._thread.join(1.0)

    def _serve(self) -> None:
        while not self._closed.is_set():
            waits = any(line.stopper for line in self._lines.values())
            for key, _ in self._selector.select(0.002 if waits else 0.1):
                try:
                    self._accept() if key.fileobj is self._listener else self._read(self._lines[key.fileobj])  # type: ignore[index]
                except Exception:  # one connection never ends the line
                    log.exception("a connection to the stop line failed")
            for line in list(self._lines.values()):
                self._tend(line)
        for line in list(self._lines.values()):
            self._drop(line)
        self._selector.close()
        self._listener.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # gone again, or no handle is free: the next round
            return
        connection.setblocking(False)
        if len(self._lines) >= MOST:
            waiting = [line for line in self._lines.values() if line.stopper is None]
            self._drop(waiting[0] if waiting else next(iter(self._lines.values())))
        self._lines[connection] = _Line(connection, time.monotonic() + REQUEST_S)
        self._selector.register(connection, selectors.EVENT_READ)

    def _read(self, line: _Line) -> None:
        try:
            data = line.connection.recv(8192)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data or len(line.got) + len(data) > 8192:
            self._drop(line)
            return
        line.got += data
        if line.stopper is None and _is_whole(line.got):
            self._request(line)

    def _request(self, line: _Line) -> None:
        by = ""
        try:
            first, headers, body = _parsed(bytes(line.got))
            self._access.check_origin(headers)
            if first != ("POST", "/stop"):
                raise Refusal(404, "no-such-route", "here is POST /stop and nothing else.", "The robot's server has the rest.")
            grant = self._access.known(headers.get(b"authorization", b""))
            by = grant.name
            grant.check("stop")
        except Refusal as refusal:
            self._audit.note(by=by, path="stop line", status=refusal.status, code=refusal.code)
            self._answer(line, refusal.status, refusal.to_json())
            return
        line.stopper = self._executor.stop(reason_in(body))
        line.until_s = time.monotonic() + CONFIRM_S
        self._audit.note(by=by, path="stop line", status=200)

    def _tend(self, line: _Line) -> None:
        """Answer a connection that waits when the robot is at rest, or its time is over."""
        late = time.monotonic() > line.until_s
        if line.stopper is None:
            if late:
                self._drop(line)
            return
        standing = self._executor.standing(line.stopper)
        if late or not standing:
            self._answer(line, 200, self._executor.stop_body(standing))

    def _answer(self, line: _Line, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        head = f"HTTP/1.1 {status} {'OK' if status == 200 else 'Refused'}\r\nContent-Type: application/json\r\n"
        with contextlib.suppress(OSError):  # whoever asked may have gone; the robot is stopped
            line.connection.send(f"{head}Content-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode() + data)
        self._drop(line)

    def _drop(self, line: _Line) -> None:
        self._lines.pop(line.connection, None)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(line.connection)
        line.connection.close()


def _is_whole(got: bytearray) -> bool:
    """Return whether a request's head has come, with as much body as it announces."""
    head, end, body = bytes(got).partition(b"\r\n\r\n")
    if not end:
        return False
    length = _headers(head).get(b"content-length", b"0")
    return not length.isdigit() or len(body) >= int(length[:6])


def _parsed(got: bytes) -> tuple[tuple[str, str], dict[bytes, bytes], bytes]:
    head, _, body = got.partition(b"\r\n\r\n")
    words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    method, target = (words[0], words[1]) if len(words) == 3 else ("", "")
    return (method, target.partition("?")[0]), _headers(head), body


def _headers(head: bytes) -> dict[bytes, bytes]:
    pairs = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def reason_in(body: bytes) -> str:
    """Return the reason in the body of a stop, "" where there is none: a stop is never refused for what it says."""
    try:
        value = json.loads(body)
        return "".join(c for c in str(value["reason"])[:200] if c.isprintable())
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
