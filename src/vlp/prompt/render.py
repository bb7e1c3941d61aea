"""Messages for a model: what they are made from, in which wording, and how text from outside is cleaned."""

import importlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vlp.core.errors import Report, lookup
from vlp.core.images import ImageView
from vlp.core.messages import UNSAFE, Instruction, Message, Names, assistant, user
from vlp.core.observation import Located, RobotState
from vlp.primitives.facts import Fact
from vlp.primitives.manifest import Manifest

WORDINGS: dict[str, str] = {
    "full": "vlp.prompt.full:FULL",
    "brief": "vlp.nano.wording:BRIEF",
    "brief_words": "vlp.nano.wording:BRIEF_WORDS",
}
"""Wordings by name, each an object that fits `Wording`: `full` for a general model, the others for models that were trained
on them. A model says which one it wants (`vlp.models.protocol.Model.profile`)."""


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
        earlier: subtasks from before `steps`, as `summed_up` tells them.
        lessons: what earlier runs teach of it, a line each, the one that fits best first.
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
    earlier: tuple[str, ...] = ()
    lessons: tuple[str, ...] = ()

    @property
    def instruction(self) -> str:
        """The instruction that holds now."""
        return self.instructions[-1] if self.instructions else ""


def summed_up(steps: Sequence[StepRecord]) -> tuple[str, ...]:
    """Return a line for each subtask in a row of steps: its name, and whether its last step succeeded."""
    ends = [step for i, step in enumerate(steps) if i + 1 == len(steps) or steps[i + 1].subtask != step.subtask]
    return tuple(f"{(step.subtask or step.do)[:150]}: {'done' if step.status == 'succeeded' else 'not done'}" for step in ends)


@dataclass(frozen=True)
class PlanRequest:
    """What one prompt for a policy says.

    Args:
        rgb: the robot's camera image, (height, width, 3) uint8.
        instruction: the instruction that holds now, already cleaned.
        state: proprioception.
        memory: the run so far.
        manifest: what the robot can do.
        now_s: the robot's clock, for the age of beliefs; None leaves ages out.
        scene_text: text read from the scene; shown as quoted data.
        names: the only things that the robot finds in its images; None for whatever can be named.
    """

    rgb: NDArray[np.uint8]
    instruction: str
    state: RobotState
    memory: Memory
    manifest: Manifest
    now_s: float | None = None
    scene_text: tuple[str, ...] = ()
    names: Names | None = None


@dataclass(frozen=True)
class GroundRequest:
    """What one prompt for places in an image says.

    Args:
        rgb: the image, (height, width, 3) uint8.
        phrases: what is looked for, already cleaned; none asks for everything in view.
        view: how the model writes places.
    """

    rgb: NDArray[np.uint8]
    phrases: tuple[str, ...] = ()
    view: ImageView = field(default_factory=ImageView)


class Wording(Protocol):
    """The messages that ask a model for a policy, an answer or a place."""

    @property
    def lists(self) -> bool:
        """Whether a model that is asked so finds several things in one reply, and lists all that is in view."""
        ...

    @property
    def recalls(self) -> bool:
        """Whether its prompts tell of lessons of earlier runs."""
        ...

    def plan(self, request: PlanRequest) -> list[Message]:
        """Return the messages that ask for a policy."""
        ...

    def question(self, rgb: NDArray[np.uint8], text: str) -> list[Message]:
        """Return the messages that ask a question about an image."""
        ...

    def asked(self, rgb: NDArray[np.uint8], text: str) -> list[Message]:
        """Return the messages that ask something of an image, in a text that says itself how to answer."""
        ...

    def ground(self, request: GroundRequest) -> list[Message]:
        """Return the messages that ask where things are in an image."""
        ...

    def box_grammar(self, request: GroundRequest) -> dict[str, Any]:
        """Return the JSON Schema of the replies to `ground`."""
        ...

    def repair(self, report: Report) -> str:
        """Return the text of the turn that hands a refused policy back."""
        ...


@cache
def find_wording(name: str) -> Wording:
    """Return the wording of a row of `WORDINGS`; raises UsageError, which names the closest, when there is none."""
    module, _, attribute = lookup(name, WORDINGS, "prompt profile").partition(":")
    return getattr(importlib.import_module(module), attribute)


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
        profile: a row of `WORDINGS`; a model says which one it wants (`model.profile`).
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
    return find_wording(profile).question(rgb, clean_question(question))


def asked_messages(rgb: NDArray[np.uint8], text: str, profile: str = "full") -> list[Message]:
    """Return the messages that ask something of an image in a program's own words, which say how to answer.

    Args:
        rgb: the image.
        text: what is asked; what people said stands in it as a JSON string.
        profile: a row of `WORDINGS`.

    Raises:
        UsageError: an unknown profile.
    """
    return find_wording(profile).asked(rgb, inert(text))


def ground_messages(
    rgb: NDArray[np.uint8], phrases: Sequence[str], profile: str = "full", view: ImageView | None = None
) -> tuple[list[Message], dict[str, Any]]:
    """Return the messages that ask where things are, and the grammar of replies; `vlp.prompt.marks.read_marks` reads them.

    Args:
        rgb: the image.
        phrases: what is looked for; none asks for everything in view.
        profile: a row of `WORDINGS`.
        view: how the model writes places (`model.can.view`); None for Qwen2.5-VL's way.

    Raises:
        UsageError: a phrase out of bounds, an unknown profile.
    """
    wording, request = find_wording(profile), GroundRequest(rgb, tuple(map(clean_question, phrases)), view or ImageView())
    return wording.ground(request), wording.box_grammar(request)


def repair_messages(
    messages: Sequence[Message], reply_text: str, report: Report, profile: str = "full", turns: bool = True
) -> list[Message]:
    """Return the conversation that hands a refused reply back to the model with the report about it.

    Args:
        messages: what was asked.
        reply_text: what the model wrote; shown bounded.
        report: why it was refused.
        profile: the wording the conversation is in.
        turns: whether the model takes several turns (`model.can.turns`); else all is said in the person's last one.
    """
    written, wrong = inert(reply_text[:8000]), find_wording(profile).repair(report)
    if turns:
        return [*messages, assistant(written), user(wrong)]
    *before, last = messages
    return [*before, user(*last.parts, f"\n\nYou wrote:\n{written}\n\n{wrong}")]


def clean_question(text: str) -> str:
    """Return a question about an image under the limits of an instruction; raises UsageError as `Instruction.of` does."""
    return Instruction.of(text, what="question").text


def inert(text: str) -> str:
    """Return text in which no chat-template token such as <|im_end|> can be spelled."""
    return text.replace("<|", "< |").replace("|>", "| >")


def plain(text: str, limit: int = 200) -> str:
    """Return one line of at most `limit` characters, without control characters or chat-template tokens."""
    line = inert(UNSAFE.sub(" ", text[: 4 * limit]))
    return line if len(line) <= limit else line[: limit - 3] + "..."


def quoted(text: str, limit: int = 200) -> str:
    """Return text as one JSON string: whatever it says, it stays between its quotes and within its bound."""
    return json.dumps(plain(text, limit), ensure_ascii=False)
