"""One episode from its seed to a row: world, robot, eyes, model, the very runtime that people use; then the truth."""

import math
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, Protocol

from vlp.core.errors import SimulationFault, UsageError, first, lookup
from vlp.core.messages import Instruction
from vlp.core.observation import Box
from vlp.episodes.ablations import Ablation, ablations
from vlp.episodes.after_change import stale_steps
from vlp.episodes.assemble import open_robot, true_boxes
from vlp.episodes.cases import Episode
from vlp.episodes.disturbed import DisturbedModel, Errors
from vlp.episodes.expert_model import ExpertModel
from vlp.episodes.faults import FaultyRobot, look_alike
from vlp.episodes.verdict import Verdict
from vlp.episodes.within import WithinStep
from vlp.journal import Subscriber, read_events
from vlp.models.protocol import Model
from vlp.perception.grounder import DEFAULT_GROUNDER
from vlp.robot.protocol import Robot, innermost
from vlp.runtime.body import Budget
from vlp.runtime.lessons.store import LessonStore
from vlp.runtime.loop import Change
from vlp.runtime.run import Run, Spec
from vlp.runtime.sequencer import open_sequencer
from vlp.runtime.story import Outcome
from vlp.sim import EMBODIMENTS
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.tasks import ScriptedEvent

Row = dict[str, Any]


class Account(Subscriber, Protocol):
    """A subscriber that can say why an episode failed."""

    def cause(self, episode: Episode, outcome: Outcome) -> str:
        """Return why, in one line."""
        ...


Watch = Callable[[Simulation, Verdict, Callable[[], Mapping[str, Box]] | None, bool], Account]
"""From a world, its judge, its true boxes (None: the robot sees those) and whether the expert plans, to who follows the run."""


class Measure(Subscriber, Protocol):
    """A subscriber that measures what a robot does while an episode runs."""

    def row(self) -> Row:
        """Return columns for the episode's row."""
        ...


MakeMeasure = Callable[[Robot, Simulation, Verdict], Measure]


@dataclass(frozen=True)
class System:
    """What is evaluated.

    Args:
        model: opens the model once per process; None puts the expert in its place.
        grounder: a row of `GROUNDERS`.
        without: the part of re-planning that is taken away, a row of `vlp.episodes.ablations.ablations`; "" for none.
        budget: bounds of one run, by the wall's clock; steps are bounded by simulated time, however slow the machine is.
        early: whether a policy's first step is begun while the rest is written, where it only looks.
        robot: a row of `vlp.sim.EMBODIMENTS`.
        lessons: a file of lessons that the episodes are told of and add to; None for none. In several processes, what is told
            hangs on which episode ends first.
        errors: how often policies, looks and steps go wrong.
        verify: whether the effects of each action are asked of the world (`vlp run --verify`).
        sequencer: see `vlp.runtime.sequencer.open_sequencer`; "" for none.
    """

    model: Callable[[], Model] | None
    grounder: str = DEFAULT_GROUNDER
    without: str = ""
    budget: Budget = field(default_factory=lambda: Budget(run_s=3600.0, step_grace_s=300.0))
    early: bool = False
    robot: str = first(EMBODIMENTS)
    lessons: Path | None = None
    errors: Errors = field(default_factory=Errors)
    verify: bool = False
    sequencer: str = ""

    @property
    def left(self) -> Ablation:
        """What is left of re-planning; raises UsageError where there is no such part to take away."""
        return lookup(self.without, ablations(), "part of re-planning")


Stage = tuple[Robot, Simulation]
"""A robot that perceives, and the world that it stands in."""


