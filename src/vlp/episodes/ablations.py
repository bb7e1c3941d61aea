"""What can be taken away from re-planning, to measure what it is worth; a row for each part."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from vlp.runtime.triggers import TRIGGERS, Trigger


@dataclass(frozen=True)
class Ablation:
    """The system without a part.

    Args:
        doc: what is missing, in one line.
        triggers: the reasons that lead to a new policy all the same.
        replans: whether a new policy is ever asked for; without, a reason for one ends the run.
        hears: whether scripted sentences are said to the robot at all; words for stopping always are.
        remembers: whether a new policy is written from what was said, done and seen before (`vlp.runtime.run.Run`).
    """

    doc: str
    triggers: Sequence[Trigger] = field(default=TRIGGERS, repr=False)
    replans: bool = True
    hears: bool = True
    remembers: bool = True

    @property
    def goes_on(self) -> bool:
        """Whether a robot that was stopped goes on when it is told to: that is a new sentence like any other."""
        return any(trigger.name == "new-instruction" for trigger in self.triggers)


@cache
def ablations() -> dict[str, Ablation]:
    """Return the systems by the part that they are without; "" is the whole system."""
    said = tuple(trigger for trigger in TRIGGERS if trigger.name == "new-instruction")
    state = tuple(trigger for trigger in TRIGGERS if trigger not in said)
    failed = tuple(trigger for trigger in state if trigger.name == "step-failed")
    return {
        "": Ablation("nothing is missing"),
        "replan": Ablation("the first policy is followed to its end or its first failed step", failed, False, False),
        "memory": Ablation("new policies are written from the last sentence and what is seen now alone", remembers=False),
        "instructions": Ablation("a new sentence is no reason for a new policy; failed steps and what is sensed are", state),
        "state": Ablation("failed steps and what is sensed are no reason for a new policy; a new sentence is", said),
    }
