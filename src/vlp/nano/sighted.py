"""The embedded model is told in words what its own vision tower sees, and copies out what matters of it before it answers.

    user       IMAGE sees: blue_can 1 2 by red_cube; red_cube 2 3 by blue_can; green_bowl 3 1
               ask: is the red cube left of the green bowl?
    assistant  red_cube 2 3; green_bowl 3 1
    user       so
    assistant  yes

Where a prompt has two turns of the user in a row (`vlp.nano.wording.plan_after_words`), the turn between them is the model's
own, too: it says in words what it would do before it writes that as a policy.

    user       so
    assistant  pick up the red cube, put the red cube in the green bowl
    user       as a policy
    assistant  {"goal":...
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from vlp.core.images import Rgb
from vlp.core.messages import Message, Part, assistant, user
from vlp.models.protocol import Model, Reply
from vlp.models.turns import LEAST_S, Tower
from vlp.nano import keeping
from vlp.nano.code import decode, seen_twice
from vlp.nano.names import NAMES
from vlp.nano.scene import expected_quote, scene_text
from vlp.sim.worlds.tabletop.words import phrases_in

SO = "so"
"""The turn between the quote and the answer."""


class SightedTurns:
    """A line of text behind each image, which the model quotes from before it answers (see `vlp.models.turns.Turns`).

    Args:
        tower: the vision tower whose tokens hold the scene code. A model in process keeps the last images, so that reading
            and replying run its tower once.
    """

    names = NAMES
    words_tokens = 192
    words = staticmethod(keeping.policy_words)
    named = staticmethod(keeping.named_in_full)
    held = staticmethod(keeping.keeping)

    def __init__(self, tower: Tower) -> None:
        self.tower = tower

    def read(self, rgb: Rgb, said: str) -> str:
        """Return what is in an image as text; the text about it decides where a thing is in doubt."""
        return scene_text(decode(seen_twice(self.tower.image_tokens, rgb), phrases_in(said)))

    def shown(
        self, messages: Sequence[Message], model: Model, timeout_s: float = 60.0, words: Callable[[], str] | None = None
    ) -> tuple[list[Message], list[Reply]]:
        """Return the conversation as the model is shown it, its quote, and its words between two turns of the user."""
        until_s = time.monotonic() + timeout_s

        def say(turns: Sequence[Message], max_tokens: int, draft: str | None = None) -> Reply:
            left_s = max(until_s - time.monotonic(), LEAST_S)
            return model.generate(turns, draft=draft, max_tokens=max_tokens, timeout_s=left_s)

        shown = [self._spelled_out(message) for message in messages]
        end = 1 + next((i for i, message in enumerate(shown) if message.role == "user"), 0)
        said = [say(shown[:end], 128, expected_quote(shown[end - 1].text))]
        turns = [*shown[:end], assistant(said[0].text), user(SO)]
        for message in shown[end:]:
            if message.role == turns[-1].role == "user":
                said.append(say(turns, self.words_tokens) if words is None else Reply(words()))
                turns.append(assistant(said[-1].text))
            turns.append(message)
        return turns, said

    def speaks_first(self, messages: Sequence[Message]) -> bool:
        """Return whether a conversation ends with two turns of the user, between which the model says what it would do."""
        return [message.role for message in messages[-2:]] == ["user", "user"]

    def _spelled_out(self, message: Message) -> Message:
        said = "\n".join(part for part in message.parts if isinstance(part, str))
        parts: list[Part] = []
        for part in message.parts:
            parts.append(part)
            if not isinstance(part, str):
                parts.append(self.read(part, said))
        return replace(message, parts=tuple(parts))
