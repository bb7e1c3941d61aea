"""One training example: what the robot was shown and told, and the policy or the reply that is right for it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlp.core.errors import UsageError
from vlp.core.messages import Message
from vlp.core.observation import RobotState
from vlp.data.schema import read_json
from vlp.primitives.manifest import Manifest
from vlp.prompt.render import Memory, asked_messages, plan_messages
from vlp.prompt.target import policy_text

SPLITS = ("train", "validation", "test")
MAX_LINE_BYTES = 256 * 1024


@dataclass(frozen=True)
class Sample:
    """One example.

    Args:
        id: a readable stem and ten hexadecimal digits that follow from the question (see `question_digest`): a sample
            whose image or instruction was exchanged no longer fits its id, one whose policy was corrected does.
        images: SHA-256 of the PNG files, in hexadecimal; the first is the camera's image at the moment of the question.
        instruction: the sentence that holds now.
        robot: name of the manifest that the policy is written for.
        state: proprioception at that moment.
        memory: the run so far; its last instruction is `instruction`.
        policy: the right answer, plain data in the policy language; empty where `question` asks for something else.
        source: where it comes from: "kind" (expert, run, import, lerobot) and what that kind knows, e.g. the scene's
            seed, the family, the true state.
        split: train, validation or test.
        version: of this format.
        question: what is asked of the image instead of a policy, and how to answer; "" for a policy.
        reply: the right answer to it, as text.
    """

    id: str
    images: tuple[str, ...]
    instruction: str
    robot: str
    state: RobotState
    memory: Memory
    policy: dict[str, Any]
    source: dict[str, Any]
    split: str
    version: int = 1
    question: str = ""
    reply: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the sample as plain data; empty fields of memory are left out."""
        asked = {"question": self.question, "reply": self.reply} if self.question else {}
        return {
            "id": self.id,
            "images": list(self.images),
            "instruction": self.instruction,
            "robot": self.robot,
            "state": self.state.to_json(),
            "memory": memory_json(self.memory),
            "policy": self.policy,
            **asked,
            "source": self.source,
            "split": self.split,
            "version": self.version,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any] | str | bytes) -> "Sample":
        """Return the sample that `to_json` wrote, from plain data or its JSON text.

        Raises:
            UsageError: with the path, what was found there and what was expected.
        """
        text = data if isinstance(data, str | bytes) else json.dumps(data)
        if len(text) > MAX_LINE_BYTES:
            raise UsageError(f"a sample of {len(text):,} bytes; at most {MAX_LINE_BYTES:,} are read.")
        return cls(**read_json(text))

    @property
    def digest(self) -> str:
        """The digits that the id must end in."""
        return question_digest(self.images, self.instruction, self.robot, self.state, self.memory, self.question)

    @property
    def family(self) -> str:
        """The kind of task where that is known, else what the sample asks for."""
        return str(self.source.get("family") or self.outcome)

    @property
    def outcome(self) -> str:
        """What the policy says of its task: plan, cannot or already; "reply" where something else is asked."""
        if self.question:
            return "reply"
        if self.policy.get("cannot"):
            return "cannot"
        return "plan" if self.policy.get("subtasks") else "already"

    @property
    def target(self) -> str:
        """What a model is to write."""
        return self.reply if self.question else policy_text(self.policy)

    def messages(self, rgb: NDArray[np.uint8], manifest: Manifest, profile: str = "full") -> list[Message]:
        """Return the prompt of this sample, word for word as at run time.

        Args:
            rgb: its first image.
            manifest: the manifest of its robot.
            profile: a row of `vlp.prompt.render.WORDINGS`.
        """
        if self.question:
            return asked_messages(rgb, self.question, profile)
        now_s = self.source.get("stamp_s")
        return plan_messages(rgb, self.instruction, self.state, self.memory, manifest, profile, now_s=now_s)


def make_sample(
    stem: str,
    images: Sequence[str],
    instruction: str,
    robot: str,
    state: RobotState,
    memory: Memory,
    policy: dict[str, Any],
    source: dict[str, Any],
    split: str,
    question: str = "",
    reply: str = "",
) -> Sample:
    """Return a sample with its id made from a stem and its question; numbers are rounded to 0.01 mm.

    Raises:
        UsageError: something is out of bounds.
    """
    data: dict[str, Any] = {
        "id": "",
        "images": list(images),
        "instruction": instruction,
        "robot": robot,
        "state": rounded(state.to_json()),
        "memory": rounded(memory_json(memory)),
        "policy": policy,
        **({"question": question, "reply": reply} if question else {}),
        "source": rounded(source),
        "split": split,
        "version": Sample.version,
    }
    data["id"] = f"{stem}-{'0' * 10}"
    draft = Sample.from_json(data)
    return Sample.from_json({**data, "id": f"{stem}-{draft.digest}"})


def question_digest(
    images: Sequence[str], instruction: str, robot: str, state: RobotState, memory: Memory, question: str = ""
) -> str:
    """Return ten hexadecimal digits that follow from everything a model is shown."""
    shown = [list(images), instruction, robot, state.to_json(), memory_json(memory), *([question] if question else [])]
    text = json.dumps(shown, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]


def memory_json(memory: Memory) -> dict[str, Any]:
    """Return a memory as plain data without its empty fields."""
    data = {key: value for key, value in asdict(memory).items() if value}
    data["steps"] = [{k: v for k, v in step.items() if v or k in ("do", "arguments")} for step in data.get("steps", ())]
    return data if data["steps"] else {k: v for k, v in data.items() if k != "steps"}


def rounded(value: Any) -> Any:
    """Return plain data with its numbers rounded and tuples as lists."""
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return [rounded(v) for v in value] if isinstance(value, list | tuple) else value
