"""Limits and quoting for text from outside: what a person types, what memory holds, what was read in the scene."""

import json
import re
import unicodedata

from vlp.core.errors import UsageError

MAX_INSTRUCTION_CHARS = 1000
MAX_INSTRUCTION_WORDS = 200
MAX_QUOTED_CHARS = 200

# Control characters, lone surrogates, line separators and marks that reverse the writing direction can forge lines in a
# prompt or hide what a person would read in it.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def clean_instruction(text: str) -> str:
    """Return a person's sentence, trimmed and in Unicode normal form C.

    Raises:
        UsageError: empty, longer than 1000 characters or 200 words, not UTF-8, or with control characters in it.
    """
    return _clean(text, "instruction")


def clean_question(text: str) -> str:
    """Return a question about an image under the limits of an instruction; raises UsageError as that does."""
    return _clean(text, "question")


def _clean(text: str, what: str) -> str:
    if len(text) > 4 * MAX_INSTRUCTION_CHARS:  # before any work over the whole of it
        raise _too_long(what, len(text))
    trimmed = text.strip(" \t\r\n")
    if any("\ud800" <= c <= "\udfff" for c in trimmed):
        raise UsageError(f"the {what} is not valid UTF-8.", "Type or save it as UTF-8 text.")
    trimmed = unicodedata.normalize("NFC", trimmed)
    if not trimmed:
        raise UsageError(f"the {what} is empty.", f"Say what you want in 1 to {MAX_INSTRUCTION_CHARS:,} characters.")
    if len(trimmed) > MAX_INSTRUCTION_CHARS:
        raise _too_long(what, len(trimmed))
    found = _UNSAFE.search(trimmed)
    if found:
        raise UsageError(
            f"the {what} holds the control character U+{ord(found.group()):04X} at position {found.start()}.",
            "Write it as one line of plain text.",
        )
    words = len(trimmed.split())
    if words > MAX_INSTRUCTION_WORDS:
        raise UsageError(f"the {what} has {words:,} words; at most {MAX_INSTRUCTION_WORDS} are read.", "Shorten it.")
    return trimmed


def _too_long(what: str, length: int) -> UsageError:
    return UsageError(f"the {what} has {length:,} characters; at most {MAX_INSTRUCTION_CHARS:,} are read.", "Shorten it.")


def inert(text: str) -> str:
    """Return text in which no chat-template token such as <|im_end|> can be spelled."""
    return text.replace("<|", "< |").replace("|>", "| >")


def plain(text: str, limit: int = MAX_QUOTED_CHARS) -> str:
    """Return one line of at most `limit` characters, without control characters or chat-template tokens."""
    line = inert(_UNSAFE.sub(" ", text[: 4 * limit]))
    return line if len(line) <= limit else line[: limit - 3] + "..."


def quoted(text: str, limit: int = MAX_QUOTED_CHARS) -> str:
    """Return text as one JSON string: whatever it says, it stays between its quotes and within its bound."""
    return json.dumps(plain(text, limit), ensure_ascii=False)
