"""Messages for a model, in the wording of its profile.

`full` explains everything and suits a general model; `brief` is what the embedded model was trained on. With `brief_words` it
says in words what it would do, and writes that as a policy then: so a base that answers instructions in words is asked.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlp.core.camera import Box
from vlp.core.errors import lookup
from vlp.core.messages import Image, Message, Text, assistant, user
from vlp.core.observation import RobotState
from vlp.core.report import Report
from vlp.nano import wording as brief
from vlp.primitives.manifest import Manifest
from vlp.prompt import full
from vlp.prompt.bounds import clean_instruction, clean_question, inert
from vlp.prompt.memory import Memory
from vlp.prompt.request import PlanRequest

MAX_REPLY_SHOWN = 8000

BOX_GRAMMAR: dict[str, Any] = {
    "anyOf": [
        {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 9999}, "minItems": 4, "maxItems": 4},
        {"type": "array", "items": {"type": "integer"}, "maxItems": 0},
    ]
}
"""The answer to `ground_messages`: [x1,y1,x2,y2], or [] when the thing is not in view."""


@dataclass(frozen=True)
class Profile:
    """One wording.

    Args:
        plan: a request to messages.
        question: an image and a question to messages.
        ground: an image and a phrase to messages.
        repair: a report to the text of the turn that asks again.
    """

    plan: Callable[[PlanRequest], list[Message]]
    question: Callable[[Image, str], list[Message]]
    ground: Callable[[Image, str], list[Message]]
    repair: Callable[[Report], str]


PROFILES: dict[str, Profile] = {
    "full": Profile(full.plan, full.question, full.ground, full.repair),
    "brief": Profile(brief.plan, brief.question, brief.ground, brief.repair),
    "brief_words": Profile(brief.plan_after_words, brief.question, brief.ground, brief.repair),
}


def plan_messages(
    rgb: NDArray[np.uint8],
    instruction: str,
    state: RobotState,
    memory: Memory,
    manifest: Manifest,
    profile: str = "full",
    *,
    now_s: float | None = None,
    scene_text: Sequence[str] = (),
) -> list[Message]:
    """Return the messages that ask for a policy.

    Args:
        rgb: the camera image.
        instruction: the instruction that holds now.
        state: what the robot knows of itself.
        memory: the run so far.
        manifest: what the robot can do.
        profile: a name in `PROFILES`; a model says which one it wants (`model.profile`).
        now_s: the observation's time stamp, for the age of beliefs.
        scene_text: text read from the scene, shown as quoted data by profiles that show it.

    Raises:
        UsageError: an instruction out of bounds, an unknown profile.
    """
    request = PlanRequest(rgb, clean_instruction(instruction), state, memory, manifest, now_s, tuple(scene_text))
    return lookup(profile, PROFILES, "prompt profile").plan(request)


def question_messages(rgb: NDArray[np.uint8], question: str, profile: str = "full") -> list[Message]:
    """Return the messages that ask a question about an image; raises UsageError for a question out of bounds."""
    return lookup(profile, PROFILES, "prompt profile").question(Image(rgb), clean_question(question))


def ground_messages(rgb: NDArray[np.uint8], phrase: str, profile: str = "full") -> list[Message]:
    """Return the messages that ask for a box; the answer (see `BOX_GRAMMAR`) is in pixels of the image as resized
    for the model."""
    return lookup(profile, PROFILES, "prompt profile").ground(Image(rgb), clean_question(phrase))


def parse_box(text: str) -> Box | None:
    """Return the box in a reply to `ground_messages`, or None when there is none or it is empty."""
    import json

    try:
        numbers = json.loads(text[:200])
    except ValueError:
        return None
    if not isinstance(numbers, list) or len(numbers) != 4 or not all(type(n) in (int, float) for n in numbers):
        return None
    x1, y1, x2, y2 = (float(n) for n in numbers)
    return (x1, y1, x2, y2) if 0 <= x1 < x2 <= 1e5 and 0 <= y1 < y2 <= 1e5 else None


def repair_messages(messages: Sequence[Message], reply_text: str, report: Report, profile: str = "full") -> list[Message]:
    """Return the conversation that hands a refused reply back to the model with the report about it.

    Args:
        messages: what was asked.
        reply_text: what the model wrote; shown bounded.
        report: why it was refused.
        profile: the wording the conversation is in.
    """
    wording = lookup(profile, PROFILES, "prompt profile")
    return [*messages, assistant(inert(reply_text[:MAX_REPLY_SHOWN])), user(Text(wording.repair(report)))]
