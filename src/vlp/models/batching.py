"""Continuous batching: requests of many threads are decoded together, and each joins and leaves between two passes.

A pass takes what every open request is to be fed: a prompt, the last token or a draft, each with its own keys, values and
places (iteration-level scheduling: Yu et al., "Orca", OSDI 2022). A request alone is a batch of one.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

from vlp.core.errors import MissingComponent
from vlp.models.decode import TOO_SLOW, Decoding, Feed, Logits
from vlp.models.protocol import Busy

T = TypeVar("T")

Mark = int | str
"""What a token that was read stands for: its id, or the digest of the image of which it shows a piece."""


class Cache:
    """Keys and values of the tokens of one request; a language part adds where they lie.

    Attributes:
        marks: of the tokens whose keys and values are held.
    """

    def __init__(self) -> None:
        self.marks: list[Mark] = []

    def common(self, marks: Sequence[Mark]) -> int:
        """Return how many tokens of a prompt are held; its last token is always read anew, for what follows from it."""
        most = min(len(self.marks), len(marks) - 1)
        return next((i for i in range(most) if self.marks[i] != marks[i]), most)

    def keep(self, marks: Sequence[Mark]) -> int:
        """Forget all but what a prompt has in common with what is held, and return how many tokens that is."""
        same = self.common(marks)
        del self.marks[same:]
        return same

    def forget(self, count: int) -> None:
        """Forget the last tokens."""
        del self.marks[len(self.marks) - count :]


@dataclass(frozen=True)
class Segment:
    """The tokens of one request in a pass.

    Args:
        cache: of the request; the language part's own kind of `Cache`.
        embedded: (n, width) in place of their ids.
        positions: (3, n) in time, height and width.
        marks: n of them.
        keep: how many of the last tokens are asked about.
    """

    cache: Any
    embedded: Any
    positions: Any
    marks: Sequence[Mark]
    keep: int


class Session(Protocol):
    """A prompt in a model, ready to be read.

    Attributes:
        marks: of the prompt.
    """

    marks: list[Mark]

    def begin(self, cache: Cache) -> None:
        """Take a cache; what it holds of the prompt is not read again."""
        ...

    def segment(self, feed: Feed) -> Segment:
        """Return what the next pass takes, at first the prompt before the tokens."""
        ...


@dataclass(frozen=True)
class BatchLimits:
    """How much a model takes on at a time.

    Args:
        requests: decoded together.
        waiting: those behind them, first come first served; more are refused.
        prompt_tokens: of prompts that are begun in one pass, so that the others wait for no more; a longer one is begun alone.
        draft_tokens: of drafts in a pass, shared by the requests in it; one alone has no such limit. Most of a long draft is
            refused: that costs less than another pass does, unless others share the pass. With four requests 24 took 271 ms of
            processor time a policy, 48 took 286, and drafts of any length 299.
    """

    requests: int = 32
    waiting: int = 256
    prompt_tokens: int = 4096
    draft_tokens: int = 24


@dataclass
class Work:
    """What a model has computed.

    Args:
        passes: of its language part.
        tokens: fed to it in them.
        segments: requests in them, each counted once a pass: passes of requests that are decoded one after the other.
    """

    passes: int = 0
    tokens: int = 0
    segments: int = 0


class _Request(Generic[T]):
    """A reply in the making, shared by the thread that asked and the one that decodes."""

    def __init__(self, session: Session, decoding: Decoding[T], told: SimpleQueue[Any]) -> None:
        self.session, self.decoding, self.told = session, decoding, told
        self.cache: Cache | None = None
        self.feed: Feed | None = None
        self.result: T | None = None
        self.error: BaseException | None = None
        self.ended = self.left = False  # by the thread that decodes, by the one that asked

    def go_on(self, logits: Logits | None) -> None:
        """Take the logits that were asked for, None at the start; what follows is another feed, or the end."""
        try:
            if self.feed is None and self.cache is not None:
                self.session.begin(self.cache)
            self.feed = self.decoding.send(logits)  # type: ignore[arg-type]
        except StopIteration as done:
            self.end(done.value)
        except BaseException as error:  # raised where the reply was asked for
            self.end(error=error)

    def end(self, result: T | None = None, error: BaseException | None = None) -> None:
        """Tell the thread that asked."""
        self.result, self.error, self.ended = result, error, True
        self.told.put(None)


class Batch:
    """Decodes the requests of all threads together, on a thread of its own that lives while there are any.

    Args:
        feed: a pass: from segments to the logits of each.
        cache: makes one more.
        computing: returns what holds while it decodes.
        limits: how much it takes on.

    Attributes:
        work: what was computed so far.
    """

    def __init__(
        self,
        feed: Callable[[Sequence[Segment]], Sequence[Logits]],
        cache: Callable[[], Cache],
        computing: Callable[[], AbstractContextManager[Any]],
        limits: BatchLimits | None = None,
    ) -> None:
        self._feed, self._cache, self._computing, self.limits = feed, cache, computing, limits or BatchLimits()
        self.work = Work()
        self._lock = threading.Lock()
        self._waiting: deque[_Request[Any]] = deque()
        self._open: list[_Request[Any]] = []
        self._idle: list[Cache] = []  # the last one used is the last
        self._thread: threading.Thread | None = None

    @property
    def requests(self) -> int:
        """How many are open or wait."""
        with self._lock:
            return len(self._open) + len(self._waiting)

    def decode(
        self, session: Session, decoding: Decoding[T], timeout_s: float, told: SimpleQueue[Any] | None = None,
        on_tokens: Callable[[list[int]], None] | None = None,
    ) -> T:  # fmt: skip
        """Return what a reply in the making comes to, or raise what it raises.

        Args:
            session: the prompt.
            decoding: the reply; a time limit of its own ends it.
            timeout_s: limit on the wait for its turn.
            told: what the reply puts there is handed on.
            on_tokens: called with it, on this thread: it holds up nobody else.

        Raises:
            Busy: too many requests wait already.
            MissingComponent: its turn did not come in time.
        """
        request = _Request(session, decoding, told or SimpleQueue())
        self._submit(request)
        try:
            try:
                wait_s = min(max(timeout_s, 0.1), threading.TIMEOUT_MAX)  # one that is late already ends by its own limit
                tokens = request.told.get(timeout=wait_s)
            except Empty:
                if self._withdrawn(request):
                    raise MissingComponent("the model was busy with other requests up to the time limit.", TOO_SLOW) from None
                tokens = request.told.get()
            while tokens is not None:
                if on_tokens:
                    on_tokens(tokens)
                tokens = request.told.get()
        finally:
            request.left = True  # also where a person interrupted it
        if request.error is not None:
            raise request.error
        return request.result  # type: ignore[return-value]

    def forget(self) -> None:
        """Forget what was read, but for requests that are open."""
        with self._lock:
            for cache in [*self._idle, *(one.cache for one in self._open if one.ended and one.cache)]:
                cache.forget(len(cache.marks))

    def _submit(self, request: _Request[Any]) -> None:
        with self._lock:
            if len(self._waiting) >= self.limits.waiting:
                said = f"the model decodes {self.limits.requests} requests together, and {len(self._waiting)} wait already."
                raise Busy(said, "Ask again later, or open the model a second time.")
            if self._thread is None or not self._thread.is_alive():  # none yet, or left behind by a fork
                thread = threading.Thread(target=self._serve, name="vlp-batch", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:
                    raise Busy(f"the model cannot start a thread to decode on: {error}.", "Ask again later.") from None
                self._thread = thread
            self._waiting.append(request)

    def _withdrawn(self, request: _Request[Any]) -> bool:
        with self._lock:
            if request not in self._waiting:
                return False
            self._waiting.remove(request)
            return True

    def _serve(self) -> None:
        try:
            while self._served():
                pass
        except BaseException as error:  # no memory for a cache, or no device: whoever waits is told, the next one begins anew
            with self._lock:
                left = [one for one in (*self._open, *self._waiting) if not one.ended]
                self._open.clear()
                self._waiting.clear()
                self._thread = None
            for request in left:
                request.end(error=error)

    def _served(self) -> bool:
        """Decode until nothing is open; return whether somebody waits again, and let go of the thread where nobody does."""
        with self._computing():
            while self._admit():
                self._pass()
        with self._lock:
            if not self._waiting:
                self._thread = None
            return bool(self._waiting)

    def _admit(self) -> bool:
        """Let go of requests that ended and take on those whose turn it is; False when there are none."""
        with self._lock:
            for request in [one for one in self._open if one.ended or one.left]:
                self._open.remove(request)
                if request.cache:
                    self._idle.append(request.cache)
            new, tokens = list[_Request[Any]](), 0
            while self._waiting and len(self._open) < self.limits.requests:
                tokens += len(self._waiting[0].session.marks)
                if new and tokens > self.limits.prompt_tokens:
                    break
                new.append(self._waiting.popleft())
                self._open.append(new[-1])
            for request in new:
                request.cache = self._cache_for(request.session.marks)
        for request in new:
            request.go_on(None)
        return bool(self._open)

    def _cache_for(self, marks: Sequence[Mark]) -> Cache:
        """Return the idle cache that holds most of a prompt, of several the one that was not used for longest."""
        if not self._idle:
            return self._cache()
        best = max(self._idle, key=lambda one: one.common(marks))
        self._idle.remove(best)
        return best

    def _pass(self) -> None:
        taking = [one for one in self._open if one.feed and not (one.ended or one.left)]
        if not taking:
            return
        most = self.limits.draft_tokens // len(taking) if len(taking) > 1 else None
        try:
            feeds = [replace(one.feed, guess=one.feed.guess[:most]) for one in taking if one.feed]
            segments = [one.session.segment(feed) for one, feed in zip(taking, feeds, strict=True)]
            found = self._feed(segments)
        except BaseException as error:
            for request in taking:
                if request.cache:
                    request.cache.forget(len(request.cache.marks))
                request.end(error=error)
            return
        self.work.passes += 1
        self.work.segments += len(segments)
        self.work.tokens += sum(len(segment.marks) for segment in segments)
        for request, logits in zip(taking, found, strict=True):
            request.go_on(logits)
