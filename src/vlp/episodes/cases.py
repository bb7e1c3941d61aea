"""Episodes: a scene, a task in it and the events to come, all from one seed; what evaluation and demonstrations run."""

from dataclasses import dataclass
from random import Random
from typing import Literal

from vlp.core.errors import lookup
from vlp.episodes.events import ScriptedEvent, sample_event
from vlp.sim.language.families import sample_task, weights
from vlp.sim.language.task import Split, Task
from vlp.sim.truth import Truth
from vlp.sim.worlds.seeds import SPLITS, split_of
from vlp.sim.worlds.tabletop.true_state import truth_of
from vlp.sim.worlds.tabletop.world import sample_scene

Kind = Literal["static", "dynamic", "cannot", "satisfied"]


@dataclass(frozen=True)
class Episode:
    """One case to be run.

    Args:
        seed: what it was asked by.
        scene_seed: seed of the world; another one than `seed` when that world allowed no such episode.
        kind: static, dynamic, cannot or satisfied.
        task: the instruction and its test.
        events: in the order of their steps; empty unless dynamic.
    """

    seed: int
    scene_seed: int
    kind: str
    task: Task
    events: tuple[ScriptedEvent, ...] = ()

    @property
    def final_task(self) -> Task:
        """The task in force at the end: that of the last new instruction, else the first."""
        return next((event.task for event in reversed(self.events) if event.task is not None), self.task)


def sample_episode(
    seed: int, kind: Kind = "static", phrasing: Split | None = None, families: dict[str, float] | None = None
) -> Episode:
    """Return the episode of a seed and kind; the same ones give the same episode.

    Args:
        seed: see `vlp.sim.worlds.seeds`.
        kind: what sort of episode.
        phrasing: whose sentences to use; None takes those kept for test when the seed is one of the test split.
        families: weights of families to draw from; None takes those of the kind.

    Raises:
        UsageError: no such kind.
    """
    odds = lookup(kind, families_of(), "kind of episode") if families is None else families
    split: Split = phrasing or ("test" if split_of(seed) == "test" else "train")
    rng = Random(f"{seed} {kind} {split}")
    for attempt in range(1000):
        scene_seed = other_seed(seed, attempt)
        truth = truth_of(sample_scene(scene_seed))
        for _ in range(10):
            drawn = _draw(truth, kind, odds, rng, split)
            if drawn is not None:
                return Episode(seed, scene_seed, kind, *drawn)
    raise RuntimeError(f"no {kind} episode for seed {seed}")


def families_of() -> dict[str, dict[str, float]]:
    """Return for each kind of episode the families it draws from, with how often."""
    static = {name: often for name, often in weights().items() if name not in ("impossible", "satisfied", "unload")}
    return {
        "static": {**static, "unload": 0.5},
        "dynamic": {name: often for name, often in static.items() if name not in ("swap", "pick")},
        "cannot": {"impossible": 1.0},
        "satisfied": {"satisfied": 1.0},
    }


def _draw(
    truth: Truth, kind: str, odds: dict[str, float], rng: Random, split: Split
) -> tuple[Task, tuple[ScriptedEvent, ...]] | None:
    """Return a task of the kind and its events, or None when the world does not allow what was drawn."""
    task = sample_task(truth, rng, split, odds)
    if task is None or not {"cannot": bool(task.cannot), "satisfied": task.satisfied}.get(kind, True):
        return None
    if kind != "dynamic":
        return task, ()
    event = sample_event(truth, task, rng, split)
    return None if event is None else (task, (event,))


def other_seed(seed: int, attempt: int) -> int:
    """Return the seed itself for attempt 0, then others far away in the same split."""
    seeds = SPLITS.get(split_of(seed))
    if seeds is None:
        return seed + 4_999_999 * attempt
    return seeds[(seed - seeds[0] + 4_999_999 * attempt) % len(seeds)]
