"""Scaling out costs no row: a suite on a Ray cluster of two nodes gives what processes of one machine give."""

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import zip_longest
from pathlib import Path
from typing import Any

from vlp.core.errors import TaskFailed, not_installed
from vlp.core.timing import Interval
from vlp.evaluation.speed.rows import Effort, Measured
from vlp.evaluation.stress.workers import measured


def scaled_out(effort: Effort, cases_a_turn: int = 30) -> list[Measured]:
    """Run one suite on processes, on Ray, and on Ray with a worker killed in the middle, and count the rows that differ.

    Args:
        effort: how; 7 turns are 200 cases.
        cases_a_turn: for each of them.

    Raises:
        MissingComponent: Ray is not installed.
        TaskFailed: no worker was killed.
    """
    suite, n, seed, killed = "pose", min(200, cases_a_turn * effort.repeats), 0, list[int]()

    def kill(done: int, cases: int, rows: list[dict[str, Any]]) -> None:
        if done >= cases // 2 and not killed and (busy := _busy(os.getpid())):
            os.kill(busy[0], signal.SIGKILL)
            killed.append(busy[0])

    with tempfile.TemporaryDirectory() as temporary, two_nodes() as address:
        root = Path(temporary)
        expected = measured(root / "processes", suite, n, seed, 2)
        ways = {
            "on Ray": measured(root / "ray", suite, n, seed, 2, ray=address),
            "with a worker killed": measured(root / "killed", suite, n, seed, 2, ray=address, progress=kill),
        }
    if not killed:
        raise TaskFailed("no worker was killed in the middle of the suite.", "Measure more cases: --repeats.")
    differ = {way: sum(one != other for one, other in zip_longest(expected, rows)) for way, rows in ways.items()}
    compared = (
        f"{n} cases of the suite {suite} on two processes against a Ray cluster of two nodes, and against the same with a "
        f"worker killed at its work; {len(expected)} rows each, compared but for clock times."
    )
    count = float(sum(differ.values()))
    more = {"rows": len(expected), "differ": differ, "killed": len(killed)}
    return [
        Measured("P13", "scaled out on Ray", Interval(count, count, count), compared, at_most=0, unit="rows differ", more=more)
    ]


@contextmanager
def two_nodes(cpus: int = 1) -> Iterator[str]:
    """Give the address of a Ray cluster of two nodes on this machine, which ends with the context.

    Args:
        cpus: of each node.

    Raises:
        MissingComponent: Ray is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        made: Any = import_module("ray.cluster_utils")
    except ImportError as error:
        raise not_installed("a Ray cluster needs", error, "ray") from None
    node = {"num_cpus": cpus, "object_store_memory": 80 << 20, "include_dashboard": False}
    cluster = made.Cluster(initialize_head=True, head_node_args=node)
    try:
        cluster.add_node(**node)
        yield cluster.address
    finally:
        cluster.shutdown()


def _busy(pid: int) -> list[int]:
    """Return the processes below one that are Ray's workers, at a call."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            name = Path(f"/proc/{child}/cmdline").read_bytes()
            found += [int(child)] if name.startswith(b"ray::VlpWorker.run") else _busy(int(child))
    return found
