"""handover: hold out what is held, and let go when somebody takes it."""

import math
from collections.abc import Callable
from typing import Any

from vlp.sim.embodiments.actions.people import stand_before
from vlp.sim.embodiments.actions.place import what_is_held
from vlp.sim.embodiments.actions.scope import Held, Scope, located
from vlp.sim.embodiments.mechanics import Mechanics
from vlp.sim.embodiments.motion import Failed, Point


def handover(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Hold out what is held, ahead or to `target` (a located person), wait for a pull, and open the fingers.

    A robot that drives between places drives up to that person first, and back afterwards.

    Raises:
        Failed: "hand-empty", also when what was held fell; "no-way" where it cannot come before the person; "not-taken" when
            nobody pulls in time, and the thing is still held.
    """
    held, motion = scope.memory.held, scope.motion
    if held is None:
        raise Failed("hand-empty", "nothing is held that could be handed over.")
    place, reach_m, height_m, pull_n, pulled_s, wait_s = scope.memory.at, 0.85, 0.95, 5.0, 0.2, 15.0
    if "target" in arguments:
        person = located(arguments["target"])
        if scope.map.is_one_workspace:
            x, y, yaw = (motion.target[name] for name in Mechanics.base_joints)
            ahead = math.atan2(person.position_in_world[1] - y, person.position_in_world[0] - x)
            motion.follow({Mechanics.base_joints[2]: yaw + math.remainder(ahead - yaw, 2 * math.pi)})
        else:
            # Before the chest, beside a hand that is held out already, with room for what sticks out of the robot's; high
            # enough that an arm gets below a bottle there.
            ahead_m = held.below_tip_m if held.from_above else 0.0  # what was taken at its side stands upright in the hand
            from_person_m, standing_m, sitting_m, sits_m = 0.38 + ahead_m / 2, 1.00, 0.80, 1.3
            # With an arm raised, who sits is as tall as who stands; but nobody stands on a sofa.
            sits = person.size_m[2] < sits_m or scope.map.surface_under(person.position_in_world, "")
            height_m = sitting_m if sits else standing_m
            stand_before(scope, person.position_in_world[:2], person.yaw_rad, from_person_m + reach_m)
    motion.wait(0.3)
    still, taken = motion.wrist_force(), False  # of hand and load, however it is turned: at its end somebody may pull already
    x, y, yaw = (motion.target[name] for name in Mechanics.base_joints)
    c, s = math.cos(yaw), math.sin(yaw)
    _hold_out(scope, held, (x + reach_m * c, y + reach_m * s, height_m), still)
    pulled = 0
    for _ in range(round(wait_s / motion.tick_s)):
        motion.wait(motion.tick_s)
        pulled = pulled + 1 if math.dist(motion.wrist_force(), still) > pull_n else 0
        taken = pulled * motion.tick_s >= pulled_s  # what is shorter is a knock
        if taken:
            break
    if taken:
        motion.open_to(max(scope.gripper.resting_m, held.let_go_m))
        motion.wait(0.5)
        scope.memory.held = None
    _leave(scope, place)
    if not taken:
        what_is_held(scope)  # it may have been struck out of the fingers
        raise Failed("not-taken", f"nobody took the {held.phrase}; it is still in the hand.")
    return {"handed_over": held.phrase}


def _hold_out(scope: Scope, held: Held, tip: Point, still: Point) -> None:
    """Bring what is held to a point ahead, as it stood where it was taken; give way to what it meets just before.

    Args:
        scope, held: the robot and what it holds.
        tip: of the fingers, in the world.
        still: what the wrist felt before the arm unfolded, of hand and load.
    """
    motion, before_m, back_m, touch_n, free_n, more_n = scope.motion, 0.12, 0.04, 4.0, 2.0, 1.0
    yaw = motion.target[Mechanics.base_joints[2]]
    c, s = math.cos(yaw), math.sin(yaw)
    level = math.cos(held.slant_rad)
    upright = None if held.from_above else (level * c, level * s, -math.sin(held.slant_rad))
    scope.reach_ahead((tip[0] - before_m * c, tip[1] - before_m * s, tip[2]), (s, -c, 0.0), held.opening_m, upright)

    def pressed_n() -> float:
        return math.dist(motion.wrist_force(), still)

    def walk(ahead_m: float, until: Callable[[], bool]) -> bool:
        x, y = (motion.target[name] for name in Mechanics.base_joints[:2])
        return motion.follow({"base_x": x + ahead_m * c, "base_y": y + ahead_m * s}, scope.hands_over, until)

    if walk(before_m, lambda: pressed_n() > touch_n):
        met_n = pressed_n()  # a hand held out ahead of a person presses less as the robot gives way; who pulls already, more
        walk(-back_m, lambda: pressed_n() < free_n or pressed_n() > met_n + more_n)
    motion.wait(0.3)


def _leave(scope: Scope, place: str) -> None:
    """Draw back, fold the arm, and go back to where the robot stood."""
    motion = scope.motion
    if scope.map.is_one_workspace:
        scope.carry()
        return
    back_m = 0.20  # out of the person's reach before the arm folds
    x, y, yaw = (motion.target[name] for name in Mechanics.base_joints)
    motion.follow({"base_x": x - back_m * math.cos(yaw), "base_y": y - back_m * math.sin(yaw)}, speed=0.5)
    scope.travel_m = 0.0  # straight back from here: nothing lies below the hand
    motion.follow(scope.posture(""))
    scope.carry()
    if place and place != scope.memory.at:
        scope.drive_to(place)
