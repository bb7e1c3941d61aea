"""A model that is told in words what its own vision tower sees, beside the image."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from vlp.core.images import Rgb
from vlp.core.messages import Image, Message, Text
from vlp.core.vocabulary import phrases_in
from vlp.models.nano_code import as_named, decode, seen_twice
from vlp.models.nano_scene import scene_text
from vlp.models.protocol import Model, Reply

Read = Callable[[Rgb, str], str]
"""From an image and the text about it to what is in the image."""


class SightedModel:
    """Any model with a line of text put behind each image.

    Args:
        model: the model, in process or served.
        read: image and the text about it -> what is in it, as text.
    """

    def __init__(self, model: Model, read: Read) -> None:
        self.model = model
        self.read = read

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def generate(self, messages: Sequence[Message], **options: Any) -> Reply:
        """Return the model's reply (see `vlp.models.protocol.Model.generate`)."""
        return self.model.generate(spelled_out(messages, self.read), **options)


def spelled_out(messages: Sequence[Message], read: Read) -> list[Message]:
    """Return messages with what is read off each image behind it; the same for running and for training.

    Args:
        messages: a conversation.
        read: image and the text about it -> what is in it, as text.
    """
    return [_spell_out(message, read) for message in messages]


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
        return scene_text(as_named(decode(seen_twice(model.image_tokens, rgb)), phrases_in(said)))

    return read
