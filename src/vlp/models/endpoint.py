"""The connection to a model's server: its base URL, answers bounded in time and size, and the JSON in them."""

import contextlib
import ipaddress
import json
import os
import queue
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx

from vlp.core.errors import MissingComponent, UsageError
from vlp.models.protocol import NotInTime

Piece = bytes | Exception | None


class Deadline:
    """A limit on time that can still be drawn closer.

    Args:
        timeout_s: from now on.
    """

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self.at_s = time.monotonic() + timeout_s

    @property
    def left_s(self) -> float:
        """Seconds left; a millisecond when it has passed."""
        return max(0.001, self.at_s - time.monotonic())

    def within(self, seconds: float) -> None:
        """Draw it closer, to so many seconds from now."""
        self.at_s = min(self.at_s, time.monotonic() + seconds)


class Endpoint:
    """A server's base URL, and the client that asks it.

    Args:
        url: the base, e.g. "http://127.0.0.1:8000/v1".
        key: bearer token; None for none.

    Raises:
        UsageError: not such a URL, a key that no header can hold, or variables of the environment that make no sense.
    """

    def __init__(self, url: str, key: str | None = None) -> None:
        self.url, self.key = checked_url(url), checked_key(key)
        parts = urlsplit(self.url)
        # A compressed answer could be a thousand times larger than what was counted. A connection per request: one that was
        # kept may have been closed by the server meanwhile, and cannot be cut from outside (see `answer`).
        headers = {"Accept-Encoding": "identity", "Connection": "close"}
        headers |= {"Authorization": f"Bearer {self.key}"} if self.key else {}
        try:
            self._client = httpx.Client(
                headers=headers,
                limits=httpx.Limits(max_keepalive_connections=0),
                trust_env=not on_loopback(parts.hostname or ""),  # a proxy would ask itself for what is on this machine
                follow_redirects=False,
                verify=_certificates() if parts.scheme == "https" else False,  # without TLS there is nothing to verify
            )
        except (ValueError, ImportError, httpx.InvalidURL) as error:
            raise UsageError(
                f"the proxy in HTTP_PROXY, HTTPS_PROXY or ALL_PROXY cannot be used: {str(error)[:120].rstrip('.')}.",
                "Mend the variable, or name the server in NO_PROXY.",
            ) from None

    def answer(self, method: str, path: str, body: dict[str, Any] | None, deadline: Deadline) -> Iterator[bytes]:
        """Yield the pieces of an answer, bounded in size and, whatever the server does, in time.

        The connection is read by a thread of its own: a server that sends a byte now and then would outlast every
        time limit on single reads. Whoever goes cuts the connection, which ends the thread, whatever it waits for.

        Raises:
            MissingComponent: there is no such answer, by its cause (see `vlp.models.server_errors`).
            TimeoutError: the deadline passed.
        """
        pieces: queue.Queue[Piece] = queue.Queue(maxsize=64)
        line = _Line()
        reader = threading.Thread(target=self._read, args=(method, path, body, deadline.left_s, pieces, line), daemon=True)
        reader.start()
        size, most_bytes = 0, 8 * 1024 * 1024
        try:
            while True:
                if time.monotonic() >= deadline.at_s:  # a flood always has a piece in time
                    raise TimeoutError
                piece = pieces.get(timeout=deadline.left_s)
                if piece is None:
                    return
                if isinstance(piece, Exception):
                    from vlp.models.server_errors import broken

                    raise broken(self.url, piece, started=size > 0)
                size += len(piece)
                if size > most_bytes:
                    raise MissingComponent(f"the model server at {self.url} sent more than {most_bytes:,} bytes.")
                yield piece
        except queue.Empty:
            raise TimeoutError from None
        finally:
            line.cut()

    def read(self, method: str, path: str, body: dict[str, Any] | None, deadline: Deadline) -> Any:
        """Return a whole answer as JSON; raises as `answer` and `read_json` do."""
        return read_json(self.url, b"".join(self.answer(method, path, body, deadline)))

    def late(self, deadline: Deadline) -> NotInTime:
        """Return the error for an answer that did not come in time."""
        return NotInTime(
            f"the model server at {self.url} did not finish within {deadline.timeout_s:.1f} s.",
            "Is it overloaded? `vlp run --model-timeout-s` and `vlp ask --timeout-s` wait longer.",
        )

    def _read(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        timeout_s: float,
        pieces: "queue.Queue[Piece]",
        line: "_Line",
    ) -> None:
        def put(piece: Piece) -> None:
            while not line.gone:
                try:
                    return pieces.put(piece, timeout=0.5)
                except queue.Full:
                    continue

        limits = httpx.Timeout(None, connect=min(5.0, timeout_s))  # the line is cut in time
        traced = {"trace": line.trace}
        try:
            with self._client.stream(method, self.url + path, json=body, timeout=limits, extensions=traced) as response:
                if not 200 <= response.status_code < 300:
                    from vlp.models.server_errors import refusal

                    put(refusal(self.url + path, response.status_code, response.headers, _beginning(response), self.key))
                    return
                packed = response.headers.get("content-encoding", "identity")
                if packed != "identity":
                    put(MissingComponent(f"the model server at {self.url} sends {packed[:40]!r}, and plain was asked for."))
                    return
                for chunk in response.iter_raw():
                    put(chunk)
                    if line.gone:
                        return
            put(None)
        except Exception as error:  # handed to the caller's thread, which names it
            put(error)
        finally:
            line.close()


