"""Calls give the same wherever they run; a process that dies costs its call a second try, and nobody else anything."""

import os
import random
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from vlp.core import workers
from vlp.core.errors import MissingComponent
from vlp.core.workers import in_turn, run_calls


def square(number: int) -> int:
    return number * number


def die_at(number: int, at: int, notes: Path, times: int) -> int:
    """Square a number; at one of them the process dies the first so many times, and leaves a note each time."""
    if number == at and len(list(notes.iterdir())) < times:
        (notes / str(os.getpid())).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return square(number)


def process_of(number: int) -> int:
    return os.getpid()


def refuse(number: int) -> int:
    raise MissingComponent(f"no weights for {number}.", "Get some.")


@pytest.mark.parametrize("count", [1, 2, 4])
def test_any_number_of_workers_gives_the_same_in_any_order(count: int) -> None:
    todo = random.Random(count).sample(range(100), 9)
    assert dict(run_calls(square, todo, count)) == {number: number * number for number in todo}


def test_the_call_of_a_worker_that_died_is_made_again(tmp_path: Path) -> None:
    """A dead worker ended the suite with the words "Run the same command again"."""
    call = partial(die_at, at=3, notes=tmp_path, times=1)
    assert sorted(run_calls(call, range(6), 2)) == [(i, i * i) for i in range(6)]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_call_that_kills_its_worker_twice_is_set_aside_and_no_other(tmp_path: Path) -> None:
    call = partial(die_at, at=3, notes=tmp_path, times=9)
    assert sorted(run_calls(call, range(6), 2), key=lambda one: one[0]) == [(i, None if i == 3 else i * i) for i in range(6)]
    assert len(list(tmp_path.iterdir())) == 2


def test_an_error_of_a_call_comes_as_it_is() -> None:
    with pytest.raises(MissingComponent, match=r"^no weights for \d\. Get some\.$") as told:
        list(run_calls(refuse, range(2), 2))
    assert told.value.hint == "Get some."


def test_processes_are_replaced_until_all_is_done() -> None:
    """Hung at case 120 of 150: both processes of a pool had reached their 60 cases, and no new one came."""
    served = [process for _, process in in_turn(lambda: workers._Local(process_of), range(8), 2, calls_per_process=2)]
    assert len(served) == 8 and max(served.count(process) for process in served) == 2


def test_processes_that_do_not_start_are_no_fault_of_a_call(tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text("from vlp.core.workers import run_calls\nprint(list(run_calls(abs, range(4), 2)))\n")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert "MissingComponent: worker processes die when they start." in done.stderr and "__main__" in done.stderr


def test_a_process_that_died_between_two_calls_is_told_like_any_other() -> None:
    one = workers._Local(process_of)
    os.kill(one.result(one.submit(0)), signal.SIGKILL)
    with pytest.raises(workers.WorkerDied):
        for number in range(1000):  # until its pool has seen it
            one.result(one.submit(number))
    with pytest.raises(workers.WorkerDied):
        one.result(one.submit(0))
    one.stop()
