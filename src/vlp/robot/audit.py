"""What was asked of a robot's server, by whom, and what came of it: a line each, without secrets."""

import json
import logging
import threading
import time
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Any

log = logging.getLogger(__name__)


class Audit:
    """A file of JSON lines, written by a thread of its own, so that no request waits for a disk.

    It is renamed to NAME.1 when it has 8 MB, over the one before; lines that come faster than they can be written are counted
    and left out.

    Args:
        path: the file; None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lines: Queue[dict[str, Any]] = Queue(maxsize=1000)
        self._left_out = 0
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._write, name="robot-audit", daemon=True)
        if path is not None:
            self._thread.start()

    def note(self, **line: Any) -> None:
        """Take a line on; returns at once."""
        if self.path is None:
            return
        try:
            self._lines.put_nowait({"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **line})
        except Full:
            self._left_out += 1

    def close(self) -> None:
        """Write what is left."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def _write(self) -> None:
        while not self._closed.is_set() or not self._lines.empty():
            try:
                lines = [self._lines.get(timeout=0.2)]
            except Empty:
                continue
            while not self._lines.empty():
                lines.append(self._lines.get())
            if self._left_out:
                lines.append({"left_out": self._left_out})
                self._left_out = 0
            self._append("".join(json.dumps(line) + "\n" for line in lines))

    def _append(self, text: str) -> None:
        assert self.path is not None
        try:
            if self.path.exists() and self.path.stat().st_size > 8_000_000:
                self.path.replace(self.path.with_name(self.path.name + ".1"))
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            log.error("the audit log was not written: %s", error)
