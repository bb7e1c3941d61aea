"""What a sample keeps of the truth, and the linter's checks that need the simulator's knowledge."""

from collections.abc import Container, Iterator
from dataclasses import asdict
from typing import Any

from vlp.data.fault import DataFault
from vlp.data.lint import CHECKS, SampleCheck
from vlp.data.sample import Sample
from vlp.data.store import Store
from vlp.sim import WORLDS
from vlp.sim.language.task import Goal, Task
from vlp.sim.symbolic import is_right
from vlp.sim.truth import TrueObject, Truth
from vlp.sim.worlds.seeds import split_of

Json = dict[str, Any]


def truth_json(truth: Truth) -> Json:
    """Return a true state as plain data."""
    return asdict(truth)


def read_truth(data: Json) -> Truth:
    """Return the true state that `truth_json` wrote; raises KeyError, TypeError or ValueError on anything else."""
    objects = {name: TrueObject(**_tuples(item)) for name, item in data["objects"].items()}
    if any(item.phrase != name for name, item in objects.items()):
        raise ValueError("an object under another's name")
    return Truth(objects, str(data["holding"]), str(data["at"]))


def task_json(task: Task) -> Json:
    """Return a task as plain data."""
    return asdict(task)


def read_task(data: Json) -> Task:
    """Return the task that `task_json` wrote; raises KeyError, TypeError or ValueError on anything else."""
    goals = tuple(Goal(**_tuples(goal)) for goal in data["goals"])
    return Task(**{**data, "goals": goals})


class RightByExecution:
    """A policy whose sample keeps the true state reaches what the instruction means, when carried out symbolically."""

    def look(self, sample: Sample, store: Store) -> Iterator[DataFault]:
        """Yield `wrong-policy`, `bad-truth` and `other-instruction`."""
        if "truth" not in sample.source or "task" not in sample.source:
            return
        try:
            truth, task = read_truth(sample.source["truth"]), read_task(sample.source["task"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            yield DataFault(sample.id, "bad-truth", f"its true state cannot be read: {str(error)[:120]}.")
            return
        if task.instruction != sample.instruction:
            message = f"the instruction {sample.instruction[:80]!r} is not that of its task {task.instruction[:80]!r}."
            yield DataFault(sample.id, "other-instruction", message, "Put back the instruction.")
        try:
            right, why = is_right(sample.policy, truth, task)
        except (KeyError, TypeError, AttributeError) as error:
            right, why = False, f"it is malformed ({type(error).__name__}: {str(error)[:80]})"
        if not right:
            yield DataFault(sample.id, "wrong-policy", f"the policy is not right: {why}.", "Correct the policy.")

    def end(self) -> Iterator[DataFault]:
        """Yield nothing."""
        return iter(())


class SplitOfSeed:
    """A sample of a simulated world is in the split that its scene's seed belongs to."""

    def look(self, sample: Sample, store: Store) -> Iterator[DataFault]:
        """Yield `wrong-split`."""
        seed = sample.source.get("scene_seed")
        split = split_of(seed) if isinstance(seed, int) and sample.source.get("world") in WORLDS else ""
        if split and split != sample.split:
            message = f"scene {seed} belongs to the {split} split, not to {sample.split}."
            yield DataFault(sample.id, "wrong-split", message, f"Move it to {split}, or leave it out.")

    def end(self) -> Iterator[DataFault]:
        """Yield nothing."""
        return iter(())


SIM_CHECKS = {"execution": RightByExecution, "splits": SplitOfSeed}
"""Checks by name, as they can be skipped by, beside those of `vlp.data.lint`."""


def every_check(skip: Container[str] = ()) -> list[SampleCheck]:
    """Return fresh checks of samples, those that need the simulator's knowledge among them, without the names to skip."""
    return [make() for name, make in {**CHECKS, **SIM_CHECKS}.items() if name not in skip]


def _tuples(data: Json) -> Json:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
