"""What the model is told beside the image: a plain, bounded record of the run so far."""

from dataclasses import dataclass, field
from typing import Any

from vlp.core.observation import Located
from vlp.primitives.facts import Fact


@dataclass(frozen=True)
class StepRecord:
    """One step that was carried out.

    Args:
        do: the primitive.
        arguments: as the policy wrote them, references unresolved ("$red_cube").
        status: how it ended, a word of `vlp.robot.protocol.Status`.
        message: why it failed; "" on success.
        subtask: name of the subtask it belonged to.
        bound: the name given by "as"; "" when none.
        value: answer of an `ask`, as text; "" otherwise.
        code: the stable word for the failure, as in `vlp.robot.protocol.StepResult`; "" on success.
    """

    do: str
    arguments: dict[str, Any]
    status: str = "succeeded"
    message: str = ""
    subtask: str = ""
    bound: str = ""
    value: str = ""
    code: str = ""


@dataclass(frozen=True)
class Memory:
    """Everything a re-plan may know.

    Args:
        instructions: every instruction so far, the current one last.
        steps: steps carried out, oldest first.
        beliefs: where each object was last seen, by phrase.
        gone: phrases that were looked for and not found.
        holding: phrase of what the hand holds, "" when empty.
        at: the place the robot stands at.
        trigger: why a new policy is asked for, in one sentence; "" for the first policy.
        failures: sentences about what went wrong, oldest first.
        facts: what primitives have made true and what still holds, e.g. ("open", "front door").
    """

    instructions: tuple[str, ...]
    steps: tuple[StepRecord, ...] = ()
    beliefs: dict[str, Located] = field(default_factory=dict)
    gone: tuple[str, ...] = ()
    holding: str = ""
    at: str = ""
    trigger: str = ""
    failures: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()

    @property
    def instruction(self) -> str:
        """The instruction that holds now."""
        return self.instructions[-1] if self.instructions else ""
