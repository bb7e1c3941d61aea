"""What makes something a model: one method, what it can do, how it fails, and how it is asked again."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from vlp.core.errors import MissingComponent, TaskFailed
from vlp.core.images import ImageView
from vlp.core.messages import Message, Names

T = TypeVar("T")

Tell = Callable[[str], None]
"""Told, in one line, what a person should know while they wait."""


class ModelUnreachable(MissingComponent):
    """The model's server could not be reached, or hung up before its reply was whole: asking again does no harm."""


class NotConnected(ModelUnreachable):
    """Nobody takes connections at the server's address: nothing was asked."""


class NotInTime(MissingComponent):
    """The model's server gave no whole reply within the time limit."""


class Busy(MissingComponent):
    """The model is there and asks to come back: its server loads it, or limits requests.

    Args:
        message: what it said.
        hint: the next step.
        wait_s: how long it asks to wait; None when it did not say.
    """

    def __init__(self, message: str, hint: str = "", wait_s: float | None = None) -> None:
        super().__init__(message, hint)
        self.wait_s = wait_s


class RequestRefused(MissingComponent):
    """The server understood that something was asked of it, and would not.

    Args:
        message: what it said.
        hint: the next step.
        said: its own words.
        status: of HTTP.

    Attributes:
        said, status: see above.
        of_shape: whether it may be the shape of the reply that it refuses; a server that breaks down must say so.
    """

    def __init__(self, message: str, hint: str = "", said: str = "", status: int = 400) -> None:
        super().__init__(message, hint)
        self.said, self.status = said, status
        about_shape = bool(re.search(r"schema|grammar|response_format|json|guided|structured|anyof", said.lower()))
        self.of_shape = status < 500 or about_shape


class NoReply(TaskFailed):
    """The model's server answered, and there is no whole reply in it: it was refused, filtered, or never written."""


@dataclass(frozen=True)
class Reply:
    """What a model wrote.

    Args:
        text: the reply.
        timings_s: seconds by stage: "prompt", "prefill", "decode", "total" (those the back end knows); "said" of a model
            that says something before its reply (`vlp.models.turns`).
        tokens: counts: "prompt", "reply", "forced" (written by the grammar), "drafted" (taken from the draft); "said" as above.
        finish: "stop" when the model ended, "length" when the limit cut it.
        said: what such a model said before its reply, a line for each turn.
        notes: what a person must know of how it came about, e.g. that no grammar held it.
    """

    text: str
    timings_s: dict[str, float] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    finish: str = "stop"
    said: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Capabilities:
    """What a model can do; the defaults are those of a general vision-language model.

    Args:
        grammar: whether its replies can be held to a JSON Schema.
        images: whether it sees; without, an image in a conversation is left out.
        turns: whether it takes conversations of several turns.
        streams: whether it hands on its reply while it writes.
        reads: whether it goes by the words of a sentence; scripted replies do not.
        names: the things that it knows, and serves alone; None for whatever can be named.
        made_for: "primitives" and "places" of the only robot that it writes policies for; {} for any.
        view: the size at which it sees images, and how it writes places in them.
    """

    grammar: bool = True
    images: bool = True
    turns: bool = True
    streams: bool = True
    reads: bool = True
    names: Names | None = None
    made_for: Mapping[str, Sequence[str]] = field(default_factory=dict)
    view: ImageView = field(default_factory=ImageView)


GENERAL = Capabilities()


