"""The table of instruction families, and drawing from it."""

from random import Random

from vlp.sim.language.arrange import ARRANGE_FAMILIES
from vlp.sim.language.negative import negative_families
from vlp.sim.language.put import PUT_FAMILIES
from vlp.sim.language.task import Family, Split, Task
from vlp.sim.truth import Truth

PLAIN: dict[str, Family] = {family.name: family for family in (*PUT_FAMILIES, *ARRANGE_FAMILIES)}

FAMILIES: dict[str, Family] = {**PLAIN, **{family.name: family for family in negative_families(PLAIN)}}

WEIGHTS: dict[str, float] = {
    "put": 4.0,
    "pick": 0.7,
    "throw": 1.0,
    "unload": 1.0,
    "spatial": 3.0,
    "relative": 2.5,
    "size": 4.0,
    "group": 4.0,
    "clear": 1.5,
    "stack": 2.5,
    "swap": 1.2,
    "sort": 3.0,
    "impossible": 2.5,
    "satisfied": 3.0,
}
"""How often each family is drawn by `sample_task`."""


def sample_task(truth: Truth, rng: Random, split: Split = "train", weights: dict[str, float] | None = None) -> Task | None:
    """Return a task of a family drawn by weight, or None when 30 draws gave none that the world allows.

    Args:
        truth: the state to speak about.
        rng: the source of chance.
        split: "train", or "test" for phrasings that are never trained on.
        weights: families and how often to draw them; None takes `WEIGHTS`.
    """
    table = WEIGHTS if weights is None else weights
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
