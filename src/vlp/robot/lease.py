"""Who may move the robot: one holder at a time, with a fencing epoch that only grows."""

import time
from collections.abc import Callable
from typing import Any

from vlp.robot.wire import Refusal


class Lease:
    """At most one holder; each grant has a higher epoch than every grant before. Not locked: the owner locks.

    Epochs start at the wall clock's seconds, so that a restarted server refuses what was sent to its predecessor.

    Args:
        clock: monotonic seconds.
        first_epoch: the epoch below the first grant.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, first_epoch: int | None = None) -> None:
        self._clock = clock
        self.holder = ""
        self.epoch = int(time.time()) if first_epoch is None else first_epoch
        self._until = 0.0

    @property
    def live(self) -> bool:
        """Whether somebody holds it now."""
        return bool(self.holder) and self._clock() < self._until

    def acquire(self, holder: str, ttl_s: float) -> None:
        """Grant a new epoch; the same holder may take its own lease over, e.g. after a crash."""
        if self.live and self.holder != holder:
            left = self._until - self._clock()
            raise Refusal(
                409, "lease-held", f"{self.holder} holds the robot.", f"Its lease ends in {left:.1f} s unless renewed."
            )
        self.holder, self.epoch = holder, self.epoch + 1
        self._until = self._clock() + ttl_s

    def renew(self, holder: str, epoch: int, ttl_s: float) -> None:
        """Extend a live lease."""
        self.check(epoch)
        if holder != self.holder:
            raise Refusal(409, "lease-held", f"{self.holder} holds the robot, not {holder}.")
        self._until = self._clock() + ttl_s

    def release(self, holder: str, epoch: int) -> None:
        """End a live lease."""
        self.renew(holder, epoch, 0.0)
        self.holder = ""

    def check(self, epoch: int) -> None:
        """Raise Refusal unless `epoch` is that of the live lease."""
        if epoch != self.epoch:
            raise Refusal(409, "stale-epoch", f"epoch {epoch} is not that of the lease.", "Acquire a lease: POST /lease.")
        if not self.live:
            raise Refusal(409, "no-lease", "the lease has ended.", "Acquire a new one: POST /lease.")

    def to_json(self) -> dict[str, Any] | None:
        """Return the live lease as plain data, None when nobody holds it."""
        if not self.live:
            return None
        return {"holder": self.holder, "epoch": self.epoch, "expires_in_s": round(self._until - self._clock(), 3)}
