"""The decoding loop: greedy, under a grammar, with forced tokens and a draft written without a step each.

The text is the same with and without a draft, and whether forced tokens are fed one by one or together: a draft token
counts only where it is the token that the model would have chosen.
"""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from vlp.core.errors import MissingComponent
from vlp.models.grammar import Matcher

_BREAK = -1
"""Stands between the draft and what is written, as no token."""
TOO_SLOW = "Give it more time, a smaller model, or a shorter memory."


T = TypeVar("T")


@dataclass(frozen=True)
class Logits:
    """What the model makes of the tokens that were asked about.

    Args:
        best: the most likely token behind each of them; -1 where its numbers are none.
        row: gives all numbers behind one of them; they may have to be fetched from a GPU.
    """

    best: list[int]
    row: Callable[[int], NDArray[np.float32]]


@dataclass(frozen=True)
class Feed:
    """What a reply needs of the model before it can go on.

    Args:
        forget: how many of the last tokens that were fed are forgotten first.
        tokens: fed then, and before the first of them the prompt; the last one is asked about.
        guess: fed behind them and asked about as well, as far as there is room.
    """

    forget: int
    tokens: list[int]
    guess: list[int] = field(default_factory=list[int])


Decoding = Generator[Feed, Logits, T]
"""A reply in the making: yields what the model is to be fed, is sent the logits, returns the reply."""


@dataclass
class Decoded:
    """What was decoded.

    Args:
        tokens: the reply, without the end of the turn.
        forced: how many of them the grammar left no choice about.
        drafted: how many were taken from the draft.
        forwards: passes of the model.
        finish: "stop" or "length".
        prefill_s: time from being asked to the first logits: the prompt has been read.
    """

    tokens: list[int]
    forced: int = 0
    drafted: int = 0
    forwards: int = 0
    finish: str = "length"
    prefill_s: float = 0.0


Names = Mapping[int, Sequence[int]]
"""The tokens of a name, each spelling of it in its place, by each of them: "red cube" and "red_cube"."""


