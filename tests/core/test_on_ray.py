"""Calls on a Ray cluster of two nodes give what they give here; nodes that are not as this machine are named."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from test_workers import die_at, process_of, refuse, square

from vlp.cli.main import main
from vlp.core import on_ray
from vlp.core.errors import MissingComponent
from vlp.core.workers import run_calls

pytestmark = pytest.mark.long


def test_an_address_where_nobody_is_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'vlp[ray]'")
    assert not ray.is_initialized()
    for address, said in (("127.0.0.1:1", "Connection refused"), ("there", "is no address of Ray"), ("auto", "cannot be used")):
        assert main(["data", "collect", "--n", "2", "--out", str(tmp_path / "s"), "--ray", address]) == 3
        assert said in capsys.readouterr().err


def test_without_ray_the_command_to_install_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingComponent, match=r"pip install 'vlp\[ray\]'"):
        list(run_calls(square, range(2), 2, "auto"))


def too_long(*_: object) -> None:
    raise TimeoutError("a cluster was used for 300 s")


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """A cluster of two nodes with one CPU each, connected: its workers find this file's functions by their code."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'vlp[ray]'")
    from vlp.evaluation.speed.scaling import two_nodes

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(300)
    with two_nodes() as address:
        ray.init(address, logging_level="ERROR")
        ray.cloudpickle.register_pickle_by_value(sys.modules["test_workers"])
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        yield address
        ray.shutdown()
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
    left = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "args="], capture_output=True, text=True).stdout
    assert "raylet" not in left and "gcs_server" not in left


def meet_in_folder(number: int) -> tuple[str, str, str]:
    """Leave the name of the node in the present folder, and return when a second one has come."""
    import ray  # pyright: ignore[reportMissingImports]

    (Path.cwd() / (node := ray.get_runtime_context().get_node_id())).touch()
    for _ in range(600):
        if len(list(Path.cwd().iterdir())) == 2:
            break
        time.sleep(0.1)
    return node, os.getcwd(), os.environ["VLP_MODEL_KEY"]


# One for each CPU, fewer, and more than have a place at a time.
@pytest.mark.parametrize("count", [0, 1, 3])
def test_any_number_of_workers_gives_the_same(cluster: str, count: int) -> None:
    assert dict(run_calls(square, [5, 3, 4, 1], count, cluster)) == {5: 25, 3: 9, 4: 16, 1: 1}


def test_both_nodes_work_in_the_same_folder_and_environment(
    cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VLP_MODEL_KEY", "of this run")
    found = [one for _, one in run_calls(meet_in_folder, range(2), 2, cluster)]
    assert {one and one[1:] for one in found} == {(str(tmp_path), "of this run")}
    assert len({one and one[0] for one in found}) == 2


def test_a_worker_lives_through_its_calls(cluster: str) -> None:
    assert len({process for _, process in run_calls(process_of, range(6), 1, cluster)}) == 1


@pytest.mark.parametrize(("times", "fourth"), [(1, 9), (9, None)])
def test_the_call_of_a_worker_that_died_is_made_again_once(
    cluster: str, tmp_path: Path, times: int, fourth: int | None
) -> None:
    found = dict(run_calls(partial(die_at, at=3, notes=tmp_path, times=times), range(5), 2, cluster))
    assert found == {0: 0, 1: 1, 2: 4, 3: fourth, 4: 16}
    assert len(list(tmp_path.iterdir())) == min(times, 2)


def end_at_once(*_: object) -> type:
    class Broken:
        def __init__(self, *_: object) -> None:
            os._exit(1)

        def start(self) -> None: ...

    return Broken


def test_workers_that_do_not_start_are_no_fault_of_a_call(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each case was set aside as one that kills its worker, on a cluster that took none of our workers."""
    monkeypatch.setattr(on_ray, "_actor", end_at_once)
    with pytest.raises(MissingComponent, match="worker processes die when they start"):
        list(run_calls(square, range(2), 2, cluster))


def test_an_error_of_a_call_comes_as_it_is(cluster: str) -> None:
    with pytest.raises(MissingComponent, match=r"^no weights for 0\. Get some\.$"):
        list(run_calls(refuse, range(1), 1, cluster))


def test_a_node_with_another_vlp_is_named_with_both_versions(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_ray, "__version__", "0.0.9")
    with pytest.raises(MissingComponent, match=rf"node {socket.gethostname()} has vlp .*, this machine 0\.0\.9"):
        list(run_calls(square, range(2), 2, cluster))
