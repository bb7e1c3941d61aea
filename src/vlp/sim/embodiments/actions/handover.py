"""handover: hold out what is held, and let go when somebody takes it."""

import math
from typing import Any

from vlp.sim.embodiments.actions.scope import Scope, located
from vlp.sim.embodiments.mechanics import Mechanics
from vlp.sim.embodiments.motion import Failed


def handover(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Stretch the hand out ahead, or towards `target` (a located person), wait for a pull, and open the fingers.

    Raises:
        Failed: "hand-empty"; "not-taken" when nobody pulls in time, and the thing is still held.
    """
    held, motion = scope.memory.held, scope.motion
    if held is None:
        raise Failed("hand-empty", "nothing is held that could be handed over.")
    x, y, yaw = (motion.target[name] for name in Mechanics.base_joints)
    if "target" in arguments:
        there = located(arguments["target"]).position_in_world
        yaw += math.remainder(math.atan2(there[1] - y, there[0] - x) - yaw, 2 * math.pi)
        motion.follow({Mechanics.base_joints[2]: yaw})
    reach_m, height_m, pull_n, wait_s = 0.85, 0.95, 5.0, 15.0
    tip = x + reach_m * math.cos(yaw), y + reach_m * math.sin(yaw), height_m
    scope.reach_ahead(tip, (math.sin(yaw), -math.cos(yaw), 0.0), held.opening_m)
    motion.wait(0.3)
    still = motion.wrist_force()
    for _ in range(round(wait_s / motion.tick_s)):
        motion.wait(motion.tick_s)
        if math.dist(motion.wrist_force(), still) > pull_n:
            break
    else:
        scope.carry()
        raise Failed("not-taken", f"nobody took the {held.phrase}; it is still in the hand.")
    motion.open_to(scope.gripper.resting_m)
    motion.wait(0.5)
    scope.memory.held = None
    scope.carry()
    return {"handed_over": held.phrase}
