"""How often each who asks may ask."""

import math
import threading
import time
from collections.abc import Callable


class Rates:
    """A leaking bucket for each name: so many requests a second, and those of so many seconds at once.

    Args:
        rate_hz: requests a second that are let through for ever; `math.inf` lets all through.
        burst_s: seconds whose requests may come at once.
        most: names that are kept apart; all further ones share a bucket until some have been silent.
        clock: monotonic seconds.
    """

    def __init__(
        self, rate_hz: float, burst_s: float = 1.0, most: int = 1000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._each_s, self._burst_s, self._most, self._clock = 1 / rate_hz, burst_s, most, clock
        self._empty_s: dict[str, float] = {}
        """When the bucket of a name will be empty; one that is empty is as good as none."""
        self._lock = threading.Lock()

    def wait_s(self, name: str) -> float:
        """Take a request on and return 0, or return the seconds after which the next one would be let through."""
        if not self._each_s:
            return 0.0
        with self._lock:
            now_s = self._clock()
            if name not in self._empty_s and len(self._empty_s) >= self._most:
                self._empty_s = {other: empty_s for other, empty_s in self._empty_s.items() if empty_s > now_s}
                name = name if len(self._empty_s) < self._most else ""
            empty_s = max(now_s, self._empty_s.get(name, -math.inf))
            if empty_s - now_s > self._burst_s:
                return empty_s - now_s - self._burst_s
            self._empty_s[name] = empty_s + self._each_s
            return 0.0
