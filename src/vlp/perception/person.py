"""Asking the person, with a time limit, and remembering the answer."""

import threading
from collections.abc import Callable


class Person:
    """Somebody who can be asked.

    Args:
        answer: question -> answer; may block; None or "" means no answer. None when nobody is there.
    """

    def __init__(self, answer: Callable[[str], str | None] | None) -> None:
        self._answer = answer
        self._known: dict[str, str] = {}
        self._stopped = threading.Event()

    @property
    def present(self) -> bool:
        """True when there is somebody to ask."""
        return self._answer is not None

    def ask(self, question: str, timeout_s: float) -> str | None:
        """Return the answer, None when it did not come in time; a question answered before is not asked again."""
        if question in self._known or self._answer is None:
            return self._known.get(question)
        reply: list[str] = []
        done = threading.Event()
        asked = self._answer

        def wait() -> None:
            try:
                reply.append((asked(question) or "").strip()[:500])
            finally:
                done.set()

        self._stopped.clear()
        threading.Thread(target=wait, daemon=True, name="ask").start()
        slice_s, waited_s = 0.05, 0.0
        while not done.wait(slice_s) and waited_s < timeout_s and not self._stopped.is_set():
            waited_s += slice_s
        if not reply or not reply[0]:
            return None
        self._known[question] = reply[0]
        return reply[0]

    @property
    def interrupted(self) -> bool:
        """True when `interrupt` ended the last wait."""
        return self._stopped.is_set()

    def interrupt(self) -> None:
        """End a wait that is going on."""
        self._stopped.set()
