"""What a model was asked in dynamic episodes, so that it can be asked the same again."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vlp.core.files import write_whole
from vlp.core.images import encode_png, read_image
from vlp.core.messages import Message, Part
from vlp.episodes.cases import sample_episode
from vlp.episodes.episode import System, run_episode
from vlp.models.protocol import Model, Reply
from vlp.primitives.schema import Schema
from vlp.sim.worlds.seeds import seed_of


@dataclass(frozen=True)
class Call:
    """One request for a policy.

    Args:
        episode: its number.
        messages: the conversation.
        grammar: of the reply.
        draft: the policy before it; None for the first.
        reply: what was answered.
    """

    episode: int
    messages: list[Message]
    grammar: Schema
    draft: str | None
    reply: str


def recorded(
    base: Model, episodes: int, folder: Path, split: str = "test",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[Call]:  # fmt: skip
    """Yield the requests for policies of dynamic episodes; episodes that a folder lacks are run first.

    Args:
        base: the model.
        episodes: how many.
        folder: keeps them, with the images.
        split: of their seeds.
        progress: told how many episodes are recorded, of how many.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(episodes):
        file = folder / f"{index}.json"
        if not file.is_file():
            listening = _Listening(base, folder)
            run_episode(
                sample_episode(seed_of(split, index), "dynamic"), System(lambda model=listening: model), folder / "runs"
            )
            write_whole(file, json.dumps(listening.calls))
        progress(index + 1, episodes)
        for call in json.loads(file.read_text()):
            messages = [Message(one["role"], tuple(_part(part, folder) for part in one["parts"])) for one in call["messages"]]
            yield Call(index, messages, call["grammar"], call["draft"], call["reply"])


class _Listening:
    """A model whose requests under a grammar are written down."""

    def __init__(self, model: Model, folder: Path) -> None:
        self.model, self.folder = model, folder
        self.name, self.profile, self.can = model.name, model.profile, model.can
        self.calls: list[dict[str, Any]] = []

    def generate(self, messages: Sequence[Message], **options: Any) -> Reply:
        reply = self.model.generate(messages, **options)
        if options.get("grammar") is not None:
            told = [{"role": one.role, "parts": [self._kept(part) for part in one.parts]} for one in messages]
            draft = options.get("draft")
            self.calls.append({"messages": told, "grammar": options["grammar"], "draft": draft, "reply": reply.text})
        return reply

    def _kept(self, part: Part) -> str | dict[str, str]:
        if isinstance(part, str):
            return part
        name = f"{hashlib.sha256(part.tobytes()).hexdigest()[:16]}.png"
        (self.folder / name).write_bytes(encode_png(part))
        return {"image": name}


def _part(part: str | dict[str, str], folder: Path) -> Part:
    return part if isinstance(part, str) else np.asarray(read_image(folder / part["image"]))
