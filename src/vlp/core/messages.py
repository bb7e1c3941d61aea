"""What is said: a person's instruction, the turns of a conversation with a model, and words for things."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vlp.core.errors import UsageError

MAX_CHARS = 1000

# Control characters, lone surrogates, line separators and marks that reverse the writing direction can forge lines in a
# prompt or hide what a person would read in it.
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True)
class Instruction:
    """What the robot was told: made from a person's words by `Instruction.of`.

    Args:
        text: one line, trimmed, in Unicode normal form C.
        source: who said it: "person", "answer" to a question of the robot, or "scheduled N" for the N-th scripted change of a
            run.
    """

    text: str
    source: str = "person"

    @classmethod
    def of(cls, text: str, source: str = "person", what: str = "instruction") -> "Instruction":
        """Return the instruction that a person's words are: trimmed, in Unicode normal form C.

        Args:
            text: as it was typed.
            source: who said it.
            what: the word for it in messages, e.g. "question".

        Raises:
            UsageError: empty, longer than 1000 characters or 200 words, not UTF-8, or with control characters in it.
        """
        if len(text) > 4 * MAX_CHARS:  # before any work over the whole of it
            raise _too_long(what, len(text))
        trimmed = text.strip(" \t\r\n")
        if any("\ud800" <= c <= "\udfff" for c in trimmed):
            raise UsageError(f"the {what} is not valid UTF-8.", "Type or save it as UTF-8 text.")
        trimmed = unicodedata.normalize("NFC", trimmed)
        if not trimmed:
            raise UsageError(f"the {what} is empty.", f"Say what you want in 1 to {MAX_CHARS:,} characters.")
        if len(trimmed) > MAX_CHARS:
            raise _too_long(what, len(trimmed))
        found = UNSAFE.search(trimmed)
        if found:
            raise UsageError(
                f"the {what} holds the control character U+{ord(found.group()):04X} at position {found.start()}.",
                "Write it as one line of plain text.",
            )
        words = len(trimmed.split())
        if words > 200:
            raise UsageError(f"the {what} has {words:,} words; at most 200 are read.", "Shorten it.")
        return cls(trimmed, source)

    def __str__(self) -> str:
        return self.text


Role = Literal["system", "user", "assistant"]
Part = str | NDArray[np.uint8]
"""A piece of text, or an RGB image (height, width, 3)."""


@dataclass(frozen=True)
class Message:
    """One turn: who speaks, and the parts in order."""

    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """What is written in it, without the images."""
        return "".join(part for part in self.parts if isinstance(part, str))


def user(*parts: Part) -> Message:
    """Return a user turn."""
    return Message("user", parts)


def assistant(text: str) -> Message:
    """Return a model turn."""
    return Message("assistant", (text,))


@dataclass(frozen=True)
class Names:
    """The things that can be spoken of, and the words for them; several words are parted by commas.

    Args:
        kinds: kind of thing -> its words ("mug": "mug, cup").
        colours: colour -> its words.
        places: named place -> its words.
        describing: kind -> words that may stand before it without changing what is meant ("mug": "coffee tea"), parted by
            spaces; those under "" may stand before any kind.
    """

    kinds: Mapping[str, str] = field(default_factory=dict)
    colours: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    describing: Mapping[str, str] = field(default_factory=dict)


def counted(number: int, noun: str) -> str:
    """Return a number and its noun: "1 policy", "2 policies", "3 new samples"."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun[:-1]}ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else f"{number:,} {noun}s"


def plural(noun: str) -> str:
    """Return the plural of a noun, with the words before it: "storage box" -> "storage boxes"."""
    head, _, last = noun.rpartition(" ")
    irregular = {"dice": "dice", "knife": "knives", "shelf": "shelves"}
    regular = f"{last}es" if last.endswith(("s", "x", "z", "ch", "sh")) else f"{last}s"
    if last.endswith("y") and last[-2:-1] not in ("", *"aeiou"):
        regular = f"{last[:-1]}ies"
    return f"{head} {irregular.get(last, regular)}".strip()


def _too_long(what: str, length: int) -> UsageError:
    return UsageError(f"the {what} has {length:,} characters; at most {MAX_CHARS:,} are read.", "Shorten it.")
