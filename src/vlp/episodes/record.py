"""Simulated episodes as a LeRobotDataset v3: what the head camera saw, joints and set points, subtask and plan."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vlp.core.errors import UsageError, first, lookup
from vlp.core.observation import RobotState
from vlp.data.lerobot import state_names, state_vector, write_lerobot
from vlp.data.lerobot_schema import Layout, RecordedEpisode, RecordedFrame
from vlp.episodes.cases import sample_episode
from vlp.primitives.standard import STANDARD
from vlp.prompt.target import policy_text
from vlp.robot.protocol import Step
from vlp.sim import EMBODIMENTS, WORLDS
from vlp.sim import sample as sample_world
from vlp.sim.embodiments.protocol import SimulatedRobot
from vlp.sim.expert import plan
from vlp.sim.language.families import PLAIN
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.seeds import SPLITS, seed_of
from vlp.sim.worlds.tabletop.midway import MidwayScene


def record(
    out: str | Path,
    n: int,
    *,
    world: str = first(WORLDS),
    robot: str = first(EMBODIMENTS),
    split: str = "train",
    seed: int = 0,
    family: str = "put",
    video: bool = False,
    strings: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Let the expert carry out n episodes with physics and write them; those that fail are left out and replaced.

    Args:
        out: must not exist.
        n: episodes.
        world, robot, split, seed: as in `vlp.episodes.collect`.
        family: a row of `vlp.sim.language.families.PLAIN`.
        video, strings: see `vlp.data.lerobot_schema.Layout`.
        progress: told how many of n are done.

    Raises:
        UsageError: an unknown name, n out of bounds, or `out` exists.
        MissingComponent: an extra is missing, or it cannot be written.
    """
    lookup(split, SPLITS, "split")
    lookup(family, PLAIN, "family")
    if not 1 <= n <= 100_000:
        raise UsageError(f"{n} episodes cannot be recorded.", "Give 1 to 100,000.")
    body = _stood_up(world, robot, seed_of(split, seed))[1]
    names, targets = state_names([body.observe().state]), sorted(body.set_points)
    layout = Layout(10, robot, names, tuple(f"{t}_set_point" for t in targets), video, strings)

    def episodes() -> Iterator[RecordedEpisode]:
        done, number = 0, seed
        while done < n:
            found = _run(world, robot, seed_of(split, number), family, layout, targets)
            number += 1
            if found is not None:
                done += 1
                progress(done, n)
                yield found

    return write_lerobot(out, episodes(), layout)


def _stood_up(world: str, robot: str, seed: int) -> tuple[Simulation, SimulatedRobot]:
    simulation = Simulation(sample_world(world, seed), robot, world)
    return simulation, simulation.embodiment.robot(simulation)


def _run(world: str, robot: str, seed: int, family: str, layout: Layout, targets: list[str]) -> RecordedEpisode | None:
    """Return one episode, None when the task was not done in the end."""
    case = sample_episode(seed, "static", families={family: 1.0})
    simulation, body = _stood_up(world, robot, case.scene_seed)
    start = simulation.truth()
    policy = plan(start, case.task)
    rng = np.random.default_rng([seed, 47])
    eyes = MidwayScene(simulation, rng)
    frames: list[RecordedFrame] = []
    now: dict[str, Any] = {"subtask": ""}
    seen: dict[str, Any] = {}
    primitives = STANDARD | body.describe().primitives
    due_s = [0.0]

    def tick(time_s: float) -> None:
        if time_s + 0.01 < due_s[0]:  # half a tick of the body
            return
        due_s[0] += 1.0 / layout.fps
        observation = body.observe()
        state: RobotState = observation.state
        set_points = tuple(float(body.set_points[name]) for name in targets)
        frames.append(
            RecordedFrame(
                observation.rgb, state_vector(state, layout.state_names), set_points, now["subtask"], policy_text(policy)
            )
        )

    body.on_tick.append(tick)
    now["subtask"] = policy["subtasks"][0]["name"] if policy["subtasks"] else ""
    tick(0.0)
    for i, subtask in enumerate(policy["subtasks"]):
        now["subtask"] = subtask["name"]
        for j, step in enumerate(subtask["steps"]):
            if step["do"] == "locate":
                located = eyes.now().located(step["object"], rng)
                if located is None:
                    return None
                seen[step["as"]] = located
            elif primitives[step["do"]].kind == "action":
                arguments = {k: v for k, v in step.items() if k not in ("do", "as")}
                for name, value in arguments.items():
                    if isinstance(value, str) and value.startswith("$"):
                        arguments[name] = seen[value[1:]].to_json()
                if body.execute(Step(step["do"], arguments, f"{seed}.{i}.{j}")).status != "succeeded":
                    return None
    if not frames or not case.task.success(start, simulation.truth()):
        return None
    return RecordedEpisode(case.task.instruction, tuple(frames))
