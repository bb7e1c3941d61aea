"""Who may move the robot: one holder at a time, with a fencing epoch that only grows."""

import math
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from vlp.robot.wire import Refusal


class Lease:
    """At most one holder; each grant has a higher epoch than every grant before. Not locked: the owner locks.

    Args:
        next_epoch: gives the epoch of a new grant, higher than every one before, those of earlier processes too.
        clock: monotonic seconds.

    Attributes:
        heard_s: when what was heard last of the holder was sent, by the clock.
    """

    def __init__(self, next_epoch: Callable[[], int], clock: Callable[[], float] = time.monotonic) -> None:
        self._next_epoch, self._clock = next_epoch, clock
        self.holder = ""
        self.epoch = 0
        self.heard_s = -math.inf
        self._ways_s: deque[float] = deque(maxlen=256)
        """From the holder's clock to this one, with the way, of each word lately; the least is of one that waited nowhere."""
        self._until = 0.0

    @property
    def live(self) -> bool:
        """Whether somebody holds it now."""
        return bool(self.holder) and self._clock() < self._until

    def acquire(self, holder: str, ttl_s: float, sent_s: float | None = None) -> None:
        """Grant a new epoch; the same holder may take its own lease over, e.g. after a crash."""
        if self.live and self.holder != holder:
            left = self._until - self._clock()
            raise Refusal(
                409, "lease-held", f"{self.holder} holds the robot.", f"Its lease ends in {left:.1f} s unless renewed."
            )
        self.epoch = self._next_epoch()  # it may raise: then the lease is as it was
        self.holder = holder
        self._ways_s.clear()
        self._extend(ttl_s, sent_s)

    def renew(self, holder: str, epoch: int, ttl_s: float, sent_s: float | None = None) -> None:
        """Extend a live lease."""
        self.check(epoch)
        if holder != self.holder:
            raise Refusal(409, "lease-held", f"{self.holder} holds the robot, not {holder}.")
        self._extend(ttl_s, sent_s)

    def release(self, holder: str, epoch: int) -> None:
        """End a live lease."""
        self.renew(holder, epoch, 0.0)
        self.holder = ""

    def lapse(self) -> None:
        """End the lease whoever has it."""
        self.holder = ""

    def hear(self, sent_s: float | None) -> None:
        """Note that the holder lives, or did when it sent this: on a busy machine or network it may have died since.

        Args:
            sent_s: by its own monotonic clock; None where it does not tell counts as now.
        """
        now_s = self._clock()
        late_s = 0.0
        if sent_s is not None:
            self._ways_s.append(now_s - sent_s)
            late_s = self._ways_s[-1] - min(self._ways_s)
        self.heard_s = max(self.heard_s, now_s - late_s)

    def _extend(self, ttl_s: float, sent_s: float | None) -> None:
        self.hear(sent_s)
        self._until = self.heard_s + ttl_s

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