class _Line:
    """The connection of one request, which can be cut from another thread.

    A thread that waited for a header that drips in stayed for as long as the server wished: h11 takes 100 KB of them.

    Attributes:
        gone: whether it was cut.
    """

    def __init__(self) -> None:
        self.gone = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()  # a descriptor that was given back may be another connection's by now

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Hear from the HTTP client what it does."""
        if event.endswith("connect_tcp.complete"):
            # A descriptor of our own: TLS takes the client's own away while it shakes hands.
            self._socket = info["return_value"].get_extra_info("socket").dup()
            if self.gone:
                self.cut()

    def cut(self) -> None:
        """End whatever the connection is waited for."""
        self.gone = True
        with self._lock, contextlib.suppress(OSError):  # it is closed already
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the descriptor back."""
        with self._lock:
            if self._socket is not None:
                self._socket.close()


def checked_url(url: str) -> str:
    """Return the base of a URL, without what people paste behind it.

    Raises:
        UsageError: it is not the URL of a server.
    """
    most_chars = 2000
    parts = urlsplit(url[:most_chars])
    try:
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or parts.username or parts.query or len(url) > most_chars or not url.isprintable() or " " in url:
        raise UsageError(f"{url[:200]!r} is not the URL of a model server.", "Expected e.g. http://127.0.0.1:8000/v1.")
    base = url.rstrip("/")
    for end in ("/chat/completions", "/completions", "/models"):
        base = base.removesuffix(end)
    return base.rstrip("/")


def checked_key(key: str | None) -> str | None:
    """Return a key as a header can hold it, None for an empty one; it is never shown.

    Raises:
        UsageError: a character that no key has.
    """
    bare = (key or "").strip()
    for place, letter in enumerate(bare):
        if not "!" <= letter <= "~":
            raise UsageError(
                f"the key in VLP_MODEL_KEY has {letter!r} at place {place + 1}; keys are printable ASCII without spaces.",
                "Copy it again.",
            )
    return bare or None


def on_loopback(host: str) -> bool:
    """Return whether a host is this machine: 127.0.0.0/8 in any spelling, ::1, "localhost", or an address that means all."""
    host = host.strip("[]").rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.inet_aton(host))  # "127.1"
        except OSError:
            return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped.is_loopback or mapped.is_unspecified


def _certificates() -> ssl.SSLContext:
    """Return who is trusted: SSL_CERT_FILE or SSL_CERT_DIR where one is set, on loopback too, else the usual authorities."""
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if not file and not folder:
        return httpx.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=file or None, capath=None if file else folder)
    except OSError as error:  # an SSLError is one, too
        name, path = ("SSL_CERT_FILE", file) if file else ("SSL_CERT_DIR", folder)
        why = error.strerror or str(error)
        raise UsageError(f"{name} names {str(path)[:200]!r}, which cannot be read as certificates: {why}.") from None


def _beginning(response: httpx.Response) -> bytes:
    """Return the first bytes of an answer that says why there is none."""
    data, most_bytes = b"", 4096
    try:
        for chunk in response.iter_raw():
            data += chunk
            if len(data) >= most_bytes:
                break
    except httpx.HTTPError:
        pass  # the status is known; a reason that breaks off is told as far as it came
    return data[:most_bytes]


def read_json(url: str, data: bytes, most_bytes: int = 512 * 1024) -> Any:
    """Return what a server wrote as JSON: UTF-8, no key twice, finite numbers.

    Raises:
        MissingComponent: it is something else, by what it is, or longer: 2 MiB of empty objects took 93 MiB to read.
    """
    if len(data) > most_bytes:
        raise MissingComponent(f"the model server at {url} sent more than {most_bytes:,} bytes of JSON.")
    if data.lstrip()[:1] == b"<":
        from vlp.models.server_errors import complaint

        said = complaint(data)
        raise MissingComponent(f"the model server at {url} answered {said!r} instead of JSON.", "Is it the right URL?")
    try:
        return json.loads(data.decode(), object_pairs_hook=unique_keys, parse_constant=_constant)
    except UnicodeDecodeError:
        why = "not UTF-8"
    except RecursionError:
        why = "nested too deep"
    except json.JSONDecodeError:
        why = "not JSON"
    except ValueError as error:
        why = str(error)[:80]
    raise MissingComponent(f"the model server at {url} answered garbage ({why}): {data[:60]!r}.")


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return what JSON calls an object, from its pairs; raises ValueError for a key that comes twice."""
    data = dict(pairs)
    if len(data) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        raise ValueError(f"the key {next(name for name, count in counts.items() if count > 1)[:40]!r} twice in one object")
    return data


def _constant(word: str) -> float:
    raise ValueError(f"{word}, which JSON has not")
