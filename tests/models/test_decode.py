import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlp.core.errors import MissingComponent
from vlp.models.decode import Decoded, Decoding, Draft, Feed, Logits, Texts, decode

END, SIZE = 0, 8


class Chain:
    """A model of which the next token depends on the last two: enough to notice a wrong cache."""

    def __init__(self, seed: int, end_after: int = 60, room: int = 1000) -> None:
        self.table = np.random.default_rng(seed).normal(size=(SIZE, SIZE, SIZE)).astype(np.float32)
        self.table[:, :, END] = -10
        self.fed = [1, 2]
        self.calls = 0
        self.end_after, self.room = end_after, room

    def feed(self, feed: Feed) -> Logits:
        self.calls += 1
        del self.fed[len(self.fed) - feed.forget :]
        guess = feed.guess[: self.room]
        self.fed += [*feed.tokens, *guess]
        rows = []
        for upto in range(len(self.fed) - len(guess), len(self.fed) + 1):
            row = self.table[self.fed[upto - 2], self.fed[upto - 1]].copy()
            if upto - 2 >= self.end_after:
                row[END] = 10
            rows.append(row)
        return Logits([int(row.argmax()) for row in rows], lambda i: rows[i])


def written(model: Chain, decoding: Decoding[Decoded]) -> Decoded:
    feed = next(decoding)
    while True:
        try:
            feed = decoding.send(model.feed(feed))
        except StopIteration as done:
            return done.value


def run(seed: int, draft: Sequence[int] = (), max_tokens: int = 200) -> Decoded:
    return written(Chain(seed), decode(None, Draft(draft), frozenset([END]), max_tokens, 60))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 20), st.lists(st.integers(1, SIZE - 1), max_size=80), st.integers(1, 80))
def test_no_draft_whatever_it_says_changes_the_reply(seed: int, noise: list[int], max_tokens: int) -> None:
    plain = [int(t) for t in greedy(seed, max_tokens)]
    for draft in ([], noise, plain, plain[:10] + noise + plain[10:], plain[5:]):
        got = run(seed, draft, max_tokens)
        assert got.tokens == plain
        assert got.finish == ("length" if len(plain) == max_tokens else "stop")


@pytest.mark.parametrize("room", [0, 1, 5])
def test_a_draft_of_which_a_pass_takes_less_changes_no_reply(room: int) -> None:
    plain = greedy(3, 50)
    for draft in (plain, [*plain[:20], 7, 7, *plain[22:]]):
        model = Chain(3, room=room)
        got = written(model, decode(None, Draft(draft), frozenset([END]), 50, 60))
        assert got.tokens == plain and model.calls >= 50 // (room + 1)


def greedy(seed: int, max_tokens: int) -> list[int]:
    model, out = Chain(seed), []
    best = model.feed(Feed(0, [])).best[0]
    while len(out) < max_tokens and best != END:
        out.append(best)
        best = model.feed(Feed(0, out[-1:])).best[0]
    return out


def test_the_right_draft_costs_a_call_per_window_instead_of_one_per_token() -> None:
    plain = run(3)
    assert len(plain.tokens) == 60
    drafted = run(3, plain.tokens)
    assert drafted.forwards <= 2 and drafted.drafted == 60
    changed = run(3, [*plain.tokens[:20], 7, 7, 7, *plain.tokens[24:]])
    assert changed.forwards < 15


def test_a_draft_finds_its_place_again_after_a_difference() -> None:
    draft = Draft([1, 2, 3, 4, 5, 6, 7])
    assert draft.propose() == [1, 2, 3, 4, 5, 6, 7]
    for token in (1, 2, 9, 9, 4, 5):
        draft.follow(token)
    assert draft.propose() == [6, 7]


def test_an_exchange_in_a_draft_is_expected_wherever_the_token_comes_again() -> None:
    """A new plan with another object used to cost a call wherever the object is named."""
    draft = Draft([1, 2, 3, 4, 5, 3, 6, 3, 7])
    for token in (1, 2, 9):
        draft.follow(token)
    assert draft.propose() == [4, 5, 9, 6, 9, 7]


NAMES = {11: (11, 21), 21: (11, 21), 12: (12, 22), 22: (12, 22), 13: (13, 23), 23: (13, 23)}
"""Three names, each spelled in two ways."""


def test_another_name_is_expected_in_every_spelling() -> None:
    """Against: a call for "red cube", and another one for "red_cube" in the same step."""
    draft = Draft([1, 11, 2, 21, 3, 11], names=NAMES)
    for token in (1, 12):
        draft.follow(token)
    assert draft.propose() == [2, 22, 3, 12]


def test_a_text_with_other_names_is_followed_with_the_names_of_this_one() -> None:
    """Against: a plan like one written before, for other things, that cost a call for each of its names."""
    earlier = Texts(NAMES)
    earlier.add([1, 11, 2, 12, 3, 4, 21, 5, 22])
    draft = Draft([], others=[earlier], names=NAMES)
    for token in (1, 12, 2, 13, 3):
        draft.follow(token)
    assert draft.propose() == [4, 22, 5, 23]


def test_the_same_name_counts_for_more_than_another_one() -> None:
    texts = Texts(NAMES)
    texts.add([7, 11, 1, 2])
    texts.add([7, 12, 3, 4])
    assert texts.alike([7, 11]) == (2, 3, {11: 11, 21: 21})
    assert texts.alike([7, 13]).same == 1


def test_two_differences_in_a_row_lead_to_where_the_last_tokens_stand_elsewhere() -> None:
    earlier = Texts()
    earlier.add([8, 2, 9, 9, 5, 6, 7])
    draft = Draft([1, 2, 3, 4, 5], others=[earlier])
    for token in (1, 2, 9, 9):
        draft.follow(token)
    assert draft.propose() == [5, 6, 7]


def test_the_beginning_is_expected_from_replies_that_followed_the_same_words() -> None:
    earlier = Texts()
    for lead, reply in (([7, 8], [1, 2, 3]), ([7, 9], [4, 5, 6])):
        earlier.add([*lead, *reply])
    assert Draft([], [7, 8], [earlier]).propose() == [1, 2, 3]
    assert Draft([], [7, 9], [earlier]).propose() == [4, 5, 6]
    assert Draft([], [3, 4], [earlier]).propose() == []


def test_texts_forget_the_older_half() -> None:
    texts = Texts(most=20)
    for first in range(0, 100, 5):
        texts.add([first + i for i in range(5)])
    assert len(texts.tokens) <= 20 and texts.tokens[-5:] == [95, 96, 97, 98, 99]
    assert texts.alike([95, 96])[0] == 2 and texts.alike([0, 1])[0] == 0


def test_a_reply_that_repeats_itself_is_its_own_draft() -> None:
    draft = Draft([])
    for token in (1, 2, 3, 4, 5, 1, 2):
        draft.follow(token)
    assert draft.propose()[:3] == [3, 4, 5]


def test_a_deadline_that_has_passed_ends_the_reply() -> None:
    with pytest.raises(MissingComponent, match="did not finish"):
        next(decode(None, Draft([]), frozenset([END]), 10, 0, asked_s=time.monotonic() - 1))


def test_numbers_that_are_none_are_named() -> None:
    class Broken(Chain):
        def feed(self, feed: Feed) -> Logits:
            return Logits([-1] * (len(feed.guess) + 1), np.empty)

    with pytest.raises(MissingComponent, match="not a number"):
        written(Broken(0), decode(None, Draft([]), frozenset([END]), 10, 9))
