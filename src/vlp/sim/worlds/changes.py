"""The kinds of change midway, by name: what people say or do while a task is under way, and what the robot gets wrong.

A world says in `Tasks.changes` which of them it offers; those of the robot are offered wherever there are tasks.
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal

Side = Literal["said", "world", "robot"]


@dataclass(frozen=True)
class ChangeKind:
    """One kind of change.

    Args:
        side: "said" by a person; done to the "world"; done wrong by the "robot" or its eyes.
        doc: what it is, in one line.
        example: a sentence, the words of an event, or what the robot does wrong.
    """

    side: Side
    doc: str
    example: str


@cache
def change_kinds() -> dict[str, ChangeKind]:
    """Return the kinds of change by name, in the order of docs/changes.md."""
    return {
        "new-task": ChangeKind("said", "another whole task takes the place of the first", "please switch on the lamp"),
        "other-thing": ChangeKind("said", "another thing is meant", "no, the banana"),
        "which-one": ChangeKind("said", "another one of the same noun is meant", "no, the blue one"),
        "other-place": ChangeKind("said", "the thing is to go to another place", "no, on the sofa"),
        "other-person": ChangeKind("said", "somebody else is to get the thing", "no, give it to Jane"),
        "added": ChangeKind("said", "one more thing is to be brought", "and put the plum on the sofa too"),
        "cancelled": ChangeKind("said", "one of the things is not wanted any more", "leave the plum"),
        "put-back": ChangeKind("said", "the thing is to go back to where it was", "put it back where it was"),
        "excluded": ChangeKind("said", "things of one category are to be left alone", "not the fruit"),
        "reordered": ChangeKind("said", "one of the things is to be seen to before the others", "the plum first"),
        "stopped": ChangeKind("said", "the robot is told to stop, and then to go on", "stop"),
        "moved": ChangeKind("world", "a thing to be fetched is put elsewhere", "move cereal box"),
        "container-moved": ChangeKind("world", "the container that things go to is put elsewhere", "move green bowl"),
        "vanished": ChangeKind("world", "one of the things to be fetched is taken away", "remove cereal box"),
        "appeared": ChangeKind("world", "one more of the things that are wanted is brought", "bring red cube"),
        "dropped": ChangeKind("world", "what the robot holds is knocked out of its hand", "knock"),
        "swapped": ChangeKind("world", "a thing to be fetched and a look-alike are exchanged", "swap red cube with blue cube"),
        "filled": ChangeKind("world", "another thing is put where things go to", "block green bowl by red can"),
        "shut": ChangeKind("world", "what the robot has opened is shut", "shut the drawer"),
        "walked-away": ChangeKind("world", "who is to get something walks to another room", "send Jane away"),
        "path-blocked": ChangeKind("world", "a person stands in the way of the robot", "let Jane stand in the way to sofa"),
        "slipped": ChangeKind("robot", "what is held slips out of the hand while it is carried", "the step after a grasp"),
        "no-effect": ChangeKind("robot", "an action does nothing and says that it succeeded", "a grasp or a place"),
        "look-alike": ChangeKind("robot", "a look finds a look-alike in the place of what was asked for", "a locate"),
    }  # fmt: skip


def robot_changes() -> list[str]:
    """Return the kinds that robot and eyes bring about."""
    return [name for name, kind in change_kinds().items() if kind.side == "robot"]
