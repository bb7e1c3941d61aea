"""press, open and close: what is fixed before the robot, touched with the hand pointing straight ahead.

All three stop by what a force sensor in the wrist feels.
"""

import math
from typing import Any

from vlp.core.observation import Located
from vlp.sim.embodiments.actions.ahead import Ahead
from vlp.sim.embodiments.actions.doors import close_door, open_door
from vlp.sim.embodiments.actions.scope import Scope, located
from vlp.sim.embodiments.motion import Failed


def press(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Push at `target` (a located thing or a named place) until it gives way no further.

    Raises:
        Failed: "bad-target" for a place that is no button, "missed" where nothing is met.
    """
    _check_empty(scope)
    target = arguments["target"]
    if isinstance(target, str) and target not in scope.map.pressed:
        buttons = ", ".join(sorted(scope.map.pressed)) or "nothing"
        raise Failed("bad-target", f"{target!r} cannot be pressed; what can be pressed here: {buttons}.")
    point = scope.map.places[target].middle if isinstance(target, str) else located(target).position_in_world
    hand = Ahead(scope, point)
    hand.approach(before_m=0.12, closing=hand.sideways, opening_m=0.0)
    hard_n = 10.0  # buttons give way to less
    # At 4 cm/s the first touch knocked a button in, and it sprang back before it was pushed: it was pressed twice.
    met = hand.move(-0.06, speed=0.5, until=hand.pushes(hard_n)) or hand.move(0.03, speed=0.1, until=hand.pushes(hard_n))
    force_n = hand.force_n()
    hand.leave()
    if not met:
        raise Failed("missed", "the fingers met nothing there that could be pressed.")
    return {"force_n": round(force_n, 1)}


def open_by_handle(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Pull a drawer open by its located handle by `distance_m`, or a door on a hinge wide open."""
    handle = located(arguments["target"])
    _check_empty(scope)
    door = scope.map.door_of(handle.position_in_world)
    return open_door(scope, handle, door) if door else _open_drawer(scope, handle, float(arguments["distance_m"]))


def close_by_handle(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Push a drawer or a door on a hinge shut at its located handle."""
    handle = located(arguments["target"])
    _check_empty(scope)
    door = scope.map.door_of(handle.position_in_world)
    return close_door(scope, handle, door) if door else _close_drawer(scope, handle)


def _check_empty(scope: Scope) -> None:
    if scope.memory.held is not None:
        raise Failed("hand-full", f"the hand holds the {scope.memory.held.phrase}; put it down first.")


def _open_drawer(scope: Scope, handle: Located, distance_m: float) -> dict[str, Any]:
    """Take the handle between the fingers and move backwards by `distance_m`, clipped to the limits, or to the drawer's end.

    Raises:
        Failed: "slipped" when the fingers hold nothing, "stuck" when it does not give way.
    """
    hand = Ahead(scope, handle.position_in_world)
    upright = handle.size_m[2] > handle.size_m[0]
    hand.approach(before_m=0.10, closing=hand.sideways if upright else (0.0, 0.0, 1.0), opening_m=0.07)
    try:
        bar_m = min(handle.size_m[1:])
        hand.take_bar(bar_m, handle.phrase)
        # A drawer runs with 7 N, and the weaker grip holds 26 N by friction.
        stuck_n, distance_m = 14.0, min(max(distance_m, 0.05), 0.40)
        place, least_m = scope.map.drawer_behind(handle.position_in_world), 0.03
        pulled_m = scope.memory.pulled_m.get(place, 0.0)
        end_m = scope.map.left_to_pull_m(place, pulled_m) if place else math.inf
        hand.begin()
        stuck = hand.walk_to_the_end(-distance_m, end_m, 0.15, hand.pushes(-stuck_n))
        distance_m = hand.walked_m() if stuck else distance_m
        if distance_m < least_m:
            raise Failed("stuck", f"the {handle.phrase} does not give way.")
        if scope.motion.opening() < 0.5 * bar_m:
            raise Failed("slipped", f"the {handle.phrase} slipped out of the fingers.")
    except Failed:
        hand.let_go()
        raise
    hand.let_go()
    if place:
        scope.memory.pulled_m[place] = pulled_m + distance_m
    return {"distance_m": round(distance_m, 3)}


def _close_drawer(scope: Scope, handle: Located) -> dict[str, Any]:
    """Push the handle with the closed fingers, moving forwards, until it gives way no further.

    Raises:
        Failed: "missed" when it never meets resistance.
    """
    hand, place = Ahead(scope, handle.position_in_world), scope.map.drawer_behind(handle.position_in_world)
    before_m, shut_n, farthest_m = 0.06, 12.0, 0.45
    out_m = (scope.map.places[place].out_m or 0.0) + scope.memory.pulled_m.get(place, 0.0) if place else math.inf
    hand.approach(before_m, closing=hand.sideways, opening_m=0.0)
    shut = hand.walk_to_the_end(farthest_m, before_m + out_m, 0.08, hand.pushes(shut_n))
    walked_m = hand.walked_m()
    hand.leave()
    if not shut:
        raise Failed("missed", f"the {handle.phrase} was pushed {farthest_m * 100:.0f} cm and met no end.")
    if place:
        scope.memory.pulled_m[place] = 0.0 - (scope.map.places[place].out_m or 0.0)
    return {"distance_m": round(walked_m, 3)}
