"""P7: an episode whose pictures are drawn for who reads them, against one whose camera runs at 20 Hz of robot time."""

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vlp.core.timing import in_turns
from vlp.episodes.cases import Episode, sample_episode
from vlp.episodes.episode import System, set_up
from vlp.evaluation.speed.rows import Effort, Measured
from vlp.evaluation.suites import opened_model
from vlp.journal import read_events
from vlp.robot.protocol import innermost
from vlp.runtime.body import Budget
from vlp.sim import render
from vlp.sim.render import Camera, noisy_depth
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.seeds import seed_of


@dataclass
class EpisodeTold:
    """What is asserted equal of one episode in both arms, and what was drawn in it.

    Args:
        outcome: how it ended, and after how many seconds of robot time.
        steps: each step with its arguments and its result, times of the wall clock left out.
        images: digests of the images in the journal.
        drawn: pictures by kind.
    """

    outcome: tuple[Any, ...]
    steps: list[tuple[Any, ...]]
    images: list[bytes]
    drawn: Counter[str] = field(compare=False)


def render_on_demand(effort: Effort) -> list[Measured]:
    """Measure one static episode with the expert and the oracle, and one with the model and its own grounder."""
    model = partial(opened_model, effort.base)
    patient = Budget(run_s=3600.0, step_grace_s=600.0)  # a camera that is always drawn makes steps late
    upper = _measured(effort, 0, System(None, "oracle", budget=patient), "expert and oracle")
    return [upper, _measured(effort, 2, System(model, budget=patient), f"{effort.base} and its grounder")]


def _measured(effort: Effort, case: int, system: System, who: str) -> Measured:
    episode = sample_episode(seed_of("validation", case), "static")
    told: dict[str, EpisodeTold] = {}

    def arm(name: str, hz: float) -> Callable[[], EpisodeTold]:
        def run() -> EpisodeTold:
            told[name] = run_with_camera(episode, system, effort.folder / "episode", hz)
            return told[name]

        return run

    timed = in_turns(
        {"camera": arm("camera", 20.0), "on demand": arm("on demand", 0.0)},
        effort.repeats,
        progress=effort.counting(f"turns with {who}"),
    )
    robot_s = told["camera"].outcome[-1]
    images = {name: one.drawn["image"] for name, one in told.items()}
    return Measured(
        "P7", f"wall time of an episode, {who}: drawn on demand against a camera at 20 Hz", timed.ratio("camera", "on demand"),
        f"one episode with a camera that gives colour and sensor depth every 0.05 s of robot time, and without: case {case}, "
        f"{robot_s:.0f} s of robot time, {timed.median_s('camera'):.1f} s and {timed.median_s('on demand'):.2f} s, "
        f"{images['camera']} and {images['on demand']} images drawn. Same outcome, steps and images in the journal.",
        at_least=8.0, more={"drawn": {name: dict(one.drawn) for name, one in told.items()}, "seconds": timed.seconds},
    )  # fmt: skip


def run_with_camera(episode: Episode, system: System, folder: Path, hz: float = 0.0) -> EpisodeTold:
    """Run an episode; its camera is drawn so often in robot time, colour and depth, whoever looks. 0 draws on demand alone."""
    shutil.rmtree(folder, ignore_errors=True)
    before = render.drawn.copy()
    run, simulation, *_ = set_up(episode, system, folder)
    if hz:
        innermost(run.body.robot).on_tick.append(_camera(simulation, 1.0 / hz))
    outcome = run.go()
    events = read_events(folder)
    steps = [
        (e.data["do"], e.data["status"], timeless(e.data["result"])) for e in events if e.kind == "step-finished"
    ]  # fmt: skip
    images = [e.blob or b"" for e in events if e.kind == "observation"]
    ended = (outcome.outcome, outcome.claim, outcome.verdict, round(float(simulation.data.time), 3))
    return EpisodeTold(ended, steps, images, render.drawn - before)


def _camera(simulation: Simulation, period_s: float) -> Callable[[float], None]:
    """Return what makes the images of a camera of its own, as a sensor gives them, as often as that in robot time."""
    body = simulation.embodiment
    camera = Camera(simulation.model, body.camera, body.intrinsics.width, body.intrinsics.height)
    due_s, rng = [0.0], np.random.default_rng(0)

    def tick(now_s: float) -> None:
        if now_s >= due_s[0]:
            due_s[0] += period_s
            noisy_depth(camera.rgb_and_depth(simulation.data)[1], rng)

    return tick


def timeless(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result without its key, which is another in each run, and without wall-clock seconds."""
    done = {name: value for name, value in result["done"].items() if name != "timings_s"}
    return {name: value for name, value in result.items() if name not in ("key", "duration_s")} | {"done": done}
