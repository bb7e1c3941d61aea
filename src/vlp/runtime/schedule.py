"""Changes that are to happen midway: a new sentence or a scripted event after so many steps."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from vlp.core.errors import UsageError
from vlp.journal import Event
from vlp.prompt.bounds import clean_instruction

MAX_WAITING = 32


@dataclass(frozen=True)
class Change:
    """One change to come.

    Args:
        after_steps: happens at the first boundary with at least so many finished steps.
        what: "instruction" or "event".
        text: the new sentence, or the event's words.
    """

    after_steps: int
    what: str
    text: str

    @classmethod
    def parse(cls, what: str, text: str) -> "Change":
        """Return the change that "STEP: words" spells.

        Raises:
            UsageError: no such form.
        """
        number, colon, words = text.partition(":")
        if not colon or not number.strip().isdigit() or not words.strip() or len(number) > 6:
            raise UsageError(f"{text[:100]!r} is not a change midway.", 'Expected "STEP: words", e.g. "2: stop".')
        return cls(int(number), what, words.strip())

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)


class Inbox:
    """Where new sentences wait for the next step boundary; any thread may put one in."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._lock = threading.Lock()

    def put(self, text: str) -> str:
        """Take a sentence and return it cleaned; raises UsageError for one that is empty, too long or unreadable."""
        clean = clean_instruction(text)
        with self._lock:
            if len(self._waiting) >= MAX_WAITING:
                raise UsageError(f"{MAX_WAITING} instructions wait already.", "Wait for the next step to end.")
            self._waiting.append(clean)
        return clean

    def take(self) -> list[str]:
        """Return what waits, oldest first, and empty the box."""
        with self._lock:
            texts = list(self._waiting)
            self._waiting.clear()
        return texts


class Schedule:
    """Scripted changes of one run.

    Args:
        changes: in any order.
        apply_event: carries out an event on the scene and returns what it did.

    Raises:
        UsageError: an event and nothing that could carry it out, or a sentence that is no instruction.
    """

    def __init__(self, changes: Sequence[Change] = (), apply_event: Callable[[str], Any] | None = None) -> None:
        self.changes = tuple(sorted(changes, key=lambda c: c.after_steps))
        self._apply = apply_event
        for change in self.changes:
            if change.what == "instruction":
                clean_instruction(change.text)
            elif apply_event is None:
                raise UsageError(f"this robot's world takes no events: {change.text[:100]!r}.")

    def due(self, steps: int, said: Sequence[str]) -> list[tuple[str, Change]]:
        """Return the changes to happen now, each with the mark that says it has: those after `steps`, not in `said`."""
        marked = [(f"scheduled {n}", change) for n, change in enumerate(self.changes)]
        return [(mark, change) for mark, change in marked if change.after_steps <= steps and mark not in said]

    def event(self, mark: str, change: Change) -> Event:
        """Let a change happen and return the event that says so."""
        if change.what == "instruction":
            return Event("instruction", {"text": clean_instruction(change.text), "source": mark})
        assert self._apply is not None
        detail = self._apply(change.text)
        data = {"text": change.text, "after_steps": change.after_steps, "source": mark, "detail": detail}
        return Event("world-event", data)
