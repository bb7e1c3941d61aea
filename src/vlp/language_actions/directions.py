"""Motion as directions with magnitudes: "move forward 4.2 cm", "turn left 15 degrees", "open the gripper"."""

import re
from decimal import Decimal
from typing import Any

from vlp.core.errors import Report, did_you_mean
from vlp.language_actions.move import Axis, Chunk, Gripper, Move, axes, gripper_words
from vlp.language_actions.space import Grid, MoveSpace
from vlp.language_actions.spelled import read_spelled, spell


class Directions:
    """A `MotionVocabulary`: `["move forward 4.2 cm, move down 1 cm","close the gripper"]`, a sentence a move.

    Args:
        space: what may be written.
    """

    def __init__(self, space: MoveSpace) -> None:
        self.space = space
        # "left 3 cm" after "move forward 2 cm" is how people go on; the unit tells it from a turn.
        self._known: dict[tuple[str, str], tuple[Axis, int]] = {}
        for axis in axes().values():
            for words, sign in ((axis.positive, 1), (axis.negative, -1)):
                self._known[words, axis.unit] = (axis, sign)
                self._known.setdefault((words.removeprefix("move "), axis.unit), (axis, sign))

    @property
    def grid(self) -> Grid:
        """That of the space."""
        return self.space.grid

    def write(self, chunk: Chunk) -> str:
        """Return a chunk as text; raises UsageError for one that is not in the space."""
        rows = zip(self.grid.levels(chunk), chunk.moves, strict=True)
        return spell([self._sentence(levels, move.gripper) for levels, move in rows])

    def sentence(self, move: Move) -> str:
        """Return one move in words; raises UsageError for one that is not in the space."""
        return self._sentence(self.grid.levels(Chunk(self.space.frame, (move,)))[0], move.gripper)

    def _sentence(self, levels: list[int], gripper: Gripper) -> str:
        parts: list[str] = []
        for axis, level in zip(self.space.axes, levels, strict=True):
            if level:
                words = axis.positive if level > 0 else axis.negative
                parts.append(f"{words} {_magnitude(axis, abs(level) * self.space.step(axis))}")
        parts += [words for words, told in gripper_words().items() if told == gripper]
        return ", ".join(parts) or "stay"

    def read(self, text: str) -> tuple[Chunk | None, Report]:
        """Return the chunk that a text spells and an empty report, or None and what is wrong with it."""
        sentences, report = read_spelled(text, list, '["move forward 4.2 cm","close the gripper"]')
        if sentences is None:
            return None, report
        self.space.check_count(len(sentences), report)
        moves = [self._move(f"/{i}", sentence, report) for i, sentence in enumerate(sentences[: self.space.max_moves])]
        return (Chunk(self.space.frame, tuple(moves)) if report.ok else None), report

    def read_sentence(self, sentence: str) -> tuple[Move | None, Report]:
        """Return the move that a person's sentence spells, or None and what is wrong with it."""
        report = Report()
        move = self._move("", sentence, report)
        return (move if report.ok else None), report

    def _move(self, path: str, sentence: Any, report: Report) -> Move:
        if not isinstance(sentence, str) or len(sentence) > 400:
            found = "more than 400 characters" if isinstance(sentence, str) else type(sentence).__name__
            report.add(path, "no-sentence", f"found {found}; expected a sentence.", 'Write one like "move left 3 cm".')
            return Move()
        numbers: dict[str, float] = {}
        gripper: Gripper = "keep"
        parts = re.split(r", (?:and )?| and ", sentence.strip().lower().removesuffix("."))
        for part in () if parts == ["stay"] else parts:
            told = gripper_words().get(part, "keep")
            if told == "keep":
                self._part(path, part, numbers, report)
            elif gripper != "keep":
                report.add(path, "twice", "the gripper is told twice.", "Divide it into two moves.")
            elif not self.space.gripper:
                report.add(path, "no-gripper", f"{part!r}: there is no gripper here.", "Leave it out.")
            else:
                gripper = told
        return Move.of(numbers, gripper)

    def _part(self, path: str, part: str, numbers: dict[str, float], report: Report) -> None:
        """Read one direction with its magnitude into `numbers`."""
        spelled = re.fullmatch(r"([a-z ]+?) (\d{1,4}(?:\.\d{1,3})?) (cm|degrees?)", part)
        words, number, unit = spelled.groups() if spelled else (part, "0", "")
        found = self._known.get((words, "degrees" if unit == "degree" else unit))
        if spelled is None or found is None:
            sentences = [f"{a} 1 {b}" for a, b in self._known] + list(gripper_words())
            expected = "expected a direction with cm or degrees, or what the gripper does."
            report.add(path, "unknown-direction", f"found {part[:80]!r}; {expected}", _near(part, sentences))
            return
        axis, sign = found
        step, exact = self.space.step(axis), Decimal(number) * (1 if axis.turns else 10)
        self.space.check_number(path, axis, sign * float(exact), report)
        if exact % step:
            nearest = _magnitude(axis, round(exact / step) * step)
            said = f"found {number} {axis.unit}; expected a multiple of {_magnitude(axis, step)}."
            report.add(path, "off-grid", said, f"The nearest is {nearest}.")
        if axis.name in numbers:
            report.add(path, "twice", f"{words!r} is the second move along {axis.name}.", "Divide it into two moves.")
        numbers[axis.name] = axis.in_si(sign * float(exact))

    def grammar(self) -> dict[str, Any]:
        """Return the JSON Schema of all chunks: directions in the order of the axes, each at most once in a move."""
        parts = [self._pattern(axis) for axis in self.space.axes]
        parts += [f"(?:{'|'.join(gripper_words())})"] if self.space.gripper else []
        begun = [part + "".join(f"(?:, {later})?" for later in parts[i + 1 :]) for i, part in enumerate(parts)]
        sentence = {"type": "string", "pattern": f"^(?:{'|'.join((*begun, 'stay'))})$"}
        return {"type": "array", "items": sentence, "minItems": 1, "maxItems": self.space.max_moves}

    def _pattern(self, axis: Axis) -> str:
        step, most = self.space.step(axis), self.space.most[axis.name]
        values = "|".join(re.escape(_magnitude(axis, value)) for value in range(step, most + 1, step))
        return f"(?:{axis.positive}|{axis.negative}) (?:{values})"

    def describe(self) -> str:
        """Return what a model is told of this way of writing: order, units, frame and bounds."""
        grip = ', "open the gripper", "close the gripper"' if self.space.gripper else ""
        said = "; ".join(
            f'"{axis.positive}" or "{axis.negative}", at most {_magnitude(axis, self.space.most[axis.name])}'
            for axis in self.space.axes
        )
        return (
            f"Moves as a JSON list of at most {self.space.max_moves} sentences, directions parted by commas: {said}{grip}; "
            f'"stay" for none. Frame {self.space.frame}.'
        )


def _magnitude(axis: Axis, value: int) -> str:
    """Return millimetres as centimetres, or degrees, with the unit."""
    return f"{value} degree{'s' if value != 1 else ''}" if axis.turns else f"{value / 10:g} cm"


def _near(part: str, sentences: list[str]) -> str:
    """Return the hint for a direction that nobody knows, whatever its magnitude."""
    return did_you_mean(re.sub(r"\d+(\.\d+)?", "1", part), sentences).partition(" Known:")[0].strip() or (
        'Say for example "move left 3 cm" or "turn right 15 degrees".'
    )
