"""Changes that are to happen midway: a new sentence or a scripted event after so many steps."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vlp.core.errors import UsageError
from vlp.core.instruction import Instruction
from vlp.journal import Event

MAX_WAITING = 32


@dataclass(frozen=True)
class Change:
    """One change to come.

    Args:
        after_steps: happens at the first boundary with at least so many finished steps.
        what: a new instruction, or the words of a scripted event.
    """

    after_steps: int
    what: Instruction | str

    @classmethod
    def parse(cls, text: str, *, instruction: bool) -> "Change":
        """Return the change that "STEP: words" spells, where the words are an instruction or an event.

        Raises:
            UsageError: no such form, or the words are no instruction.
        """
        number, colon, words = text.partition(":")
        if not colon or not number.strip().isdigit() or not words.strip() or len(number) > 6:
            raise UsageError(f"{text[:100]!r} is not a change midway.", 'Expected "STEP: words", e.g. "2: stop".')
        return cls(int(number), Instruction.of(words) if instruction else words.strip())

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        what = "instruction" if isinstance(self.what, Instruction) else "event"
        return {"after_steps": self.after_steps, "what": what, "text": str(self.what)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Change":
        """Return the change that `to_json` wrote."""
        return cls(data["after_steps"], Instruction(data["text"]) if data["what"] == "instruction" else data["text"])


class Inbox:
    """Where new sentences wait for the next step boundary; any thread may put one in."""

    def __init__(self) -> None:
        self._waiting: deque[Instruction] = deque()
        self._lock = threading.Lock()

    def put(self, said: Instruction) -> None:
        """Take an instruction; raises UsageError when too many wait already."""
        with self._lock:
            if len(self._waiting) >= MAX_WAITING:
                raise UsageError(f"{MAX_WAITING} instructions wait already.", "Wait for the next step to end.")
            self._waiting.append(said)

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        with self._lock:
            return not self._waiting

    def take(self) -> list[Instruction]:
        """Return what waits, oldest first, and empty the box."""
        with self._lock:
            waiting = list(self._waiting)
            self._waiting.clear()
        return waiting


class Schedule:
    """Scripted changes of one run.

    Args:
        changes: in any order.
        apply_event: carries out an event on the scene and returns what it did.

    Raises:
        UsageError: an event, and nothing that could carry it out.
    """

    def __init__(self, changes: Sequence[Change] = (), apply_event: Callable[[str], Any] | None = None) -> None:
        self._changes: list[tuple[str, Change]] = []
        self._apply = apply_event
        for n, change in enumerate(sorted(changes, key=lambda c: c.after_steps)):
            mark = f"scheduled {n}"
            if isinstance(change.what, Instruction):
                change = replace(change, what=replace(change.what, source=mark))
            elif apply_event is None:
                raise UsageError(f"this robot's world takes no events: {change.what[:100]!r}.")
            self._changes.append((mark, change))

    def due(self, steps: int, said: Sequence[str]) -> list[tuple[str, Change]]:
        """Return the changes to happen now, each with the mark that says it has: those after `steps`, not in `said`."""
        return [(mark, change) for mark, change in self._changes if change.after_steps <= steps and mark not in said]

    def happen(self, mark: str, change: Change) -> Event:
        """Let a scripted event happen, and return the journal's event that says so."""
        assert self._apply is not None
        text = str(change.what)
        data = {"text": text, "after_steps": change.after_steps, "source": mark, "detail": self._apply(text)}
        return Event("world-event", data)
