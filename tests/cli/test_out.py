"""A run's directory belongs to one run at a time, and a place that cannot be written is named before anything begins."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vlp.cli.out import check_out, held, keep_aside, take_out
from vlp.core.errors import MissingComponent, UsageError
from vlp.core.files import cannot_write, holder, write_whole

HOLDS = """
import contextlib, sys
from pathlib import Path
from vlp.cli.out import take_out
with contextlib.ExitStack() as until:
    take_out(Path(sys.argv[1]), False, until)
    print("ready", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def live(folder: Path):
    """A directory that another process runs in."""
    words = [sys.executable, "-c", HOLDS, str(folder)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as other:
        assert other.stdout is not None and other.stdout.readline() == "ready\n"
        yield other
        other.kill()


@pytest.mark.parametrize("force", [False, True])
def test_the_directory_of_a_run_that_goes_on_is_not_taken(tmp_path: Path, force: bool) -> None:
    """Against: `--force` over a live run, whose journal and film were moved away from under it and mixed with the new ones."""
    out = tmp_path / "run"
    with live(out) as other:
        for _ in range(2):  # empty at first, as while the other one's model is loaded; then with its journal
            with pytest.raises(UsageError, match=rf"a run goes on in '.*run': (process {other.pid}|another process)"):
                check_out(out, force)
            with pytest.raises(UsageError, match="a run goes on"), contextlib.ExitStack() as until:
                take_out(out, force, until)
            (out / "journal.db").write_text("its own")
        assert [path.name for path in tmp_path.iterdir()] == ["run"]
    with contextlib.ExitStack() as until:  # it was killed: its lock went with it
        aside = take_out(out, True, until)
        assert aside is not None and (aside / "journal.db").read_text() == "its own"
        assert not any(out.iterdir())


def test_resume_leaves_a_run_that_goes_on_alone(vlp, tmp_path: Path) -> None:
    """Against: the film of a live run renamed by a second process that then found that it could not resume."""
    with live(tmp_path / "run"):
        (tmp_path / "run" / "journal.db").write_text("its own")
        (tmp_path / "run" / "run.mp4").write_text("its film")
        vlp("resume", "run").refused(2, "a run goes on in 'run'")
        vlp("run", "put the red cube in the bin", "--out", "run", "--force").refused(2, "a run goes on in 'run'")
        assert (tmp_path / "run" / "run.mp4").read_text() == "its film"


def test_nobody_holds_a_file_that_nobody_locked(tmp_path: Path) -> None:
    assert holder(tmp_path) == "another process"
    with held(tmp_path):
        assert str(os.getpid()) in holder(tmp_path) or holder(tmp_path) == "another process"


@pytest.fixture
def unwritable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every folder one on a file system that is read-only: the calls that would write fail as they do there."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    for name in ("mkdir", "rename", "replace", "unlink"):
        monkeypatch.setattr(f"os.{name}", refuse)
    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr("os.access", lambda path, mode: not mode & os.W_OK)


def test_a_read_only_place_is_named(tmp_path: Path, unwritable: None) -> None:
    """Against: tracebacks, also one of the clean-up after a write that failed; "Is there space on the disk?"."""
    (tmp_path / "run.mp4").touch()
    said = r"^cannot write '.*': .*[Rr]ead-only.*\. Choose a place that can be written to\."
    for act in (
        lambda: check_out(tmp_path / "new" / "run", False),
        lambda: check_out(tmp_path, True),
        lambda: keep_aside(tmp_path, ["run.mp4"]),
        lambda: write_whole(tmp_path / "report.html", "text"),
    ):
        with pytest.raises(MissingComponent, match=said):
            act()


def test_a_full_disk_is_named() -> None:
    with pytest.raises(MissingComponent, match=r"cannot write '/dev/full': No space left on device\. Free some space"):
        try:
            with open("/dev/full", "wb", buffering=0) as full:
                full.write(b"x")
        except OSError as error:
            raise cannot_write(Path("/dev/full"), error) from None
