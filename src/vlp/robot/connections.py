"""Connections that nobody can use up: a cap, a deadline for a request's head, and room for those that have sent one."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 5.0
"""How long a connection may be silent before a request, the first one and each after it; what it begins takes 0.8 s at most."""
MOST = 256
"""Connections at one time. A process has 1,024 file handles where nobody raised that."""


class BoundedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 with a cap on connections and a deadline for heads.

    At the cap, the oldest connection that has not sent a whole head makes room: whoever speaks gets in, however many are
    silent. With none of them, the new one is closed.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let a connection in, or close it."""
        super().connection_made(transport)
        self._deadline: asyncio.TimerHandle | None = None
        self._begun = False
        if len(self.connections) > MOST:
            silent = [other for other in self._others() if other.is_silent]
            victim: Any = min(silent, key=lambda other: other.since, default=self)
            self.connections.discard(victim)  # now: that it is lost is told only after all that wait have been let in
            victim.transport.abort()
            if victim is self:
                return
        self._wait_for_head(HEAD_S)

    def data_received(self, data: bytes) -> None:
        """Take bytes in; the first one of a head sets a closer deadline, a whole head ends it."""
        super().data_received(data)
        if not self.is_silent:
            self._drop_deadline()
        elif not self._begun and not self.transport.is_closing():
            self._begun = True
            self._wait_for_head(0.8)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline with the connection."""
        self._drop_deadline()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Wait for the next request, no longer than for the first."""
        super().on_response_complete()
        self._begun = False
        if not self.transport.is_closing() and self.is_silent:
            self._wait_for_head(HEAD_S)

    @property
    def is_silent(self) -> bool:
        """Whether no request of this connection is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _others(self) -> "list[BoundedProtocol]":
        return [other for other in self.connections if isinstance(other, BoundedProtocol) and other is not self]

    def _wait_for_head(self, seconds: float) -> None:
        self._drop_deadline()
        self.since = self.loop.time()
        self._deadline = self.loop.call_later(seconds, self._too_late)

    def _too_late(self) -> None:
        if not self.transport.is_closing() and self.is_silent:
            self.transport.abort()

    def _drop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
