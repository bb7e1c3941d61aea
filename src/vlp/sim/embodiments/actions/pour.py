"""pour: tilt what is held over a located vessel until what is loose in it runs out, and turn it upright again.

The hand, which came from above, turns until it points ahead: the mouth of what it holds then looks back at the robot, and what
runs out falls between the rim and the palm.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vlp.core.observation import Located
from vlp.sim.embodiments.actions.place import what_is_held
from vlp.sim.embodiments.actions.scope import Held, Scope, located
from vlp.sim.embodiments.motion import Failed
from vlp.sim.heightmap import HeightMap

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Tilting:
    """How far and how fast something is tilted, and what is kept clear.

    Args:
        shut_rad: up to this tilt from upright nothing runs out of a vessel with steep walls.
        open_rad: at this tilt everything has run out, also where the vessel has turned in the fingers by 10 degrees.
        step_rad: from one straight motion of the hand to the next.
        behind_m: how far behind the rim, towards the palm, what runs out falls on average.
        over_rim_m: how high the lip is above the rim of what is poured into.
        under_lip_m: how much lower than the lip wrist and forearm get; what stands there must be lower still.
        arm_m: half the width of the forearm with some room.
        highest_fall_m: a longer fall would miss the vessel.
        speed: share of the hand's usual speed.
        drain_s: how long it is held tilted.
    """

    shut_rad: float = math.radians(65)
    open_rad: float = math.radians(115)
    step_rad: float = math.radians(6)
    behind_m: float = 0.030
    over_rim_m: float = 0.045
    under_lip_m: float = 0.085
    arm_m: float = 0.06
    highest_fall_m: float = 0.20
    speed: float = 0.2
    drain_s: float = 1.0


TILTING = Tilting()


def pour(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Pour what is in the held thing into `target` (a located vessel), and keep holding the thing.

    Raises:
        Failed: "hand-empty"; "from-the-side" where the hand did not come from above; "unreachable" where it does not get over
            the target; "no-room" where things stand so high before the target that what is poured would fall too far.
    """
    held, target, how = what_is_held(scope), located(arguments["target"]), TILTING
    if not held.from_above:
        raise Failed("from-the-side", f"the {held.phrase} was taken at its side; put it on a table and grasp it again to pour.")
    place = scope.map.surface_under(target.position_in_world, scope.memory.at)
    if not place:
        raise Failed("unreachable", f"the {target.phrase} is not {scope.map.surfaces_in_words()}.")
    if scope.map.places[place].headroom_m < math.inf:
        raise Failed("unreachable", f"the board above leaves the hand no room over the {target.phrase}.")
    scope.work_at(place)
    target = scope.located(arguments["target"])
    heights = scope.survey()
    x, y, _ = target.position_in_world
    lip = x + how.behind_m, y, lip_level(heights, target, scope.low_arm_m)
    high = lip[0], y, max(lip[2] + 0.06, heights.highest_m + 0.06)
    try:
        _tilt(scope, held, high, how.shut_rad, 0.5)  # at full speed a full cup presses on the fingers with more than the grip
        _tilt(scope, held, lip, how.shut_rad)
        for tilt_rad in _steps(how.shut_rad, how.open_rad):
            _tilt(scope, held, lip, tilt_rad, how.speed)
        scope.motion.wait(how.drain_s)
        _tilt(scope, held, lip, how.shut_rad, 2 * how.speed)
        _tilt(scope, held, high, how.shut_rad)
    finally:
        if not scope.motion.stop.is_set():
            scope.carry()
    what_is_held(scope)
    return {"tilt_rad": round(how.open_rad, 3), "fall_m": round(lip[2] - _top(target), 3)}


def lip_level(heights: HeightMap, target: Located, low_arm_m: float) -> float:
    """Return the height at which the lip is held: over the target's rim, the arm clear of what stands before it.

    Args:
        heights: what is seen, in the frame.
        target: what is poured into.
        low_arm_m: how far behind the lip wrist and forearm are low.
    """
    x, y, _ = target.position_in_world
    how, near_m = TILTING, 0.06
    half_m = (low_arm_m - near_m) / 2
    before = heights.highest_within(x - near_m - half_m, y, half_m, how.arm_m, 0.0)
    lip_m = max(_top(target) + how.over_rim_m, before + how.under_lip_m)
    if lip_m - _top(target) > how.highest_fall_m:
        raise Failed("no-room", f"what stands before the {target.phrase} is in the arm's way.")
    return lip_m


def _top(target: Located) -> float:
    return target.position_in_world[2] + target.size_m[2] / 2


def _steps(start_rad: float, end_rad: float) -> Iterator[float]:
    n = math.ceil((end_rad - start_rad) / TILTING.step_rad)
    yield from (start_rad + (i + 1) / n * (end_rad - start_rad) for i in range(n))


def _tip(scope: Scope, held: Held, lip: Point, tilt_rad: float) -> Point:
    """Return the point between the finger tips, in the world, at which the lower side of the held thing's rim is at a point.

    Args:
        scope: whose frame the point is in.
        held: what is tilted.
        lip: the point.
        tilt_rad: how far it is turned from upright, the side towards the robot down.
    """
    s, c, over_tips_m, half_m = math.sin(tilt_rad), math.cos(tilt_rad), held.size_m[2] - held.below_tip_m, _half_across(held)
    x, y = scope.in_world(lip[0] + over_tips_m * s + half_m * c, lip[1])
    return x, y, lip[2] - over_tips_m * c + half_m * s


def _half_across(held: Held) -> float:
    """Return half the extent of the held thing across the line of the fingers."""
    length, width, _ = held.size_m
    return (length * abs(math.sin(held.turn_rad)) + width * abs(math.cos(held.turn_rad))) / 2 if length > width else width / 2


def _tilt(scope: Scope, held: Held, lip: Point, tilt_rad: float, speed: float = 1.0) -> None:
    """Move the hand so that the rim's lower side comes to a point of the frame, tilted so far from upright."""
    scope.turn_hand(_tip(scope, held, lip, tilt_rad), tilt_rad, held.opening_m, speed)
