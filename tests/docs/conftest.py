"""A walk along pages in one scratch directory, which has the repository's `examples/` and nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from walk import Walk


@pytest.fixture
def walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Walk]:
    """Someone who does what pages show."""
    with Walk(tmp_path, monkeypatch) as begun:
        yield begun
