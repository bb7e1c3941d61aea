"""Runs a robot's server: in the foreground for a person, in a thread for tests and examples."""

import contextlib
import ipaddress
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vlp.core.errors import MissingComponent, UsageError, not_installed
from vlp.robot.access import Access
from vlp.robot.audit import Audit
from vlp.robot.executor import Executor, Waits
from vlp.robot.protocol import Robot
from vlp.robot.record import Record

if TYPE_CHECKING:
    import uvicorn


@dataclass(frozen=True)
class Address:
    """Where a server listens, and its token."""

    url: str
    token: str


def new_token() -> str:
    """Return a fresh random token; of digits and letters, since one that begins with "-" is no value of an option."""
    return secrets.token_hex(24)


@contextlib.contextmanager
def precedence(niceness: int = -10) -> Iterator[str]:
    """Give this process more weight than others have; gives what it lacks for that in words, "" when it has it.

    A stop is as late as the scheduler makes it: beside programs that keep every core busy, at the same weight, the last motion
    command came up to 36 ms after a stop, and within 15 ms without them. Where the kernel groups programs by session
    (sched_autogroup), niceness counts inside the session alone, so the session gets the weight too; but only by its first
    process, which ends it. A session that a shell has begun is shared: its weight would outlive this process, and stay for good
    after a kill.

    Threads that were started before keep the weight that they have: enter it before the robot is opened.
    """
    group = Path("/proc/self/autogroup")
    before = group.read_text().split()[-1:] if group.exists() and _by_session() else []
    leads = os.getsid(0) == os.getpid()
    try:
        os.setpriority(os.PRIO_PROCESS, 0, min(niceness, os.getpriority(os.PRIO_PROCESS, 0)))
        if before and leads:
            group.write_text(str(min(niceness, int(before[0]))))
    except OSError:
        yield f"niceness {niceness} is not permitted"
        return
    try:
        yield "" if leads or not before else "this kernel shares the processor by session, and a shell has begun this one"
    finally:
        if before and leads:
            with contextlib.suppress(OSError):
                group.write_text(before[0])


def _by_session() -> bool:
    enabled = Path("/proc/sys/kernel/sched_autogroup_enabled")
    return enabled.exists() and enabled.read_text().strip() == "1"


def serve(
    robot: Robot,
    access: Access,
    host: str = "127.0.0.1",
    port: int = 8765,
    stop_port: int = 0,
    allow_remote: bool = False,
    record: Path | None = None,
    listening: Callable[[], object] = lambda: None,
    **waits_s: float,
) -> None:
    """Serve a robot until interrupted.

    Args:
        robot: the body.
        access: who may ask what.
        host: address to listen on; other than loopback only with `allow_remote`.
        port: TCP port.
        stop_port: TCP port of the stop line; 0 takes a free one, which `GET /health` tells.
        allow_remote: the person accepts that tokens and images travel unencrypted.
        record: the file that keeps latch, epochs and keys over restarts; the audit log is beside it. None forgets them.
        listening: called as soon as the ports are taken.
        waits_s: other bounds in seconds than `Waits` has by default.

    Raises:
        UsageError: a bad address, or a port that cannot be listened on.
        MissingComponent: the `robot` extra is not installed, or the record cannot be written.
    """
    if not allow_remote and not _is_loopback(host):
        raise UsageError(f"{host!r} is not a loopback address.", "Use 127.0.0.1, or --allow-remote (`allow_remote=True`).")
    with _server(robot, access, (_listen(host, port), _listen(host, stop_port)), record, Waits(**waits_s)) as run:
        listening()
        run()


@contextlib.contextmanager
def running_server(
    robot: Robot, token: str = "", port: int = 0, record: Path | None = None, access: Access | None = None, **waits_s: float
) -> Iterator[Address]:
    """Serve a robot on loopback from a thread while the context is open.

    Args:
        robot: the body.
        token: bearer token that allows everything; "" makes a new one.
        port: TCP port; 0 takes a free one.
        record, waits_s: as for `serve`.
        access: who may ask what, where it is not the holder of the token alone.
    """
    token = token or new_token()
    listeners = (_listen("127.0.0.1", port), _listen("127.0.0.1", 0))
    with _server(robot, access or Access.of(token, token), listeners, record, Waits(**waits_s)) as run:
        thread = threading.Thread(target=run, name="robot-server", daemon=True)
        thread.start()
        try:
            while not run.server.started:
                if not thread.is_alive():
                    raise MissingComponent("the robot's server did not start.")
                time.sleep(0.005)
            yield Address(f"http://127.0.0.1:{listeners[0].getsockname()[1]}", token)
        finally:
            run.server.should_exit = True
            thread.join(5.0)
            if thread.is_alive():
                run.server.force_exit = True
                thread.join(5.0)


@dataclass(frozen=True)
class _Run:
    server: "uvicorn.Server"
    listener: socket.socket

    def __call__(self) -> None:
        self.server.run(sockets=[self.listener])


@contextlib.contextmanager
def _server(
    robot: Robot,
    access: Access,
    listeners: tuple[socket.socket, socket.socket],
    record: Path | None,
    waits: Waits,
) -> Iterator[_Run]:
    with contextlib.ExitStack() as until:
        for listener in listeners:
            until.callback(listener.close)
        try:
            import uvicorn

            from vlp.robot.connections import BoundedProtocol
            from vlp.robot.server import create_app
            from vlp.robot.stop_line import StopLine
        except ImportError as error:
            raise not_installed("serving needs", error, "robot") from None
        kept = until.enter_context(contextlib.closing(Record(record)))
        audit = until.enter_context(contextlib.closing(Audit(record.with_suffix(".audit.jsonl") if record else None)))
        executor = until.enter_context(contextlib.closing(Executor(robot, kept, waits)))
        executor.start()
        line = until.enter_context(contextlib.closing(StopLine(listeners[1], executor, access, audit)))
        app = create_app(executor, access, audit, stop_port=line.port)
        config = uvicorn.Config(
            app,
            http=BoundedProtocol,
            log_level="error",
            access_log=False,
            ws="none",
            lifespan="off",
            proxy_headers=False,  # whoever asks names no other address
            timeout_graceful_shutdown=1,
        )
        yield _Run(uvicorn.Server(config), listeners[0])


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise UsageError(f"port {port} is not in 0 to 65535.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, else Nagle's delay stays on
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise UsageError(f"cannot listen on {host}:{port}: {error.strerror}.", "Choose another port.") from None
    return listener


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
