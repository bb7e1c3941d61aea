"""A person's sentence, cleaned once where it comes in; whatever takes an `Instruction` need not look at it again."""

import re
import unicodedata
from dataclasses import dataclass

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


def _too_long(what: str, length: int) -> UsageError:
    return UsageError(f"the {what} has {length:,} characters; at most {MAX_CHARS:,} are read.", "Shorten it.")
