"""The table of instruction families, and drawing from it."""

from random import Random

from vlp.sim.language import arrange, put
from vlp.sim.language.negative import negative_families
from vlp.sim.language.task import Family, Split, Task
from vlp.sim.truth import Truth

PLAIN: dict[str, Family] = {
    family.name: family
    for family in (
        Family("put", 4.0, put.propose_put, put.build_put),
        Family("pick", 0.7, put.propose_pick, put.build_pick),
        Family("throw", 1.0, put.propose_throw, put.build_put, implied={"relation": "in", "b": "bin"}),
        Family("unload", 1.0, put.propose_unload, put.build_put, implied={"relation": "on", "b": "table"}),
        Family("spatial", 3.0, put.propose_spatial, put.build_put, said_as="put"),
        Family("relative", 2.5, put.propose_relative, put.build_put, said_as="put"),
        Family("size", 4.0, put.propose_size, put.build_put, said_as="put"),
        Family("group", 4.0, put.propose_group, put.build_put, said_as="put"),
        Family("clear", 1.5, put.propose_clear, put.build_put, implied={"a": "every thing", "relation": "in", "b": "bin"}),
        Family("stack", 2.5, arrange.propose_stack, arrange.build_stack),
        Family("swap", 1.2, arrange.propose_swap, arrange.build_swap),
        Family("sort", 3.0, arrange.propose_sort, arrange.build_sort),
    )
}

FAMILIES: dict[str, Family] = {**PLAIN, **{family.name: family for family in negative_families(PLAIN)}}


def weights() -> dict[str, float]:
    """Return how often each family is drawn by `sample_task`."""
    return {name: family.often for name, family in FAMILIES.items()}


def sample_task(truth: Truth, rng: Random, split: Split = "train", odds: dict[str, float] | None = None) -> Task | None:
    """Return a task of a family drawn by weight, or None when 30 draws gave none that the world allows.

    Args:
        truth: the state to speak about.
        rng: the source of chance.
        split: "train", or "test" for phrasings that are never trained on.
        odds: families and how often to draw them; None takes `weights`.
    """
    table = weights() if odds is None else odds
    names = list(table)
    for _ in range(30):
        family = FAMILIES[rng.choices(names, list(table.values()))[0]]
        for _ in range(3):
            task = family.sample(truth, rng, split)
            if task is not None:
                return task
    return None


def phrase(task: Task, rng: Random, split: Split = "train") -> str:
    """Return another sentence for a task that one of the plain families drew; other tasks keep theirs."""
    family = PLAIN.get(task.family)
    return family.word(task.arguments, rng, split) if family else task.instruction
