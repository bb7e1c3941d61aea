"""Where many calls run: in this process, in several, or on Ray; what a call gives is the same everywhere."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, Protocol, TypeVar

from vlp.core.errors import MissingComponent

T = TypeVar("T")


class WorkerDied(Exception):
    """A process is gone, and with it the call that it was at."""


class WorkerProcess(Protocol):
    """A process that makes one call at a time, here or on another machine; it keeps what it opened between them.

    Attributes:
        started: done once it can be given calls.
    """

    started: Future[Any]

    def submit(self, number: int) -> Future[Any]:
        """Begin the call of a number."""
        ...

    def result(self, job: Future[Any]) -> Any:
        """Return what a call that has ended gave, or the start.

        Raises:
            WorkerDied: the process did not live to its end.
        """
        ...

    def stop(self) -> None:
        """End the process; it is not waited for."""
        ...


def run_calls(call: Callable[[int], T], todo: Sequence[int], workers: int, ray: str = "") -> Iterator[tuple[int, T | None]]:
    """Yield each number and what the call of it returns, as they come.

    A call whose process died is made again. The second time it is set aside: None stands for what it would have returned.

    Args:
        call: a function that can be pickled.
        todo: its arguments.
        workers: processes; one means this process, and on Ray 0 means one for each CPU.
        ray: address of a Ray cluster, "auto" for the one on this machine, "local" for one that ends with the calls;
            "" for processes of this machine.

    Raises:
        MissingComponent: no process starts, or Ray is not there.
    """
    if ray and todo:
        from vlp.core.on_ray import on_ray

        with on_ray(ray, call) as (start, cpus):
            yield from in_turn(start, todo, workers or cpus)
    elif workers == 1:
        yield from ((number, call(number)) for number in todo)
    else:
        yield from in_processes(call, todo, workers)


def in_processes(call: Callable[[int], T], todo: Sequence[int], workers: int) -> Iterator[tuple[int, T | None]]:
    """Do as `run_calls` in so many processes of this machine, also in a single one."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # inherited by the workers, which share the cores as they are
    yield from in_turn(lambda: _Local(call), todo, workers)


def in_turn(
    start: Callable[[], WorkerProcess], todo: Sequence[int], workers: int, calls_per_process: int = 60
) -> Iterator[tuple[int, Any]]:
    """Keep so many processes busy; see `run_calls`.

    Args:
        start: starts a process.
        todo: numbers of the calls.
        workers: processes at a time.
        calls_per_process: after so many a fresh process takes over: what calls leave behind in memory ends with theirs.
    """
    waiting, left, again, failed = deque(todo), len(todo), set[int](), 0
    free = list[tuple[WorkerProcess, int]]()  # with the number of calls each has had
    busy = dict[Future[Any], tuple[WorkerProcess, int, int | None]]()  # and the number of the call; None of one that starts
    try:
        while left:
            while waiting and free:
                worker, calls = free.pop()
                number = waiting.popleft()
                busy[worker.submit(number)] = worker, calls + 1, number
            starting = sum(number is None for *_, number in busy.values())
            for _ in range(min(workers - len(busy), len(waiting) - starting)):
                worker = start()
                busy[worker.started] = worker, 0, None
            job = next(iter(wait(busy, return_when=FIRST_COMPLETED).done))
            worker, calls, number = busy.pop(job)
            try:
                result = worker.result(job)
            except WorkerDied as error:
                worker.stop()
                if number is None:
                    failed += 1
                    if failed == 3:  # a node may be lost just then; nothing starts three times in a row
                        hint = 'A script that starts processes needs `if __name__ == "__main__":`.'
                        raise MissingComponent(f"worker processes die when they start. {error}".strip(), hint) from None
                    continue
                if number not in again:
                    again.add(number)
                    waiting.appendleft(number)
                    continue
                result = None
            else:
                failed = 0
                if calls < calls_per_process:
                    free.append((worker, calls))
                else:
                    worker.stop()
                if number is None:
                    continue
            left -= 1
            yield number, result
    finally:
        for worker, *_ in [*free, *busy.values()]:
            worker.stop()


class _Local:
    """A process of this machine: a pool of one, so that it is known which call it died of."""

    def __init__(self, call: Callable[[int], Any]) -> None:
        self._call = call
        self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        self.started = self._pool.submit(os.getpid)

    def submit(self, number: int) -> Future[Any]:
        try:
            return self._pool.submit(self._call, number)
        except BrokenProcessPool as error:  # it died between two calls
            job = Future[Any]()
            job.set_exception(error)
            return job

    def result(self, job: Future[Any]) -> Any:
        try:
            return job.result()
        except BrokenProcessPool:
            raise WorkerDied from None

    def stop(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
