"""Requests of several threads are decoded together: as many passes as the longest needs, and the replies of each alone."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest

from vlp.core.errors import MissingComponent
from vlp.core.messages import Message, user
from vlp.models.batching import Batch, BatchLimits, Cache, Segment
from vlp.models.catalogue import find_folder
from vlp.models.decode import Decoding, Feed, Logits
from vlp.models.engine import Engine
from vlp.models.in_process import InProcess
from vlp.models.numpy_model import NumpyModel
from vlp.models.protocol import Busy, Reply
from vlp.models.transformers_model import TransformersModel

LATE_S = 20.0
"""Longer than anything here takes."""


class FakePrompt:
    """A session of tokens that stand for themselves."""

    def __init__(self, *marks: int) -> None:
        self.marks: list[Any] = [*(marks or (1, 2, 3))]

    def begin(self, cache: Cache) -> None:
        self.cache = cache
        self.unread = self.marks[cache.keep(self.marks) :]

    def segment(self, feed: Feed) -> Segment:
        self.cache.forget(feed.forget)
        new, self.unread = [*self.unread, *feed.tokens, *feed.guess], []
        return Segment(self.cache, None, None, new, len(feed.guess) + 1)


class FakeModel:
    """Reads marks; its first pass waits until it is let go, so that requests gather.

    Attributes:
        seen: in each pass, how many new marks each segment had.
    """

    def __init__(self, limits: BatchLimits | None = None) -> None:
        self.seen, self.let_go, self.at_work = list[list[int]](), threading.Event(), threading.Event()
        self.broken = False
        self.batch = Batch(self.feed, Cache, nullcontext, limits)
        self.pool = ThreadPoolExecutor(16)

    def feed(self, segments: Sequence[Segment]) -> list[Logits]:
        self.at_work.set()
        assert self.let_go.wait(LATE_S)
        if self.broken:
            raise RuntimeError("out of memory")
        self.seen.append([len(one.marks) for one in segments])
        for one in segments:
            one.cache.marks += one.marks
        return [Logits([7] * one.keep, np.empty) for one in segments]

    def ask(self, decoding: Decoding[Any], *marks: int, **options: Any) -> "Future[Any]":
        """Ask on a thread of its own, and return once the request waits or is open."""
        before = self.batch.requests
        future = self.pool.submit(lambda: self.batch.decode(FakePrompt(*marks), decoding, LATE_S, **options))
        wait_for(lambda: self.at_work.is_set() and self.batch.requests > before)
        return future


def wait_for(true: Callable[[], bool]) -> None:
    until_s = time.monotonic() + LATE_S
    while not true():
        assert time.monotonic() < until_s
        time.sleep(0.001)


def writing(tokens: int, after: Callable[[int], None] = lambda i: None, guess: Sequence[int] = ()) -> Decoding[int]:
    """A reply of so many passes."""
    for i in range(tokens):
        yield Feed(0, [i] if i else [], [*guess])
        after(i)
    return tokens


def test_requests_that_wait_join_between_two_passes_and_leave_when_they_end() -> None:
    model = FakeModel()
    replies = [model.ask(writing(n)) for n in (5, 2, 4, 1)]
    model.let_go.set()
    assert [reply.result(LATE_S) for reply in replies] == [5, 2, 4, 1]
    assert [len(seen) for seen in model.seen] == [1, 4, 3, 2, 2], "the first began alone"
    work = model.batch.work
    assert (work.passes, work.segments, work.tokens) == (5, 12, sum(map(sum, model.seen)))


def test_who_comes_first_is_decoded_first_and_too_many_are_refused() -> None:
    model, order = FakeModel(BatchLimits(requests=2, waiting=3)), list[int]()
    replies = [model.ask(writing(2, lambda i, who=who: order.append(who))) for who in range(4)]
    with pytest.raises(Busy, match="decodes 2 requests together, and 3 wait already"):
        model.batch.decode(FakePrompt(), writing(1), LATE_S)
    model.let_go.set()
    assert [reply.result(LATE_S) for reply in replies] == [2] * 4
    assert max(map(len, model.seen)) == 2 and [who for i, who in enumerate(order) if who not in order[:i]] == [0, 1, 2, 3]


def test_requests_of_one_pass_share_the_room_for_drafts_which_one_alone_has_for_itself() -> None:
    model = FakeModel(BatchLimits(draft_tokens=8))
    replies = [model.ask(writing(n, guess=range(20)), 1) for n in (4, 2, 3)]
    model.let_go.set()
    assert [reply.result(LATE_S) for reply in replies] == [4, 2, 3]
    assert model.seen == [[1 + 20], [1 + 2] * 3, [1 + 2] * 3, [1 + 4] * 2]


def test_long_prompts_begin_one_after_the_other_and_hold_up_nobody_for_all_of_them() -> None:
    model = FakeModel(BatchLimits(prompt_tokens=10))
    replies = [model.ask(writing(4), *range(length)) for length in (3, 6, 6, 40)]
    model.let_go.set()
    assert [reply.result(LATE_S) for reply in replies] == [4] * 4
    assert model.seen[1:4] == [[1, 6], [1, 1, 6], [1, 1, 1, 40]]


def test_a_turn_that_does_not_come_in_time_is_told_and_costs_no_pass() -> None:
    model = FakeModel()
    first = model.ask(writing(3))
    with pytest.raises(MissingComponent, match="busy with other requests up to the time limit"):
        model.batch.decode(FakePrompt(), writing(1), 0.1)
    model.let_go.set()
    assert first.result(LATE_S) == 3 and model.batch.work.segments == 3


def test_a_reply_that_fails_leaves_and_the_others_go_on() -> None:
    def fail(i: int) -> None:
        raise MissingComponent("the model did not finish")

    model = FakeModel()
    replies = [model.ask(writing(3)), model.ask(writing(3, fail)), model.ask(writing(3))]
    model.let_go.set()
    assert [replies[0].result(LATE_S), replies[2].result(LATE_S)] == [3, 3]
    with pytest.raises(MissingComponent, match="did not finish"):
        replies[1].result(LATE_S)


def test_a_pass_that_fails_ends_its_replies_and_nothing_of_it_is_kept() -> None:
    model = FakeModel()
    model.let_go.set()
    assert model.batch.decode(FakePrompt(1, 2, 3), writing(2), LATE_S) == 2
    model.broken = True
    with pytest.raises(RuntimeError, match="out of memory"):
        model.batch.decode(FakePrompt(1, 2, 3), writing(2), LATE_S)
    model.broken = False
    assert model.batch.decode(FakePrompt(1, 2, 3), writing(1), LATE_S) == 1
    assert model.seen[-1] == [3], "read anew"


def test_what_a_prompt_has_in_common_with_an_idle_cache_is_not_read_again() -> None:
    """Against: the prompts of two robots in turn, each of which drives out what is held of the other."""
    model = FakeModel()
    both = [model.ask(writing(2), *range(10, 20)), model.ask(writing(2), *range(30, 40))]
    model.let_go.set()
    assert [one.result(LATE_S) for one in both] == [2, 2]
    del model.seen[:]
    for first in (10, 30, 10, 30):
        assert model.batch.decode(FakePrompt(*range(first, first + 12)), writing(1), LATE_S) == 1
    assert model.seen == [[2], [2], [1], [1]]
    model.batch.forget()
    assert model.batch.decode(FakePrompt(*range(10, 22)), writing(1), LATE_S) == 1 and model.seen[-1] == [12]


def test_one_who_listens_slowly_holds_up_nobody_and_one_who_fails_leaves() -> None:
    model, heard, told = FakeModel(), threading.Event(), SimpleQueue[Any]()
    slow = model.ask(writing(3, lambda i: told.put([i])), told=told, on_tokens=lambda tokens: heard.wait(LATE_S))

    def fail(tokens: list[int]) -> None:
        raise KeyboardInterrupt

    gone = SimpleQueue[Any]()
    interrupted = model.ask(writing(10**9, lambda i: gone.put([i])), told=gone, on_tokens=fail)
    other = model.ask(writing(5))
    model.let_go.set()
    assert other.result(LATE_S) == 5 and not slow.done()
    heard.set()
    assert slow.result(LATE_S) == 3
    with pytest.raises(KeyboardInterrupt):
        interrupted.result(LATE_S)
    wait_for(lambda: model.batch.requests == 0)


def asked() -> list[list[Message]]:
    """Prompts of several lengths, with and without images."""
    rgb = np.random.default_rng(3).integers(0, 255, (3, 480, 640, 3), dtype=np.uint8)
    words = ("ask: is the red cube left of the green bowl?", "ask: what is there?", "do: put it in the bowl", "do: stop")
    return [[user(rgb[i], text) if i < 3 else user(text)] for i, text in enumerate(words)]


SCHEMA = {
    "type": "object", "properties": {"a": {"enum": ["cube", "bowl"]}, "b": {"type": "string", "maxLength": 40}},
    "required": ["a", "b"], "additionalProperties": False,
}  # fmt: skip


def together(model: InProcess, prompts: Sequence[list[Message]]) -> list[Reply]:
    """Ask for all at once: the first pass waits until every one is there."""
    feed, count = model.feed, threading.Event()

    def gathered(segments: Sequence[Segment]) -> list[Logits]:
        assert count.wait(LATE_S)
        return feed(segments)

    model.batch = Batch(gathered, model.engine.cache, model.computing)
    with ThreadPoolExecutor(len(prompts)) as pool:
        replies = [pool.submit(model.generate, one, grammar=SCHEMA, draft='{"a":"cube"', max_tokens=40) for one in prompts]
        wait_for(lambda: model.batch.requests == len(prompts))
        count.set()
        return [reply.result(LATE_S) for reply in replies]


@pytest.mark.parametrize("kind", ["numpy", "torch", "torch, padded"])
def test_replies_are_those_of_each_prompt_alone_and_passes_those_of_the_longest(kind: str, toy_folder: Path) -> None:
    """A model used to answer one request after the other: four robots waited for each other's replies."""
    model = NumpyModel(find_folder("nano")) if kind == "numpy" else TransformersModel(toy_folder, device="cpu")
    if isinstance(model, TransformersModel):
        model.engine = Engine(model.model, joined=True, padded="padded" in kind)
        model.prepare(model.vocabulary, [])
    alone = []
    for prompt in asked():
        model.forget()
        alone.append(model.generate(prompt, grammar=SCHEMA, draft='{"a":"cube"', max_tokens=40))
    model.forget()
    replies = together(model, asked())
    assert [reply.text for reply in replies] == [reply.text for reply in alone]
    longest = max(reply.tokens["forwards"] for reply in replies)
    assert longest <= model.batch.work.passes <= longest + 1, "one may have begun before the others came"
    assert model.batch.work.segments == sum(reply.tokens["forwards"] for reply in replies) > longest


