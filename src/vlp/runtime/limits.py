"""Time limits that hold even when the other side hangs."""

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any, TypeVar

from vlp.core.errors import MissingComponent, VlpError

T = TypeVar("T")
SLICE_S = 0.2
"""How often a wait looks whether it is still wanted."""


class Overrun(VlpError):
    """Something did not answer within its time limit."""


@dataclass(frozen=True)
class Budget:
    """Bounds on one run; times are wall-clock seconds.

    Args:
        replans: new policies per instruction after the first.
        replies: replies per policy: the first one and the corrected ones.
        model_s: one reply.
        observe_s: one observation.
        step_grace_s: what a step may take beyond the time limit of its primitive.
        run_s: the whole run.
        reply_tokens: length of one reply.
    """

    replans: int = 6
    replies: int = 3
    model_s: float = 120.0
    observe_s: float = 30.0
    step_grace_s: float = 60.0
    run_s: float = 1800.0
    reply_tokens: int = 2048


class ProgramFault(VlpError):
    """A component raised what it should not: a fault of the program, not of the task."""


class Abandoned(VlpError):
    """Nobody waits for the answer any more."""


class Worker:
    """One daemon thread that makes all calls to one component, so that graphics and models stay in one thread.

    Args:
        name: the word for the component in messages, e.g. "robot".
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._hung = ""
        self._thread = threading.Thread(target=self._serve, name=f"vlp-{name}", daemon=True)
        self._thread.start()

    def call(self, work: Callable[[], T], limit_s: float, what: str, wanted: Callable[[], bool] = lambda: True) -> T:
        """Return `work()`, carried out in the thread.

        Args:
            work: the call.
            limit_s: how long to wait for it.
            what: the words for the call in messages, e.g. "an observation".
            wanted: asked now and then; waiting ends when it says no.

        Raises:
            Overrun: no answer in time; the thread is lost and every later call raises at once.
            Abandoned: no longer wanted; the thread goes on by itself.
            VlpError: whatever `work` raised of that kind.
            ProgramFault: `work` raised anything else.
        """
        if self._hung:
            raise Overrun(self._hung)
        future: Future[T] = Future()
        self._jobs.put((work, future))
        end_s = time.monotonic() + limit_s
        while not wait([future], timeout=max(0.0, min(SLICE_S, end_s - time.monotonic()))).done:
            if not wanted():
                raise Abandoned(f"nobody waits for {what} any more.")
            if time.monotonic() >= end_s:
                self._hung = f"the {self.name} did not give {what} within {limit_s:g} s."
                raise Overrun(self._hung)
        try:
            return future.result()
        except VlpError:
            raise
        except OSError as error:
            raise MissingComponent(f"the {self.name} cannot be reached: {error}.", "Is it running?") from error
        except Exception as error:
            text = f"{type(error).__name__}: {str(error)[:300]}"
            raise ProgramFault(f"the {self.name} failed at {what}: {text}.", "This is a fault in the program.") from error

    def close(self) -> None:
        """End the thread after the calls it has."""
        self._jobs.put(None)

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, future = job
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)
