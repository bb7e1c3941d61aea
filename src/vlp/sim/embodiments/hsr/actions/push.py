"""push: shove a located thing along the table with the closed fingers."""

import math
from typing import Any

from vlp.sim.embodiments.hsr.actions.grasp import bottom_of
from vlp.sim.embodiments.hsr.actions.scope import Scope, kind_of, located
from vlp.sim.embodiments.hsr.motion import Failed
from vlp.sim.worlds.tabletop.words import CONTAINERS


def push(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Push `target` by `distance_m` (clipped to the limits) to the `direction`, starting from its other side."""
    target = located(arguments["target"])
    if scope.memory.held is not None:
        raise Failed("hand-full", f"the hand holds the {scope.memory.held.phrase}; put it down before pushing.")
    directions = {"left": (0.0, 1.0), "right": (0.0, -1.0), "forward": (1.0, 0.0), "back": (-1.0, 0.0)}
    dx, dy = directions[arguments["direction"]]
    distance = min(max(float(arguments["distance_m"]), 0.02), 0.15)
    if scope.memory.at != scope.map.home:
        scope.drive_to(scope.map.home)
    heights = scope.survey()
    x, y, _ = target.position_in_world
    extent = _extent(target.size_m, target.yaw_rad, dx, dy)
    behind_m, finger_m = 0.035, 0.014
    start = x - dx * (extent + behind_m), y - dy * (extent + behind_m)
    end = start[0] + dx * (behind_m - finger_m + distance), start[1] + dy * (behind_m - finger_m + distance)
    bottom = bottom_of(target, scope.map.table_m)
    low = bottom + (0.012 if kind_of(target.phrase) in CONTAINERS else min(0.03, 0.4 * target.size_m[2]))
    across = math.atan2(dx, -dy)  # fingers side by side across the way, so that they push flat
    if heights.highest_within(*start, 0.015, 0.03, math.atan2(dy, dx)) > low - 0.005:
        raise Failed("blocked", f"there is no room for the hand beside the {target.phrase}.")
    try:
        closing = scope.reach_over(*start, across, 0.03)
        if scope.lower_to((*start, low), closing, 0.03, touch_n=20.0):
            raise Failed("blocked", f"the hand touches something beside the {target.phrase}.")
        scope.lower_to((*end, low), closing, 0.03, speed=0.4)
        scope.lower_to((end[0] - dx * 0.02, end[1] - dy * 0.02, low), closing, 0.03, speed=0.5)
        scope.lower_to((end[0] - dx * 0.02, end[1] - dy * 0.02, scope.travel_m), closing, 0.03)
    finally:
        if not scope.motion.stop.is_set():
            scope.carry()
    scope.motion.open_to(0.083)
    return {"distance_m": round(distance, 3), "direction": arguments["direction"]}


def _extent(size_m: tuple[float, float, float], yaw_rad: float, dx: float, dy: float) -> float:
    """Return how far the thing reaches from its middle along a direction."""
    c, s = math.cos(yaw_rad), math.sin(yaw_rad)
    return abs(dx * c + dy * s) * size_m[0] / 2 + abs(-dx * s + dy * c) * size_m[1] / 2