def run_episode(
    episode: Episode,
    system: System,
    out: Path,
    watch: Watch | None = None,
    measure: MakeMeasure | None = None,
    stage: Stage | None = None,
) -> Row:
    """Return the row of one episode; the run's directory is kept under `out` when it failed.

    Args:
        episode: scene, task and events.
        system: what runs it.
        out: where the run's directory is made; one left there by a killed process is replaced.
        watch: makes who says why it failed; None leaves `cause` to the run's own reason.
        measure: makes what gives the row further columns.
        stage: a robot in a world as an earlier episode left them; None opens both.
    """
    began = time.monotonic()
    folder = out / f"{episode.kind}-{episode.seed}"
    shutil.rmtree(folder, ignore_errors=True)
    run, simulation, account, measured = set_up(episode, system, folder, watch, measure, stage)
    outcome = run.go()
    if (outcome.outcome, outcome.reason) == ("stopped", "interrupted"):
        raise KeyboardInterrupt  # whoever interrupted it wants no row of it, and no further episode
    if episode.change == "stopped" and outcome.outcome == "stopped" and system.left.goes_on:  # and now it is told to go on
        rested = replace(episode, events=())
        row = run_episode(rested, system, out, watch, measure, (made_ready(run.body.robot), simulation))
        return {**row, "change": words_of(episode.events[0])}
    events = read_events(folder)
    moved = any(e.kind == "step-finished" and e.data["kind"] == "action" for e in events)
    success = _success(episode, outcome, moved)
    row: Row = {
        "seed": episode.seed,
        "scene_seed": episode.scene_seed,
        "world": episode.world,
        "robot": system.robot,
        "kind": episode.kind,
        "family": episode.final_task.family,
        "instruction": episode.task.instruction,
        "change": "; ".join(words_of(event) for event in episode.events),
        "within_s": max((event.within_s for event in episode.events), default=0.0),
        **_went_wrong(run),
        "success": success,
        "outcome": outcome.outcome,
        "claim": outcome.claim,
        "verdict": outcome.verdict,
        "fault": isinstance(outcome.error, SimulationFault),
        "moved": moved,
        "policies": sum(e.kind == "policy" for e in events),
        "steps": sum(e.kind == "step-finished" for e in events),
        "triggers": sorted({e.data["name"] for e in events if e.kind == "trigger"}),
        "stale_steps": stale_steps(events),
        "robot_s": round(float(simulation.data.time), 2),
        "wall_s": round(time.monotonic() - began, 2),
        "cause": "",
        **(measured.row() if measured else {}),
    }
    if success:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        row["cause"] = account.cause(episode, outcome) if account else outcome.reason
        row["run"] = str(Path(*folder.parts[-3:]))
    return row


def set_up(
    episode: Episode,
    system: System,
    folder: Path,
    watch: Watch | None = None,
    measure: MakeMeasure | None = None,
    stage: Stage | None = None,
) -> tuple[Run, Simulation, Account | None, Measure | None]:
    """Return a run of an episode, its world, who can tell about it and who measures; arguments as in `run_episode`.

    Without re-planning nobody hears a new instruction, but a word for stopping stops every run. Without memory the expert goes
    by what the last sentence means by itself.
    """
    left = system.left
    model = None if system.model is None else system.model()
    robot, simulation = stage or open_stage(episode.scene_seed, episode.world, system, model)
    heard = [event for event in episode.events if left.hears or event.kind != "instruct" or event.change == "stopped"]
    following = [event.task for event in heard if event.task is not None]
    verdict = Verdict(simulation, episode.task, following, final=episode.final_task, seed=episode.seed)
    robot = _faulty(robot, simulation, episode, verdict, system.errors)
    boxes = None if system.grounder == "oracle" else true_boxes(simulation)
    account = watch(simulation, verdict, boxes, model is None) if watch else None
    measured = measure(robot, simulation, verdict) if measure else None
    sudden = [(words_of(event), event.step, event.within_s) for event in heard if event.within_s]
    within = WithinStep(robot, verdict, sudden) if sudden else None
    between = [event for event in heard if not event.within_s]
    spec = Spec(
        Instruction.of(episode.task.instruction), system.robot, episode.world, "", episode.scene_seed,
        tuple(Change(e.step, Instruction.of(words_of(e)) if e.kind == "instruct" else words_of(e)) for e in between),
        system.budget if left.replans else replace(system.budget, replans=0),
    )  # fmt: skip
    planner = model or ExpertModel(
        simulation.world.tasks, simulation.truth, lambda: verdict.task if left.remembers else verdict.alone, robot.describe()
    )
    if system.errors.policies:
        rng = Random(f"{episode.seed} policies")
        planner = DisturbedModel(planner, system.errors.policies, rng, lambda: list(simulation.truth().objects))
    run = Run(
        folder, spec, robot, planner, judge=verdict,
        subscribers=[follower for follower in (account, measured, within) if follower],
        triggers=left.triggers, remembers=left.remembers, early=system.early,
        lessons=LessonStore(system.lessons) if system.lessons else None,
        verify=system.verify, sequencer=open_sequencer(system.sequencer),
    )  # fmt: skip
    return run, simulation, account, measured


