"""A robot with a hand that only moves, as a person would bring one, and models that move it; for the tests of this folder."""

import json
import re
from collections.abc import Callable, Sequence

import numpy as np

from vlp.core.messages import Message
from vlp.core.observation import Observation, RobotState
from vlp.language_actions.hand import move_hand
from vlp.models.scripted import ScriptedModel
from vlp.primitives.manifest import Argument, Manifest, Primitive
from vlp.primitives.standard import make_manifest
from vlp.robot.skills import SkillFailed, SkillRobot

FAR_M = 0.3
"""How far from its start this hand gets."""


def pen_manifest() -> Manifest:
    paint = Primitive("paint", "action", "Paint a dot.", (Argument("size_m", "number", "Its size.", minimum=0, maximum=1),))
    return make_manifest("pen", [move_hand(0.05, turns=("wrist",)), paint])


class Pen(SkillRobot):
    def __init__(self, manifest: Manifest | None = None, seconds: float = 0.0) -> None:
        self.at, self.closed, self.moves, self.seconds = np.zeros(3), False, list[dict[str, float]](), seconds
        super().__init__(manifest or pen_manifest())

    def observe(self) -> Observation:
        state = RobotState(hand_in_base=(float(self.at[0]), float(self.at[1]), float(self.at[2])))
        return Observation(np.zeros((8, 8, 3), np.uint8), None, None, None, state, 0.0)

    def move_hand(
        self, x_m: float, y_m: float, z_m: float, wrist_rad: float, gripper: str,
        roll_rad: float = 0.0, pitch_rad: float = 0.0, yaw_rad: float = 0.0,
    ) -> None:  # fmt: skip
        turns = {"roll_rad": roll_rad, "pitch_rad": pitch_rad, "yaw_rad": yaw_rad}
        self.moves.append({"x_m": x_m, "y_m": y_m, "z_m": z_m, "wrist_rad": wrist_rad} | {n: v for n, v in turns.items() if v})
        self.pause(self.seconds)
        there = self.at + np.array([x_m, y_m, z_m])
        if np.abs(there).max() > FAR_M:
            raise SkillFailed("out-of-workspace", "the hand would leave its frame.")
        self.at = there
        self.closed = gripper == "close" or (self.closed and gripper != "open")

    def paint(self, size_m: float) -> None:
        pass


def kind_of_question(messages: Sequence[Message]) -> str:
    text = messages[-1].text
    kinds = {"next subtask": "subtask", "Which way": "plan", "next moves": "chunk", "yes or no": "done"}
    return next(kind for words, kind in kinds.items() if words in text)


def mover(
    chunk: Callable[[], str], done: Callable[[], bool], asked: list[str] | None = None, subtask: str = "go there"
) -> ScriptedModel:
    """Return a model that writes these chunks until it says that it is done."""

    def answer(messages: Sequence[Message]) -> str:
        if asked is not None:
            asked.append(messages[-1].text)
        answers = {
            "subtask": lambda: subtask,
            "plan": lambda: "move forward",
            "chunk": chunk,
            "done": lambda: "yes" if done() else "no",
        }
        return answers[kind_of_question(messages)]()

    return ScriptedModel(answer)


def quoted(question: str) -> str:
    """Return the first thing that a question quotes."""
    found = re.search(r'"(?:[^"\\]|\\.)*"', question)
    return json.loads(found[0]) if found else ""
