"""Motion as numbers: a list of lists of whole millimetres and degrees, the way of VLM2VLA (arXiv 2509.22195)."""

from functools import cached_property
from typing import Any, get_args

from vlp.core.errors import Report
from vlp.language_actions.move import Axis, Chunk, Gripper, Move
from vlp.language_actions.space import Grid, MoveSpace
from vlp.language_actions.spelled import read_spelled, spell


class Numbers:
    """A `MotionVocabulary`: `[[42,0,-10,0],[0,0,0,-1]]` is forward 42 mm and down 10 mm, then close the gripper.

    Args:
        space: what may be written.
    """

    def __init__(self, space: MoveSpace) -> None:
        self.space = space
        self._gripper: dict[int, Gripper] = dict(zip((0, 1, -1), get_args(Gripper), strict=True))

    @property
    def grid(self) -> Grid:
        """That of the space."""
        return self.space.grid

    def write(self, chunk: Chunk) -> str:
        """Return a chunk as text; raises UsageError for one that is not in the space."""
        codes = {word: code for code, word in self._gripper.items()}
        axes, rows = self.space.axes, list[list[int]]()
        for levels, move in zip(self.grid.levels(chunk), chunk.moves, strict=True):
            row = [level * self.space.step(axis) for axis, level in zip(axes, levels, strict=True)]
            rows.append([*row, codes[move.gripper]] if self.space.gripper else row)
        return spell(rows)

    def read(self, text: str) -> tuple[Chunk | None, Report]:
        """Return the chunk that a text spells and an empty report, or None and what is wrong with it."""
        rows, report = read_spelled(text, list, self._example())
        if rows is None:
            return None, report
        self.space.check_count(len(rows), report)
        moves = [self._move(f"/{i}", row, report) for i, row in enumerate(rows[: self.space.max_moves])]
        return (Chunk(self.space.frame, tuple(moves)) if report.ok else None), report

    def _move(self, path: str, row: Any, report: Report) -> Move:
        axes, levels, gripper = self.space.axes, list[int](), 0
        columns = self._columns
        if not isinstance(row, list) or len(row) != len(columns):
            found = f"{len(row)} numbers" if isinstance(row, list) else type(row).__name__
            hint = f"A move is [{','.join(columns)}]."
            report.add(path, "wrong-shape", f"found {found}; expected a list of {len(columns)} numbers.", hint)
            return Move()
        for i, value in enumerate(row):
            where = f"{path}/{columns[i]}"
            if not isinstance(value, int) or isinstance(value, bool):
                unit = axes[i].small_unit if i < len(axes) else "-1, 0 or 1"
                report.add(where, "no-whole-number", f"found {str(value)[:40]}; expected a whole number.", f"It is in {unit}.")
            elif i < len(axes):
                levels.append(self._level(where, axes[i], value, report))
            elif value not in self._gripper:
                report.add(where, "out-of-bounds", f"found {value}; expected 1, -1 or 0.", "1 opens, -1 closes, 0 keeps.")
            else:
                gripper = value
        return self.grid.move(levels, self._gripper[gripper]) if report.ok else Move()

    def _level(self, path: str, axis: Axis, value: int, report: Report) -> int:
        self.space.check_number(path, axis, value, report)
        step = self.space.step(axis)
        if value % step:
            said = f"found {value} {axis.small_unit}; expected a multiple of {step}."
            report.add(path, "off-grid", said, f"The nearest is {round(value / step) * step}.")
        return value // step

    def grammar(self) -> dict[str, Any]:
        """Return the JSON Schema of all chunks; numbers are listed one by one, so that none has two spellings."""
        columns: list[dict[str, Any]] = []
        for axis in self.space.axes:
            most, step = self.space.most[axis.name], self.space.step(axis)
            columns.append({"enum": list(range(-most, most + 1, step))})
        if self.space.gripper:
            columns.append({"enum": list(self._gripper)})
        move = {"type": "array", "prefixItems": columns, "items": False, "minItems": len(columns), "maxItems": len(columns)}
        return {"type": "array", "items": move, "minItems": 1, "maxItems": self.space.max_moves}

    def describe(self) -> str:
        """Return what a model is told of this way of writing: order, units, frame and bounds."""
        parts = [
            f"{', '.join(names)} in {unit}"
            for unit in ("mm", "degrees")
            if (names := [axis.name for axis in self.space.axes if axis.small_unit == unit])
        ]
        parts += ["gripper: 1 opens, -1 closes, 0 keeps"] if self.space.gripper else []
        return (
            f"Moves as a JSON list of at most {self.space.max_moves} lists [{','.join(self._columns)}], {'; '.join(parts)}; "
            f"frame {self.space.frame}: x forward, y left, z up."
        )

    @cached_property
    def _columns(self) -> list[str]:
        return [axis.name for axis in self.space.axes] + (["gripper"] if self.space.gripper else [])

    def _example(self) -> str:
        return f"[[{','.join('0' * len(self._columns))}]]"
