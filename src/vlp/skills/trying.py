"""One skill under way: subtask, motion plan, chunk, moves, a look whether it is done; until it is, or a bound is met."""

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from vlp.core.errors import SimulationFault, TaskFailed, VlpError
from vlp.core.images import Rgb
from vlp.language_actions.corrections import read_correction
from vlp.language_actions.directions import Directions
from vlp.language_actions.hand import as_arguments
from vlp.language_actions.move import Chunk, Move
from vlp.language_actions.space import MoveSpace
from vlp.robot.protocol import HELD, UNKNOWN, Robot, Status, Step, StepResult, raised
from vlp.skills.asking import Stages
from vlp.skills.skill import SkillBounds

T = TypeVar("T")


class Ended(TaskFailed):
    """The skill is over before it is done.

    Args:
        status, code, message: as a `StepResult` has them.
    """

    def __init__(self, status: Status, code: str, message: str) -> None:
        super().__init__(message)
        self.status: Status = status
        self.code = code


@dataclass
class Tried:
    """What a skill has done so far; it stands in its result.

    Args:
        chunks, moves: how many were carried out.
        subtasks: in the model's words.
        words: what the hand did, the latest at the end.
        corrections: what a person said.
        refused: chunks that could not be read.
        robot_s, model_s: time by the robot's own clock, and spent on replies.
    """

    chunks: int = 0
    moves: int = 0
    subtasks: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    corrections: list[str] = field(default_factory=list)
    refused: int = 0
    robot_s: float = 0.0
    model_s: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data, the words bounded."""
        kept = 40
        return {
            **vars(self),
            "words": self.words[-kept:],
            "robot_s": round(self.robot_s, 3),
            "model_s": round(self.model_s, 3),
        }


class Trying:
    """One step of a skill.

    Args:
        robot: moves, and sees.
        stages: the model.
        step: the skill's, with its time limit.
        bounds: where trying ends.
        said: what a person says meanwhile.
        tell: told what the hand is about to do.

    Attributes:
        step: see above.
        moving: the key of the robot's step that is under way, "" between two.
    """

    def __init__(
        self,
        robot: Robot,
        stages: Stages,
        step: Step,
        bounds: SkillBounds,
        said: "queue.Queue[str]",
        tell: Callable[[str], None],
    ) -> None:
        self._robot, self._stages, self.step, self._bounds = robot, stages, step, bounds
        self._said, self._tell = said, tell
        space = stages.vocabulary.space
        # In words a move may be as exact as any; what is said is bounded by the same numbers.
        self._words = Directions(MoveSpace(space.most, space.frame, gripper=space.gripper, max_moves=space.max_moves))
        self._account, self._halted, self._why = Tried(), threading.Event(), ""
        self._sent, self._in_vain, self._fault = 0, 0, ("", "")
        self.moving = ""

    def halt(self, why: str) -> None:
        """End the skill before its next move, from any thread."""
        self._why = self._why or why
        self._halted.set()

    def run(self, text: str) -> StepResult:
        """Do what a sentence says, and return how that ended."""
        try:
            self._make_ready()
            self._go(text)
            return self._result("succeeded")
        except Ended as end:
            return self._result(end.status, end.code, end.message)
        except SimulationFault:
            raise
        except VlpError as error:
            return self._result("failed", "model-unavailable", f"{error.message} {error.hint}".strip())

    def _result(self, status: Status, code: str = "", message: str = "") -> StepResult:
        account, seconds = self._account, self._account.robot_s + self._account.model_s
        return StepResult(self.step.key, status, account.to_json(), None, code, message, round(seconds, 3))

    def _go(self, text: str) -> None:
        for _ in range(self._bounds.subtasks):
            image = self._look()
            subtask = self._asked(partial(self._stages.subtask, image, text)) or text
            self._account.subtasks.append(subtask)
            image = self._until_done(subtask)
            if subtask == text or self._asked(partial(self._stages.done, image, text)):
                return
        raise Ended("failed", "not-done", f"it is not done after {self._bounds.subtasks} subtasks.")

    def _until_done(self, subtask: str) -> Rgb:
        """Carry out chunks until the model says that a subtask is done; return the image that shows it."""
        hints: list[str] = []
        while True:
            if self._account.chunks >= self._bounds.chunks:
                raise Ended("failed", "not-done", f"it is not done after {self._bounds.chunks} chunks.")
            self._account.chunks += 1
            self._fault = ("nothing-moved", "the model wrote motion that moves nothing.")
            corrected = self._heed(subtask, hints)
            image = self._look()
            told = f"{subtask}; a person says: {'; '.join(hints[-2:])}" if hints else subtask
            plan, chunk, report = self._asked(partial(self._stages.motion, image, told))
            if chunk is None:
                self._account.refused += 1
                self._fault = ("bad-motion", f"the model wrote no motion: {report.issues[0]}")
            moved = chunk is not None and self._carry_out(plan, chunk)
            moved = self._heed(subtask, hints) or moved or corrected
            self._in_vain = 0 if moved else self._in_vain + 1
            if self._in_vain >= self._bounds.in_vain:
                raise Ended("failed", *self._fault)
            image = self._look()
            if self._asked(partial(self._stages.done, image, subtask)):
                return image

    def _carry_out(self, plan: str, chunk: Chunk) -> bool:
        """Move the hand along a chunk; return whether anything moved. What a person says ends it early."""
        self._show(f"{plan}: {self._in_words(chunk)}")
        moved = False
        for move in chunk.moves:
            if not self._said.empty():
                break
            if not self._move(move):
                break
            moved = moved or move != Move()
        return moved

    def _heed(self, subtask: str, hints: list[str]) -> bool:
        """Do what a person has said, where it is a move; else let the model know. Return whether anything moved."""
        moved = False
        while not self._said.empty():
            said = self._said.get_nowait()
            self._account.corrections.append(said)
            move = read_correction(said, self._words.space)
            if move is None:
                hints.append(said)
                self._show(f"a person says: {said}")
                continue
            self._show(f"a person says: {said}: {self._words.sentence(move)}")
            self._stages.taught(self._look, subtask, said, move)
            moved = self._move(move) or moved
        return moved

    def _move(self, move: Move) -> bool:
        """Make one move; return whether the robot made it. What it cannot do is seen in the next image."""
        arguments = as_arguments(move)
        if not arguments:
            return True
        result = self._do("move_hand", arguments)
        if result.status == "succeeded":
            self._account.moves += 1
            return True
        self._fault = (result.code or "failed", result.message or "the hand did not move.")
        return False

    def _make_ready(self) -> None:
        """Hold the hand out, where the robot has a way to."""
        if "ready" in self._robot.describe().primitives:
            result = self._do("ready", {})
            if result.status != "succeeded":
                raise Ended(result.status, result.code, result.message)

    def _do(self, do: str, arguments: dict[str, Any]) -> StepResult:
        """Carry out one step of the robot's own.

        Raises:
            Ended: it was stopped, refused, or nobody knows what became of it; or the time is over.
        """
        left_s = self._left_s()
        self._sent += 1
        key = f"{self.step.key}:{self._sent}"  # the same in a run that is repeated
        usual_s = self._robot.describe().primitives[do].timeout_s
        self.moving = key
        try:
            sent = replace(self.step, do=do, arguments=arguments, key=key, timeout_s=min(usual_s, left_s))
            result = self._robot.execute(sent)
        finally:
            self.moving = ""
        self._account.robot_s += result.duration_s
        if self._halted.is_set() or result.status == "stopped":
            raise Ended("stopped", "stopped", self._why or result.message or "the robot is stopped.")
        if result.status == "timeout" and left_s < usual_s:
            raise self._late()
        if result.status == "rejected" or result.code in (*HELD, *UNKNOWN):
            raise Ended("failed", result.code, result.message)
        return result

    def _look(self) -> Rgb:
        self._left_s()
        return self._robot.observe().rgb

    def _asked(self, work: Callable[[], T]) -> T:
        """Return what the model says; a stop and the end of the time are heard while it is waited for."""
        left_s = min(self._left_s(), 2 * self._bounds.reply_s + 1.0)  # a motion is two replies
        answer: Future[T] = Future()

        def ask() -> None:
            try:
                answer.set_result(work())
            except BaseException as error:  # also SystemExit: it is the model's, not this thread's
                answer.set_exception(error)

        began = time.monotonic()
        threading.Thread(target=ask, name="vlp-skill-model", daemon=True).start()
        while not answer.done() and not self._halted.is_set() and time.monotonic() - began < left_s:
            wait([answer], timeout=0.05)
        self._account.model_s += time.monotonic() - began
        self._left_s()
        if not answer.done():
            raise Ended("failed", "model-unavailable", f"the model gave no reply within {left_s:.3g} s.")
        error = answer.exception()
        if error is not None and not isinstance(error, VlpError):
            raise Ended("failed", "model-unavailable", f"the model failed: {raised(error)}.")
        return answer.result()

    def _left_s(self) -> float:
        """Return the time that is left, by the robot's clock for moves and by ours for replies; raises Ended at its end."""
        if self._halted.is_set():
            raise Ended("stopped", "stopped", self._why)
        left_s = (self.step.timeout_s or 0.0) - self._account.robot_s - self._account.model_s
        if left_s <= 0:
            raise self._late()
        return left_s

    def _late(self) -> Ended:
        return Ended("timeout", "timeout", f"{self.step.do} was not finished after {self.step.timeout_s:g} s.")

    def _in_words(self, chunk: Chunk) -> str:
        return "; ".join(self._words.sentence(move) for move in chunk.moves)

    def _show(self, words: str) -> None:
        self._account.words.append(words)
        self._tell(words)
