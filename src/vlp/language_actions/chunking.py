"""Where chunks of moves end: the rule of VLM2VLA (arXiv 2509.22195), and ways of the same net displacement."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np

from vlp.core.errors import UsageError
from vlp.language_actions.move import Chunk, Move, axes
from vlp.language_actions.space import MoveSpace


@dataclass(frozen=True)
class ChunkRule:
    """When a chunk is closed; without it most chunks are a few millimetres, and a model learns to move too little.

    Args:
        run_m: once the hand has gone so far along one axis without turning back.
        path_m: once it has gone so far in all, whatever the direction.
        turn_rad: once it has turned so far about one axis without turning back; the paper leaves rotation out.
        max_moves: once it has so many moves.
    """

    run_m: float = 0.025
    path_m: float = 0.05
    turn_rad: float = math.radians(15)
    max_moves: int = 16

    def __post_init__(self) -> None:
        for name in ("run_m", "path_m", "turn_rad"):
            if not 0 < getattr(self, name) < math.inf:
                raise UsageError(f"{name} is {getattr(self, name)}; expected more than 0.", "Give a finite threshold.")
        if self.max_moves < 1:
            raise UsageError(f"chunks of {self.max_moves} moves; expected at least 1.", "Give max_moves of 1 or more.")


def chunk_ends(moves: Sequence[Move], rule: ChunkRule) -> list[int]:
    """Return how many moves are done at the end of each chunk; the last is that of the moves.

    A gripper's event ends a chunk, too: what follows depends on whether something was grasped.

    Args:
        moves: of one sub-trajectory.
        rule: when a chunk is closed.
    """
    ends: list[int] = []
    runs, path_m, count = [0.0] * 6, 0.0, 0
    for done, move in enumerate(moves, 1):
        numbers = (*move.translation_m, *move.rotation_rad)
        runs = [value if run * value < 0 else run + value for run, value in zip(runs, numbers, strict=True)]
        path_m, count = path_m + math.hypot(*move.translation_m), count + 1
        # 2.5 cm made of sums of floats may lack the last digit.
        far = max(map(abs, runs[:3])) >= rule.run_m - 1e-9 or path_m >= rule.path_m - 1e-9
        if far or max(map(abs, runs[3:])) >= rule.turn_rad - 1e-9 or count == rule.max_moves or move.gripper != "keep":
            ends.append(done)
            runs, path_m, count = [0.0] * 6, 0.0, 0
    return ends if not moves or (ends and ends[-1] == len(moves)) else [*ends, len(moves)]


def merged(moves: Sequence[Move], space: MoveSpace, stray_m: float) -> list[Move]:
    """Return fewer moves with the same sum: those that go on straight become one, as far as one move may go.

    A model writes a number for every axis of every move; ten times as many moves a second make no better motion.

    Args:
        moves: of one chunk, each in the space.
        space: how far one move may go.
        stray_m: how far the old way may be from the new one.
    """
    found: list[Move] = []
    begin = 0
    for end in range(1, len(moves) + 1):
        last = end == len(moves) or moves[end - 1].gripper != "keep"
        if last or not _one_move(moves[begin : end + 1], space, stray_m):
            found.append(_sum(moves[begin:end]))
            begin = end
    return found


def _sum(moves: Sequence[Move]) -> Move:
    numbers = {name: math.fsum(move.numbers[name] for move in moves) for name in axes()}
    return Move.of(numbers, moves[-1].gripper)


def _one_move(moves: Sequence[Move], space: MoveSpace, stray_m: float) -> bool:
    """Return whether one move can stand for several."""
    whole = _sum(moves).numbers
    if any(abs(value) > axes()[name].in_si(space.most.get(name, 0)) + 1e-9 for name, value in whole.items()):
        return False
    places = np.cumsum([move.translation_m for move in moves], axis=0)
    along = np.clip(places @ places[-1] / max(float(places[-1] @ places[-1]), 1e-12), 0.0, 1.0)
    return bool(np.linalg.norm(places - along[:, None] * places[-1], axis=1).max() <= stray_m)


def diversified(chunk: Chunk, rng: Random, stray_m: float = 0.004) -> Chunk:
    """Return another chunk that leads to the same place: its moves in another order, straying from the way in between.

    Where the hand is whenever the gripper moves, and at the end, stays as it is.

    Args:
        chunk: one with at least two moves from one event to the next changes.
        rng: what is drawn from.
        stray_m: how far, along each axis, a place in between may be off at most.
    """
    moves: list[Move] = []
    begin = 0
    for end, move in enumerate(chunk.moves, 1):
        if move.gripper != "keep" or end == len(chunk.moves):
            moves += [*_other_way(chunk.moves[begin:end], rng, stray_m)]
            begin = end
    return Chunk(chunk.frame, tuple(moves))


def _other_way(moves: Sequence[Move], rng: Random, stray_m: float) -> list[Move]:
    """Return moves with the same sum, the same gripper at the end."""
    order = rng.sample(range(len(moves)), len(moves))
    off = [[rng.uniform(-stray_m, stray_m) for _ in range(3)] for _ in moves[1:]]
    places = [[0.0] * 3, *off, [0.0] * 3]
    found: list[Move] = []
    for i, number in enumerate(order):
        x, y, z = (a + places[i + 1][k] - places[i][k] for k, a in enumerate(moves[number].translation_m))
        found.append(replace(moves[i], translation_m=(x, y, z)))  # rotations stay in order: they do not commute
    return found
