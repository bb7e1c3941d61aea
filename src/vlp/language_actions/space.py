"""What moves may be written: which numbers, in which frame, how far and how finely; bounds are checked, sums kept exact."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from vlp.core.errors import Report, UsageError, did_you_mean, lookup
from vlp.language_actions.move import Axis, Chunk, Gripper, Move, axes
from vlp.primitives.manifest import Limits


@dataclass(frozen=True)
class MoveSpace:
    """The moves that can be written; a vocabulary, its grammar and its checks all follow from it.

    Args:
        most: how far one move goes at most, either way, by axis: whole millimetres for x, y, z, whole degrees for roll,
            pitch, yaw, wrist. An axis that is left out, or has 0, is not written at all.
        frame: whose axes these are.
        step_mm, step_degrees: the resolution.
        gripper: whether a move may open and close the gripper.
        max_moves: most moves of a chunk.

    Raises:
        UsageError: an unknown axis, a bound that is not so many whole steps, or nothing to write.
    """

    most: Mapping[str, int]
    frame: str = "base"
    step_mm: int = 1
    step_degrees: int = 1
    gripper: bool = True
    max_moves: int = 16

    def __post_init__(self) -> None:
        for name, most in self.most.items():
            axis = lookup(name, axes(), "axis")
            step, highest = self.step(axis), 180 if axis.turns else 1000
            if not 0 <= most <= highest or step < 1 or most % step:
                said = f"axis {name}: found a bound of {most} {axis.small_unit} in steps of {step}"
                raise UsageError(f"{said}; expected whole steps up to {highest}.", "Give a bound that the step divides.")
        if not 1 <= self.max_moves <= 64:
            raise UsageError(f"a chunk of {self.max_moves} moves; expected 1 to 64.", "Give max_moves in that range.")
        if not self.axes and not self.gripper:
            raise UsageError("nothing can be moved: every axis has a bound of 0.", f"Give one of {', '.join(axes())}.")

    @classmethod
    def of(cls, limits: Limits, period_s: float, frame: str = "base", max_degrees: int = 0, max_moves: int = 16) -> "MoveSpace":
        """Return what a body can do in each move, by its own speed limit.

        Args:
            limits: of the manifest.
            period_s: what one move takes.
            frame, max_moves: see the class.
            max_degrees: for roll, pitch and yaw, which a manifest does not bound; 0 leaves rotation out.

        Raises:
            UsageError: the body has no hand speed, or none that makes a millimetre in that time.
        """
        if limits.hand_speed_m_s is None:
            raise UsageError("the manifest has no hand_speed_m_s, so how far a move may go is not known.", "Declare it.")
        most = min(1000, math.floor(limits.hand_speed_m_s * period_s * 1000 + 1e-9))
        if most < 1:
            said = f"at {limits.hand_speed_m_s:g} m/s a move of {period_s:g} s is shorter than 1 mm."
            raise UsageError(said, "Give moves more time.")
        turns = {name: max_degrees for name in ("roll", "pitch", "yaw")}
        grips = limits.gripper_opening_m is not None
        return cls({"x": most, "y": most, "z": most, **turns}, frame, gripper=grips, max_moves=max_moves)

    @cached_property
    def axes(self) -> list[Axis]:
        """The axes that are written, in order."""
        return [axis for name, axis in axes().items() if self.most.get(name)]

    def step(self, axis: Axis) -> int:
        """Return the resolution of an axis in millimetres or degrees."""
        return self.step_degrees if axis.turns else self.step_mm

    @cached_property
    def grid(self) -> "Grid":
        """The resolution that text states."""
        steps = {axis.name: float(self.step(axis)) for axis in self.axes}
        return Grid(self, steps, {name: round(self.most[name] / step) for name, step in steps.items()})

    def check(self, chunk: Chunk) -> Report:
        """Return what is wrong with a chunk: its frame, how many moves it has, what is farther than may be written."""
        report = Report()
        if chunk.frame != self.frame:
            said = f"a chunk in the frame {chunk.frame[:80]!r}; expected {self.frame!r}."
            report.add("/frame", "wrong-frame", said, did_you_mean(chunk.frame, [self.frame]))
        self.check_count(len(chunk.moves), report)
        known = axes()
        for i, move in enumerate(chunk.moves):
            for name, value in move.numbers.items():
                if value:
                    self.check_number(f"/{i}/{name}", known[name], known[name].from_si(value), report)
            if move.gripper != "keep" and not self.gripper:
                report.add(f"/{i}", "no-gripper", f"it tells the gripper to {move.gripper}; there is none here.")
        return report

    def check_count(self, moves: int, report: Report) -> None:
        """Report a number of moves that no chunk may have."""
        if not 1 <= moves <= self.max_moves:
            hint = f"Write 1 to {self.max_moves} moves."
            report.add("", "wrong-count", f"{moves} moves; expected 1 to {self.max_moves}.", hint)

    def check_number(self, path: str, axis: Axis, value: float, report: Report) -> None:
        """Report millimetres or degrees that are farther than a move may go; rounding errors do not count."""
        most, unit = self.most.get(axis.name, 0), axis.small_unit
        if not abs(value) <= most + 1e-6:  # so written, not-a-number fails too
            said = f"{axis.name} moves by {value:g} {unit}; expected at most {most} {unit} either way."
            hint = "Divide it into several moves." if most else f"Leave {axis.name} at 0."
            report.add(path, "out-of-bounds", said, hint)


@dataclass(frozen=True)
class Grid:
    """The values that each axis can take: whole levels, so many steps up and down from 0.

    Args:
        space: what may be written.
        steps: millimetres or degrees between two levels, by axis.
        counts: the highest level, by axis.
    """

    space: MoveSpace
    steps: Mapping[str, float]
    counts: Mapping[str, int]

    def levels(self, chunk: Chunk) -> list[list[int]]:
        """Return the levels of each move.

        Where the hand is after each move is rounded, not each move by itself: errors do not add up over a chunk, so every
        move is exact to a step, every place on the way to half a step.

        Raises:
            UsageError: the chunk is not in the space.
        """
        report = self.space.check(chunk)
        if not report.ok:
            first = report.issues[0]
            raise UsageError(f"{first.path}: {first.message}".removeprefix(": "), first.hint)
        numbers, rows = [move.numbers for move in chunk.moves], list[list[int]]([] for _ in chunk.moves)
        for axis in self.space.axes:
            step, most = self.steps[axis.name], self.counts[axis.name]
            at, reached = 0.0, 0
            for row, moved in zip(rows, numbers, strict=True):
                at += axis.from_si(moved[axis.name])
                level = max(-most, min(most, math.floor(at / step + 0.5) - reached))
                reached += level
                row.append(level)
        return rows

    def move(self, levels: Sequence[int], gripper: Gripper = "keep") -> Move:
        """Return the move at these levels, one for each axis that is written."""
        named = zip(self.space.axes, levels, strict=True)
        return Move.of({axis.name: axis.in_si(level * self.steps[axis.name]) for axis, level in named}, gripper)

    def rounded(self, chunk: Chunk) -> Chunk:
        """Return a chunk at the nearest levels: what is read from its text; raises as `levels` does."""
        rows = zip(self.levels(chunk), chunk.moves, strict=True)
        return Chunk(chunk.frame, tuple(self.move(levels, move.gripper) for levels, move in rows))
