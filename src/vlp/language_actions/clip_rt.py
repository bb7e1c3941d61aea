"""The 58 motions of CLIP-RT (arXiv 2411.00508) in the words of `Directions`: what a scorer of motions chooses from."""

from collections.abc import Iterator

from vlp.language_actions.directions import Directions
from vlp.language_actions.move import Move, axes
from vlp.language_actions.space import MoveSpace


def clip_rt_moves(frame: str = "base") -> dict[str, Move]:
    """Return the moves by their sentences: 24 translations, 32 rotations, two of the gripper.

    Signs are those of `axes.toml`: what CLIP-RT calls a yaw counterclockwise is here a turn to the left.

    Args:
        frame: whose axes they are along.
    """
    space = MoveSpace({axis.name: 90 if axis.turns else 200 for axis in axes().values()}, frame, max_moves=1)
    vocabulary = Directions(space)
    return {vocabulary.sentence(move): move for move in _moves()}


def _moves() -> Iterator[Move]:
    for axis in axes().values():
        for size in (5, 15, 45, 90) if axis.turns else (10, 50, 100, 200):
            for sign in (1, -1):
                yield Move.of({axis.name: axis.in_si(sign * size)})
    yield Move(gripper="close")
    yield Move(gripper="open")
