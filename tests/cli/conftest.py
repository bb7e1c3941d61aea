"""The command line called in process, with what it printed and its exit status."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_kit import GOOD, Told

from vlp.cli.main import main
from vlp.robot.executor import Waits


@pytest.fixture(autouse=True)
def patient(monkeypatch) -> None:
    """Let robots' servers bear a client that is silent for 10 s: on a busy machine half a second passes between two beats.

    What a silence does is tested in `tests/robot` and by `vlp.evaluation.stress.motion`.
    """
    monkeypatch.setattr(Waits.__init__, "__defaults__", tuple(vars(Waits(silence_s=10.0)).values()))


@pytest.fixture
def vlp(capsys, tmp_path, monkeypatch) -> Callable[..., Told]:
    """Call the command line in an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VLP_ROBOT_TOKEN", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def call(*argv: object) -> Told:
        capsys.readouterr()
        try:
            status = main([str(word) for word in argv])
        except SystemExit as end:  # the parser's own errors
            status = end.code if isinstance(end.code, int) else 1
        said = capsys.readouterr()
        return Told(status, said.out, said.err)

    return call


@pytest.fixture
def policy_file(tmp_path) -> Path:
    """A file with a good policy."""
    file = tmp_path / "good.json"
    file.write_text(json.dumps(GOOD))
    return file
