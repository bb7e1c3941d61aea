"""Models that say something before their reply: turns of their own, by the word that the folder's `vlp.json` has for them.

A model may copy out what it goes by, or say in words what it would do, before it answers. Whoever asks such a model holds that
conversation: at run time, in training and where two models are compared, by the same `Turns`.
"""

import importlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from vlp.core.errors import lookup
from vlp.core.messages import Message, Names
from vlp.models.protocol import Model, Reply
from vlp.primitives.schema import Schema

TURNS: dict[str, str] = {"sight": "vlp.nano.sighted:SightedTurns"}
"""Turns by the word in `vlp.json`; a class here is made from what has a vision tower (see `Tower`)."""

LEAST_S = 0.1
"""What is left to a turn when those before it have used up the time: it ends at once, with the error of its own limit."""


class Tower(Protocol):
    """What turns read images with: a model in process, of which only the vision tower is needed."""

    def image_tokens(self, images: Sequence[Any]) -> Sequence[Any]:
        """Return what the vision tower makes of images: (rows, columns, width) for each, one vector per image token."""
        ...


class Turns(Protocol):
    """What a model says before its reply, and how a policy is taught to it then."""

    names: Names
    """The things that it knows and the words for them: whatever else is named, it cannot serve."""
    words_tokens: int
    """Limit on the words before a policy."""

    def shown(
        self, messages: Sequence[Message], model: Model, timeout_s: float = 60.0, words: Callable[[], str] | None = None
    ) -> tuple[list[Message], list[Reply]]:
        """Return the conversation as the model is shown it, and what it says before its reply, turn by turn.

        Args:
            messages: the conversation.
            model: says it.
            timeout_s: limit on the time for all of it.
            words: gives the right words before a policy, to be learned; None asks the model for them.
        """
        ...

    def speaks_first(self, messages: Sequence[Message]) -> bool:
        """Return whether the last thing that is said before the reply is what the model would do, in words."""
        ...

    def held(self, schema: Schema, words: str) -> Schema:
        """Return the grammar of the policies that do what those words say."""
        ...

    def words(self, policy: Mapping[str, Any]) -> str:
        """Return a policy in words, as they stand before it; raises KeyError or TypeError where its subtasks have no names."""
        ...

    def named(self, policy: Mapping[str, Any]) -> dict[str, Any]:
        """Return a policy with its subtasks named as in those words."""
        ...


def make_turns(word: str, tower: Tower) -> Turns:
    """Return the turns of a row of `TURNS`; raises UsageError when there is no such row."""
    module, _, name = lookup(word, TURNS, "kind of turns").partition(":")
    return getattr(importlib.import_module(module), name)(tower)


class ModelWithTurns:
    """Any model, in process or served, that says its own turns before each reply.

    Args:
        model: the model.
        turns: what it says, and how.
    """

    def __init__(self, model: Model, turns: Turns) -> None:
        self.model, self.turns = model, turns
        self.name, self.profile = model.name, model.profile
        self.can = replace(model.can, names=turns.names)

    def generate(
        self, messages: Sequence[Message], *, grammar: Schema | None = None, timeout_s: float = 60.0, **options: Any
    ) -> Reply:
        """Return the model's reply (see `vlp.models.protocol.Model.generate`); "said" in its timings is what was said before.

        A policy that follows its words directly is held to them. A corrected reply is not: the fault may be theirs.
        """
        started = time.monotonic()
        shown, said = self.turns.shown(messages, self.model, timeout_s)
        if grammar is not None and self.turns.speaks_first(messages) and said[-1].finish == "stop":
            grammar = self.turns.held(grammar, said[-1].text)
        said_s = time.monotonic() - started
        reply = self.model.generate(shown, grammar=grammar, timeout_s=max(timeout_s - said_s, LEAST_S), **options)
        timings_s = {"said": said_s, **reply.timings_s, "total": said_s + reply.timings_s.get("total", 0.0)}
        tokens = {"said": sum(each.tokens.get("reply", 0) for each in said), **reply.tokens}
        return replace(reply, timings_s=timings_s, tokens=tokens, said="\n".join(each.text for each in said))


def turns_of(model: Model) -> Turns | None:
    """Return what a model says before its reply, None when it says nothing."""
    return model.turns if isinstance(model, ModelWithTurns) else None


def own_turns(shown: Sequence[Message]) -> list[list[Message]]:
    """Return a conversation up to each turn of the model, the last of which is to come: all that decides its reply."""
    return [list(shown[:end]) for end in (*(i for i, turn in enumerate(shown) if turn.role == "assistant"), len(shown))]
