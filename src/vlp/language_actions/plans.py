"""Sentences about motion by rules: the motion plan of some moves, and the subtask that they do."""

import math
from collections.abc import Sequence

from vlp.language_actions.move import Gripper, Move, axes


def plan_sentence(moves: Sequence[Move], gripper: Gripper = "keep", least_m: float = 0.005) -> str:
    """Return where moves lead, in words: "move down and slightly right, turn left, then close the gripper".

    A direction of less than half the farthest one is "slightly", one of less than a seventh is left out.

    Args:
        moves: of one stretch.
        gripper: what it does at the end.
        least_m: displacements below are no motion; turns below 5 degrees are none either.
    """
    net = {name: math.fsum(move.numbers[name] for move in moves) for name in axes()}
    gone = {name: value for name, value in net.items() if not axes()[name].turns and abs(value) >= least_m}
    farthest = max(map(abs, gone.values()), default=0.0)
    ways: list[str] = []
    for name, value in sorted(gone.items(), key=lambda item: -abs(item[1])):
        axis = axes()[name]
        if abs(value) >= farthest / 7:
            way = (axis.positive if value > 0 else axis.negative).removeprefix("move ")
            ways.append(f"slightly {way}" if abs(value) < farthest / 2 else way)
    parts = [f"move {_listed(ways)}"] if ways else []
    for name, value in net.items():
        if axes()[name].turns and abs(value) >= math.radians(5):
            parts.append(axes()[name].positive if value > 0 else axes()[name].negative)
    said = ", ".join(parts)
    if gripper == "keep":
        return said or "stay"
    return f"{said}, then {gripper} the gripper" if said else f"{gripper} the gripper"


def subtask_sentence(at_end: Gripper, before: Gripper, touched: bool, touches: bool, thing: str = "") -> str:
    """Return what is done between two events of an episode.

    Args:
        at_end: what the gripper does at the end.
        before: what it was told last before.
        touched, touches: whether there was contact at the beginning, and is at the end.
        thing: what it is about; "" says "object".
    """
    what = f"the {thing or 'object'}"
    if at_end != "keep":
        return f"grasp {what}" if at_end == "close" else f"put down {what}"
    if before == "close":
        return f"lift {what}"
    if touched:
        return f"push {what}"
    if touches:
        return f"reach {what}"
    return "move away" if before == "open" else f"approach {what}"


def _listed(ways: Sequence[str]) -> str:
    *most, last = ways
    return f"{', '.join(most)} and {last}" if most else last
