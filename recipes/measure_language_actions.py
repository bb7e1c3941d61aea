"""Measure motion written as language: exactness, length and cost of numbers, directions and bins.

    python recipes/measure_language_actions.py > docs/results/language_actions.md          # five minutes on one core
    python recipes/measure_language_actions.py --n 1000 --tokenizer qwen=tokenizer.json    # further tokenizers, by name

Chunks are drawn anywhere in a space of moves, at its bounds and at rest among them; a round trip is right when the text is
read as the nearest levels, no place on the way is off by more than half a step, and the text is written again as it stood.
Lengths are those of chunks as trajectories have them: straight ways at 3 to 10 mm a move, closed by the rule.
"""

import argparse
import math
import time
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from random import Random
from statistics import mean
from types import SimpleNamespace
from typing import Any

from tokenizers import Tokenizer

from vlp.language_actions.chunking import ChunkRule, chunk_ends, merged
from vlp.language_actions.clip_rt import clip_rt_moves
from vlp.language_actions.move import Chunk, Gripper, Move, axes, gripper_words
from vlp.language_actions.rare_words import rare_words
from vlp.language_actions.space import MoveSpace
from vlp.language_actions.vocabulary import MotionVocabulary, open_vocabulary
from vlp.models.grammar import Grammars, Matcher, Vocabulary

NAMES = ("numbers", "directions", "bins")
SPACES = {
    "translation": MoveSpace({"x": 50, "y": 50, "z": 50}, gripper=False),
    "translation, gripper": MoveSpace({"x": 50, "y": 50, "z": 50}),
    "all axes, gripper": MoveSpace({**dict.fromkeys("xyz", 50), **dict.fromkeys(("roll", "pitch", "yaw"), 45), "wrist": 90}),
}


