"""handover: hold out what is held, and let go when somebody takes it."""

import math
from typing import Any

from vlp.sim.embodiments.actions.people import stand_before
from vlp.sim.embodiments.actions.scope import Scope, located
from vlp.sim.embodiments.mechanics import Mechanics
from vlp.sim.embodiments.motion import Failed


def handover(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Hold out what is held, ahead or to `target` (a located person), wait for a pull, and open the fingers.

    A robot that drives between places drives up to that person first, and back afterwards.

    Raises:
        Failed: "hand-empty"; "no-way" where it cannot come before the person; "not-taken" when nobody pulls in time, and the
            thing is still held.
    """
    held, motion = scope.memory.held, scope.motion
    if held is None:
        raise Failed("hand-empty", "nothing is held that could be handed over.")
    place, reach_m, height_m, aside_m, pull_n, wait_s = scope.memory.at, 0.85, 0.95, 0.0, 5.0, 15.0
    if "target" in arguments:
        person = located(arguments["target"])
        if scope.map.is_one_workspace:
            x, y, yaw = (motion.target[name] for name in Mechanics.base_joints)
            ahead = math.atan2(person.position_in_world[1] - y, person.position_in_world[0] - x)
            motion.follow({Mechanics.base_joints[2]: yaw + math.remainder(ahead - yaw, 2 * math.pi)})
        else:
            # Before the right half of the chest, with room for what sticks out of the hand; who sits is lower.
            ahead_m = held.below_tip_m if held.from_above else 0.0  # what was taken at its side stands upright in the hand
            from_person_m, lower_m, sitting_m, aside_m = 0.40 + ahead_m / 2, 0.28, 1.3, 0.10
            height_m -= lower_m if person.size_m[2] < sitting_m else 0.0
            stand_before(scope, person.position_in_world[:2], person.yaw_rad, from_person_m + reach_m)
    motion.wait(0.3)
    still, taken = motion.wrist_force(), False  # of hand and load, however it is turned: at its end somebody may pull already
    x, y, yaw = (motion.target[name] for name in Mechanics.base_joints)
    c, s = math.cos(yaw), math.sin(yaw)
    tip = x + reach_m * c - aside_m * s, y + reach_m * s + aside_m * c, height_m
    scope.reach_ahead(tip, (s, -c, 0.0), held.opening_m)
    motion.wait(0.3)
    for _ in range(round(wait_s / motion.tick_s)):
        motion.wait(motion.tick_s)
        taken = math.dist(motion.wrist_force(), still) > pull_n
        if taken:
            break
    if taken:
        motion.open_to(max(scope.gripper.resting_m, held.let_go_m))
        motion.wait(0.5)
        scope.memory.held = None
    _leave(scope, place)
    if not taken:
        raise Failed("not-taken", f"nobody took the {held.phrase}; it is still in the hand.")
    return {"handed_over": held.phrase}


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
