"""The command line called in process, with what it printed and its exit status."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_kit import GOOD, Told

from vlp.cli.main import main


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
