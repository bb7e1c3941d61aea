"""Calls on a Ray cluster: each worker is an actor, which opens what it needs once."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

from vlp import __version__
from vlp.core.errors import MissingComponent, TaskFailed, not_installed
from vlp.core.workers import WorkerDied


@contextmanager
def on_ray(address: str, call: Callable[[int], Any]) -> Iterator[tuple[Callable[[], "_OnRay"], int]]:
    """Give what starts a worker on a cluster, and how many CPUs the cluster has; a program's own connection is used.

    Args:
        address: HOST:PORT, ray://HOST:PORT, "auto" or "local".
        call: is made by the workers.

    Raises:
        MissingComponent: Ray is not installed, or no cluster is there.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster that is started here reports to nobody
    try:
        ray: Any = import_module("ray")
    except ImportError as error:
        raise not_installed("--ray needs", error, "ray") from None
    ours = not ray.is_initialized()
    if ours:
        _connect(ray, address)
    try:
        actor, shared = ray.remote(num_cpus=1, scheduling_strategy="SPREAD")(_actor()), ray.put(call)
        kept = {name: value for name, value in os.environ.items() if name.startswith(("VLP_MODEL_", "MUJOCO_GL"))}
        cpus = max(1, int(ray.cluster_resources().get("CPU", 1)))
        yield lambda: _OnRay(ray, actor.remote([shared], __version__, os.getcwd(), kept)), cpus
    finally:
        if ours:
            ray.shutdown()


def _connect(ray: Any, address: str) -> None:
    """Connect to a cluster; what is none is told within a minute or so, where Ray itself goes on asking for many."""
    if address == "local":
        ray.init("local", include_dashboard=False, logging_level="ERROR")
        return
    hint = (
        "On a cluster's first machine run `ray start --head`, on the others `ray start --address HOST:6379`; where it asks "
        "for Ray's token, set RAY_AUTH_MODE=token."
    )
    if address != "auto":
        host, _, port = address.removeprefix("ray://").rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except ValueError:
            raise MissingComponent(f"{address[:200]!r} is no address of Ray: HOST:PORT, auto or local.", hint) from None
        except OSError as error:
            raise MissingComponent(f"no Ray cluster answers at {address[:200]!r}: {error.strerror or error}.", hint) from None
    code, limit_s = "import ray, sys\ntry: ray.init(sys.argv[1])\nexcept Exception as error: sys.exit(f'why: {error}')", 60
    try:  # in a process that can be ended
        tried = subprocess.run([sys.executable, "-c", code, address], capture_output=True, text=True, timeout=limit_s)
    except subprocess.TimeoutExpired:
        raise MissingComponent(f"what answers at {address[:200]!r} is no Ray cluster, or busy for {limit_s} s.", hint) from None
    if tried.returncode:
        why = " ".join(tried.stderr.rpartition("why: ")[2].split())[-400:].rstrip(".")
        raise MissingComponent(f"the Ray cluster {address[:200]!r} cannot be used: {why}.", hint)
    ray.init(address, logging_level="ERROR")


def _actor() -> type:
    class VlpWorker:
        """Stands inside a function so that Ray sends its code: a node without vlp, or with another one, can say so."""

        def __init__(self, shared: list[Any], version: str, folder: str, environment: dict[str, str]) -> None:
            import os

            self.shared, self.version, self.folder = shared, version, folder
            os.environ.update(environment)

        def start(self) -> str:
            """Return what is wrong with the node, "" when calls can come."""
            import os
            import socket

            import ray  # pyright: ignore[reportMissingImports]

            node = f"the node {socket.gethostname()}"
            try:
                from vlp import __version__ as there
            except ImportError:
                there = "none"
            if there != self.version:
                return f"{node} has vlp {there}, this machine {self.version}"
            try:  # names of files mean the same as on the machine that asks
                os.makedirs(self.folder, exist_ok=True)
                os.chdir(self.folder)
            except OSError as error:
                return f"{node} cannot work in {self.folder}: {error.strerror}"
            self.call: Callable[[int], Any] = ray.get(self.shared[0])
            return ""

        def run(self, number: int) -> Any:
            """Return what the call returns."""
            return self.call(number)

    return VlpWorker


class _OnRay:
    """An actor."""

    def __init__(self, ray: Any, actor: Any) -> None:
        self._ray, self._actor = ray, actor
        self.started: Future[Any] = actor.start.remote().future()

    def submit(self, number: int) -> Future[Any]:
        return self._actor.run.remote(number).future()

    def result(self, job: Future[Any]) -> Any:
        errors = self._ray.exceptions
        try:
            result = job.result()
        except (errors.RayActorError, errors.WorkerCrashedError, errors.NodeDiedError, errors.OutOfMemoryError) as error:
            raise WorkerDied(" ".join(str(error).split())[:400]) from None
        except errors.RayTaskError as error:
            raise error.cause from None
        except errors.RayError as error:
            raise TaskFailed(f"Ray gave up: {' '.join(str(error).split())[:400]}") from None
        if job is self.started and result:
            raise MissingComponent(f"{result}.", "Install the same vlp on every node, and run where all nodes have the folder.")
        return result

    def stop(self) -> None:
        with suppress(self._ray.exceptions.RayError):  # it may be gone, or not have begun
            self._ray.kill(self._actor)
