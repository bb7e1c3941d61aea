"""The expert of motion in the place of the model: it answers the questions of a skill from the true state.

Upper bound of what a model could do through the very runner, and source of demonstrations: what it is asked and what it
answers are samples.
"""

import json
import math
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from vlp.core.errors import UsageError
from vlp.core.messages import Message
from vlp.language_actions.hand import move_space
from vlp.language_actions.move import Chunk, Move
from vlp.language_actions.plans import plan_sentence
from vlp.language_actions.trajectory import divided
from vlp.language_actions.vocabulary import MotionVocabulary, open_vocabulary
from vlp.models.protocol import Capabilities, Reply
from vlp.sim.embodiments.robot import SimRobot
from vlp.sim.hand_ways import HandWays


class MotionExpert:
    """A `Model` that reads its questions and looks at the truth instead of the image.

    Instructions that it knows: "reach X", "pick up X", "put X in (on) Y", "push X to the left (right, forward, back)".

    Args:
        robot: in its simulation.
        vocabulary: how chunks are written; None for numbers.
        chunk_m: how far the hand goes in one chunk.
    """

    name = "motion-expert"
    profile = "full"
    can = Capabilities(reads=False)

    def __init__(self, robot: SimRobot, vocabulary: MotionVocabulary | None = None, chunk_m: float = 0.05) -> None:
        self._ways, self._chunk_m = HandWays(robot), chunk_m
        self._vocabulary = vocabulary or open_vocabulary("numbers", move_space(robot.describe()))

    def generate(
        self,
        messages: Sequence[Message],
        *,
        grammar: dict[str, Any] | None = None,
        draft: str | None = None,
        max_tokens: int = 1024,
        timeout_s: float = 60.0,
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """Return the answer to the question in the last message; raises UsageError for one that it cannot answer."""
        del grammar, draft, max_tokens, timeout_s
        began = time.perf_counter()
        text = self.answer(messages[-1].text)
        if on_text:
            on_text(text)
        return Reply(text, {"total": time.perf_counter() - began})

    def answer(self, question: str) -> str:
        """Return the answer to one of the questions of `vlp.language_actions.stages`, or raise UsageError."""
        quoted = [json.loads(text) for text in re.findall(r'"(?:[^"\\]|\\.)*"', question)]
        answers = {
            "What is the next subtask?": self._subtask,
            "Which way must the hand move?": self._plan,
            "Write the next moves.": self._chunk,
            "Answer yes or no.": self._done,
        }
        answer = next((answer for asked, answer in answers.items() if asked in question), None)
        if answer is None or not quoted:
            raise UsageError(f"the expert of motion was asked {question[:100]!r}.", "It answers the questions of a skill.")
        return answer(quoted[0].partition(";")[0])

    def _subtask(self, instruction: str) -> str:
        """Return the first subtask that is not done; the last one where all are."""
        parts = self._ways.subtasks(instruction)
        return next((part for part in parts if not self._ways.is_done(part)), parts[-1])

    def _plan(self, subtask: str) -> str:
        way = self._ways.way(subtask)
        return plan_sentence([way.move], way.gripper)

    def _chunk(self, subtask: str) -> str:
        """Return the first centimetres of the way; what the gripper does there is a chunk of its own."""
        way, space = self._ways.way(subtask), self._vocabulary.space
        far_m = math.hypot(*way.move.translation_m)
        share = min(1.0, self._chunk_m / far_m) if far_m else 1.0
        part = Move.of({name: share * value for name, value in way.move.numbers.items()})
        self._ways.ordered(subtask)
        if part == Move():
            part = Move(gripper=way.gripper)
        return self._vocabulary.write(Chunk(space.frame, tuple(divided([part], space)[: space.max_moves])))

    def _done(self, text: str) -> str:
        return "yes" if self._ways.is_done(self._ways.subtasks(text)[-1]) else "no"
