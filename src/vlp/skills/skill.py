"""What a skill is: a primitive whose arguments make a sentence, and how long a model may try to do what that says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vlp.primitives.manifest import Argument, Primitive


@dataclass(frozen=True)
class Skill:
    """A primitive that a model carries out by moving the hand.

    Args:
        primitive: as policies use it; what it needs and makes is checked like that of any other.
        sentence: what the model is told to do; arguments stand in braces, e.g. "pick up the {object}".
    """

    primitive: Primitive
    sentence: str

    def told(self, arguments: Mapping[str, Any]) -> str:
        """Return the sentence for a step's arguments, which have been checked."""
        text = self.sentence
        for argument in self.primitive.arguments:  # not str.format: what a policy says is no format string
            text = text.replace(f"{{{argument.name}}}", str(arguments.get(argument.name, "")))
        return " ".join(text.split())


@dataclass(frozen=True)
class SkillBounds:
    """Where trying ends.

    Args:
        chunks: most chunks of a step.
        subtasks: most subtasks of a step.
        in_vain: so many chunks one after the other that moved nothing end the step.
        reply_s: limit on one reply of the model.
        reply_tokens: limit on its length.
    """

    chunks: int = 60
    subtasks: int = 8
    in_vain: int = 3
    reply_s: float = 60.0
    reply_tokens: int = 256


def usual_skills() -> tuple[Skill, ...]:
    """Return the skills that a robot is given where nobody names others.

    `skill` does whatever a sentence says, and promises nothing. `pick_up` says what it leaves in the hand, so that a policy
    may go on with what needs that.
    """
    text = Argument("text", "text", "One short sentence that says what to do.")
    thing = Argument("object", "phrase", "What to pick up, as it looks.")
    seconds = 180.0
    told = Primitive(
        "skill", "action", "Do what a short sentence says by looking and moving the hand a little at a time.", (text,),
        timeout_s=seconds,
    )  # fmt: skip
    taken = Primitive(
        "pick_up", "action", "Pick a thing up by looking and moving the hand a little at a time.", (thing,),
        needs=("hand_empty",), makes=("holding object",), timeout_s=seconds,
    )  # fmt: skip
    return Skill(told, "{text}"), Skill(taken, "pick up the {object}")
