"""Connections that end by a moment: time limits of httpx are for each wait, so that a server that drips bytes outlasts them."""

import time
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx


def until(end_s: float) -> httpx.Timeout:
    """Return the time limits of an exchange over `DeadlineTransport` that ends by then, by the monotonic clock."""
    return httpx.Timeout(end_s, pool=max(end_s - time.monotonic(), 0.001))


class DeadlineTransport(httpx.HTTPTransport):
    """httpx's transport, whose time limits for connecting, reading and writing are moments by the monotonic clock.

    Args:
        verify: whether certificates are checked.
    """

    def __init__(self, verify: bool) -> None:
        super().__init__(verify=verify, trust_env=False)
        self._pool._network_backend = _Backend()  # httpx has no argument for it


class _Backend(httpcore.SyncBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(super().connect_tcp(host, port, _left_s(timeout), local_address, socket_options))


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left_s(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left_s(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> "_Stream":
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _left_s(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left_s(end_s: float | None) -> float | None:
    """Return the seconds until a moment; at least 1 ms, since a socket with none does not block at all."""
    return None if end_s is None else max(end_s - time.monotonic(), 0.001)
