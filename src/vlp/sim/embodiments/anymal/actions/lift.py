"""lift: raise what is held above carrying height for a moment, and feel that it is still there."""

from typing import Any

from vlp.sim.embodiments.actions.scope import Scope
from vlp.sim.embodiments.motion import Failed


def lift(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Raise the hand by `height_m`, clipped to the limits, and lower it again; fails when the fingers have closed."""
    held = scope.memory.held
    if held is None:
        raise Failed("hand-empty", "nothing is held that could be lifted.")
    motion, height_m = scope.motion, min(max(float(arguments["height_m"]), 0.02), 0.30)
    start = motion.reach.hand(motion.target)
    up = start.copy()
    up[2, 3] += height_m
    motion.move_hand(up)
    reached_m = float(motion.reach.hand(motion.joints())[2, 3] - start[2, 3])
    motion.move_hand(start)
    if motion.opening() < scope.gripper.empty_m:
        scope.memory.held = None
        raise Failed("slipped", f"the {held.phrase} is no longer between the fingers.")
    return {"height_m": round(reached_m, 3)}
