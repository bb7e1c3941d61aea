"""The last few things that were made from something, by a hash of all its content."""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """Values by key, of which the last ones that were asked for are kept; safe to use from several threads.

    No more values are made at a time than there are processors: who asked first goes on first, instead of all of them late.

    Args:
        most: how many.
    """

    def __init__(self, most: int = 4) -> None:
        self._most, self._lock = most, threading.Lock()
        self._making = threading.Semaphore(len(os.sched_getaffinity(0)))
        self._values: OrderedDict[str, T] = OrderedDict()

    def get(self, key: str, make: Callable[[], T]) -> T:
        """Return the value of a key, made where it is not kept."""
        if (kept := self._kept(key)) is not None:
            return kept
        with self._making:
            kept = self._kept(key)  # by a thread that was here before
            value = make() if kept is None else kept
        with self._lock:
            self._values[key] = value
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        return value

    def _kept(self, key: str) -> T | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._values.clear()
