"""Events go to the journal first, then to whoever listens; and how a run ended, in one sentence."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from vlp.core.errors import VlpError
from vlp.journal import Event, Journal


@dataclass(frozen=True)
class Outcome:
    """How a run ended, as the system itself judges it.

    Args:
        outcome: "success", "failure", "stopped" or "timeout".
        reason: one sentence; "" when all went well.
        claim: what the last policy says of the task: "done", "already", "cannot" or "asks"; "" when there was none.
        checked: how many checks of the last policy held.
        verdict: the true state's own answer, None where nobody knows it.
        error: what ended the run, when it was an error a person can act on.
    """

    outcome: str
    reason: str = ""
    claim: str = ""
    checked: int = 0
    verdict: bool | None = None
    error: VlpError | None = field(default=None, compare=False)

    @property
    def account(self) -> str:
        """What is known, in one sentence: how it ended, what the robot checked, and what the true state says."""
        held = "1 check of the robot held" if self.checked == 1 else f"{self.checked} checks of the robot held"
        checks = held if self.checked else "nothing was checked"
        done = {"done": f"every step succeeded and {checks}", "already": f"it is so already, {checks}"}
        known = done.get(self.claim, checks) if self.outcome == "success" else self.reason.rstrip(".")
        states = {
            None: "",
            True: "; in the true state the task is done" if self.claim != "cannot" else "; the true state agrees",
            False: "; in the true state the task is not done",
        }
        return f"{self.outcome}: {known}{states[self.verdict]}" if known else f"{self.outcome}{states[self.verdict]}"


class Subscriber(Protocol):
    """Something that follows a run: a display, a recording, a measurement; one with a method `close` is closed at the end."""

    def on_event(self, event: Event) -> None:
        """Take note of one event; called in order, from the thread of the loop."""
        ...


class Judge(Subscriber, Protocol):
    """The first subscriber of a run whose scene is simulated: it knows the true state."""

    def apply(self, text: str) -> Any:
        """Carry out a scripted event on the scene, and return what it did."""
        ...

    def __call__(self) -> bool | None:
        """Return whether the task is done now; None when nobody can say."""
        ...


class Bus:
    """Writes events and passes them on; the loop knows no other way to say something.

    Args:
        journal: written first; an event that it refuses has not happened.
        inner: subscribers that the run depends on (its memory); their errors end the run.
        outer: subscribers that only show; one that fails is dropped with a note.
        judge: hears of everything before those; one that failed judges no more.
    """

    def __init__(
        self, journal: Journal, inner: Sequence[Subscriber], outer: Sequence[Subscriber] = (), judge: Judge | None = None
    ) -> None:
        self.journal = journal
        self.inner = tuple(inner)
        self.outer: list[Subscriber] = [*([judge] if judge else []), *outer]
        self._all, self._judge = tuple(self.outer), judge

    def emit(self, *events: Event) -> None:
        """Write events as one group, then pass each on.

        Raises:
            JournalError: nothing was written and nobody was told.
        """
        for event in self.journal.append(*events):
            for subscriber in self.inner:
                subscriber.on_event(event)
            self.show(event)

    def show(self, event: Event) -> None:
        """Pass an event that is in the journal already to those that only show."""
        for subscriber in list(self.outer):
            try:
                subscriber.on_event(event)
            except Exception as error:  # a broken display must not stop a robot's run
                self.outer.remove(subscriber)
                text = f"{type(subscriber).__name__} failed and was dropped: {type(error).__name__}: {error}"
                self.emit(Event("note", {"text": text[:500]}))

    def verdict(self) -> bool | None:
        """Return the judge's answer, None where there is none."""
        return self._judge() if self._judge is not None and self._judge in self.outer else None

    def close(self) -> None:
        """Close the subscribers that can be closed, and the journal."""
        for subscriber in self._all:
            close = getattr(subscriber, "close", None)
            if callable(close):
                close()
        self.journal.close()
