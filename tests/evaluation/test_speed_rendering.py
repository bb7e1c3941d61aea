"""The row of drawing on demand: both arms do the same, and only one draws what nobody reads."""

import os
from pathlib import Path

os.environ.setdefault("MUJOCO_GL", "egl")

import pytest

from vlp.episodes.cases import sample_episode
from vlp.episodes.episode import System
from vlp.evaluation.speed.rendering import run_with_camera
from vlp.runtime.body import Body, Budget
from vlp.sim import render
from vlp.sim.open import simulated


@pytest.mark.long
def test_an_episode_without_a_camera_that_runs_does_the_same_and_draws_less(tmp_path: Path) -> None:
    episode, system = sample_episode(20_500_001, "static"), System(None, "oracle")
    on_demand = run_with_camera(episode, system, tmp_path / "a")
    camera = run_with_camera(episode, system, tmp_path / "b", hz=1.0)
    assert on_demand == camera and on_demand.outcome[0] == "success" and on_demand.steps and on_demand.images
    drawn_more = camera.drawn["image"] - on_demand.drawn["image"]
    assert drawn_more >= int(on_demand.outcome[-1]) > 5
    # A boundary draws at most once for the triggers, and an action at most once for itself.
    assert on_demand.drawn["image"] <= len(on_demand.steps) + len(on_demand.images)


def test_asking_for_the_state_draws_nothing() -> None:
    before = render.drawn.copy()
    body = Body(simulated(seed=3)[0], Budget(), "test")
    assert body.state().at and render.drawn == before
    assert body.observe("plan")[1].blob and render.drawn - before == {"image": 1}
    body.close()
