"""push: shove a located thing along the table with the closed fingers, so far as the way is free and the table goes."""

import math
from typing import Any

from vlp.core.observation import Located
from vlp.sim.embodiments.actions.grasp import bottom_of
from vlp.sim.embodiments.actions.scope import Scope, kind_of, located
from vlp.sim.embodiments.motion import Failed
from vlp.sim.heightmap import HeightMap


def push(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Push `target` by `distance_m` (clipped to the limits) to the `direction`, starting from its other side.

    Raises:
        Failed: "blocked" where something is in the way, "no-room" where it would leave the table, "unstable" where it would
            roll on or fall off what it stands on, "slipped" when it is not seen where it should be afterwards.
    """
    target = located(arguments["target"])
    if scope.memory.held is not None:
        raise Failed("hand-full", f"the hand holds the {scope.memory.held.phrase}; put it down before pushing.")
    directions = {"left": (0.0, 1.0), "right": (0.0, -1.0), "forward": (1.0, 0.0), "back": (-1.0, 0.0)}
    dx, dy = directions[arguments["direction"]]
    distance = min(max(float(arguments["distance_m"]), 0.02), 0.15)
    scope.work_at(scope.map.surface_under(target.position_in_world, scope.memory.at) or scope.map.home)
    target = scope.located(arguments["target"])
    heights = scope.survey()
    x, y, _ = target.position_in_world
    extent = _extent(target.size_m, target.yaw_rad, dx, dy)
    behind_m, finger_m = 0.035, 0.014
    start = x - dx * (extent + behind_m), y - dy * (extent + behind_m)
    end = start[0] + dx * (behind_m - finger_m + distance), start[1] + dy * (behind_m - finger_m + distance)
    bottom = bottom_of(target, scope.surface_m)
    _check_way(scope, heights, target, (dx, dy), distance)
    low = bottom + (0.012 if scope.map.is_container(target.phrase) else min(0.03, 0.4 * target.size_m[2]))
    across = math.atan2(dx, -dy)  # fingers side by side across the way, so that they push flat
    if heights.highest_within(*start, 0.015, 0.03, math.atan2(dy, dx)) > low - 0.005:
        raise Failed("blocked", f"there is no room for the hand beside the {target.phrase}.")
    try:
        closing = scope.reach_over((*start, low), across, 0.03)
        if scope.lower_to((*start, low), closing, 0.03, touch_n=20.0):
            raise Failed("blocked", f"the hand touches something beside the {target.phrase}.")
        scope.lower_to((*end, low), closing, 0.03, speed=0.4)
        scope.lower_to((end[0] - dx * 0.02, end[1] - dy * 0.02, low), closing, 0.03, speed=0.5)
        scope.lower_to((end[0] - dx * 0.02, end[1] - dy * 0.02, scope.travel_m), closing, 0.03)
    finally:
        if not scope.motion.stop.is_set():
            scope.carry()
    scope.motion.open_to(scope.gripper.resting_m)
    _check_end(scope, target, (dx, dy), distance)
    return {"distance_m": round(distance, 3), "direction": arguments["direction"]}


def _check_way(scope: Scope, heights: HeightMap, target: Located, direction: tuple[float, float], distance_m: float) -> None:
    """Refuse a push that would take the thing, or what stands in its way, off the table or anywhere else unasked."""
    (x, y, z), (dx, dy), table = target.position_in_world, direction, scope.surface
    if kind_of(target.phrase) == "ball" or z - target.size_m[2] / 2 > table.middle[2] + 0.02:
        rolls = (
            "a ball rolls on when it is pushed"
            if kind_of(target.phrase) == "ball"
            else f"it does not stand on the {scope.work}"
        )
        raise Failed("unstable", f"the {target.phrase} cannot be pushed: {rolls}.")
    along, across = _extent(target.size_m, target.yaw_rad, dx, dy), _extent(target.size_m, target.yaw_rad, dy, dx)
    edge_m = 0.03  # a thing is located to 1 cm, and a push ends 2 cm long
    half = (along, across) if dx else (across, along)
    for axis, (middle, way) in enumerate(zip((x, y), direction, strict=True)):
        end = middle + way * distance_m
        if way and not table.low[axis] + half[axis] + edge_m <= end <= table.high[axis] - half[axis] - edge_m:
            raise Failed("no-room", f"pushed that far, the {target.phrase} would leave the {scope.work}.")
    ahead_m, aside_m = 0.02, 0.01  # the thing itself is seen up to 2 cm before its face
    reach = (distance_m + 0.02 - ahead_m) / 2
    middle_m = along + ahead_m + reach
    lane = heights.highest_within(x + dx * middle_m, y + dy * middle_m, reach, across + aside_m, math.atan2(dy, dx))
    if lane > table.middle[2] + 0.02:
        raise Failed("blocked", f"something is in the way of the {target.phrase}.")


def _check_end(scope: Scope, target: Located, direction: tuple[float, float], distance_m: float) -> None:
    """Look whether the thing stands where it was to be pushed."""
    (x, y, _), (dx, dy) = target.position_in_world, direction
    half = _extent(target.size_m, target.yaw_rad, dx, dy) / 2, _extent(target.size_m, target.yaw_rad, dy, dx) / 2
    there = scope.see().highest_within(x + dx * distance_m, y + dy * distance_m, *half, math.atan2(dy, dx))
    if there < bottom_of(target, scope.surface_m) + 0.4 * target.size_m[2]:
        raise Failed("slipped", f"the {target.phrase} is not where it was pushed to.")


def _extent(size_m: tuple[float, float, float], yaw_rad: float, dx: float, dy: float) -> float:
    """Return how far the thing reaches from its middle along a direction."""
    c, s = math.cos(yaw_rad), math.sin(yaw_rad)
    return abs(dx * c + dy * s) * size_m[0] / 2 + abs(-dx * s + dy * c) * size_m[1] / 2
