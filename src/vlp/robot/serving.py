"""Runs a robot's server: in the foreground for a person, in a thread for tests and examples."""

import contextlib
import ipaddress
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vlp.core.errors import MissingComponent, UsageError, not_installed
from vlp.robot.protocol import Robot

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


def serve(robot: Robot, token: str, host: str = "127.0.0.1", port: int = 8765, allow_remote: bool = False) -> None:
    """Serve a robot until interrupted.

    Args:
        robot: the body.
        token: bearer token.
        host: address to listen on; other than loopback only with `allow_remote`.
        port: TCP port.
        allow_remote: the person accepts that the token and images travel unencrypted.

    Raises:
        UsageError: a bad address or token, or a port that cannot be listened on.
        MissingComponent: the `robot` extra is not installed.
    """
    if not allow_remote and not _is_loopback(host):
        raise UsageError(f"{host!r} is not a loopback address.", "Use 127.0.0.1, or allow remote clients explicitly.")
    _server(robot, token).run(sockets=[_listen(host, port)])


@contextlib.contextmanager
def running_server(robot: Robot, token: str = "", port: int = 0, **bounds_s: float) -> Iterator[Address]:
    """Serve a robot on loopback from a thread while the context is open.

    Args:
        robot: the body.
        token: bearer token; "" makes a new one.
        port: TCP port; 0 takes a free one.
        bounds_s: other waits in seconds than `vlp.robot.server.create_app` has by default.
    """
    token = token or new_token()
    listener = _listen("127.0.0.1", port)
    server = _server(robot, token, **bounds_s)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="robot-server", daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise MissingComponent("the robot's server did not start.")
            time.sleep(0.005)
        yield Address(f"http://127.0.0.1:{listener.getsockname()[1]}", token)
    finally:
        server.should_exit = True
        thread.join(5.0)
        if thread.is_alive():
            server.force_exit = True
            thread.join(5.0)
        listener.close()


def _server(robot: Robot, token: str, **bounds_s: float) -> "uvicorn.Server":
    try:
        import uvicorn

        from vlp.robot.server import create_app
    except ImportError as error:
        raise not_installed("serving needs", error, "robot") from None
    app = create_app(robot, token, **bounds_s)
    config = uvicorn.Config(app, log_level="warning", access_log=False, ws="none", timeout_graceful_shutdown=1)
    return uvicorn.Server(config)


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