class Model(Protocol):
    """Messages and images in, text with timings out."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def profile(self) -> str:
        """The wording of prompts that it wants: a row of `vlp.prompt.render.WORDINGS`."""
        ...

    @property
    def can(self) -> Capabilities:
        """What it can do."""
        ...

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
        """Return the model's reply.

        Args:
            messages: the conversation; images stand where they belong.
            grammar: JSON Schema that the reply must match as compact JSON; None for free text.
            draft: a text expected to be close to the reply (the previous policy when re-planning).
            max_tokens: limit on the reply.
            timeout_s: limit on wall-clock time.
            on_text: called with each new piece of text as it is written.

        Raises:
            MissingComponent: the model cannot be reached, hung (`NotInTime`), or answered garbage.
            NoReply: it answered, with no reply in it.
        """
        ...


TOP = 5
"""How many of the most likely tokens a trace tells at each step."""


@dataclass(frozen=True)
class Trace:
    """A greedy reply without a grammar.

    Args:
        prompt_tokens: length of the prompt, image tokens counted.
        tokens: ids of the reply, the one that ends the turn included where the model wrote it.
        tops: for each of them, the log-probabilities of the most likely tokens at that step, by id; its own is among them.
        ended: whether the model ended its turn; False when the limit cut it.
    """

    prompt_tokens: int
    tokens: tuple[int, ...]
    tops: tuple[dict[int, float], ...]
    ended: bool


class Traceable(Protocol):
    """A model whose tokens and log-probabilities can be seen."""

    def trace(self, messages: Sequence[Message], *, max_tokens: int = 256, timeout_s: float = 120.0) -> Trace:
        """Return the greedy reply; raises MissingComponent when it cannot be had."""
        ...


def say_nothing(line: str) -> None:
    """Tell nobody."""


def patiently(
    call: Callable[[float], T], timeout_s: float, tell: Tell = say_nothing, *,
    attempts: int = 1, pause_s: float = 0.5, longest_pause_s: float = 8.0, busy_s: float = 30.0,
) -> T:  # fmt: skip
    """Return what a call to a server gives, made again while the server is busy or, a few times, cannot be reached.

    Args:
        call: told the seconds that are left.
        timeout_s: limit on all attempts and pauses together.
        tell: told what is waited for.
        attempts: how often a server that cannot be reached is tried.
        pause_s: wait before the second attempt, where the server does not say how long; twice as long before each further one.
        longest_pause_s: limit on such a wait.
        busy_s: how long a server is asked again and again while it keeps saying that it is busy.

    Raises:
        MissingComponent: still busy at the end of the limit, or when it would be; or whatever the call raised.
    """
    started = time.monotonic()
    asked, told = 0, ""
    busy: Busy | None = None
    while True:
        spent_s = time.monotonic() - started
        asked += 1
        wait_s = min(pause_s * 2 ** min(asked - 1, 20), longest_pause_s)
        left_s = timeout_s - spent_s
        try:
            return call(left_s)
        except NotInTime:
            if busy is None or left_s > 1.0:
                raise
            raise _gave_up(busy, asked, timeout_s, 0.0, timeout_s) from None  # the rest was too short for any server
        except Busy as error:
            busy = error
            # Who asks for no pause again and again is not asked faster and faster.
            wait_s = wait_s if error.wait_s is None else max(error.wait_s, wait_s / 10)
            spent_s = time.monotonic() - started
            if spent_s >= busy_s or spent_s + wait_s >= timeout_s:
                raise _gave_up(error, asked, spent_s, wait_s, timeout_s) from None
            if error.message != told:  # once: with a short Retry-After the same line would come every second
                tell(f"waiting, and asking again for up to {min(busy_s, timeout_s):.0f} s: {error.message}")
                told = error.message
        except ModelUnreachable:
            if asked >= attempts or time.monotonic() - started + wait_s >= timeout_s:
                raise
        time.sleep(wait_s)


def _gave_up(error: Busy, asked: int, spent_s: float, wait_s: float, timeout_s: float) -> MissingComponent:
    times = "once" if asked == 1 else f"{asked} times in {spent_s:.0f} s"
    if error.wait_s is not None and wait_s > timeout_s:
        return MissingComponent(
            f"{error.message} It asks to come back in {wait_s:.0f} s; the time limit is {timeout_s:.0f} s.", error.hint
        )
    return MissingComponent(f"{error.message} It was asked {times}.", error.hint)
