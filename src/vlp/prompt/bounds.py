"""Quoting for text from outside: what memory holds, what was read in the scene, what a person asks."""

import json

from vlp.core.instruction import UNSAFE, clean_sentence

MAX_QUOTED_CHARS = 200


def clean_question(text: str) -> str:
    """Return a question about an image under the limits of an instruction; raises UsageError as `Instruction.of` does."""
    return clean_sentence(text, "question")


def inert(text: str) -> str:
    """Return text in which no chat-template token such as <|im_end|> can be spelled."""
    return text.replace("<|", "< |").replace("|>", "| >")


def plain(text: str, limit: int = MAX_QUOTED_CHARS) -> str:
    """Return one line of at most `limit` characters, without control characters or chat-template tokens."""
    line = inert(UNSAFE.sub(" ", text[: 4 * limit]))
    return line if len(line) <= limit else line[: limit - 3] + "..."


def quoted(text: str, limit: int = MAX_QUOTED_CHARS) -> str:
    """Return text as one JSON string: whatever it says, it stays between its quotes and within its bound."""
    return json.dumps(plain(text, limit), ensure_ascii=False)
