"""Samples from the expert in simulation, balanced over families and kinds of question, in parallel and resumable.

This lives here, not in `vlp.data`, because it needs the simulator and the runtime's memory. A sample follows from its
split, its number and the seed alone: however many processes work on it, and however often they are killed, the same
command ends with the same samples.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from vlp.core.errors import TaskFailed, UsageError, first, lookup
from vlp.core.images import encode_png
from vlp.core.workers import run_calls
from vlp.data.sample import Sample, make_sample
from vlp.data.store import StoreWriter
from vlp.episodes.questions import FAMILIES_FOR, Asker, Question
from vlp.episodes.right import task_json, truth_json
from vlp.perception.perceiving import with_perceptions
from vlp.policy.checks import check_policy
from vlp.policy.model import State
from vlp.primitives.manifest import Manifest
from vlp.prompt.target import policy_text
from vlp.sim import EMBODIMENTS, WORLDS
from vlp.sim import sample as sample_world
from vlp.sim.open import manifest_of as simulated_manifest
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.seeds import SPLITS, seed_of

T = TypeVar("T")

PATTERN = ("first", "changed", "held", "failed", "first", "first", "changed", "held", "disturbed", "first")
"""Kinds of question in turn: six of ten at the beginning of a task, two of them with something in the hand, four in its middle.
"""


@dataclass(frozen=True)
class Order:
    """What is to be collected.

    Args:
        robot: a row of `vlp.sim.EMBODIMENTS`.
        world: a row of `vlp.sim.WORLDS`.
        split: whose scenes and phrasings.
        seed: number of the first scene in the split.
        seen: whether policies name the boxes they rest on.
    """

    robot: str = first(EMBODIMENTS)
    world: str = first(WORLDS)
    split: str = "train"
    seed: int = 0
    seen: bool = False

    def stem(self, number: int) -> str:
        """Return the readable part of a sample's id."""
        return f"{self.world}-{self.robot}-{self.split}-{self.seed + number:07d}"


