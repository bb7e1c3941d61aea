"""Constrained decoding: a JSON Schema becomes a matcher that says which tokens may come next and which must.

A thin layer over llguidance. Replies are compact JSON: no white space outside strings.
"""

import bisect
import functools
import hashlib
import json
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vlp.core.errors import MissingComponent, UsageError
from vlp.models.recent import Recent


class FastTokenizer(Protocol):
    """What is needed of a Hugging Face fast tokenizer."""

    backend_tokenizer: Any
    eos_token_id: Any


class Vocabulary:
    """The tokens of one tokenizer as bytes, and which of them go on from a given beginning.

    Args:
        tokenizer: a Hugging Face fast tokenizer.
        size: number of tokens in the model's output (may exceed the tokenizer's).
        ends: ids of the tokens that end a turn.
    """

    def __init__(self, tokenizer: FastTokenizer, size: int, ends: Sequence[int]) -> None:
        try:
            from llguidance import LLTokenizer
        except ImportError:
            raise MissingComponent(
                "constrained decoding needs llguidance.", "Install it with: pip install 'vlp[models]'."
            ) from None
        self.size = size
        self.backend = tokenizer.backend_tokenizer
        self.inner = LLTokenizer(self.backend.to_str(), n_vocab=size, eos_token=list(ends))

    def encode(self, text: str) -> list[int]:
        """Return the tokens that the tokenizer gives for a text by itself."""
        return list(self.backend.encode(text, add_special_tokens=False).ids)

    def bytes_of(self, token: int) -> bytes:
        """Return the bytes a token stands for."""
        return self.inner.decode_bytes([token])

    @functools.cached_property
    def names(self) -> dict[int, list[int]]:
        """Names that the tokenizer has whole, as "red cube" and "red_cube": both tokens, in this order, by each of them."""
        added = {entry.content: token for token, entry in self.backend.get_added_tokens_decoder().items()}
        pairs = [[token, added[text.replace(" ", "_")]] for text, token in added.items() if text.replace(" ", "_") in added]
        return {token: pair for pair in pairs if pair[0] != pair[1] for token in pair}

    def longer(self, beginning: bytes) -> list[int]:
        """Return the tokens that begin with these bytes and go on."""
        found = []
        for i in range(bisect.bisect_right(self._sorted, (beginning, self.size)), len(self._sorted)):
            piece, token = self._sorted[i]
            if not piece.startswith(beginning):
                break
            found.append(token)
        return found

    @functools.cached_property
    def _sorted(self) -> list[tuple[bytes, int]]:
        known = range(min(self.size, self.backend.get_vocab_size(with_added_tokens=True)))
        return sorted((self.bytes_of(t), t) for t in known if not self.inner.is_special_token(t))


class Matcher:
    """The state of one reply under a grammar.

    Args:
        inner: llguidance's matcher at its start.
        vocabulary: the tokens.
    """

    def __init__(self, inner: Any, vocabulary: Vocabulary) -> None:
        self._inner = inner
        self._vocabulary = vocabulary
        self._bits = np.zeros((1, (vocabulary.size + 31) // 32), dtype=np.int32)

    def allowed(self) -> NDArray[np.bool_]:
        """Return for each token whether it may come next; the end of the turn counts as a token."""
        from llguidance.numpy import fill_next_token_bitmask

        fill_next_token_bitmask(self._inner, self._bits)
        self._check()
        bits = np.unpackbits(self._bits.view(np.uint8), bitorder="little")
        return bits[: self._vocabulary.size].astype(np.bool_)

    def forced(self) -> list[int]:
        """Return the tokens that must come next, whatever the model thinks; empty when there is a choice.

        The bytes that must come are cut into tokens as the tokenizer cuts them in a training text. Where a longer
        token that the grammar admits goes beyond them, they are left to the model: with `{"do":"` forced and
        `{"do":"grasp","target":"$` one token, nothing is forced. (llguidance's own list of forced tokens looks back
        over four tokens only and misses this.)
        """
        must = self._inner.compute_ff_bytes()
        while must:
            try:
                text = must.decode()
                break
            except UnicodeDecodeError:
                must = must[:-1]
        else:
            return []
        tokens: list[int] = []
        for token in self._vocabulary.encode(text):
            goes_on = self._vocabulary.longer(must)
            if goes_on and self.allowed()[goes_on].any():
                break
            piece = self._vocabulary.bytes_of(token)
            if not must.startswith(piece):  # a tokenizer that normalises text: leave the rest to the model
                break
            self.accept(token)
            tokens.append(token)
            must = must[len(piece) :]
        self.back(len(tokens))
        return tokens

    def accept(self, token: int) -> None:
        """Move on by a token that is allowed."""
        if not self._inner.consume_tokens([token]):
            self._check()
            raise MissingComponent("the grammar refused a token that it had allowed.", "Report this as a fault of vlp.")

    def admits(self, tokens: Sequence[int]) -> int:
        """Return how many of the tokens, from the first, the grammar admits; the state does not change."""
        return self._inner.validate_tokens(list(tokens))

    def back(self, count: int) -> None:
        """Undo the last `count` tokens."""
        if count:
            self._inner.rollback(count)
            self._check()

    @property
    def done(self) -> bool:
        """True when nothing but the end of the turn may come."""
        return bool(self._inner.is_stopped())

    @property
    def complete(self) -> bool:
        """True when the reply may end here."""
        return bool(self._inner.is_accepting())

    def _check(self) -> None:
        if self._inner.is_error():
            why = str(self._inner.get_error()).splitlines()[0][:200]
            raise MissingComponent(f"the grammar could not go on: {why}.")


class Grammars:
    """Compiles schemas for one vocabulary and keeps the compiled ones, by the hash of their content."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._compiled: Recent[Any] = Recent(16)

    def matcher(self, schema: dict[str, Any]) -> Matcher:
        """Return a fresh matcher for a JSON Schema.

        Raises:
            UsageError: the schema is too large or uses what cannot be compiled.
        """
        compact = {"whitespace_flexible": False, "item_separator": ",", "key_separator": ":"}
        text, most_chars = json.dumps({**schema, "x-guidance": compact}, separators=(",", ":")), 512 * 1024
        if len(text) > most_chars:
            raise UsageError(f"the grammar has {len(text):,} characters; at most {most_chars:,} are compiled.")
        key = hashlib.sha256(text.encode()).hexdigest()
        return Matcher(self._compiled.get(key, lambda: self._compile(text)).deep_copy(), self.vocabulary)

    def _compile(self, text: str) -> Any:
        from llguidance import LLMatcher

        # Forcing is done above, by `Matcher.forced`; llguidance's own would hide structural tokens from the model.
        compiled = LLMatcher(self.vocabulary.inner, f'%llguidance {{"no_forcing": true}}\nstart: %json {text}', log_level=0)
        if compiled.is_error():
            why = str(compiled.get_error()).splitlines()[0][:200]
            raise UsageError(f"the grammar cannot be compiled: {why}.", "Use only keywords that llguidance knows.")
        return compiled
