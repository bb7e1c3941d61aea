"""A model that reads its replies from a list, a function or a file: for tests and for examples without weights."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vlp.core.errors import MissingComponent, UsageError
from vlp.core.messages import Message
from vlp.models.protocol import Capabilities, Reply

Scripted = str | Reply
Function = Callable[[Sequence[Message]], Scripted]


class ScriptedModel:
    """Gives scripted replies in order, or whatever a function makes of the messages.

    Args:
        replies: texts or replies given one by one, or a function of the messages.
        profile: the wording of prompts it is asked with.
        repeat: whether the last reply is given again when the list has run out; else asking is an error.

    Attributes:
        calls: the keyword arguments and messages of every call, for tests.
    """

    can = Capabilities(reads=False)

    def __init__(self, replies: Sequence[Scripted] | Function, profile: str = "full", repeat: bool = False) -> None:
        self.name = "scripted"
        self.profile = profile
        self.calls: list[dict[str, Any]] = []
        self._replies = replies if callable(replies) else list(replies)
        self._repeat = repeat
        self.given = 0
        """How many replies were given before, in another process."""

    @classmethod
    def from_file(cls, path: str | Path, profile: str = "full") -> "ScriptedModel":
        """Return the model for a JSON file: a list of replies, each a text or a policy object.

        Raises:
            UsageError: no such file, too large, or not such a list.
        """
        file = Path(path)
        if not file.is_file():
            raise UsageError(f"no file of scripted replies at {str(file)[:300]!r}.", "Expected scripted:FILE.json.")
        if file.stat().st_size > (most_bytes := 4 * 1024 * 1024):
            raise UsageError(f"{file.name!r} is larger than {most_bytes:,} bytes.")
        try:
            data = json.loads(file.read_bytes())
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{file.name!r} is not JSON: {str(error)[:100]}.", "Expected a list of replies.") from None
        if not isinstance(data, list) or not data or not all(isinstance(item, str | dict) for item in data):
            raise UsageError(f"{file.name!r} is not a list of replies.", 'Expected ["text" or {policy}, ...].')
        compact = [r if isinstance(r, str) else json.dumps(r, separators=(",", ":"), ensure_ascii=False) for r in data]
        return cls(compact, profile)

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
        """Return the next reply, as it was scripted; grammar, draft and limits are recorded, not applied."""
        started = time.perf_counter()
        self.calls.append({"messages": list(messages), "grammar": grammar, "draft": draft, "max_tokens": max_tokens})
        given = self._next(messages)
        reply = given if isinstance(given, Reply) else Reply(given)
        if on_text and reply.text:
            on_text(reply.text)
        if reply.timings_s:
            return reply
        return Reply(reply.text, {"total": time.perf_counter() - started}, reply.tokens, reply.finish)

    def _next(self, messages: Sequence[Message]) -> Scripted:
        if callable(self._replies):
            return self._replies(messages)
        done = self.given + len(self.calls) - 1
        if done < len(self._replies):
            return self._replies[done]
        if self._repeat and self._replies:
            return self._replies[-1]
        raise MissingComponent(f"the script of replies has run out after {len(self._replies)}.", "Add replies to it.")
