"""grasp: take hold of a located thing, from above or from the front, and carry it back."""

import math
from collections.abc import Callable
from typing import Any

from vlp.core.observation import Located
from vlp.sim.embodiments.actions.approach import Approach, choose_approach, is_tall
from vlp.sim.embodiments.actions.front import grasp_ahead
from vlp.sim.embodiments.actions.scope import Held, Scope, is_ball, is_open_vessel, is_round, kind_of, located
from vlp.sim.embodiments.gripper import Gripper
from vlp.sim.embodiments.motion import Failed
from vlp.sim.heightmap import HeightMap


def grasp(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Grasp `target` (a located thing) and retreat to carry posture; the fingers' opening tells whether it is held."""
    target = located(arguments["target"])
    if scope.memory.held is not None:
        raise Failed("hand-full", f"the hand already holds the {scope.memory.held.phrase}.")
    if scope.map.is_container(target.phrase):
        raise Failed("too-large", f"the {target.phrase} is too large for the hand.")
    width, gripper = target.size_m[1], scope.gripper
    if width + 2 * 0.006 > gripper.widest_m:
        found = f"the {target.phrase} is {width * 100:.0f} cm wide"
        raise Failed("too-large", f"{found}; the hand opens {gripper.widest_m * 100:.0f} cm.")
    place = scope.place_of(target)
    if not place:
        raise Failed("unreachable", f"the {target.phrase} is not {scope.map.surfaces_in_words()}.")
    scope.work_at(place)
    heights = scope.survey()
    target = scope.located(arguments["target"])
    if why := _why_from_the_front(scope, target):
        way = choose_approach(gripper, target, heights, scope.surface, scope.floor_m, _stands(scope))
        if not isinstance(way, str):
            return grasp_ahead(scope, target, way)
        if why != "tall":
            raise Failed("unreachable", f"{why}; {way}.")
    try:
        return _grasp_from_above(scope, target, heights)
    except Failed as failure:
        across = failure.code == "unreachable" and scope.surface.takes == "on" and not scope.map.is_one_workspace
        way = choose_approach(gripper, target, heights, scope.surface, scope.floor_m, _stands(scope)) if across else ""
        if isinstance(way, str) or is_open_vessel(target.phrase):
            raise
        return grasp_ahead(scope, target, way)  # which reaches farther


def _stands(scope: Scope) -> Callable[[Approach], bool]:
    """Return what tells whether the base has room on the floor behind a way."""
    return lambda way: scope.stands_free(way.tip, way.heading_rad, way.before_m)


def _why_from_the_front(scope: Scope, target: Located) -> str:
    """Return why a thing must be taken from the front, "tall" where it is only better so, "" where it is taken from above."""
    surface, x = scope.surface, target.position_in_world[0]
    if surface.headroom_m < math.inf:
        return f"the board above leaves the hand no room over the {target.phrase}"
    hand_m = 0.06
    if surface.out_m is not None and x > surface.high[0] - hand_m:
        return f"what the drawer slides under leaves the hand no room over the {target.phrase}"
    tall = is_tall(target) and not is_open_vessel(target.phrase)  # what is poured from hangs in a hand that came from above
    return "tall" if tall and surface.takes == "on" and not scope.map.is_one_workspace else ""


def _grasp_from_above(scope: Scope, target: Located, heights: HeightMap) -> dict[str, Any]:
    gripper, width, table_m = scope.gripper, target.size_m[1], scope.floor_m
    tries = scope.memory.blocked[1] if scope.memory.blocked[0] == target.phrase else 0
    closing, opening, tip_m = choose_hold(gripper, target, heights, table_m, tries)
    if is_open_vessel(target.phrase) or width > scope.leaning_m:
        tip_m = max(tip_m, target.position_in_world[2] + target.size_m[2] / 2 - scope.rim_m)
    try:
        target = scope.nearer(target, closing, opening)
        x, y, _ = target.position_in_world
        closing = scope.reach_over((x, y, tip_m), closing, opening)
        squeezed = expected_opening(target)
        if scope.lower_to((x, y, tip_m), closing, squeezed, touch_n=20.0):
            raise Failed("blocked", f"the hand touches something above the {target.phrase}.")
        found = scope.motion.close()
        if is_open_vessel(target.phrase) and gripper.empty_m < found < 0.6 * squeezed:  # by the wall, it would hang askew
            scope.motion.open_to(opening)
            raise Failed("slipped", f"the fingers took the {target.phrase} by its wall.")
        if found < gripper.empty_m:
            raise Failed("slipped", f"the fingers closed on nothing where the {target.phrase} should be.")
        bottom = bottom_of(target, table_m)
        each_m = 0.010  # how far a finger opens to let go; a bottle's cap is wider than the neck that it is held by
        let_go = max(found + 2 * each_m, 0.9 * width if is_upright_bottle(target) else 0.0)
        below = max(0.0, tip_m - bottom)
        turn = target.yaw_rad - closing
        scope.memory.held = Held(target.phrase, target.size_m, below, found, let_go, scope.in_world(x, y), turn)
        _raise(scope, x, y, closing, tip_m)
    except Failed as failure:
        scope.memory.blocked = (target.phrase, tries + 1) if failure.code == "blocked" else ("", 0)
        _give_up(scope)
        raise
    scope.memory.blocked = ("", 0)
    scope.carry()
    still = scope.motion.opening()
    if still < gripper.empty_m:
        scope.memory.held = None
        raise Failed("slipped", f"the {target.phrase} slipped out of the fingers.")
    return {"opening_m": round(still, 4), "closing_rad": round(closing, 3), "tip_m": round(tip_m, 4)}


def choose_hold(
    gripper: Gripper, target: Located, heights: HeightMap, table_m: float, tries: int = 0
) -> tuple[float, float, float]:
    """Return the direction along which to close, the opening to come down with, and the height to which the tips go down."""
    closing, opening = choose_closing(gripper, target, heights, tries)
    tip_m = tip_level(gripper, target, heights, closing, opening, table_m)
    if tip_m > target.position_in_world[2] and is_ball(target.phrase, target.size_m):
        # Held above its middle, a plum that lay in a bowl slipped out of the fingers on the way.
        levels = {c: tip_level(gripper, target, heights, c, opening, table_m) for c in all_around()}
        closing = min(levels, key=levels.__getitem__)
        tip_m = levels[closing]
    return closing, opening, tip_m


def choose_closing(gripper: Gripper, target: Located, heights: HeightMap, tries: int = 0) -> tuple[float, float]:
    """Return the direction along which to close and the opening to come down with.

    Across the width, or for round things wherever the fingers, and the knuckles above them, have most free space;
    after tries that were blocked, another choice than the best.
    """
    length, width, height = target.size_m
    across = target.yaw_rad + math.pi / 2
    kind = kind_of(target.phrase)
    if is_round(target.phrase) and (kind == "ball" or height > 0.9 * width) and length < 1.25 * width:
        directions = all_around()
    elif kind == "mug":  # round but for its handle
        directions = [across + k * math.pi / 12 for k in range(-3, 4)]
    elif length < 1.15 * width:
        directions = [across, across + math.pi / 2]
    else:
        directions = [across]
    tip_m = max(lowest_tip(target, heights.floor_m), target.position_in_world[2] + height / 2 - gripper.deepest_m)
    rooms_m = 0.015, 0.009  # on each side of the thing when the fingers come down; the second where neighbours are close

    def cost(choice: tuple[float, float]) -> float:
        closing, room = choice
        half = min(width + 2 * room, gripper.widest_m) / 2
        turn = abs(math.remainder(closing - math.pi / 2, math.pi))
        fingers = beside(target, heights, closing, width / 2 + 0.008, half + gripper.thick_m) - tip_m
        knuckles = beside(target, heights, closing, half, gripper.knuckle_reach(2 * half)) - tip_m - gripper.knuckle_over_tip_m
        return 100 * (max(0.0, fingers) + max(0.0, knuckles)) + turn + 40 * (rooms_m[0] - room)

    choices = sorted(((c, r) for c in directions for r in rooms_m), key=cost)
    closing, room = choices[tries * max(1, len(choices) // 6) % len(choices)]
    return closing, min(width + 2 * room, gripper.widest_m)


def all_around() -> list[float]:
    """Return the directions in which a hand can close on what is round."""
    return [math.pi / 2 + k * math.pi / 12 for k in range(-6, 6)]


def beside(target: Located, heights: HeightMap, closing: float, inner_m: float, outer_m: float) -> float:
    """Return the greatest height on both sides of a thing, between two distances from its middle."""
    x, y, _ = target.position_in_world
    c, s = math.cos(closing), math.sin(closing)
    middle, half = (outer_m + inner_m) / 2, max(0.005, (outer_m - inner_m) / 2)
    return max(heights.highest_within(x + e * c * middle, y + e * s * middle, half, 0.016, closing) for e in (1, -1))


def bottom_of(target: Located, table_m: float) -> float:
    """Return the height of the thing's bottom, snapped to the table where it plainly stands on it."""
    bottom = target.position_in_world[2] - target.size_m[2] / 2
    return table_m if abs(bottom - table_m) < 0.02 else bottom


def lowest_tip(target: Located, table_m: float) -> float:
    """Return the lowest height of the finger tips beside a thing: clear of what it stands on."""
    return bottom_of(target, table_m) + 0.008


def is_upright_bottle(target: Located) -> bool:
    """Return whether the thing is a bottle that stands, to be taken by its neck."""
    return kind_of(target.phrase) == "bottle" and target.size_m[2] > 1.8 * target.size_m[1]


def expected_opening(target: Located) -> float:
    """Return the opening at which the fingers will meet the thing."""
    return 0.45 * target.size_m[1] if is_upright_bottle(target) else target.size_m[1]


def tip_level(gripper: Gripper, target: Located, heights: HeightMap, closing: float, opening_m: float, table_m: float) -> float:
    """Return the height to which the tips go down: deep enough to hold, clear of what lies beside the thing."""
    height = target.size_m[2]
    top = target.position_in_world[2] + height / 2
    deep = 0.355 * height if is_upright_bottle(target) else min(gripper.deepest_m, height / 2 + gripper.pad_m / 2)
    wanted = max(top - deep, lowest_tip(target, table_m))
    near = beside(target, heights, closing, target.size_m[1] / 2 + 0.008, opening_m / 2 + gripper.thick_m)
    if near > wanted - 0.004 and near > table_m + 0.02:
        wanted = max(wanted, min(near + 0.006, top - 0.02))
    knuckles = beside(target, heights, closing, opening_m / 2, gripper.knuckle_reach(opening_m)) - gripper.knuckle_over_tip_m
    return max(wanted, min(knuckles + 0.004, top - 0.6 * height))


def _raise(scope: Scope, x: float, y: float, closing: float, tip_m: float) -> None:
    """Raise what is held out of its place, slowly at first."""
    squeezed = scope.memory.held.opening_m if scope.memory.held else 0.0
    scope.travel_m = min(scope.travel_m + (scope.memory.held.below_tip_m if scope.memory.held else 0.0), scope.travel_most_m)
    # Felt once a tick, a weight is known a little late: slowly at first, and well below the payload.
    most_n, ways = 0.5 * 9.81 * scope.motion.mechanics.bounds.payload_kg, ((0.008, 0.05), (0.04, 0.25))
    if any(scope.lower_to((x, y, tip_m + up_m), closing, squeezed, speed, most_n=most_n) for up_m, speed in ways):
        _put_back(scope, x, y, closing, tip_m)
        raise Failed("too-heavy", "it is stuck, or heavier than the arm may carry.")
    if scope.motion.opening() < scope.gripper.empty_m:
        raise Failed("slipped", "it slipped out of the fingers when they rose.")
    scope.lower_to((x, y, max(scope.travel_m, tip_m + 0.05)), closing, squeezed)


def _put_back(scope: Scope, x: float, y: float, closing: float, tip_m: float) -> None:
    """Set down what is in the hand where it was, and let go of it."""
    held = scope.memory.held
    if held is not None:
        scope.lower_to((x, y, tip_m), closing, held.opening_m, speed=0.5)
        scope.let_go(held.let_go_m)
        scope.memory.held = None
        scope.lower_to((x, y, scope.travel_m), closing, held.opening_m)


def _give_up(scope: Scope) -> None:
    """Go back to carry posture without opening the fingers on the way: among walls they would hook on and lift them."""
    motion, gripper = scope.motion, scope.gripper
    if motion.opening() < gripper.empty_m or motion.target[motion.mechanics.closer] > gripper.closed_rad + 0.01:
        scope.memory.held = None
    scope.carry()
    if scope.memory.held is None:
        motion.open_to(gripper.resting_m)
