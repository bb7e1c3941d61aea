"""lift: raise what is held above carrying height for a moment, and feel that it is still there."""

from typing import Any

from vlp.sim.embodiments.actions.scope import Scope
from vlp.sim.embodiments.hsr.actions.scope import LIFT_RANGE_M
from vlp.sim.embodiments.motion import Failed


def lift(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Raise the arm by `height_m`, clipped to the limits, and lower it again; fails when the fingers have closed."""
    held = scope.memory.held
    if held is None:
        raise Failed("hand-empty", "nothing is held that could be lifted.")
    height = min(max(float(arguments["height_m"]), 0.02), 0.30)
    start = scope.posture(scope.memory.at)["arm_lift_joint"]
    scope.motion.follow({"arm_lift_joint": min(start + height, LIFT_RANGE_M[1])})
    reached = scope.motion.joints()["arm_lift_joint"] - start
    scope.motion.follow({"arm_lift_joint": start})
    if scope.motion.opening() < scope.gripper.empty_m:
        scope.memory.held = None
        raise Failed("slipped", f"the {held.phrase} is no longer between the fingers.")
    return {"height_m": round(reached, 3)}
