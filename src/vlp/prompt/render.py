"""Messages for a model, in the wording of its profile; what a person or a phrase says is cleaned here."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlp.core.errors import Report
from vlp.core.images import ImageView
from vlp.core.messages import Image, Message, Text, assistant, user
from vlp.core.observation import RobotState
from vlp.core.things import Names
from vlp.primitives.manifest import Manifest
from vlp.prompt.bounds import clean_question, inert
from vlp.prompt.memory import Memory
from vlp.prompt.request import GroundRequest, PlanRequest
from vlp.prompt.wording import find_wording

MAX_REPLY_SHOWN = 8000


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
    names: Names | None = None,
) -> list[Message]:
    """Return the messages that ask for a policy.

    Args:
        rgb: the camera image.
        instruction: the text of the `Instruction` that holds now.
        state: what the robot knows of itself.
        memory: the run so far.
        manifest: what the robot can do.
        profile: a row of `vlp.prompt.wording.WORDINGS`; a model says which one it wants (`model.profile`).
        now_s: the observation's time stamp, for the age of beliefs.
        scene_text: text read from the scene, shown as quoted data by wordings that show it.
        names: the only things that the robot finds in its images; None for whatever can be named.

    Raises:
        UsageError: an unknown profile.
    """
    request = PlanRequest(rgb, instruction, state, memory, manifest, now_s, tuple(scene_text), names)
    return find_wording(profile).plan(request)


def question_messages(rgb: NDArray[np.uint8], question: str, profile: str = "full") -> list[Message]:
    """Return the messages that ask a question about an image; raises UsageError for a question out of bounds."""
    return find_wording(profile).question(Image(rgb), clean_question(question))


def ground_messages(
    rgb: NDArray[np.uint8], phrases: Sequence[str], profile: str = "full", view: ImageView | None = None
) -> tuple[list[Message], dict[str, Any]]:
    """Return the messages that ask where things are, and the grammar of replies; `vlp.prompt.marks.read_marks` reads them.

    Args:
        rgb: the image.
        phrases: what is looked for; none asks for everything in view.
        profile: a row of `vlp.prompt.wording.WORDINGS`.
        view: how the model writes places (`model.can.view`); None for Qwen2.5-VL's way.

    Raises:
        UsageError: a phrase out of bounds, an unknown profile.
    """
    wording, request = find_wording(profile), GroundRequest(rgb, tuple(map(clean_question, phrases)), view or ImageView())
    return wording.ground(request), wording.box_grammar(request)


def repair_messages(messages: Sequence[Message], reply_text: str, report: Report, profile: str = "full") -> list[Message]:
    """Return the conversation that hands a refused reply back to the model with the report about it.

    Args:
        messages: what was asked.
        reply_text: what the model wrote; shown bounded.
        report: why it was refused.
        profile: the wording the conversation is in.
    """
    wording = find_wording(profile)
    return [*messages, assistant(inert(reply_text[:MAX_REPLY_SHOWN])), user(Text(wording.repair(report)))]
