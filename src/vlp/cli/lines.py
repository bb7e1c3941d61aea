"""Answers from standard input where it is no terminal that can be drawn on: one line for each question."""

from __future__ import annotations

import contextlib
import os
import queue
import stat
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from vlp.core.errors import UsageError, VlpError
from vlp.journal import Event

if TYPE_CHECKING:
    from vlp.runtime.run import Run


class Lines:
    """Reads a line whenever a run asks whether it may begin, and answers with it; the end of the input is a no.

    Args:
        stream: where the lines come from.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._asked: queue.SimpleQueue[bool] = queue.SimpleQueue()

    @classmethod
    def of_input(cls) -> Lines:
        """Return the lines of standard input.

        Raises:
            UsageError: nobody can answer there.
        """
        if sys.stdin is None or not _gives_lines(sys.stdin):
            raise UsageError(
                "--confirm always waits for an answer, and standard input is neither a terminal nor gives lines.",
                "Run it in a terminal, or pipe answers in: echo yes | vlp run ... From Python, `Run.answer` answers.",
            )
        return cls(sys.stdin)

    def on_event(self, event: Event) -> None:
        """Read on when something was asked."""
        if event.kind == "confirm-asked":
            self._asked.put(True)

    @contextlib.contextmanager
    def listening(self, run: Run) -> Iterator[None]:
        """Answer for a run while the context is open."""
        thread = threading.Thread(target=self._answer, args=(run,), name="answers", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._asked.put(False)

    def _answer(self, run: Run) -> None:
        while self._asked.get():
            while run.proposal is not None:
                line = self._stream.readline()
                try:
                    if not line:
                        run.answer(False, "the end of standard input")
                    elif line.strip():
                        run.answer(line.strip(), "standard input")
                except VlpError as error:
                    print(f"vlp: not taken: {' '.join(str(error).split())}", file=sys.stderr, flush=True)


def _gives_lines(stream: TextIO) -> bool:
    """Return whether something can come from a stream: /dev/null and the like give nothing, at once and for ever."""
    try:
        return stream.isatty() or not stat.S_ISCHR(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):  # closed, or no file at all
        return False
