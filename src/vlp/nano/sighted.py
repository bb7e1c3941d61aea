"""A model that is told in words what its own vision tower sees, and copies out what matters of it before it answers.

    user       IMAGE sees: blue_can 1 2 by red_cube; red_cube 2 3 by blue_can; green_bowl 3 1
               ask: is the red cube left of the green bowl?
    assistant  red_cube 2 3; green_bowl 3 1
    user       so
    assistant  yes

Where a prompt has two turns of the user in a row, the model's turn between them is its own, too (`brief_words` in
`vlp.prompt.render`): it says in words what it would do before it writes that as a policy.

    user       so
    assistant  pick up the red cube, put the red cube in the green bowl
    user       as a policy
    assistant  {"goal":...
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from vlp.core.images import Rgb
from vlp.core.messages import Image, Message, Text, assistant, user
from vlp.models.protocol import Model, Reply
from vlp.nano.code import decode, seen_twice
from vlp.nano.keeping import keeping
from vlp.nano.names import NANO_NAMES
from vlp.nano.scene import scene_text
from vlp.primitives.schema import Schema
from vlp.sim.worlds.tabletop.words import phrases_in

Read = Callable[[Rgb, str], str]
"""From an image and the text about it to what is in the image."""

SO = "so"
"""The turn between the quote and the answer."""

QUOTE_TOKENS, WORDS_TOKENS = 128, 192
LEAST_S = 0.1
"""What is left to a turn when those before it have used up the time: it ends at once, with the error of its own limit."""


class SightedModel:
    """Any model with a line of text put behind each image, which it quotes from before it answers.

    Args:
        model: the model, in process or served.
        read: image and the text about it -> what is in it, as text.
    """

    names = NANO_NAMES
    """Its tower sees nothing else."""

    def __init__(self, model: Model, read: Read) -> None:
        self.model = model
        self.read = read

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def generate(
        self, messages: Sequence[Message], *, grammar: Schema | None = None, timeout_s: float = 60.0, **options: Any
    ) -> Reply:
        """Return the model's reply (see `vlp.models.protocol.Model.generate`); its timings tell what the quote took.

        What follows its words directly is held to them (`vlp.nano.keeping`). A corrected reply is not: the fault may be theirs.
        """
        started = time.monotonic()
        shown, said = quoting(messages, self.read, self.model, timeout_s)
        if grammar is not None and speaks_first(messages) and said[-1].finish == "stop":
            grammar = keeping(grammar, said[-1].text)
        quote_s = time.monotonic() - started
        reply = self.model.generate(shown, grammar=grammar, timeout_s=max(timeout_s - quote_s, LEAST_S), **options)
        timings_s = {"quote": quote_s, **reply.timings_s, "total": quote_s + reply.timings_s.get("total", 0.0)}
        tokens = {"quote": sum(each.tokens.get("reply", 0) for each in said), **reply.tokens}
        return replace(reply, timings_s=timings_s, tokens=tokens, quote="\n".join(each.text for each in said))


def quoting(
    messages: Sequence[Message], read: Read, model: Model, timeout_s: float = 60.0, words: Callable[[], str] | None = None
) -> tuple[list[Message], list[Reply]]:
    """Return the conversation as a sighted model is shown it, and what it says before its reply: its quote, and its words
    between two turns of the user. The same for running, training and comparing.

    Args:
        messages: the conversation; the first message of the user asks.
        read: image and the text about it -> what is in it, as text.
        model: writes the quote and the words.
        timeout_s: limit on the time for all of it.
        words: gives the right ones, to be learned, where they are wanted; None asks the model.
    """
    until_s = time.monotonic() + timeout_s

    def say(turns: Sequence[Message], max_tokens: int) -> Reply:
        return model.generate(turns, max_tokens=max_tokens, timeout_s=max(until_s - time.monotonic(), LEAST_S))

    shown = [_spell_out(message, read) for message in messages]
    end = 1 + next((i for i, message in enumerate(shown) if message.role == "user"), 0)
    said = [say(shown[:end], QUOTE_TOKENS)]
    turns = [*shown[:end], assistant(said[0].text), user(Text(SO))]
    for message in shown[end:]:
        if message.role == turns[-1].role == "user":
            said.append(say(turns, WORDS_TOKENS) if words is None else Reply(words()))
            turns.append(assistant(said[-1].text))
        turns.append(message)
    return turns, said


def speaks_first(messages: Sequence[Message]) -> bool:
    """Return whether a conversation ends with two turns of the user, between which a model says what it would do."""
    return [message.role for message in messages[-2:]] == ["user", "user"]


def own_turns(turns: Sequence[Message]) -> list[list[Message]]:
    """Return a conversation up to each turn of the model, the last of which is to come: all that decides its reply."""
    return [list(turns[:end]) for end in (*(i for i, turn in enumerate(turns) if turn.role == "assistant"), len(turns))]


def _spell_out(message: Message, read: Read) -> Message:
    said = "\n".join(part.text for part in message.parts if isinstance(part, Text))
    parts: list[Text | Image] = []
    for part in message.parts:
        parts.append(part)
        if isinstance(part, Image):
            parts.append(Text(read(part.rgb, said)))
    return replace(message, parts=tuple(parts))


def reader(model: Any) -> Read:
    """Return the function that reads an image through a model's own vision tower, whose tokens hold the scene code.

    Args:
        model: a `vlp.models.transformers_model.TransformersModel`; its cache makes the tower run once for reading and reply.
    """

    def read(rgb: Rgb, said: str) -> str:
        return scene_text(decode(seen_twice(model.image_tokens, rgb), phrases_in(said)))

    return read
