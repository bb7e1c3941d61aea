"""One episode from its seed to a row: world, robot, eyes, model, the very runtime that people use; then the truth."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vlp.core.errors import UsageError
from vlp.core.rows import first
from vlp.episodes.assemble import open_robot, true_boxes
from vlp.episodes.cases import Episode
from vlp.episodes.events import ScriptedEvent
from vlp.episodes.expert_model import ExpertModel
from vlp.episodes.verdict import Verdict
from vlp.evaluation.attribution import Witness
from vlp.journal import read_events
from vlp.models.protocol import Model
from vlp.perception.grounder import DEFAULT_GROUNDER
from vlp.runtime.limits import Budget
from vlp.runtime.outcome import Outcome
from vlp.runtime.schedule import Change
from vlp.runtime.session import Parts, Session, Spec
from vlp.runtime.triggers import TRIGGERS, StepFailed
from vlp.sim.embodiments import EMBODIMENTS
from vlp.sim.simulation import Simulation, SimulationDiverged
from vlp.sim.worlds import WORLDS

EPISODE_BUDGET = Budget(run_s=900.0)
Row = dict[str, Any]


@dataclass(frozen=True)
class System:
    """What is evaluated.

    Args:
        model: opens the model once per process; None puts the expert in its place.
        grounder: a row of `GROUNDERS`.
        replan: False for the ablation: the first policy is followed to its end or its first failed step.
        budget: bounds of one run.
    """

    model: Callable[[], Model] | None
    grounder: str = DEFAULT_GROUNDER
    replan: bool = True
    budget: Budget = EPISODE_BUDGET


def run_episode(episode: Episode, system: System, out: Path) -> Row:
    """Return the row of one episode; the run's directory is kept under `out` when it failed.

    Args:
        episode: scene, task and events.
        system: what runs it.
        out: where the run's directory is made; one left there by a killed process is replaced.
    """
    began = time.monotonic()
    folder = out / f"{episode.kind}-{episode.seed}"
    shutil.rmtree(folder, ignore_errors=True)
    simulation, witness, session = _session(episode, system, folder)
    outcome = session.run()
    events = read_events(folder)
    moved = any(e.kind == "step-finished" and e.data["kind"] == "action" for e in events)
    success = _success(episode, outcome, moved)
    row: Row = {
        "seed": episode.seed,
        "scene_seed": episode.scene_seed,
        "kind": episode.kind,
        "family": episode.final_task.family,
        "instruction": episode.task.instruction,
        "change": "; ".join(words_of(event) for event in episode.events),
        "success": success,
        "outcome": outcome.outcome,
        "claim": outcome.claim,
        "verdict": outcome.verdict,
        "fault": isinstance(outcome.error, SimulationDiverged),
        "moved": moved,
        "policies": sum(e.kind == "policy" for e in events),
        "steps": sum(e.kind == "step-finished" for e in events),
        "robot_s": round(float(simulation.data.time), 2),
        "wall_s": round(time.monotonic() - began, 2),
        "cause": "",
    }
    if success:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        row["cause"] = witness.cause(episode, outcome)
        row["run"] = str(Path(*folder.parts[-3:]))
    return row


def _session(episode: Episode, system: System, folder: Path) -> tuple[Simulation, Witness, Session]:
    """Return everything a run of an episode needs; without re-planning nobody listens to a new instruction."""
    model = None if system.model is None else system.model()
    assembly = open_robot(seed=episode.scene_seed, grounder=system.grounder, model=model)
    simulation = assembly.simulation
    assert isinstance(simulation, Simulation)
    heard = [e for e in episode.events if system.replan or e.kind != "instruct"]
    following = [e.task for e in heard if e.task is not None]
    verdict = Verdict(simulation, episode.task, following, seed=episode.seed)
    boxes = None if system.grounder == "oracle" else true_boxes(simulation)
    witness = Witness(simulation, verdict, boxes, expert=model is None)
    writer: Model = model if model is not None else ExpertModel(simulation.truth, lambda: verdict.task)
    changes = tuple(Change(e.step, "instruction" if e.kind == "instruct" else "event", words_of(e)) for e in heard)
    spec = Spec(episode.task.instruction, first(EMBODIMENTS), first(WORLDS), "", episode.scene_seed, changes)
    budget = system.budget if system.replan else replace(system.budget, replans=0)
    triggers = TRIGGERS if system.replan else (StepFailed(),)

    def judge() -> bool | None:
        """Return the verdict on what was asked last, whether or not it was heard or the run lived to be told."""
        return episode.final_task.success(verdict.start, simulation.truth())

    parts = Parts(apply_event=verdict.apply, judge=judge, subscribers=(verdict, witness), budget=budget, triggers=triggers)
    return simulation, witness, Session(folder, spec, assembly.robot, writer, parts)


def words_of(event: ScriptedEvent) -> str:
    """Return a scripted event in the words that `vlp run --event` and `--change` take.

    Raises:
        UsageError: a kind of event that has no words.
    """
    words = {
        "move": "move {object}",
        "remove": "remove {object}",
        "knock": "knock",
        "block": "block {container} by {by}",
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
