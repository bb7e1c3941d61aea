"""Any robot that moves its hand (`move_hand`), with skills: steps that a model carries out by looking and moving.

Nothing here moves the robot but steps of its own primitives, each under its own key: it clips, refuses, stops and holds the
lease as ever, in simulation and over HTTP alike.
"""

import queue
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from vlp.core.errors import UsageError
from vlp.core.messages import Instruction
from vlp.core.observation import Observation
from vlp.language_actions.corrections import read_correction
from vlp.language_actions.hand import move_space
from vlp.language_actions.vocabulary import MotionVocabulary, open_vocabulary
from vlp.models.protocol import Model
from vlp.primitives.manifest import Manifest
from vlp.robot.arguments import check_arguments
from vlp.robot.keys import Once
from vlp.robot.protocol import Robot, Step, StepResult, offered
from vlp.skills.asking import Answered, Stages
from vlp.skills.skill import Skill, SkillBounds, usual_skills
from vlp.skills.trying import Trying


class SkilledRobot:
    """A robot with skills: those are carried out here, everything else passes through to the robot inside.

    Args:
        robot: a robot with the primitive `move_hand` (`vlp.language_actions.hand`), and images.
        model: is asked for subtasks, motion plans, chunks, and whether a subtask is done.
        vocabulary: how chunks are written, in what the robot's `move_hand` allows; None for numbers in all of it.
        skills: what is added to the manifest.
        bounds: where trying ends; None for the usual.
        tell: told what the hand is about to do, in words, from the thread that carries out the step; `skill_words` has it too.
        heard: told of every question to the model and its answer.

    Raises:
        UsageError: the robot has no `move_hand`, has a primitive of a skill's name already, or not the vocabulary's axes.
    """

    def __init__(
        self,
        robot: Robot,
        model: Model,
        vocabulary: MotionVocabulary | None = None,
        skills: Sequence[Skill] = (),
        bounds: SkillBounds | None = None,
        tell: Callable[[str], None] = lambda words: None,
        heard: Callable[[Answered], None] | None = None,
    ) -> None:
        self.robot, self.bounds, self.tell = robot, bounds or SkillBounds(), tell
        self._words: deque[str] = deque(maxlen=100)
        inner = robot.describe()
        space = move_space(inner)
        self._skills = {skill.primitive.name: skill for skill in skills or usual_skills()}
        if taken := sorted(set(self._skills) & set(inner.primitives)):
            raise UsageError(f"{inner.robot} has a primitive {taken[0]!r} already.", "Name the skill otherwise.")
        if vocabulary is not None:
            _check_within(vocabulary, inner)
        self.stages = Stages(model, vocabulary or open_vocabulary("numbers", space), self.bounds, heard)
        self._manifest = self.describe()
        self._once = Once()
        self._said: queue.Queue[str] = queue.Queue(maxsize=8)
        self._trying: Trying | None = None
        if callable(state := getattr(robot, "observe_state", None)):
            self.observe_state = state

    def describe(self) -> Manifest:
        """Return the robot's manifest with the skills added."""
        inner, mark = self.robot.describe(), "+skills"
        added = {name: skill.primitive for name, skill in self._skills.items()}
        return replace(inner, version=inner.version + mark, primitives={**inner.primitives, **added})

    def observe(self) -> Observation:
        """Return what the robot perceives now."""
        return self.robot.observe()

    def stop(self) -> None:
        """Stop the robot, and a skill that waits for the model."""
        self.robot.stop()
        if (trying := self._trying) is not None:
            trying.halt("the robot is stopped.")

    def cancel(self, key: str) -> None:
        """End the skill that runs under this key before its next move, the move at once where the robot can."""
        trying, inner = self._trying, offered(self.robot, "cancel")
        if trying is not None and trying.step.key == key:
            trying.halt("the step was cancelled.")
            key = trying.moving
        if inner is not None and key:
            inner(key)

    def result_of(self, key: str) -> StepResult | None:
        """Return the result of a finished key, None when nothing finished under it."""
        inner = offered(self.robot, "result_of")
        return self._once.result_of(key) or (inner(key) if inner is not None else None)

    def execute(self, step: Step) -> StepResult:
        """Carry out one step; a skill is carried out once per key."""
        if step.do not in self._skills:
            return self.robot.execute(step)
        return self._once.run(step, self._try)

    def skill_words(self) -> list[str]:
        """Return what the hand has done or is about to do, in words, since this was asked last; from any thread."""
        return [self._words.popleft() for _ in range(len(self._words))]

    def correct_skill(self, words: str, moves_only: bool = False) -> bool:
        """Take what a person says while a skill is under way, from any thread; return whether it was taken.

        Words that spell a move ("a bit more left") are the hand's next one; others are shown to the model with the subtask.

        Args:
            words: what they say.
            moves_only: whether to leave other words alone.

        Raises:
            UsageError: no sentence, or too many wait already.
        """
        said = Instruction.of(words, what="correction").text
        if self._trying is None or (moves_only and read_correction(said, self.stages.vocabulary.space) is None):
            return False
        try:
            self._said.put_nowait(said)
        except queue.Full:
            raise UsageError(f"{self._said.maxsize} corrections wait already.", "Wait for the hand's next move.") from None
        return True

    def _try(self, step: Step) -> StepResult:
        report = check_arguments(step.do, step.arguments, self._manifest)
        if not report.ok:
            issue = report.issues[0]
            return StepResult(step.key, "rejected", code=issue.code, message=f"{issue.message} {issue.hint}".strip())
        skill = self._skills[step.do]
        while not self._said.empty():  # said to an earlier step
            self._said.get_nowait()
        limit_s = step.timeout_s if step.timeout_s is not None else skill.primitive.timeout_s
        self._trying = Trying(self.robot, self.stages, replace(step, timeout_s=limit_s), self.bounds, self._said, self._show)
        try:
            return self._trying.run(skill.told(step.arguments))
        finally:
            self._trying = None

    def _show(self, words: str) -> None:
        self._words.append(words)
        self.tell(words)


def _check_within(vocabulary: MotionVocabulary, manifest: Manifest) -> None:
    """Refuse a vocabulary that writes moves which the robot would refuse."""
    space, most = vocabulary.space, move_space(manifest).most
    if space.frame != "base":
        raise UsageError(f"the vocabulary's frame is {space.frame[:60]!r}; move_hand takes 'base'.", "Make it with move_space.")
    for name, bound in space.most.items():
        if bound > most.get(name, 0):
            said = f"the vocabulary writes up to {bound} along {name}; move_hand of {manifest.robot} takes {most.get(name, 0)}."
            raise UsageError(said, "Make its space with vlp.language_actions.hand.move_space.")