def _faulty(robot: Robot, simulation: Simulation, episode: Episode, verdict: Verdict, errors: Errors) -> Robot:
    """Return a robot that gets one step of an episode wrong, and steps at the rates of a system; the robot itself for neither.

    What slips counts as moved by no doing of the robot.
    """
    once = 0.5 if episode.fault == "no-effect" else 1.0  # there are many actions, and few looks and loads
    kinds = [("look-alike", errors.perceptions, math.inf), ("slipped", errors.steps, math.inf)]
    kinds += [("no-effect", errors.steps, math.inf), (episode.fault, once, 1)]
    for fault, share, most in kinds:
        if fault and share:
            robot = FaultyRobot(
                robot, fault, Random(f"{episode.seed} {fault}"), share, most=most, slip=lambda: verdict.apply("knock"),
                look_alike=lambda phrase: look_alike(simulation.truth(), phrase),
            )  # fmt: skip
    return robot


def _went_wrong(run: Run) -> Row:
    """Return how many policies, looks and steps went wrong, as a column; none where nothing was to go wrong."""
    wrong: list[str] = []
    robot: Any = run.body.robot
    while isinstance(robot, FaultyRobot):
        wrong, robot = wrong + robot.wrong, robot.robot
    model = run.planner.model
    errs = robot is not run.body.robot or isinstance(model, DisturbedModel)
    return {"went_wrong": len(wrong) + (len(model.wrong) if isinstance(model, DisturbedModel) else 0)} if errs else {}


def made_ready(robot: Robot) -> Robot:
    """Return a simulated robot as it is before a run: not stopped, and followed by nobody."""
    acting = innermost(robot)
    acting.reset_stop()
    acting.on_step.clear()
    acting.on_tick.clear()
    return robot


def open_stage(seed: int, world: str, system: System, model: Model | None = None) -> Stage:
    """Return the robot of a system and the world of a seed that it stands in."""
    robot, simulation = open_robot(system.robot, world=world, seed=seed, grounder=system.grounder, model=model)
    assert simulation is not None
    return robot, simulation


def words_of(event: ScriptedEvent) -> str:
    """Return a scripted event in the words that `vlp run --event` and `--change` take.

    Raises:
        UsageError: a kind of event that has no words.
    """
    words = {
        "move": "move {object}",
        "shift": "shift {object}",
        "remove": "remove {object}",
        "bring": "bring {object} to {place}" if "place" in event.args else "bring {object}",
        "knock": "knock",
        "block": "block {container} by {by}",
        "swap": "swap {object} with {other}",
        "shut": "shut the {fixture}",
        "send": "send {person} away",
        "let": "let {person} stand in the way to {place}",
        "switch": "switch the lamp",
        "instruct": "{instruction}",
    }
    if event.kind not in words:
        raise UsageError(f"no words for the event {event.kind!r}.")
    return words[event.kind].format(**event.args)


def _success(episode: Episode, outcome: Outcome, moved: bool) -> bool:
    """Return whether an episode counts as done: by the true state, and for refusals also by what was said."""
    claims = {"cannot": "cannot", "satisfied": "already"}
    if episode.kind in claims:
        return outcome.verdict is True and outcome.claim == claims[episode.kind] and not moved
    return outcome.verdict is True
