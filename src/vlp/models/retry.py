"""A model asked again when its server could not be reached, or asked to come back."""

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from vlp.core.errors import MissingComponent
from vlp.core.messages import Message
from vlp.models.protocol import Busy, Model, ModelUnreachable, Reply

T = TypeVar("T")
Tell = Callable[[str], None]
"""Told, in one line, what a person should know while they wait."""

BUSY_S = 30.0
"""How long a server is asked again and again while it keeps saying that it is busy."""
LONGEST_PAUSE_S = 8.0


def say_nothing(line: str) -> None:
    """Tell nobody."""


def patiently(
    call: Callable[[float], T], timeout_s: float, tell: Tell = say_nothing, *, attempts: int = 1, pause_s: float = 0.5
) -> T:
    """Return what a call to a server gives, made again while the server is busy or, a few times, cannot be reached.

    Args:
        call: told the seconds that are left.
        timeout_s: limit on all attempts and pauses together.
        tell: told what is waited for.
        attempts: how often a server that cannot be reached is tried.
        pause_s: wait before the second attempt, where the server does not say how long; twice as long before each further one.

    Raises:
        MissingComponent: still busy at the end of the limit, or when it would be; or whatever the call raised.
    """
    started = time.monotonic()
    asked, told = 0, ""
    while True:
        spent_s = time.monotonic() - started
        asked += 1
        wait_s = min(pause_s * 2 ** min(asked - 1, 20), LONGEST_PAUSE_S)
        try:
            return call(timeout_s - spent_s)
        except Busy as error:
            # Who asks for no pause again and again is not asked faster and faster.
            wait_s = wait_s if error.wait_s is None else max(error.wait_s, wait_s / 10)
            spent_s = time.monotonic() - started
            if spent_s >= BUSY_S or spent_s + wait_s >= timeout_s:
                raise _gave_up(error, asked, spent_s, wait_s, timeout_s) from None
            if error.message != told:  # once: with a short Retry-After the same line would come every second
                tell(f"waiting, and asking again for up to {min(BUSY_S, timeout_s):.0f} s: {error.message}")
                told = error.message
        except ModelUnreachable:
            if asked >= attempts or time.monotonic() - started + wait_s >= timeout_s:
                raise
        time.sleep(wait_s)


class RetryingModel:
    """Wraps a model: asks again after connection errors, and while its server is busy; a reply or a time-out is never repeated.

    Args:
        model: the model.
        attempts: how often it is asked at most when it cannot be reached.
        pause_s: wait before the second attempt; twice as long before each further one.
        tell: told what is waited for.
    """

    def __init__(self, model: Model, attempts: int = 3, pause_s: float = 0.5, tell: Tell = say_nothing) -> None:
        self.model, self.attempts, self.pause_s, self.tell = model, attempts, pause_s, tell
        self.name, self.profile, self.can = model.name, model.profile, model.can

    def generate(
        self,
        messages: Sequence[Message],
        *,
        grammar: dict[str, Any] | None = None,
        draft: str | None = None,
        max_tokens: int = 1024,
        timeout_s: float = 60.0,
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """Return the model's reply; all attempts share one time limit."""

        def ask(left_s: float) -> Reply:
            return self.model.generate(
                messages, grammar=grammar, draft=draft, max_tokens=max_tokens, timeout_s=left_s, on_text=on_text
            )

        return patiently(ask, timeout_s, self.tell, attempts=self.attempts, pause_s=self.pause_s)


def _gave_up(error: Busy, asked: int, spent_s: float, wait_s: float, timeout_s: float) -> MissingComponent:
    times = "once" if asked == 1 else f"{asked} times in {spent_s:.0f} s"
    if error.wait_s is not None and wait_s > timeout_s:
        return MissingComponent(
            f"{error.message} It asks to come back in {wait_s:.0f} s; the time limit is {timeout_s:.0f} s.", error.hint
        )
    return MissingComponent(f"{error.message} It was asked {times}.", error.hint)
