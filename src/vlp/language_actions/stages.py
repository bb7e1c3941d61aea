"""Three-stage samples: subtask, motion plan and chunk, each a question about an image; and two that help them.

p(subtask | image, instruction) p(motion plan | subtask, image) p(chunk | motion plan, subtask, image), as in VLM2VLA
(arXiv 2509.22195). The auxiliary samples ask whether a subtask is done, and which way the hand goes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from vlp.language_actions.chunking import ChunkRule, chunk_ends, diversified, merged
from vlp.language_actions.move import Chunk, Move
from vlp.language_actions.segments import Stretch, SubtaskPart, parts_of
from vlp.language_actions.spelled import spell
from vlp.language_actions.trajectory import HandPose, divided, moves_along
from vlp.language_actions.vocabulary import MotionVocabulary


@dataclass(frozen=True)
class Demonstration:
    """One episode in which a task was done.

    Args:
        instruction: what was asked for.
        poses: at least two.
        thing: what it is about, "" where nobody knows.
    """

    instruction: str
    poses: Sequence[HandPose]
    thing: str = ""


@dataclass(frozen=True)
class StageSample:
    """A question about images of an episode, and the right answer.

    Args:
        kind: subtask, plan, chunk, done or direction.
        images: numbers of poses; the first one is seen now, a second one completes the pair: of "done" the beginning of the
            subtask, of "direction" the end of the motion. Every question can be answered from the first one alone.
        question, answer: text.
    """

    kind: str
    images: tuple[int, ...]
    question: str
    answer: str


@dataclass(frozen=True)
class Labelling:
    """How an episode is made into samples.

    Args:
        vocabulary: how chunks are written.
        rule: when a chunk is closed.
        corner_m: see `vlp.language_actions.segments.parts_of`.
        merge_m: moves that go on straight within so much become one; 0 writes every move of the trajectory.
        others: at most how many other ways to the same place are written of each chunk.
        auxiliary: whether to add the samples that help.
        seed: of other ways and of the moments that are asked about.
    """

    vocabulary: MotionVocabulary
    rule: ChunkRule = field(default_factory=ChunkRule)
    corner_m: float = 0.015
    merge_m: float = 0.0
    others: int = 0
    auxiliary: bool = True
    seed: int = 0


def subtask_question(instruction: str) -> str:
    """Return the question of the first stage."""
    return f"The instruction is {spell(instruction)}. What is the next subtask?"


def plan_question(subtask: str) -> str:
    """Return the question of the second stage."""
    return f"The subtask is {spell(subtask)}. Which way must the hand move?"


def chunk_question(subtask: str, plan: str, vocabulary: MotionVocabulary) -> str:
    """Return the question of the third stage; it names units, frame and bounds."""
    return f"The subtask is {spell(subtask)}, the motion plan {spell(plan)}. Write the next moves. {vocabulary.describe()}"


def done_question(subtask: str) -> str:
    """Return the question of the verifier."""
    return f"Is the subtask {spell(subtask)} done? Answer yes or no."


def direction_question(subtask: str) -> str:
    """Return the question whether the hand goes left or right next."""
    return f"The subtask is {spell(subtask)}. Does the hand move to the left or to the right? Answer left, right or none."


def stage_samples(shown: Demonstration, how: Labelling) -> Iterator[StageSample]:
    """Yield the samples of an episode in order.

    Args:
        shown: the episode.
        how: thresholds and vocabulary.

    Raises:
        UsageError: a trajectory without moves, or one that the vocabulary's space cannot write.
    """
    rng = Random(f"{how.seed}/{shown.instruction}/{len(shown.poses)}")
    moves = moves_along(shown.poses)
    for part in parts_of(shown.poses, shown.thing, how.corner_m):
        yield StageSample("subtask", (part.first,), subtask_question(shown.instruction), part.sentence)
        for stretch in part.stretches:
            yield from _cycles(part, stretch, moves, how, rng)
            if how.auxiliary:
                yield from _direction(shown.poses, part, stretch)
        if how.auxiliary:
            yield from _done(part, rng)


def chunks_of(shown: Demonstration, how: Labelling) -> list[Chunk]:
    """Return the chunks of an episode, as `stage_samples` writes them."""
    moves = moves_along(shown.poses)
    stretches = (stretch for part in parts_of(shown.poses, shown.thing, how.corner_m) for stretch in part.stretches)
    return [chunk for stretch in stretches for _, _, chunk in _chunks(stretch, moves, how)]


def _cycles(part: SubtaskPart, stretch: Stretch, moves: Sequence[Move], how: Labelling, rng: Random) -> Iterator[StageSample]:
    """Yield plan and chunk as they are asked for at the beginning of each chunk."""
    for first, inside, chunk in _chunks(stretch, moves, how):
        yield StageSample("plan", (first,), plan_question(part.sentence), stretch.plan)
        question = chunk_question(part.sentence, stretch.plan, how.vocabulary)
        answers = [how.vocabulary.write(chunk)]
        for _ in range(how.others):
            other = _fitting(diversified(inside, rng).moves, how)
            if len(other) <= how.vocabulary.space.max_moves and (found := _written(other, how)).moves:
                answers.append(how.vocabulary.write(found))
        for answer in dict.fromkeys(answers):
            yield StageSample("chunk", (first,), question, answer)


def _chunks(stretch: Stretch, moves: Sequence[Move], how: Labelling) -> Iterator[tuple[int, Chunk, Chunk]]:
    """Yield the chunks of a stretch, as the hand moved and as they are written, each with the pose at which it begins.

    Those in which nothing moves are left out.
    """
    begin = stretch.first
    for end in chunk_ends(moves[stretch.first : stretch.last], how.rule):
        inside = moves[begin : stretch.first + end]
        if (chunk := _written(_fitting(inside, how), how)).moves:
            yield begin, Chunk(chunk.frame, tuple(inside)), chunk
        begin = stretch.first + end


def _fitting(moves: Sequence[Move], how: Labelling) -> list[Move]:
    """Return moves of which none goes too far, merged where that is asked for."""
    fitting = divided(moves, how.vocabulary.space)
    return merged(fitting, how.vocabulary.space, how.merge_m) if how.merge_m else fitting


def _written(moves: Sequence[Move], how: Labelling) -> Chunk:
    """Return moves at the levels that text has, without those that are none there."""
    frame = how.vocabulary.space.frame
    rounded = how.vocabulary.grid.rounded(Chunk(frame, tuple(moves)))
    return Chunk(frame, tuple(move for move in rounded.moves if move != Move()))


def _done(part: SubtaskPart, rng: Random) -> Iterator[StageSample]:
    """Yield whether a subtask is done: at its end, and at a moment of its first half."""
    question = done_question(part.sentence)
    yield StageSample("done", (part.last, part.first), question, "yes")
    early = rng.randint(part.first, part.first + (part.last - part.first - 1) // 2)
    yield StageSample("done", (early, part.first), question, "no")


def _direction(poses: Sequence[HandPose], part: SubtaskPart, stretch: Stretch) -> Iterator[StageSample]:
    """Yield which way the hand goes where an image could tell: 2 cm and more, or nothing that is seen."""
    gone_m = poses[stretch.last].position_m[1] - poses[stretch.first].position_m[1]
    if abs(gone_m) >= 0.02 or abs(gone_m) < 0.005:
        answer = "none" if abs(gone_m) < 0.005 else "left" if gone_m > 0 else "right"
        yield StageSample("direction", (stretch.first, stretch.last), direction_question(part.sentence), answer)
