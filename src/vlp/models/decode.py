"""The decoding loop: greedy, under a grammar, with forced tokens and a draft written without a step each.

The text is the same with and without a draft, and whether forced tokens are fed one by one or together: a draft token
counts only where it is the token that the model would have chosen.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vlp.core.errors import MissingComponent
from vlp.models.grammar import Matcher

_BREAK = -1
"""Stands between the draft and what is written, as no token."""
TOO_SLOW = "Give it more time, a smaller model, or a shorter memory."


class Session(Protocol):
    """A model that has been given a prompt."""

    def forward(self, tokens: Sequence[int], keep: int) -> NDArray[np.float32]:
        """Feed tokens, before the first of them the prompt; return the logits (keep, vocabulary) of the last ones."""
        ...

    def rewind(self, count: int) -> None:
        """Forget the last `count` tokens that were fed."""
        ...


@dataclass
class Decoded:
    """What was decoded.

    Args:
        tokens: the reply, without the end of the turn.
        forced: how many of them the grammar left no choice about.
        drafted: how many were taken from the draft.
        forwards: calls of the model.
        finish: "stop" or "length".
        prefill_s: time of the first call, which reads the prompt.
    """

    tokens: list[int]
    forced: int = 0
    drafted: int = 0
    forwards: int = 0
    finish: str = "length"
    prefill_s: float = 0.0


class Draft:
    """Proposes what comes next from a text that is expected to be close, and from what has been written itself.

    It follows the draft while the draft is right; after a difference it finds its place again where the last few
    tokens written stand in the draft, or else earlier in the reply (policies repeat themselves). It proposes fewer
    tokens while they are refused, more while they are taken.

    Args:
        tokens: the draft; empty for none.
        most: how many tokens are proposed at most.
        context: how many tokens must be alike where it finds its place.
    """

    def __init__(self, tokens: Sequence[int], most: int = 64, context: int = 2) -> None:
        self._known = [*tokens, _BREAK]
        self._written_from = len(self._known)
        self._next: int | None = 0
        self._most = self._window = most
        self._alike = context
        self._places: dict[tuple[int, ...], list[int]] = {}
        for end in range(context, len(tokens)):
            self._note(end)

    def propose(self) -> list[int]:
        """Return the tokens expected next; empty when nothing like this was seen before."""
        if self._next is None:
            return []
        tokens = self._known[self._next : self._next + self._window]
        return tokens[: tokens.index(_BREAK)] if _BREAK in tokens else tokens

    def learn(self, proposed: int, taken: int) -> None:
        """Take note of how many of the proposed tokens were right."""
        if proposed:
            self._window = min(self._most, max(6, 2 * taken))

    def follow(self, token: int) -> None:
        """Take note of one more token written."""
        self._known.append(token)
        at, end = self._next, len(self._known)
        if at is not None and at < end - 1 and self._known[at] == token:
            self._next = at + 1
        else:
            places = self._places.get(self._context(end), []) if end - self._written_from >= self._alike else []
            drafted = [place for place in places if place < self._written_from]
            ahead = [place for place in drafted if at is not None and place >= at]
            self._next = (ahead[:1] or drafted[:1] or places[-1:] or [None])[0]
        if end - self._written_from >= self._alike:
            self._note(end)

    def _note(self, end: int) -> None:
        self._places.setdefault(self._context(end), []).append(end)

    def _context(self, end: int) -> tuple[int, ...]:
        return tuple(self._known[end - self._alike : end])


class _Run:
    """One reply in the making.

    Attributes:
        pending: tokens written that the model has not been fed.
        guess: draft tokens that it has been fed; `taken` of them have been written.
    """

    def __init__(self, session: Session, matcher: Matcher | None, draft: Draft) -> None:
        self.session, self.matcher, self.draft = session, matcher, draft
        self.out = Decoded([])
        self.pending: list[int] = []
        self.guess: list[int] = []
        self.taken = 0
        self.rows: NDArray[np.float32] | None = None

    def write(self, token: int) -> None:
        """Append one token to the reply."""
        if self.matcher:
            self.matcher.accept(token)
        self.out.tokens.append(token)
        self.draft.follow(token)
        if self.taken < len(self.guess) and self.guess[self.taken] == token:
            self.taken += 1
            self.out.drafted += 1
            return
        self.drop_guess()
        self.pending.append(token)

    def drop_guess(self) -> None:
        """Make the model forget the draft tokens that were not written."""
        if self.guess:
            self.session.rewind(len(self.guess) - self.taken)
            self.draft.learn(len(self.guess), self.taken)
            self.guess, self.taken = [], 0

    def logits(self, room: int) -> NDArray[np.float32]:
        """Return the logits of the next token; the model is called when they are not at hand."""
        if self.rows is None or self.pending:
            self.drop_guess()
            guess = self.draft.propose()[: max(0, room)]
            if self.matcher:
                guess = guess[: self.matcher.admits(guess)]
            self.rows = self.session.forward([*self.pending, *guess], len(guess) + 1)
            self.out.forwards += 1
            self.pending, self.guess = [], guess
        return self.rows[self.taken]


def decode(
    session: Session,
    matcher: Matcher | None,
    draft: Sequence[int],
    ends: frozenset[int],
    max_tokens: int,
    timeout_s: float,
    on_tokens: Callable[[list[int]], None] | None = None,
    asked_s: float | None = None,
) -> Decoded:
    """Return the greedy reply.

    Args:
        session: the model with its prompt.
        matcher: the grammar at its start; None for free text.
        draft: tokens of a text expected to be close; empty for none.
        ends: tokens that end the turn.
        max_tokens: limit on the reply.
        timeout_s: limit on the time since `asked_s`.
        on_tokens: called with the reply so far after each stretch of tokens.
        asked_s: when the reply was asked for, by `time.monotonic()`; None for now.

    Raises:
        MissingComponent: the deadline passed, or the model gave numbers that are none.
    """
    run = _Run(session, matcher, Draft(draft))
    started = time.monotonic()
    deadline_s = (started if asked_s is None else asked_s) + timeout_s
    while len(run.out.tokens) < max_tokens:
        if time.monotonic() > deadline_s:
            raise MissingComponent(f"the model did not finish within {timeout_s:.1f} s.", TOO_SLOW)
        forced = matcher.forced()[: max_tokens - len(run.out.tokens)] if matcher else []
        for token in forced:
            run.write(token)
        run.out.forced += len(forced)
        if not forced:
            if matcher and matcher.done:
                return _finished(run)
            token = _best(run.logits(max_tokens - len(run.out.tokens) - 1), matcher)
            run.out.prefill_s = run.out.prefill_s or time.monotonic() - started
            if token in ends:
                return _finished(run)
            run.write(token)
        if on_tokens:
            on_tokens(run.out.tokens)
    # A reply that is complete but for the end of the turn was not cut.
    return _finished(run) if matcher and matcher.done else run.out


def _finished(run: _Run) -> Decoded:
    run.out.finish = "stop"
    return run.out


def _best(row: NDArray[np.float32], matcher: Matcher | None) -> int:
    if not np.isfinite(row).all():
        raise MissingComponent("the model's output is not a number.", "Its weights are broken, or its dtype is too narrow.")
    best = int(row.argmax())
    if matcher is None or matcher.admits([best]):  # most often; cheaper than asking which of all tokens are allowed
        return best
    allowed = matcher.allowed()
    if not allowed.any():
        raise MissingComponent("the grammar allows no token here.", "Does the tokenizer cover every byte?")
    return int(np.where(allowed, row, -np.inf).argmax())
