"""Motion as token bins: each number is one of 255 words that a tokenizer hardly uses, the way of OpenVLA (arXiv 2406.09246).

OpenVLA spreads 256 edges over the range of each number, which leaves 255 bins, the middle one around 0; so it is here, with
the range of a move for the quantiles of a dataset.
"""

from functools import cached_property
from typing import Any, get_args

from vlp.core.errors import Report, UsageError, did_you_mean
from vlp.language_actions.move import Chunk, Gripper, Move
from vlp.language_actions.space import Grid, MoveSpace
from vlp.language_actions.spelled import read_spelled, spell


class Bins:
    """A `MotionVocabulary`: `" wug dax ..."`, a word for each number, one move after the other.

    Args:
        space: what may be written; its steps do not matter here, a bin is as wide as a 254th of the range.
        words: an odd number of them, lowest level first, as `vlp.language_actions.rare_words` finds them.

    Raises:
        UsageError: words that are too few, an even number, not distinct, or not plain letters.
    """

    def __init__(self, space: MoveSpace, words: tuple[str, ...]) -> None:
        if len(words) < 3 or len(words) % 2 == 0 or len(set(words)) < len(words):
            said = f"{len(words)} words, {len(set(words))} of them distinct; expected an odd number of distinct ones."
            raise UsageError(said, "`vlp.language_actions.rare_words` finds 255 in a tokenizer.")
        wrong = next((word for word in words if not (word.isascii() and word.isalpha())), "")
        if wrong:
            raise UsageError(f"{wrong[:40]!r} is no word of plain letters.", "Take those of `rare_words`.")
        self.space, self.words = space, words
        self._middle = len(words) // 2
        self._level = {word: i - self._middle for i, word in enumerate(words)}
        self._gripper: dict[int, Gripper] = dict(zip((0, self._middle, -self._middle), get_args(Gripper), strict=True))

    @cached_property
    def grid(self) -> Grid:
        """The centres of the bins; the outermost ones are the bounds."""
        steps = {axis.name: self.space.most[axis.name] / self._middle for axis in self.space.axes}
        return Grid(self.space, steps, dict.fromkeys(steps, self._middle))

    def write(self, chunk: Chunk) -> str:
        """Return a chunk as text; raises UsageError for one that is not in the space."""
        codes = {word: level for level, word in self._gripper.items()}
        levels: list[int] = []
        for row, move in zip(self.grid.levels(chunk), chunk.moves, strict=True):
            levels += [*row, codes[move.gripper]] if self.space.gripper else row
        # Each word with the space before it: so it is the same token wherever it stands.
        return spell("".join(f" {self.words[level + self._middle]}" for level in levels))

    def read(self, text: str) -> tuple[Chunk | None, Report]:
        """Return the chunk that a text spells and an empty report, or None and what is wrong with it."""
        spelled, report = read_spelled(text, str, spell("".join(f" {word}" for word in self.words[: self._width])))
        if spelled is None:
            return None, report
        found = spelled.split()
        count, rest = divmod(len(found), self._width)
        if rest:
            report.add("", "wrong-count", f"{len(found)} words; expected {self._width} for each move.", "Write whole moves.")
        self.space.check_count(count, report)
        most = self.space.max_moves * self._width
        levels = [self._read_word(f"/{i}", word, report) for i, word in enumerate(found[:most])]
        if not report.ok:
            return None, report
        moves = [self._move(i, levels[i : i + self._width], report) for i in range(0, len(levels), self._width)]
        return (Chunk(self.space.frame, tuple(moves)) if report.ok else None), report

    @property
    def _width(self) -> int:
        return len(self.space.axes) + self.space.gripper

    def _read_word(self, path: str, word: str, report: Report) -> int:
        if word not in self._level:
            near = did_you_mean(word, self.words).partition(" Known:")[0]
            report.add(path, "unknown-word", f"found {word[:40]!r}; expected one of {len(self.words)} words.", near)
        return self._level.get(word, 0)

    def _move(self, at: int, levels: list[int], report: Report) -> Move:
        told = levels.pop() if self.space.gripper else 0
        if told not in self._gripper:
            words = ", ".join(f"{self.words[level + self._middle]} ({word})" for level, word in self._gripper.items())
            said = f"found {self.words[told + self._middle]!r} for the gripper; expected {words}."
            report.add(f"/{at + len(levels)}", "no-gripper-word", said, "A gripper opens, closes or keeps.")
        return self.grid.move(levels, self._gripper.get(told, "keep"))

    def grammar(self) -> dict[str, Any]:
        """Return the JSON Schema of all chunks."""
        number = f"(?: (?:{'|'.join(self.words)}))"
        gripper = f"(?: (?:{'|'.join(self.words[level + self._middle] for level in self._gripper)}))"
        move = (f"{number}{{{len(self.space.axes)}}}" if self.space.axes else "") + (gripper if self.space.gripper else "")
        return {"type": "string", "pattern": f"^(?:{move}){{1,{self.space.max_moves}}}$"}

    def describe(self) -> str:
        """Return what a model is told of this way of writing: order, units, frame and bounds."""
        ranges = ", ".join(f"{a.name} up to {self.space.most[a.name]} {a.small_unit}" for a in self.space.axes)
        grip = ", then the gripper" if self.space.gripper else ""
        return (
            f"Moves as words for levels: for each of at most {self.space.max_moves} moves {ranges}{grip}; "
            f"frame {self.space.frame}: x forward, y left, z up."
        )
