"""A day: one command after the other in one world, without putting anything back in between."""

from pathlib import Path
from random import Random

from vlp.episodes.cases import Episode, tasks_of
from vlp.episodes.episode import MakeMeasure, Row, System, Watch, made_ready, open_stage, run_episode
from vlp.sim.worlds.seeds import split_of


def run_day(
    seed: int,
    system: System,
    out: Path,
    world: str,
    commands: int = 10,
    watch: Watch | None = None,
    measure: MakeMeasure | None = None,
) -> list[Row]:
    """Return a row for each command of a day.

    Args:
        seed: of the world and of what is said in it.
        system: what runs it.
        out: where the runs' directories are made.
        world: a row of `vlp.sim.WORLDS` whose tasks have the kind "household".
        commands: how many.
        watch, measure: as `run_episode` takes them.
    """
    tasks, rng, rows = tasks_of(world), Random(f"{seed} day"), list[Row]()
    robot, simulation = stage = open_stage(seed, world, system)
    for n in range(commands):
        truth, task = simulation.truth(), None
        while task is None or not tasks.able(truth, task, robot.describe()):
            task = tasks.draw(truth, rng, "test" if split_of(seed) == "test" else "train", tasks.kinds["household"])
        made_ready(robot)  # a command that was stopped is over
        episode = Episode(seed, seed, "household", task, (), world)
        rows.append(run_episode(episode, system, out / f"command-{n + 1}", watch, measure, stage) | {"command": n + 1})
    return rows
