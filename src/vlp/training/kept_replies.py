"""What a base said to a prompt, kept in a file: it is asked once, whatever is tuned of it later."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vlp.core.messages import Message
from vlp.models.protocol import Reply
from vlp.models.transformers_model import TransformersModel

TIMEOUT_S = 600.0
"""For one reply: nobody waits for it, and a large model on a CPU takes its time."""


class KeptReplies:
    """A model's greedy replies, which follow from the prompt: each is written once and then read from a file.

    Args:
        model: what is asked.
        file: JSON lines {"key": ..., "text": ..., "finish": ...}; a line that was cut off is passed over, and a file that
            cannot be read or written is left alone: everything is asked again then. None keeps nothing.
        base: what tells the model from others, such as the hashes of its weights.
    """

    def __init__(self, model: TransformersModel, file: Path | None = None, base: str = "") -> None:
        self.model, self._file = model, file
        self.name, self.profile, self.can = model.name, model.profile, model.can
        self._base = f"{base} {model.model.dtype}"
        self._known: dict[str, Reply] = {}
        try:
            lines = file.read_bytes().splitlines() if file else []
        except OSError:
            lines = []
        self._known.update(filter(None, map(_parsed, lines)))

    def generate(
        self, messages: Sequence[Message], *, max_tokens: int = 1024, timeout_s: float = TIMEOUT_S, **options: Any
    ) -> Reply:
        """Return the reply to a prompt, or the kept one to the very same tokens and images.

        Args:
            messages: the conversation.
            max_tokens: limit on the reply.
            timeout_s: limit on wall-clock time.
            options: as `vlp.models.protocol.Model.generate` has them; a reply is kept for the very same ones, whatever the
                draft, which changes no reply.
        """
        prompt = self.model.chat.prompt(messages)
        asked = sorted((name, value) for name, value in options.items() if name != "draft")
        said = [self._base, max_tokens, prompt.ids, [image.digest for image in prompt.images], repr(asked)]
        key = hashlib.sha256(json.dumps(said).encode()).hexdigest()
        if key not in self._known:
            reply = self.model.generate(messages, max_tokens=max_tokens, timeout_s=timeout_s, **options)
            self._known[key] = reply
            self._keep({"key": key, "text": reply.text, "finish": reply.finish})
        return self._known[key]

    def _keep(self, row: dict[str, str]) -> None:
        if self._file is None:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("ab") as file:  # one write a line, begun anew: another may have been cut off by a kill
                file.write(b"\n" + json.dumps(row).encode())
        except OSError:
            self._file = None


def _parsed(line: bytes) -> tuple[str, Reply] | None:
    try:
        row = json.loads(line)
        said = [row[name] for name in ("key", "text", "finish")]
    except (ValueError, TypeError, KeyError):
        return None
    return (said[0], Reply(said[1], finish=said[2])) if all(isinstance(each, str) for each in said) else None