def test_what_fails_outside_a_pass_is_told_and_the_next_request_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """No memory for a cache ended the thread: that request waited for ever, and all after it heard that the model is busy."""
    model, full = FakeModel(), [MemoryError("no room")]
    model.let_go.set()

    def cache() -> Cache:
        if full:
            raise full.pop()
        return Cache()

    model.batch = Batch(model.feed, cache, nullcontext)
    with pytest.raises(MemoryError):
        model.batch.decode(FakePrompt(), writing(2), LATE_S)
    assert model.batch.requests == 0
    assert model.batch.decode(FakePrompt(), writing(2), LATE_S) == 2

    start, refused = threading.Thread.start, [RuntimeError("can't start new thread")]

    def started(self: threading.Thread) -> None:
        if refused:
            raise refused.pop()
        start(self)

    monkeypatch.setattr(threading.Thread, "start", started)
    wait_for(lambda: model.batch._thread is None)
    with pytest.raises(Busy, match="can't start"):
        model.batch.decode(FakePrompt(), writing(2), LATE_S)
    assert model.batch.decode(FakePrompt(), writing(2), LATE_S) == 2


def test_a_limit_beyond_what_a_clock_can_wait_is_no_error() -> None:
    """A limit of 1e11 s was "a fault in the program": OverflowError."""
    model = FakeModel()
    model.let_go.set()
    assert model.batch.decode(FakePrompt(), writing(2), 1e11) == 2
