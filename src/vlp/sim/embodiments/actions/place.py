"""place and release: put what is held in a relation to something, set down by feel."""

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlp.core.observation import Located
from vlp.sim.embodiments.actions.front import put_ahead
from vlp.sim.embodiments.actions.grasp import bottom_of
from vlp.sim.embodiments.actions.inside import spot_inside
from vlp.sim.embodiments.actions.map import into
from vlp.sim.embodiments.actions.scope import SIDEWAYS_RAD, Held, Scope, is_round, kind_of, located
from vlp.sim.embodiments.actions.spots import INSIDES, beside_spot, free_spot, inner_spot, mug_spot
from vlp.sim.embodiments.motion import Failed
from vlp.sim.worlds.protocol import Station


@dataclass(frozen=True)
class Spot:
    """Where the held thing's bottom goes.

    Args:
        x, y: where its middle goes, in the frame.
        floor_m: height of what it will rest on.
        closing_rad: direction of the fingers.
        clear_m: the tips are kept above this height, e.g. a rim.
        inside: whether walls stand around, so that the fingers must open no more than it takes.
    """

    x: float
    y: float
    floor_m: float
    closing_rad: float = SIDEWAYS_RAD
    clear_m: float = 0.0
    inside: bool = False


def place(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Put what is held `relation` `target` (a located thing or a place), let go, and return to carry posture."""
    held = what_is_held(scope)
    target, relation = arguments["target"], arguments["relation"]
    if isinstance(target, str):
        if scope.map.takes(target):
            return _put_at(scope, held, target)
        raise Failed("bad-target", f"nothing can be put at {target!r}.")
    thing = located(target)
    spot = SPOTS.get(relation)
    if spot is None:
        raise Failed("bad-relation", f"there is no relation {relation!r}.")
    place = scope.place_of(thing) or scope.map.home
    rim_m = thing.position_in_world[2] + thing.size_m[2] / 2 if scope.map.is_container(thing.phrase) else 0.0
    return _put(scope, held, place, lambda: spot(scope, held, scope.located(target), relation), rim_m)


def _put_at(scope: Scope, held: Held, name: str) -> dict[str, Any]:
    """Put what is held at a free spot of a place: down on a surface, into a container."""
    there = scope.map.places[name]
    if there.headroom_m < math.inf or (there.takes == "on" and not held.from_above):
        scope.work_at(name)
        deep = there.under_m == math.inf  # a table on legs; a cabinet stands at a wall
        return put_ahead(scope, held, lambda allowed: (*_free(scope, held, allowed, deep), scope.floor_m))
    if there.takes == "in":
        return _into(scope, held, name)
    return _put(scope, held, name, lambda: _on_surface(scope, held))


def release(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Let go of what is held: on a free spot of the surface, set down by feel, or at a container into it."""
    held, at = what_is_held(scope), scope.memory.at
    if scope.map.takes(at) and not scope.map.is_one_workspace:
        return _put_at(scope, held, at)
    if scope.map.takes(at) == "in":
        return _into(scope, held, at)
    if not scope.map.takes(at) and not scope.map.is_one_workspace:
        raise Failed("no-surface", f"nothing can be put down at the {at}; go to {', '.join(scope.map.surfaces)} first.")
    return _put(scope, held, scope.work, lambda: _on_surface(scope, held))


def what_is_held(scope: Scope) -> Held:
    """Return what is held; raises Failed, "hand-empty", where the fingers hold nothing."""
    held = scope.memory.held
    if held is None or scope.motion.opening() < scope.gripper.empty_m:
        scope.memory.held = None
        raise Failed("hand-empty", "nothing is held.")
    return held


def _put(scope: Scope, held: Held, place: str, choose: Callable[[], Spot], rim_m: float = 0.0) -> dict[str, Any]:
    """Put what is held down at a spot that is chosen once the robot stands there.

    Args:
        scope, held, place: the robot, what it holds and where it works.
        choose: returns the spot.
        rim_m: height of the rim around it, over which a hand that comes from the front lets the thing fall in.
    """
    scope.work_at(place)
    if scope.surface.headroom_m < math.inf or not held.from_above:

        def over_rim(allowed: NDArray[np.bool_]) -> tuple[float, float, float]:
            del allowed
            spot = choose()
            return spot.x, spot.y, max(spot.floor_m, rim_m)

        return put_ahead(scope, held, over_rim)
    scope.survey()
    spot = choose()
    try:
        closing = scope.reach_over((spot.x, spot.y, spot.floor_m + held.below_tip_m), spot.closing_rad, held.opening_m)
        touched = _set_down(scope, held, spot, closing)
        narrow_m = held.opening_m + 0.012
        scope.let_go(narrow_m if spot.inside and not by_the_neck(held) else held.let_go_m)
        scope.motion.wait(0.1)
        scope.memory.held = None
        tip_m = scope.travel_m
        scope.lower_to((spot.x, spot.y, max(tip_m, spot.floor_m + held.below_tip_m + 0.06)), closing, held.opening_m)
    except Failed as failure:
        scope.memory.blocked = (held.phrase, _tries(scope, held) + 1) if failure.code == "blocked" else ("", 0)
        scope.carry()
        raise
    scope.memory.blocked = ("", 0)
    scope.carry()
    scope.motion.open_to(scope.gripper.resting_m)
    x, y = scope.in_world(spot.x, spot.y)
    return {"x_m": round(x, 3), "y_m": round(y, 3), "touched": touched}


def _tries(scope: Scope, held: Held) -> int:
    """Return how often in a row this thing could not be put down because the hand touched something."""
    return scope.memory.blocked[1] if scope.memory.blocked[0] == held.phrase else 0


def _set_down(scope: Scope, held: Held, spot: Spot, closing: float) -> bool:
    """Lower the hand to just above, then slowly until it touches or is as low as it should be."""
    bottom = spot.floor_m + held.below_tip_m
    above = max(bottom + 0.03, spot.clear_m)
    if scope.lower_to((spot.x, spot.y, above), closing, held.opening_m, touch_n=20.0):
        raise Failed("blocked", "the hand touches something before it is where it should let go.")
    lowest = max(bottom - 0.015, spot.clear_m)
    if lowest >= above - 0.001:
        return False
    return scope.lower_to((spot.x, spot.y, lowest), closing, held.opening_m, speed=0.16, touch_n=4.0)


def by_the_neck(held: Held) -> bool:
    """Return whether the thing is held by something narrower than itself, as a bottle is."""
    return held.opening_m < 0.7 * held.size_m[1]


def _into(scope: Scope, held: Held, name: str) -> dict[str, Any]:
    """Lower the thing into a container until it touches, at a free spot, and let go."""
    if scope.memory.at != name:
        scope.travel_m = scope.travel_most_m
        scope.drive_to(name)
    if not held.from_above:  # in a hand that points down it lies, along the direction in which the hand pointed
        held = scope.memory.held = replace(held, below_tip_m=max(held.size_m[:2]) / 2)
    x, y, floor_m = _blindly(scope, held) if scope.map.is_one_workspace else _at_free_spot(scope, held)
    tip_m, above_m = floor_m + held.below_tip_m, 0.03
    try:
        closing = scope.reach_over((x, y, tip_m), SIDEWAYS_RAD, held.opening_m)
        if not scope.lower_to((x, y, tip_m + above_m), closing, held.opening_m, speed=0.8, touch_n=12.0):
            scope.lower_to((x, y, tip_m), closing, held.opening_m, speed=0.25, touch_n=6.0)
        # Wide: a bottle that leaned on a finger was hooked by its cap and carried out again.
        scope.let_go(max(0.10, held.let_go_m) if scope.map.is_one_workspace else held.let_go_m)
        scope.motion.wait(0.2)
        scope.memory.held = None
        scope.memory.binned += 1
        scope.lower_to((x, y, scope.travel_m), closing, held.opening_m)
    finally:
        if not scope.motion.stop.is_set():
            scope.carry()
            if scope.map.is_one_workspace:
                scope.drive_to(scope.map.home)
    scope.motion.open_to(scope.gripper.resting_m)
    x, y = scope.in_world(x, y)
    return {"x_m": round(x, 3), "y_m": round(y, 3)}


def _blindly(scope: Scope, held: Held) -> tuple[float, float, float]:
    """Return x, y and the height of the floor in a bin that is not looked into: another spot than the last time."""
    there = scope.surface
    x, y, rim_m = there.middle
    spots_m = ((0.05, 0.05), (-0.06, -0.06), (-0.06, 0.05), (0.05, -0.06))
    dx, dy = spots_m[scope.memory.binned % len(spots_m)]
    scope.travel_m = max(0.62, rim_m + held.below_tip_m + 0.10)
    lowest_m = 0.12  # a bin fills up
    return x + dx, y + dy, there.floor_m + max(lowest_m, held.below_tip_m + 0.015) - held.below_tip_m


def _at_free_spot(scope: Scope, held: Held) -> tuple[float, float, float]:
    """Return x, y and the height of what the thing will rest on, where a look into the container shows most room.

    Raises:
        Failed: "closed" where a drawer is not open wide enough for the hand.
    """
    heights, there = scope.survey(), scope.surface
    if there.out_m is not None and not _lies_open(scope, there):
        raise Failed("closed", f"the {scope.work} is not open wide enough for the hand.")
    least_m = 0.020  # of the tips over the floor
    lying = (held.size_m[2] / 2, max(held.size_m[:2]) / 2)
    thing = (_radius(held), _radius(held)) if held.from_above else lying
    x, y, floor_m = spot_inside(heights, there, thing, _hand(scope, held), held.below_tip_m, scope.stands_over)
    return x, y, floor_m + max(0.0, least_m - held.below_tip_m)


def _lies_open(scope: Scope, drawer: Station) -> bool:
    """Return whether a drawer has been pulled out far enough for the hand, and nothing is seen over it.

    Where the room's floor is seen in its place somebody has shut it, and it counts as shut from then on.
    """
    least_m, half_m, across_m, seen = 0.15, 0.04, 0.15, 0.1  # open, a third of it is seen or more
    assert scope.heights is not None
    wide_m, middle = drawer.high[0] - drawer.low[0], drawer.middle[:2]
    if scope.heights.seen_within(*middle, wide_m / 4, across_m) < seen:
        scope.memory.pulled_m[scope.work] = -(scope.map.places[scope.work].out_m or 0.0)
        return False
    return wide_m >= least_m and scope.heights.highest_within(*middle, half_m, half_m, 0.0) < drawer.middle[2] + half_m


def _radius(held: Held) -> float:
    return held.size_m[1] / 2 if is_round(held.phrase) else math.hypot(held.size_m[0], held.size_m[1]) / 2


def _free(scope: Scope, held: Held, allowed: NDArray[np.bool_] | None = None, deep: bool = False) -> tuple[float, float]:
    assert scope.heights is not None
    return free_spot(scope.heights, _radius(held), into(scope.frame, *held.taken_from), allowed, deep)


def _hand(scope: Scope, held: Held) -> tuple[float, float]:
    """Return how far the hand stands out ahead of the fingers and to each side when it lets go."""
    ahead_m = 0.06
    return ahead_m, scope.gripper.knuckle_reach(held.let_go_m)


def _on_surface(scope: Scope, held: Held) -> Spot:
    """Return a free spot, where the hand comes down beside nothing that is higher than its tips if there is such a one.

    Each time in a row that the hand touched something the next best spot is taken.
    """
    heights = scope.heights
    assert heights is not None
    within = heights.centres()[..., 0] < scope.over_m
    if scope.map.is_one_workspace:
        return Spot(*_free(scope, held, within), scope.surface_m)
    noise_m, apart_m = 0.01, 0.05
    roomy = heights.highest_around(*_hand(scope, held)) < scope.surface_m + max(held.below_tip_m, noise_m) + noise_m
    found: list[tuple[float, float]] = []
    for liked in (roomy & within, within):
        for _ in range(_tries(scope, held) + 1 - len(found)):
            away = [np.hypot(*np.moveaxis(heights.centres() - spot, -1, 0)) > apart_m for spot in found]
            with contextlib.suppress(Failed):
                found.append(_free(scope, held, np.logical_and.reduce([liked, *away])))
    return Spot(*(found[-1] if found else _free(scope, held, within)), scope.surface_m)


def _beside(scope: Scope, held: Held, target: Located, relation: str) -> Spot:
    assert scope.heights is not None
    x, y = beside_spot(scope.heights, relation, target, _radius(held))
    return Spot(x, y, scope.surface_m)


def _at(scope: Scope, held: Held, target: Located, relation: str) -> Spot:
    """Where the target was when it was seen; by now it must be gone."""
    assert scope.heights is not None
    x, y, _ = target.position_in_world
    bottom = bottom_of(target, scope.surface_m)
    half = 0.7 * min(held.size_m[1], target.size_m[1]) / 2
    if scope.heights.highest_within(x, y, half, half, 0.0) > bottom + 0.025:
        raise Failed("no-room", f"the spot where the {target.phrase} was is not free.")
    return Spot(x, y, bottom)


def _onto(scope: Scope, held: Held, target: Located, relation: str) -> Spot:
    x, y, z = target.position_in_world
    if scope.map.is_container(target.phrase):
        return _inside(scope, held, target, relation)
    return Spot(x, y, z + target.size_m[2] / 2, _aligned(held, target))


def _inside(scope: Scope, held: Held, target: Located, relation: str) -> Spot:
    assert scope.heights is not None
    if not scope.map.is_container(target.phrase):
        return _onto(scope, held, target, relation)
    kind = kind_of(target.phrase)
    inside = INSIDES[kind]
    bottom = bottom_of(target, scope.surface_m)
    # Between upright walls the fingers have no room to open: let go with the tips at the rim.
    clear_m = bottom + target.size_m[2] + 0.004 if kind == "box" else 0.0
    again = _tries(scope, held) % 2 == 1  # the other way round than the last time
    if kind_of(held.phrase) == "mug" and kind == "box":
        closings = [-math.pi * (k + 0.5) / 12 for k in range(12) if k % 2 == again]
        handles = [closing + held.turn_rad for closing in closings]
        x, y, handle = mug_spot(scope.heights, target, held.size_m[1] / 2, bottom, handles)
        return Spot(x, y, bottom + inside.floor_m, handle - held.turn_rad, clear_m, inside=True)
    lengthwise = held.size_m[0] > 1.2 * held.size_m[1]
    closing = target.yaw_rad + (math.pi / 2 if lengthwise else 0.0)
    disc = inside.round or (is_round(held.phrase) and not lengthwise)
    half_long, half_wide = (_radius(held), _radius(held)) if disc else (held.size_m[0] / 2, held.size_m[1] / 2)
    half_finger_m, reach = 0.015, held.opening_m / 2 + 0.035  # how far the opening fingers reach beyond what they hold
    across, along = (half_finger_m, reach), (reach, half_finger_m)
    # Between the walls of a bowl or a box everything would be in the fingers' way: they stay above the rim there.
    fingers = (0.0, 0.0) if kind in ("bowl", "box") else across if lengthwise else along
    room = (scope.heights, target, half_long, half_wide, bottom, disc)
    cost, x, y, floor = inner_spot(*room, fingers, held.below_tip_m)
    if kind in ("plate", "tray") and not lengthwise:  # what is as wide as long may be turned, if that leaves more room
        turned = inner_spot(*room, across, held.below_tip_m)
        if (turned[0] < cost) != again:
            (_, x, y, floor), closing = turned, closing + math.pi / 2
    return Spot(x, y, floor, closing, clear_m, inside=kind in ("bowl", "box"))


def _aligned(held: Held, target: Located) -> float:
    """Return the closing direction that lays the held thing's sides along the target's."""
    if is_round(held.phrase) or is_round(target.phrase):
        return SIDEWAYS_RAD
    across = target.yaw_rad + math.pi / 2
    square = held.size_m[0] < 1.15 * held.size_m[1] or target.size_m[0] < 1.15 * target.size_m[1]
    choices = [across, across + math.pi / 2] if square else [across]
    return min(choices, key=lambda closing: abs(math.remainder(closing - SIDEWAYS_RAD, math.pi)))


SPOTS: dict[str, Callable[[Scope, Held, Located, str], Spot]] = {
    "in": _inside,
    "on": _onto,
    "next_to": _beside,
    "left_of": _beside,
    "right_of": _beside,
    "behind": _beside,
    "in_front_of": _beside,
    "at": _at,
}
