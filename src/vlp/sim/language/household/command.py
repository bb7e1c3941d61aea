"""A command as data: its parts, what each is about, and the sentence."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """One thing to be done.

    Args:
        do: a row of `parts` in household.toml.
        about: arguments by slot: names of things, categories, furniture, rooms, persons ("me" for who commands), or a
            description of a person; "them" for who was found or met before. A part without a thing or a person, where it takes
            one, is about the last that was spoken of.
    """

    do: str
    about: Mapping[str, str]


@dataclass(frozen=True)
class Command:
    """What a person says to the robot.

    Args:
        kind: a row of `kinds` in household.toml.
        parts: in the order in which they are said.
        sentence: the words.
        cannot: why it cannot be done; "" where it can.
    """

    kind: str
    parts: tuple[Part, ...]
    sentence: str
    cannot: str = ""