def main() -> None:
    """Measure, and print the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=100_000, help="random chunks of each vocabulary")
    parser.add_argument("--lengths", type=int, default=500, help="chunks whose tokens are counted")
    parser.add_argument("--tokenizer", action="append", default=[], metavar="NAME=FILE", help="a further tokenizer.json")
    options = parser.parse_args()
    tokenizers = {"nano-base": Tokenizer.from_file(str(files("vlp.nano") / "weights" / "nano_base" / "tokenizer.json"))}
    tokenizers |= {name: Tokenizer.from_file(file) for name, _, file in (each.partition("=") for each in options.tokenizer)}
    words = rare_words(tokenizers["nano-base"])
    command = f"python recipes/{Path(__file__).name} --n {options.n} --lengths {options.lengths}"
    command += "".join(f" --tokenizer {name}=tokenizer.json" for name in tokenizers if name != "nano-base")
    print(
        f"# Motion as language\n\n    {command}\n\n{round_trips(options.n, words)}\n\n{lengths(tokenizers, options.lengths)}\n"
    )
    print(clip_rt())


def vocabulary(name: str, space: MoveSpace, words: Sequence[str]) -> MotionVocabulary:
    """Return a vocabulary; only bins take the words."""
    return open_vocabulary(name, space, words if name == "bins" else ())


def random_chunk(space: MoveSpace, rng: Random) -> Chunk:
    """Return a chunk anywhere in a space, also at its bounds and at rest."""

    def number(name: str) -> float:
        most = space.most.get(name, 0)
        return axes()[name].in_si(rng.choice((0.0, most, -most, rng.uniform(-most, most))))

    grips: list[Gripper] = ["keep", *gripper_words().values()] if space.gripper else ["keep"]
    count = rng.randint(1, space.max_moves)
    return Chunk(space.frame, tuple(Move.of({name: number(name) for name in axes()}, rng.choice(grips)) for _ in range(count)))


def round_trips(n: int, words: Sequence[str]) -> str:
    """Return the table of round trips."""
    space = SPACES["all axes, gripper"]
    lines = [
        f"Round trip of {n:,} random chunks of 1 to {space.max_moves} moves: seven axes and a gripper, up to 5 cm, 45 degrees,",
        "and 90 degrees of the wrist.\n",
        "| vocabulary | resolution | right | farthest off, mm | degrees | characters a move | write, us | read, us |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in NAMES:
        written, rng = vocabulary(name, space, words), Random(0)
        right, off, chars, moves, spent = 0, {"mm": 0.0, "degrees": 0.0}, 0, 0, [0.0, 0.0]
        for _ in range(n):
            chunk = random_chunk(space, rng)
            began = time.process_time()
            text = written.write(chunk)
            wrote = time.process_time()
            back, _ = written.read(text)
            spent = [spent[0] + wrote - began, spent[1] + time.process_time() - wrote]
            chars, moves = chars + len(text), moves + len(chunk.moves)
            if back is not None and back == written.grid.rounded(chunk) and written.write(back) == text:
                right += strayed(written, chunk, back, off)
        steps = {axis.small_unit: written.grid.steps[axis.name] for axis in reversed(space.axes)}
        wrist = written.grid.steps["wrist"]
        resolution = f"{steps['mm']:.3g} mm, {steps['degrees']:.3g} degrees" + (
            f" (wrist {wrist:.3g})" if wrist != steps["degrees"] else ""
        )
        lines.append(
            f"| {name} | {resolution} | {right:,} of {n:,} | {off['mm']:.3f} | {off['degrees']:.3f} | "
            f"{chars / moves:.1f} | {1e6 * spent[0] / n:.0f} | {1e6 * spent[1] / n:.0f} |"
        )
    return "\n".join(lines)


def strayed(written: MotionVocabulary, chunk: Chunk, back: Chunk, off: dict[str, float]) -> bool:
    """Return whether every place on the way is within half a step, the gripper the same; note how far off it was."""
    good = [move.gripper for move in chunk.moves] == [move.gripper for move in back.moves]
    for axis in written.space.axes:
        at = 0.0
        for meant, move in zip(chunk.moves, back.moves, strict=True):
            at += axis.from_si(move.numbers[axis.name] - meant.numbers[axis.name])
            off[axis.small_unit] = max(off[axis.small_unit], abs(at))
            good = good and abs(at) <= written.grid.steps[axis.name] / 2 + 1e-6
    return good


def typical_chunk(space: MoveSpace, rng: Random) -> Chunk:
    """Return a chunk as a trajectory has it: nearly straight, at a steady speed, until the rule closes it."""
    way = [rng.gauss(0, 1) for _ in range(3)]
    speed_m, moves = rng.uniform(0.003, 0.01) / math.hypot(*way), list[Move]()
    turn = [rng.uniform(-1.5, 1.5) if space.most.get(name) and rng.random() < 0.3 else 0.0 for name in ("roll", "pitch", "yaw")]
    for _ in range(space.max_moves):
        x, y, z = (part * speed_m + rng.gauss(0, 0.0005) for part in way)
        moves.append(Move((x, y, z), (math.radians(turn[0]), math.radians(turn[1]), math.radians(turn[2]))))
    return Chunk(space.frame, tuple(moves[: chunk_ends(moves, ChunkRule())[0]]))


def lengths(tokenizers: dict[str, Tokenizer], n: int) -> str:
    """Return the table of lengths in tokens, and how many of them a grammar leaves to the model."""
    lines = [
        f"Tokens of {n} typical chunks (2.5 cm along one axis, 5 cm of way), means: all, and those that the grammar leaves to",
        "the model; in brackets how many in a hundred chunks have forced tokens cut otherwise than in a training text.\n",
        "| tokenizer | axes | moves | " + " | ".join(f"{name}: all, chosen" for name in NAMES) + " |",
        "| --- | --- | --- " + "| --- " * len(NAMES) + "|",
    ]
    for title, tokenizer in tokenizers.items():
        words = rare_words(tokenizer)
        ends = [tokenizer.token_to_id(name) for name in ("<|end|>", "<|im_end|>")]
        end = next(token for token in ends if token is not None)
        fast: Any = SimpleNamespace(backend_tokenizer=tokenizer, eos_token_id=end)
        grammars = Grammars(Vocabulary(fast, tokenizer.get_vocab_size(), [end]))
        for kind, space in SPACES.items():
            rng = Random(0)
            chunks = [typical_chunk(space, rng) for _ in range(n)]
            few = [Chunk(chunk.frame, tuple(merged(chunk.moves, space, 0.003))) for chunk in chunks]
            for how, some in ((kind, chunks), (f"{kind}; merged within 3 mm", few)):
                cells = [cell(vocabulary(name, space, words), some, grammars) for name in NAMES]
                moves = mean(len(chunk.moves) for chunk in some)
                lines.append(f"| {title} | {how} | {moves:.1f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def cell(written: MotionVocabulary, chunks: Sequence[Chunk], grammars: Grammars) -> str:
    """Return the mean lengths of some chunks in one vocabulary."""
    grammar, counted = written.grammar(), list[tuple[int, int, bool]]()
    for chunk in chunks:
        text = written.write(chunk)
        counted.append(tokens_of(text, grammars.matcher(grammar), grammars.vocabulary.encode(text)))
    tokens, chosen, cut = (mean(column) for column in zip(*counted, strict=True))
    return f"{tokens:.1f}, {chosen:.1f}" + (f" ({100 * cut:.0f})" if cut else "")


def tokens_of(text: str, matcher: Matcher, tokens: Sequence[int]) -> tuple[int, int, bool]:
    """Return how many tokens a text has, how many of them the grammar does not force, and whether it forces others."""
    at, chosen, cut = 0, 0, False
    while at < len(tokens):
        forced = matcher.forced()
        if forced != tokens[at : at + len(forced)]:
            forced, cut = [], True
        chosen += not forced
        for token in forced or tokens[at : at + 1]:
            matcher.accept(token)
            at += 1
    if not matcher.complete:
        raise SystemExit(f"the grammar does not admit {text}")
    return len(tokens), chosen, cut


def clip_rt() -> str:
    """Return how many motions of CLIP-RT can be written as directions and come back."""
    space = MoveSpace({axis.name: 90 if axis.turns else 200 for axis in axes().values()}, max_moves=1)
    written = open_vocabulary("directions", space)
    right = sum(written.read(written.write(Chunk("base", (m,))))[0] == Chunk("base", (m,)) for m in clip_rt_moves().values())
    return f"Motions of CLIP-RT that directions write and read back: {right} of {len(clip_rt_moves())}."


if __name__ == "__main__":
    main()
