"""Simulated episodes as a LeRobotDataset v3: what the head camera saw, joints and set points, subtask and plan."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

from vlp.core.errors import UsageError, first, lookup
from vlp.core.observation import RobotState
from vlp.data.lerobot import state_names, state_vector, write_lerobot
from vlp.data.lerobot_schema import Layout, RecordedEpisode, RecordedFrame
from vlp.episodes.assemble import manifest_in, open_robot
from vlp.episodes.cases import Episode, sample_episode, tasks_of
from vlp.prompt.target import policy_text
from vlp.robot.protocol import Step, innermost
from vlp.sim import EMBODIMENTS, WORLDS
from vlp.sim.embodiments.protocol import SimulatedRobot
from vlp.sim.worlds.seeds import SPLITS, seed_of


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
        family: of the world's tasks.
        video, strings: see `vlp.data.lerobot_schema.Layout`.
        progress: told how many of n are done.

    Raises:
        UsageError: an unknown name, n out of bounds, or `out` exists.
        MissingComponent: an extra is missing, or it cannot be written.
    """
    lookup(split, SPLITS, "split")
    lookup(family, tasks_of(world).kinds["static"], "family")
    if not 1 <= n <= 100_000:
        raise UsageError(f"{n} episodes cannot be recorded.", "Give 1 to 100,000.")
    able = manifest_in(robot, world)
    body = open_robot(robot, world=world, seed=seed_of(split, seed), grounder="oracle")[0]
    names, targets = state_names([body.observe().state]), sorted(cast(SimulatedRobot, innermost(body)).set_points)
    layout = Layout(10, robot, names, tuple(f"{t}_set_point" for t in targets), video, strings)

    def episodes() -> Iterator[RecordedEpisode]:
        done, number = 0, seed
        while done < n:
            case = sample_episode(seed_of(split, number), "static", families={family: 1.0}, world=world, manifest=able)
            found = _run(case, robot, layout, targets)
            number += 1
            if found is not None:
                done += 1
                progress(done, n)
                yield found

    return write_lerobot(out, episodes(), layout)


def _run(case: Episode, name: str, layout: Layout, targets: list[str]) -> RecordedEpisode | None:
    """Return one episode, None when the task was not done in the end."""
    robot, simulation = open_robot(name, world=case.world, seed=case.scene_seed, grounder="oracle")
    assert simulation is not None
    start, body = simulation.truth(), cast(SimulatedRobot, innermost(robot))
    policy = tasks_of(case.world).policy(start, case.task, robot.describe())
    frames: list[RecordedFrame] = []
    now: dict[str, Any] = {"subtask": ""}
    bound: dict[str, Any] = {}
    said: list[str] = []
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
            arguments = {k: v for k, v in step.items() if k not in ("do", "as")}
            for key, value in arguments.items():
                if isinstance(value, str) and value.startswith("$"):
                    arguments[key] = bound[value[1:]]
            result = robot.execute(Step(step["do"], arguments, f"{case.seed}.{i}.{j}"))
            if result.status != "succeeded":
                return None
            said += [" ".join(map(str, arguments.values()))] if step["do"] == "say" else []
            if "as" in step:
                bound[step["as"]] = result.value
    if not frames or not case.task.success(start, simulation.truth(), said):
        return None
    return RecordedEpisode(case.task.instruction, tuple(frames))
