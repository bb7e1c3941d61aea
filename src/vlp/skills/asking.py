"""The questions of VLM2VLA to a model, asked of one image at a time, and its answers read under limits."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vlp.core.errors import Report
from vlp.core.images import Rgb
from vlp.language_actions.move import Chunk, Move
from vlp.language_actions.stages import chunk_question, done_question, plan_question, subtask_question
from vlp.language_actions.vocabulary import MotionVocabulary
from vlp.models.protocol import Model
from vlp.prompt.render import asked_messages, plain
from vlp.skills.skill import SkillBounds


@dataclass(frozen=True)
class Answered:
    """One question and what the model said to it.

    Args:
        kind: subtask, plan, chunk or done.
        image: what was seen.
        question, answer: text.
    """

    kind: str
    image: Rgb
    question: str
    answer: str


class Stages:
    """A model that is asked for a subtask, a motion plan, a chunk, and whether a subtask is done.

    Args:
        model: any `Model`.
        vocabulary: how chunks are written.
        bounds: of replies.
        heard: told of every question and its answer, e.g. to make samples of them.
    """

    def __init__(
        self, model: Model, vocabulary: MotionVocabulary, bounds: SkillBounds, heard: Callable[[Answered], None] | None = None
    ) -> None:
        self.model, self.vocabulary, self._bounds, self._heard = model, vocabulary, bounds, heard
        self._grammar = vocabulary.grammar()

    def subtask(self, image: Rgb, instruction: str) -> str:
        """Return what is to be done next of an instruction; raises as the model does."""
        return self._line("subtask", image, subtask_question(instruction))

    def motion(self, image: Rgb, subtask: str) -> tuple[str, Chunk | None, Report]:
        """Return which way the hand must move, in words, and the next moves, or None and what is wrong with them."""
        plan = self._line("plan", image, plan_question(subtask))
        text = self._ask("chunk", image, chunk_question(subtask, plan, self.vocabulary), self._grammar)
        return plan, *self.vocabulary.read(text)

    def done(self, image: Rgb, subtask: str) -> bool:
        """Return whether a subtask is done; whatever is not yes is no. Raises as the model does."""
        return self._line("done", image, done_question(subtask)).lower().rstrip(".") == "yes"

    def taught(self, see: Callable[[], Rgb], subtask: str, said: str, move: Move) -> None:
        """Tell `heard` what a person has corrected: what they said with the subtask, answered by the move that they meant.

        Args:
            see: takes an image; nobody looks where nobody hears.
            subtask: with what the person said.
            said: their words, which stand for the motion plan.
            move: what they meant.
        """
        if self._heard is not None:
            answer = self.vocabulary.write(Chunk(self.vocabulary.space.frame, (move,)))
            self._heard(Answered("chunk", see(), chunk_question(subtask, plain(said), self.vocabulary), answer))

    def _line(self, kind: str, image: Rgb, question: str) -> str:
        """Return an answer as one line that can be quoted: a model's words are data."""
        return plain(self._ask(kind, image, question).strip())

    def _ask(self, kind: str, image: Rgb, question: str, grammar: dict[str, Any] | None = None) -> str:
        messages = asked_messages(image, question, self.model.profile)
        limits = self._bounds
        reply = self.model.generate(messages, grammar=grammar, max_tokens=limits.reply_tokens, timeout_s=limits.reply_s)
        if self._heard is not None:
            self._heard(Answered(kind, image, question, reply.text))
        return reply.text