def collect(
    out: str | Path,
    n: int,
    order: Order,
    *,
    workers: int = 1,
    ray: str = "",
    resume: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Write n samples to a folder, and return how many were new.

    Args:
        out: a store; made when missing.
        n: how many samples of this order the folder shall hold in the end.
        order: what is collected.
        workers: processes; on Ray 0 means one for each CPU of the cluster.
        ray: a Ray cluster that draws the samples, see `vlp.core.workers.run_calls`; "" for processes of this machine.
        resume: go on with a folder that holds samples of this order already.
        progress: told how many of n there are.

    Raises:
        UsageError: an unknown name, a number out of bounds, or samples of this order are there and no `resume`.
        MissingComponent: it cannot be written or drawn, or the cluster is missing.
        TaskFailed: samples that killed their process twice are left out; all others are there.
    """
    _check(n, order, workers, 0 if ray else 1)
    with StoreWriter(out, {order.robot: manifest_of(order.robot)}) as writer:
        there = {name.rpartition("-")[0] for name in writer.ids}
        todo = [number for number in range(n) if order.stem(number) not in there]
        if len(todo) < n and not resume:
            raise UsageError(
                f"{str(out)[:300]!r} holds {n - len(todo)} of these {n} samples already.",
                "Go on with --resume, or give another folder or --seed.",
            )
        done, aside = n - len(todo), list[str]()
        progress(done, n)
        for number, drawn in _in_order(todo, run_calls(partial(make, order), todo, workers, ray)):
            if drawn is None:
                aside.append(order.stem(number))
                continue
            sample, png = drawn
            writer.add_image(png)
            writer.add(sample)
            done += 1
            progress(done, n)
    if aside:
        raise TaskFailed(f"set aside, for each killed its process twice: {', '.join(aside)}.", "All others are in the folder.")
    return len(todo)


def manifest_of(robot: str) -> Manifest:
    """Return what a simulated robot says of itself with its perceptions; raises UsageError for an unknown one."""
    return with_perceptions(simulated_manifest(robot))


def make(order: Order, number: int, tries: int = 400) -> tuple[Sample, bytes]:
    """Return the sample of a number with its image as PNG.

    Args:
        order: what is collected.
        number: of the sample in it.
        tries: scenes that are tried.

    Raises:
        TaskFailed: none of them allows such a question.
    """
    kind = PATTERN[number % len(PATTERN)]
    family = _family(number)
    manifest = manifest_of(order.robot)
    stride = 1_299_709  # to the next scene tried, far from those of all other samples
    for attempt in range(tries):
        scene_seed = seed_of(order.split, (order.seed + number + attempt * stride) % len(SPLITS[order.split]))
        simulation = Simulation(sample_world(order.world, scene_seed), order.robot, order.world)
        phrasing = "test" if order.split == "test" else "train"
        question = Asker(simulation, manifest, phrasing, scene_seed).ask(kind, family)
        if question is None:
            continue
        png = encode_png(question.world.observation.rgb)
        sample = _sample(order, number, scene_seed, question, png)
        if _passes(sample, manifest):
            return sample, png
    raise TaskFailed(f"no {kind} question about {family!r} in {tries} scenes for sample {number}.", "Try another --seed.")


def _family(number: int) -> str:
    """Return the family of a number: each kind of question goes through its families in turn."""
    rounds, place = divmod(number, len(PATTERN))
    kind = PATTERN[place]
    families = FAMILIES_FOR[kind]
    return families[(rounds * PATTERN.count(kind) + PATTERN[:place].count(kind)) % len(families)]


def _sample(order: Order, number: int, scene_seed: int, question: Question, png: bytes) -> Sample:
    world, task = question.world, question.task
    boxes = {name: list(v.box) for name, v in world.seen.items() if world.shows(name)}
    source: dict[str, Any] = {
        "kind": "expert",
        "world": order.world,
        "scene_seed": scene_seed,
        "question": question.kind,
        "family": task.family,
        "stamp_s": world.observation.stamp_s,
        "boxes": boxes,
        "task": task_json(task),
        "truth": truth_json(world.truth),
    }
    policy = with_seen(question.policy, boxes) if order.seen else question.policy
    return make_sample(
        order.stem(number),
        [hashlib.sha256(png).hexdigest()],
        task.instruction,
        order.robot,
        world.observation.state,
        replace(question.memory, at=world.observation.state.at),
        policy,
        source,
        order.split,
    )


def with_seen(policy: dict[str, Any], boxes: dict[str, list[float]]) -> dict[str, Any]:
    """Return the policy with the boxes of the things that its steps locate, in the language's key order."""
    if policy.get("cannot"):
        return policy
    steps = [step for subtask in policy["subtasks"] for step in subtask["steps"] if step["do"] == "locate"]
    named = [[name, boxes[name]] for name in dict.fromkeys(step["object"] for step in steps) if name in boxes]
    return {"goal": policy["goal"], **({"seen": named} if named else {}), "subtasks": policy["subtasks"]}


def _passes(sample: Sample, manifest: Manifest) -> bool:
    """Return whether the expert's policy passes the checks a model's would: a thing out of reach is no good example."""
    known = State(sample.state.at, sample.memory.holding, known=sample.memory.beliefs)
    return check_policy(policy_text(sample.policy), manifest, known)[1].ok


def _in_order(todo: list[int], made: Iterator[tuple[int, T]]) -> Iterator[tuple[int, T]]:
    """Yield what was made in the order of the numbers, however it comes: the folder's file is the same."""
    early, turn = dict[int, T](), 0
    for number, one in made:
        early[number] = one
        while turn < len(todo) and todo[turn] in early:
            yield todo[turn], early.pop(todo[turn])
            turn += 1


def _check(n: int, order: Order, workers: int, fewest: int) -> None:
    lookup(order.world, WORLDS, "world")
    lookup(order.robot, EMBODIMENTS, "robot")
    lookup(order.split, SPLITS, "split")
    for name, value, low, high in (
        ("n", n, 1, 1_000_000),
        ("workers", workers, fewest, 256),
        ("seed", order.seed, 0, 8_000_000),
    ):
        if not low <= value <= high:
            raise UsageError(f"--{name} {value} is out of bounds.", f"Expected {low:,} to {high:,}.")
