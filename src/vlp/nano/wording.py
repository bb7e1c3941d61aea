"""The brief wording: few tokens, for a model that was trained on the rules, the primitives and the format.

The text of each turn is fixed to the letter, since the embedded model knows no other.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vlp.core.errors import Report
from vlp.core.images import Rgb
from vlp.core.messages import Message, user
from vlp.nano.spelling import mended
from vlp.prompt.render import GroundRequest, Memory, PlanRequest, StepRecord, inert, plain
from vlp.sim.worlds.tabletop.words import COLOURS


def plan(request: PlanRequest) -> list[Message]:
    """Return the image and the lines at, holding, before, failed, do."""
    lines = [
        f"at: {plain(request.state.at or 'nowhere', 40)}",
        f"holding: {plain(request.state.holding or 'nothing', 64)}",
        *_before(request.memory),
        *_failed(request.memory),
        f"do: {heard(request.instruction)}",
    ]
    return [user(request.rgb, "\n".join(lines))]


def plan_after_words(request: PlanRequest) -> list[Message]:
    """Return the same, and a second turn of the user: the turn between them is the model's, who says in words what it would do.

    Two turns of the user in a row leave the first reply to whoever holds the conversation (`vlp.nano.sighted`).
    """
    return [*plan(request), user("as a policy")]


def heard(text: str) -> str:
    """Return a person's sentence as the embedded model reads it: in lower case, names spelled right and as usual.

    "Red coloured cube" is "red cube", one token; so is "red cbue".
    """
    return re.sub(rf"\b({'|'.join(COLOURS)})[ -]colou?red\b", r"\1", mended(inert(text).lower()))


def question_line(text: str) -> str:
    """Return the line that asks a question about an image."""
    return f"ask: {heard(text)}"


def question(rgb: Rgb, text: str) -> list[Message]:
    """Return the image and the line ask."""
    return [user(rgb, question_line(text))]


def ground(rgb: Rgb, phrase: str) -> list[Message]:
    """Return the image and the line box."""
    return [user(rgb, f"box: {plain(phrase, 64)}")]


def repair(report: Report) -> str:
    """Return the line that asks for another reply: the codes of what was wrong."""
    return "wrong: " + ", ".join(plain(issue.code, 40) for issue in report.issues[:3])


def failed_line(step: StepRecord) -> str:
    """Return the line about a step that failed, e.g. "failed: grasp red cube (slipped)"."""
    keys = ("target", "subject", "object", "place")
    name = next((str(step.arguments[key]) for key in keys if step.arguments.get(key)), "")
    words = [step.do, name.removeprefix("$").replace("_", " "), f"({step.code or step.status})"]
    return "failed: " + " ".join(plain(word, 64) for word in words if word)


def _before(memory: Memory) -> Sequence[str]:
    return [f"before: {heard(plain(memory.instructions[-2]))}"] if len(memory.instructions) > 1 else []


def _failed(memory: Memory) -> Sequence[str]:
    # Only the step that just failed: one that was made good since would read as a fault of now.
    last = memory.steps[-1] if memory.steps else None
    return [failed_line(last)] if last and last.status not in ("succeeded", "stopped") else []


@dataclass(frozen=True)
class Brief:
    """The brief wording, as `vlp.prompt.render.Wording` has it.

    Args:
        words_first: whether the model says what it would do before it writes that as a policy.
    """

    words_first: bool = False
    lists = False
    recalls = False

    def plan(self, request: PlanRequest) -> list[Message]:
        """Return `plan`, with words first `plan_after_words`."""
        return plan_after_words(request) if self.words_first else plan(request)

    def question(self, rgb: Rgb, text: str) -> list[Message]:
        """Return `question`."""
        return question(rgb, text)

    def asked(self, rgb: Rgb, text: str) -> list[Message]:
        """Return `question`."""
        return question(rgb, text)

    def ground(self, request: GroundRequest) -> list[Message]:
        """Return `ground` for the one thing that is looked for; answered by [x1,y1,x2,y2], or [] when it is not in view."""
        (phrase,) = request.phrases
        return ground(request.rgb, phrase)

    def box_grammar(self, request: GroundRequest) -> dict[str, Any]:
        """Return the schema of four numbers or none."""
        corner = {"type": "integer", "minimum": 0, "maximum": 9999}
        box = {"type": "array", "items": corner, "minItems": 4, "maxItems": 4}
        return {"anyOf": [box, {"type": "array", "items": {"type": "integer"}, "maxItems": 0}]}

    def repair(self, report: Report) -> str:
        """Return `repair`."""
        return repair(report)


BRIEF, BRIEF_WORDS = Brief(), Brief(words_first=True)
