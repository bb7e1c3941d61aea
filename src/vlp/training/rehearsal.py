"""Questions about the images that a planner is tuned on, to be answered as its base answers them.

A small model forgets how to answer while it learns to plan. So its base's answers can be learned beside the policies, after Li
and Hoiem, "Learning without Forgetting" (2016). No labels are needed: the base answers, right or wrong.
"""

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from vlp.core.messages import plural

QUESTIONS = (
    "what do you see?",
    "describe the picture",
    "how many things are there?",
    "which thing is the leftmost?",
    "which thing is the nearest?",
)
"""About all of an image."""


def draw_questions(policy: Mapping[str, Any], count: int, rng: Random) -> list[str]:
    """Return different questions about an image: about all of it, and about things that a policy for it names.

    Args:
        policy: a policy document.
        count: how many; fewer where there are not so many.
        rng: the source of chance.
    """
    if not count:
        return []
    drawn = {_draw(sorted(set(_names(policy))), rng): None for _ in range(20 * count)}
    return list(drawn)[:count]


def _draw(names: list[str], rng: Random) -> str:
    about = rng.sample(names, min(2, len(names)))
    words = dict(zip("ab", about, strict=False))
    sets: list[tuple[str, ...]] = [QUESTIONS]
    if len(about) > 0:
        ones = (
            "where is the {a}?",
            "is there a {a}?",
            "what colour is the {a}?",
            "is something in the {a}?",
            "what is near the {a}?",
        )
        sets.append(ones)
    if len(about) > 1:
        twos = (
            "is the {a} left of the {b}?",
            "is the {a} behind the {b}?",
            "is the {a} in the {b}?",
            "is the {a} near the {b}?",
        )
        sets.append(twos)
    colour, _, kind = about[0].rpartition(" ") if about else ("", "", "")
    if colour:
        words |= {"colour": colour, "kinds": plural(kind)}
        sets.append(("how many {kinds} are there?", "which things are {colour}?", "list the {kinds}"))
    return rng.choice(rng.choice(sets)).format(**words)


def _names(policy: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a policy looks for."""
    for subtask in policy.get("subtasks", ()):
        for step in subtask.get("steps", ()):
            if step.get("do") == "locate" and isinstance(step.get("object"), str):
                yield step["object"]
