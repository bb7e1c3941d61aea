"""Questions about the images that a planner is tuned on, to be answered as its base answers them.

A model as small as nano forgets how to answer while it learns to plan: after 300 steps on 400 samples with `decoder` it kept
a third of its right answers (docs/log.md). So its base's answers can be learned beside the policies, after Li and Hoiem,
"Learning without Forgetting" (2016). No labels are needed: the base answers, right or wrong.
"""

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

QUESTIONS = (
    "what do you see?",
    "describe the picture",
    "how many things are there?",
    "which thing is the leftmost?",
    "which thing is the nearest?",
)
ABOUT_ONE = (
    "where is the {a}?",
    "is there a {a}?",
    "what colour is the {a}?",
    "is something in the {a}?",
    "what is near the {a}?",
    "how many {kind}s are there?",
    "which things are {colour}?",
    "list every {kind}",
)
ABOUT_TWO = ("is the {a} left of the {b}?", "is the {a} behind the {b}?", "is the {a} in the {b}?", "is the {a} near the {b}?")


def draw_question(policy: Mapping[str, Any], rng: Random) -> str:
    """Return a question about an image: about all of it, or about things that a policy for it names.

    Args:
        policy: a policy document.
        rng: the source of chance.
    """
    names = sorted(set(_names(policy)))
    about = rng.sample(names, min(2, len(names)))
    sets = (QUESTIONS, ABOUT_ONE, ABOUT_ONE, ABOUT_TWO)[: (1, 3, 4)[len(about)]]
    words = dict(zip("ab", about, strict=False))
    if about:
        words |= {"colour": about[0].split()[0], "kind": about[0].split()[-1]}
    return rng.choice(rng.choice(sets)).format(**words)


def _names(policy: Mapping[str, Any]) -> Iterator[str]:
    for subtask in policy.get("subtasks", ()):
        for step in subtask.get("steps", ()):
            yield from (step[key] for key in ("object", "subject") if isinstance(step.get(key), str) and step[key].strip())
