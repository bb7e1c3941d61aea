"""Suites of whole episodes: from a sentence to a finished task."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from vlp.episodes.assemble import manifest_in
from vlp.episodes.cases import Kind, changes_in, sample_episode, tasks_of
from vlp.episodes.day import run_day
from vlp.episodes.episode import System, run_episode
from vlp.episodes.verdict import Verdict
from vlp.evaluation.attribution import Witness
from vlp.evaluation.meters import Meters
from vlp.evaluation.suites import Options, Row, opened_model
from vlp.robot.protocol import Robot
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.seeds import seed_of


def static(index: int, options: Options, out: Path) -> list[Row]:
    """Run one static episode."""
    return _run("static", index, options, out)


def cannot(index: int, options: Options, out: Path) -> list[Row]:
    """Run one episode that cannot be done."""
    return _run("cannot", index, options, out)


def satisfied(index: int, options: Options, out: Path) -> list[Row]:
    """Run one episode that is done already."""
    return _run("satisfied", index, options, out)


def dynamic(index: int, options: Options, out: Path) -> list[Row]:
    """Run one episode with a change midway, with the whole system and without a part of it."""
    return _run("dynamic", index, options, out) + _run("dynamic", index, options, out, options.without)


def changes(index: int, options: Options, out: Path) -> list[Row]:
    """Run one episode with the kind of change whose turn it is, with the whole system and without a part of it."""
    kinds = changes_in(options.world)
    return dynamic(index, replace(options, change=options.change or kinds[index % len(kinds)]), out)


def household(index: int, options: Options, out: Path) -> list[Row]:
    """Run one household command, of the kind whose turn it is."""
    kinds = list(tasks_of(options.world).kinds["household"])
    return _run("household", index, replace(options, family=options.family or kinds[index % len(kinds)]), out)


def day(index: int, options: Options, out: Path) -> list[Row]:
    """Run ten household commands in one world, without putting anything back in between."""
    system = System(
        None if options.model == "expert" else partial(opened_model, options.model), options.grounder, robot=options.robot
    )
    seed = seed_of(options.split, index)
    return run_day(seed, system, out / "runs" / f"day-{seed}", options.world, watch=Witness, measure=_meters)


def _meters(robot: Robot, simulation: Simulation, verdict: Verdict) -> Meters:
    del verdict  # of the physics alone
    return Meters(robot, simulation)


def _run(kind: Kind, index: int, options: Options, out: Path, without: str = "") -> list[Row]:
    families = {options.family: 1.0} if options.family else None
    episode = sample_episode(
        seed_of(options.split, index), kind, families=families, world=options.world,
        manifest=manifest_in(options.robot, options.world), change=options.change if kind == "dynamic" else "",
    )  # fmt: skip
    open_model = None if options.model == "expert" else partial(opened_model, options.model)
    measure = _meters if options.model == "expert" else None  # a fifth more time, for what the upper bounds are to show
    system = System(open_model, options.grounder, without, robot=options.robot)
    row = run_episode(episode, system, out / "runs" / (f"without-{without}" if without else "whole"), Witness, measure)
    return [{**row, "without": without or "nothing", "event": episode.change}]
