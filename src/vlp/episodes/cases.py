"""Episodes: a scene, a task in it and the events to come, all from one seed; what evaluation and demonstrations run."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from vlp.core.errors import UsageError, first, lookup
from vlp.episodes.faults import look_alike
from vlp.primitives.manifest import Manifest
from vlp.sim import WORLDS, open_world, sample
from vlp.sim.truth import Truth
from vlp.sim.worlds.changes import robot_changes
from vlp.sim.worlds.seeds import SPLITS, split_of
from vlp.sim.worlds.tasks import ScriptedEvent, Split, Tasks, WorldTask

Kind = Literal["static", "dynamic", "cannot", "satisfied", "household"]


@dataclass(frozen=True)
class Episode:
    """One case to be run.

    Args:
        seed: what it was asked by.
        scene_seed: seed of the world; another one than `seed` when that world allowed no such episode.
        kind: static, dynamic, cannot, satisfied or household.
        task: the instruction and its test.
        events: in the order of their steps; empty unless dynamic.
        world: a row of `vlp.sim.WORLDS`.
        fault: what the robot does wrong, one of `vlp.sim.worlds.changes.robot_changes`; "" for nothing.
    """

    seed: int
    scene_seed: int
    kind: str
    task: WorldTask
    events: tuple[ScriptedEvent, ...] = ()
    world: str = first(WORLDS)
    fault: str = ""

    @property
    def change(self) -> str:
        """What kind of change it has, a row of `vlp.sim.worlds.changes.change_kinds`; "" for none."""
        return self.fault or next((event.change for event in self.events), "")

    @property
    def final_task(self) -> WorldTask:
        """The task in force at the end: that of the last new instruction, else the first."""
        return next((event.task for event in reversed(self.events) if event.task is not None), self.task)


def sample_episode(
    seed: int,
    kind: Kind = "static",
    phrasing: Split | None = None,
    families: Mapping[str, float] | None = None,
    world: str = "",
    manifest: Manifest | None = None,
    change: str = "",
) -> Episode:
    """Return the episode of a seed and kind in a world; the same ones give the same episode.

    Args:
        seed: see `vlp.sim.worlds.seeds`.
        kind: what sort of episode.
        phrasing: whose sentences to use; None takes those kept for test when the seed is one of the test split.
        families: weights of families to draw from; None takes those of the kind.
        world: a row of `vlp.sim.WORLDS`; "" takes the first.
        manifest: of a robot; what it cannot do is not asked for, unless that is the kind. None asks for whatever can be done.
        change: the only kind of change to draw for a dynamic episode, one of `changes_in`; "" draws those of the suites.

    Raises:
        UsageError: no such world, no such kind or change in it, or a world without tasks.
    """
    world = world or first(WORLDS)
    tasks = tasks_of(world)
    odds = lookup(kind, tasks.kinds, f"kind of episode in the {world}")
    if change:
        check_change(change, kind, world)
        odds = tasks.changes.get(change) or odds
    fault = change if change in robot_changes() else ""
    split: Split = phrasing or ("test" if split_of(seed) == "test" else "train")
    rng = Random(f"{seed} {kind} {split}")
    for attempt in range(1000):
        scene_seed = other_seed(seed, attempt)
        truth = tasks.start(sample(world, scene_seed))
        for _ in range(10):
            task = _draw(tasks, truth, kind, odds if families is None else families, rng, split)
            if task is None or (fault == "look-alike" and not any(look_alike(truth, name) for name in task.subjects)):
                continue
            events: tuple[ScriptedEvent | None, ...] = ()
            if kind == "dynamic" and not fault:
                event = tasks.disturb(truth, task, rng, split, change, manifest)
                events = (*_beforehand(event), _timed(event, rng) if event and change else event)
            if None not in events and (kind == "cannot" or _able(tasks, truth, task, manifest)):
                return Episode(seed, scene_seed, kind, task, tuple(filter(None, events)), world, fault)
    raise RuntimeError(f"no {kind} episode{change and f' with the change {change}'} for seed {seed}")


def _beforehand(event: ScriptedEvent | None) -> tuple[ScriptedEvent, ...]:
    """Return what happens before the first policy is written: what is brought later is taken away."""
    if event is None or event.kind != "bring":
        return ()
    return (ScriptedEvent(0, "remove", {"object": event.args["object"]}, change=event.change),)


def _timed(event: ScriptedEvent, rng: Random) -> ScriptedEvent:
    """Return an event at the moment at which it happens: every second one that takes no time comes within a step."""
    at_once = event.kind in ("move", "remove", "bring", "knock", "swap", "block", "send")
    return replace(event, within_s=round(rng.uniform(0.5, 3.0), 1)) if at_once and rng.random() < 0.5 else event


def check_change(change: str, kind: str, world: str) -> None:
    """Refuse a kind of change that episodes of a kind have not in a world; raises UsageError."""
    if kind != "dynamic":
        raise UsageError(f"nothing changes in episodes of the kind {kind!r}.", "Kinds of change are for dynamic ones.")
    lookup(change, dict.fromkeys(changes_in(world)), f"kind of change in the {world}")


def changes_in(world: str) -> list[str]:
    """Return the kinds of change that dynamic episodes of a world can have: those of people, and those of the robot."""
    return [*tasks_of(world).changes, *robot_changes()]


def _draw(tasks: Tasks, truth: Truth, kind: str, odds: Mapping[str, float], rng: Random, split: Split) -> WorldTask | None:
    """Return a task of the kind, or None when the world does not allow what was drawn."""
    task = tasks.draw(truth, rng, split, odds)
    if task is None or not {"cannot": bool(task.cannot), "satisfied": task.satisfied}.get(kind, True):
        return None
    return task


def tasks_of(world: str) -> Tasks:
    """Return the tasks of a row of `vlp.sim.WORLDS`; raises UsageError where it has none."""
    tasks = open_world(world).tasks
    if tasks is None:
        raise UsageError(f"the world {world!r} has no tasks.", f"Use e.g. {first(WORLDS)}.")
    return tasks


def _able(tasks: Tasks, truth: Truth, task: WorldTask, manifest: Manifest | None) -> bool:
    return manifest is None or tasks.able(truth, task, manifest)


def other_seed(seed: int, attempt: int) -> int:
    """Return the seed itself for attempt 0, then others far away in the same split."""
    seeds = SPLITS.get(split_of(seed))
    if seeds is None:
        return seed + 4_999_999 * attempt
    return seeds[(seed - seeds[0] + 4_999_999 * attempt) % len(seeds)]
