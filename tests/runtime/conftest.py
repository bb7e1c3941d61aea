"""Fixtures over `run_kit`."""

import pytest
from run_kit import Run, say


@pytest.fixture
def make_run(tmp_path):
    def make(replies, **more) -> Run:
        texts = [say(r) if isinstance(r, dict) else r for r in replies] if isinstance(replies, list) else replies
        return Run(tmp_path / "run", texts, **more)

    return make