class Texts:
    """Token sequences one behind the other, and where two tokens in a row stand in them, with the same names or others.

    Args:
        names: tokens that may stand for one another.
        most: tokens that are kept; the older half goes where there are more. None keeps all.
    """

    def __init__(self, names: Names | None = None, most: int | None = None) -> None:
        self.tokens: list[int] = []
        self._names, self._most = names or {}, most
        self._ends: dict[tuple[int | None, int | None], list[int]] = {}

    def add(self, tokens: Sequence[int]) -> None:
        """Add a sequence of its own."""
        if self._most and len(self.tokens) + len(tokens) > self._most:
            kept, self.tokens, self._ends = self.tokens[-self._most // 2 :], [], {}
            self.add(kept)
        for token in (_BREAK, *tokens):
            self.append(token)

    def append(self, token: int) -> None:
        """Add one token to the last sequence."""
        self.tokens.append(token)
        if len(self.tokens) > 1:
            for pair in self._pairs(self.tokens[-2], token):
                self._ends.setdefault(pair, []).append(len(self.tokens))

    def alike(self, tail: Sequence[int], most: int = 24, tried: int = 24) -> "Alike":
        """Return the place behind what is most like the end of a text, the last such place.

        Args:
            tail: the end of the text.
            most: longer ones are as good.
            tried: how many places are looked at.
        """
        best = Alike(0, 0, {})
        for pair in self._pairs(tail[-2], tail[-1]) if len(tail) > 1 else ():
            for place in reversed(self._ends.get(pair, [])[-tried:]):
                if place < len(self.tokens):  # something follows
                    best = max(best, self._alike(tail, place, most), key=lambda one: one.same)
        return best

    def _alike(self, tail: Sequence[int], place: int, most: int) -> "Alike":
        same, instead = 0, dict[int, int]()
        for back in range(1, min(most, len(tail), place) + 1):
            there, here = self.tokens[place - back], tail[-back]
            if there in self._names and here in self._names and instead.get(there, here) == here:
                instead |= exchanged(there, here, self._names)
            elif there != here:
                break
            same += there == here
        return Alike(same, place, instead)

    def _pairs(self, first: int, last: int) -> Sequence[tuple[int | None, int | None]]:
        """Return two tokens, and the same with None in the place of a name."""
        if first not in self._names and last not in self._names:
            return ((first, last),)
        return (first, last), (None if first in self._names else first, None if last in self._names else last)


class Alike(NamedTuple):
    """A stretch of text like the end of another.

    Args:
        same: how many of its tokens are the same.
        place: behind it.
        instead: what stands in the other text for its names.
    """

    same: int
    place: int
    instead: dict[int, int]


def exchanged(there: int, here: int, names: Names) -> dict[int, int]:
    """Return what to expect for a token where another one stood: of two names, for each spelling."""
    return dict(zip(names.get(there, (there,)), names.get(here, (here,)), strict=False))


class Draft:
    """Proposes what comes next from a text that is expected to be close, and from what has been written before.

    It follows the draft while the draft is right. Where one token differs, it goes on behind it, and expects the same exchange
    later: another object in the same plan. Where two differ in a row, or more of the last tokens stand elsewhere than have been
    right here, it goes on there instead. It proposes fewer tokens while they are refused, more while they are taken.

    Args:
        tokens: the draft; empty for none.
        lead: the last tokens before the reply.
        others: what else may be repeated: the prompt, earlier replies with the tokens before them.
        names: tokens that may stand for one another.
        most: how many tokens are proposed at most.
    """

    def __init__(
        self,
        tokens: Sequence[int],
        lead: Sequence[int] = (),
        others: Sequence[Texts] = (),
        names: Names | None = None,
        most: int = 64,
    ) -> None:
        self._names = names or {}
        self._own = Texts(names)
        self._own.add(tokens)
        self._texts = [self._own, *others]
        self._at: tuple[Texts, int] | None = (self._own, 1) if tokens else None
        self._right = 2  # tokens in a row that were as expected
        self._instead: dict[int, int] = {}
        self._own.add(lead)
        self._from = len(self._own.tokens) - len(lead)
        self._most = self._window = most
        if not tokens:
            self._jump(1)

    def propose(self) -> list[int]:
        """Return the tokens expected next; empty when nothing like this was seen before."""
        if self._at is None:
            return []
        text, place = self._at
        tokens = text.tokens[place : place + self._window]
        tokens = tokens[: tokens.index(_BREAK)] if _BREAK in tokens else tokens
        return [self._instead.get(token, token) for token in tokens]

    def learn(self, proposed: int, taken: int) -> None:
        """Take note of how many of the proposed tokens were right."""
        if proposed:
            self._window = min(self._most, max(12, 2 * taken))

    def follow(self, token: int) -> None:
        """Take note of one more token written."""
        self._own.append(token)
        text, place = self._at or (self._own, len(self._own.tokens))
        there = text.tokens[place] if place < len(text.tokens) - (text is self._own) else _BREAK
        if self._instead.get(there, there) == token:
            self._at, self._right = (text, place + 1), self._right + 1
        elif there == _BREAK or self._right < 2:
            self._at, self._right = None, 0
            self._jump(1)
        elif not self._jump(self._right + 1):
            self._at, self._right = (text, place + 1), 0
            self._instead |= exchanged(there, token, self._names)

    def _jump(self, more_than: int) -> bool:
        """Go on where most of the last tokens stand; False where no more than so many do."""
        tail = self._own.tokens[self._from :]
        found, text = max(((text.alike(tail), text) for text in self._texts), key=lambda one: one[0].same)
        if found.same <= more_than:
            return False
        kept = self._instead if self._at and text is self._at[0] else {}
        self._instead, self._at, self._right = kept | found.instead, (text, found.place), found.same
        return True


class _Run:
    """One reply in the making.

    Attributes:
        pending: tokens written that the model has not been fed.
        guess: draft tokens that it has been fed; `taken` of them have been written.
        refused: draft tokens that it has been fed and is to forget.
    """

    def __init__(self, matcher: Matcher | None, draft: Draft) -> None:
        self.matcher, self.draft = matcher, draft
        self.out = Decoded([])
        self.pending: list[int] = []
        self.guess: list[int] = []
        self.taken = self.refused = 0
        self.rows = Logits([], np.empty)

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
        """Have the model forget the draft tokens that were not written."""
        if self.guess:
            self.refused += len(self.guess) - self.taken
            self.draft.learn(len(self.guess), self.taken)
            self.guess, self.taken = [], 0

    def best(self, room: int) -> Decoding[int]:
        """Return the next token; the model is fed when its logits are not at hand."""
        if self.pending or not self.rows.best:
            self.drop_guess()
            guess = self.draft.propose()[: max(0, room)]
            if self.matcher:
                guess = guess[: self.matcher.admits(guess)]
            self.rows = yield Feed(self.refused, self.pending, guess)
            self.pending, self.guess, self.refused = [], guess[: len(self.rows.best) - 1], 0
            self.out.forwards += 1
        best = self.rows.best[self.taken]
        if best < 0:
            raise MissingComponent("the model's output is not a number.", "Its weights are broken, or its dtype is too narrow.")
        if self.matcher is None or self.matcher.admits([best]):  # most often; cheaper than asking which tokens are allowed
            return best
        allowed = self.matcher.allowed()
        if not allowed.any():
            raise MissingComponent("the grammar allows no token here.", "Does the tokenizer cover every byte?")
        return int(np.where(allowed, self.rows.row(self.taken), -np.inf).argmax())


def decode(
    matcher: Matcher | None,
    draft: Draft,
    ends: frozenset[int],
    max_tokens: int,
    timeout_s: float,
    on_tokens: Callable[[list[int]], None] | None = None,
    asked_s: float | None = None,
) -> Decoding[Decoded]:
    """Write the greedy reply.

    Args:
        matcher: the grammar at its start; None for free text.
        draft: proposes tokens.
        ends: tokens that end the turn.
        max_tokens: limit on the reply.
        timeout_s: limit on the time since `asked_s`.
        on_tokens: called with the reply so far after each stretch of tokens.
        asked_s: when the reply was asked for, by `time.monotonic()`; None for now.

    Raises:
        MissingComponent: the deadline passed, or the model gave numbers that are none.
    """
    run = _Run(matcher, draft)
    asked_s = time.monotonic() if asked_s is None else asked_s
    deadline_s = asked_s + timeout_s
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
            token = yield from run.best(max_tokens - len(run.out.tokens) - 1)
            run.out.prefill_s = run.out.prefill_s or time.monotonic() - asked_s
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
