"""What makes something a model: one method, the wording it wants, and what it can do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from vlp.core.errors import MissingComponent, TaskFailed
from vlp.core.messages import Message
from vlp.core.names import Names
from vlp.core.view import ImageView


class ModelUnreachable(MissingComponent):
    """The model's server could not be reached, or hung up before it answered: asking again does no harm."""


class Busy(MissingComponent):
    """The model's server is there and asks to come back: it loads its model, or limits requests.

    Args:
        message: what it said.
        hint: the next step.
        wait_s: how long it asks to wait; None when it did not say.
    """

    def __init__(self, message: str, hint: str = "", wait_s: float | None = None) -> None:
        super().__init__(message, hint)
        self.wait_s = wait_s


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
            MissingComponent: the model cannot be reached, hung, or answered garbage.
            NoReply: it answered, with no reply in it.
        """
        ...
