"""Spaces of moves, vocabularies over them, and random chunks, for the tests of this folder."""

from functools import cache
from importlib.resources import files
from random import Random

from tokenizers import Tokenizer

from vlp.language_actions.move import Chunk, Move, axes, gripper_words
from vlp.language_actions.rare_words import rare_words
from vlp.language_actions.space import MoveSpace
from vlp.language_actions.vocabulary import MotionVocabulary, open_vocabulary

NAMES = ("numbers", "directions", "bins")
SPACES = {
    "translation": MoveSpace({"x": 50, "y": 50, "z": 50}, gripper=False),
    "all": MoveSpace({"x": 50, "y": 60, "z": 40, "roll": 30, "pitch": 30, "yaw": 45, "wrist": 90}, "hand", max_moves=5),
    "coarse": MoveSpace({"x": 50, "z": 20, "yaw": 90}, step_mm=5, step_degrees=15, max_moves=3),
    "gripper": MoveSpace({}, max_moves=2),
}


@cache
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(files("vlp.nano") / "weights" / "nano_base" / "tokenizer.json"))


def vocabulary(name: str, space: MoveSpace) -> MotionVocabulary:
    return open_vocabulary(name, space, rare_words(tokenizer()) if name == "bins" else ())


def random_chunk(space: MoveSpace, rng: Random) -> Chunk:
    """Return a chunk anywhere in a space, also at its bounds and at rest."""
    grips = ["keep", *gripper_words().values()] if space.gripper else ["keep"]

    def number(name: str) -> float:
        most = space.most.get(name, 0)
        return axes()[name].in_si(rng.choice((0.0, most, -most, rng.uniform(-most, most))))

    count = rng.randint(1, space.max_moves)
    moves = [Move.of({name: number(name) for name in axes()}, rng.choice(grips)) for _ in range(count)]
    return Chunk(space.frame, tuple(moves))
