"""Whoever interrupts an evaluation ends it: `vlp bench speed` took SIGTERM for the stop of one robot and went on measuring."""

import _thread
import time
from pathlib import Path
from typing import Any

import pytest

from vlp.episodes.cases import sample_episode
from vlp.episodes.episode import System, run_episode
from vlp.models.scripted import ScriptedModel


class FakeInterrupted(ScriptedModel):
    """A model at whose first request Ctrl-C comes."""

    def generate(self, *given: Any, **options: Any) -> Any:
        _thread.interrupt_main()
        time.sleep(5.0)
        raise AssertionError("nobody was interrupted")


def test_an_interrupted_episode_has_no_row(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_episode(sample_episode(20_000_001), System(lambda: FakeInterrupted([]), "oracle"), tmp_path)
