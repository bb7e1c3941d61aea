"""A lesson of earlier runs, and how a model is told of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from vlp.core.messages import counted


@dataclass(frozen=True)
class Lesson:
    """What failed in earlier runs of a robot, and what was done instead where a run ended well.

    Its texts are bounded lines made of names, codes and phrases of policies; no sentence of a person, a robot or a scene.

    Args:
        robot: name of the robot's manifest.
        do: the primitive that failed.
        about: the phrases of the things it was about, parted by ", "; "" for none.
        relation: the relation between them, e.g. "in"; "" for none.
        place: the named places that it speaks of, parted by ", "; "" for none.
        code: the stable word for the failure, or the name of the trigger that fired.
        failed: the step in words.
        worked: the steps that a later policy took instead, parted by "; "; "" where nothing is known to have worked.
        seen: number of runs in which it failed so.
        solved: number of those that ended well.
        last_s: when it was last seen, in seconds since the epoch.
        run: id of the run that taught it last.
        id: its number in the store; 0 before it is there.
    """

    robot: str
    do: str
    about: str
    relation: str
    place: str
    code: str
    failed: str
    worked: str = ""
    seen: int = 1
    solved: int = 0
    last_s: float = 0.0
    run: str = ""
    id: int = 0

    @property
    def situation(self) -> tuple[str, ...]:
        """What makes two lessons one."""
        return self.robot, self.do, self.about, self.relation, self.place, self.code

    @property
    def kinds(self) -> str:
        """The nouns of its things, without what describes them: "cube bowl" of "red cube, bowl with a lid"."""
        return " ".join(_nouns(self.about))

    @property
    def text(self) -> str:
        """The lesson in one line."""
        told = f"{self.failed} failed ({self.code}) in {counted(self.seen, 'run')}; {self.solved or 'none'} ended well"
        return f"{told}, the last after: {self.worked}" if self.worked else told


def _nouns(about: str) -> Iterator[str]:
    behind = r"\s(?:with|without|of|on|in|at|by|for|from|near|next|beside|behind|under|that|which)\s"
    for phrase in filter(None, about.split(", ")):
        yield from re.split(behind, phrase)[0].split()[-1:]
