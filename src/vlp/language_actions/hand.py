"""Moves as steps of a robot: the two primitives that let a model move the hand, and what of a move they carry."""

import math
from collections.abc import Mapping
from typing import Any, cast, get_args

from vlp.core.errors import UsageError, did_you_mean
from vlp.language_actions.move import Axis, Gripper, Move, axes
from vlp.language_actions.space import MoveSpace
from vlp.primitives.manifest import Argument, Manifest, Primitive


def move_hand(
    most_m: float = 0.1, most_rad: float = math.radians(45), turns: tuple[str, ...] = ("roll", "pitch", "yaw", "wrist")
) -> Primitive:
    """Return the primitive that a robot offers to be moved in words: one relative move of its hand.

    Args:
        most_m: how far one move goes at most along an axis, either way.
        most_rad: how far it turns at most.
        turns: which of roll, pitch, yaw and wrist the hand can do.

    Raises:
        UsageError: an unknown turn.
    """
    known = [name for name, axis in axes().items() if axis.turns]
    for name in turns:
        if name not in known:
            raise UsageError(f"a hand has no turn {name[:60]!r}.", did_you_mean(name, known))
    moved = [axis for name, axis in axes().items() if not axis.turns or name in turns]
    arguments = [_argument(axis, most_rad if axis.turns else most_m) for axis in moved]
    gripper = Argument(
        "gripper", "choice", "What the gripper does at the end of it.", choices=get_args(Gripper), default="keep"
    )
    doc = "Move the hand by so much along and about the axes of the base, then open or close the gripper."
    return Primitive("move_hand", "action", doc, (*arguments, gripper), timeout_s=20.0)


def ready() -> Primitive:
    """Return the primitive that holds the hand out to be moved; a robot whose hand always is has none."""
    doc = "Hold the hand out over the place of work, open and pointing down, where it is not out yet."
    return Primitive("ready", "action", doc, timeout_s=40.0)


def move_space(manifest: Manifest, axes_written: tuple[str, ...] = (), max_moves: int = 8) -> MoveSpace:
    """Return the moves that can be written for a robot: its own bounds of `move_hand`.

    Args:
        manifest: what the robot says of itself.
        axes_written: names of those that are to be written; () for all that the robot has.
        max_moves: most moves of a chunk.

    Raises:
        UsageError: the robot has no `move_hand`, or not these axes.
    """
    declared = manifest.primitives.get("move_hand")
    if declared is None:
        said = f"{manifest.robot} has no primitive 'move_hand', so no model can move its hand."
        raise UsageError(said, "Declare vlp.language_actions.hand.move_hand() and carry it out.")
    bounds = {a.name: min(a.maximum or 0.0, -(a.minimum or 0.0)) for a in declared.arguments if a.type == "number"}
    most: dict[str, int] = {}
    for name, axis in axes().items():
        bound = axis.from_si(bounds.get(_name(axis), 0.0))
        if bound >= 1 and name in (axes_written or axes()):
            most[name] = min(180 if axis.turns else 1000, math.floor(bound + 1e-6))
    for name in axes_written:
        if name not in most:
            raise UsageError(f"move_hand of {manifest.robot} has no axis {name[:60]!r}.", did_you_mean(name, most))
    return MoveSpace(most, "base", gripper=any(a.name == "gripper" for a in declared.arguments), max_moves=max_moves)


def as_arguments(move: Move) -> dict[str, Any]:
    """Return the arguments of `move_hand` for a move: what is not 0, in metres and radians; {} for a move that is none."""
    told = {_name(axes()[name]): value for name, value in move.numbers.items() if value}
    return {**told, "gripper": move.gripper} if move.gripper != "keep" else told


def as_move(arguments: Mapping[str, Any]) -> Move:
    """Return the move that checked arguments of `move_hand` ask for."""
    numbers = {name: float(arguments.get(_name(axis), 0.0)) for name, axis in axes().items()}
    return Move.of(numbers, cast(Gripper, arguments.get("gripper", "keep")))


def _name(axis: Axis) -> str:
    return f"{axis.name}_rad" if axis.turns else f"{axis.name}_m"


def _argument(axis: Axis, most: float) -> Argument:
    doc = f'Positive is "{axis.positive}", negative "{axis.negative}".'
    return Argument(_name(axis), "number", doc, minimum=-most, maximum=most, default=0.0)
