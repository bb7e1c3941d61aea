"""The words that a tokenizer hardly uses: those it learnt last, each one token wherever it stands."""

from typing import Any

from vlp.core.errors import UsageError


def rare_words(tokenizer: Any, count: int = 255) -> tuple[str, ...]:
    """Return words for `Bins`, the rarest of a tokenizer that has learnt its tokens in the order of their frequency.

    A text of them, each after a space, is read back into the very same tokens.

    Args:
        tokenizer: `tokenizers.Tokenizer`, the backend of a Hugging Face fast tokenizer.
        count: how many.

    Raises:
        UsageError: it has fewer such words.
    """
    tokens = sorted(tokenizer.get_vocab(with_added_tokens=False).values(), reverse=True)
    # "coloured cubes" holds the added token "red cube": none of the words may end one that has several.
    added = tuple({words[-1] for e in tokenizer.get_added_tokens_decoder().values() if len(words := e.content.split()) > 1})
    found: dict[str, None] = {}
    for token in tokens:
        word = tokenizer.decode([token]).strip()
        plain = word.isascii() and word.isalpha() and len(word) > 1
        if plain and not word.startswith(added) and _whole(tokenizer, word, token):
            found[word] = None
        if len(found) == count:
            return tuple(found)
    said = f"the tokenizer has {len(found)} words of one token each; {count} are needed."
    raise UsageError(said, "Take fewer levels, or another vocabulary of motion.")


def _whole(tokenizer: Any, word: str, token: int) -> bool:
    """Return whether a word after a space ends in this one token, and does so again after itself."""
    once, twice = (tokenizer.encode(text, add_special_tokens=False).ids for text in (f" {word}", f" {word} {word}"))
    return once[-1] == token and len(once) <= 2 and twice == once * 2
