"""weigh: feel how heavy what is held is."""

from typing import Any

from vlp.sim.embodiments.actions.place import what_is_held
from vlp.sim.embodiments.actions.scope import Scope


def weigh(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Hold still and return the mean force with which the hand bears upwards, less what it takes to bear itself."""
    del arguments
    held, motion, felt, duration_s = what_is_held(scope), scope.motion, list[float](), 0.5
    motion.wait(duration_s)
    for _ in range(round(duration_s / motion.tick_s)):
        motion.wait(motion.tick_s)
        felt.append(motion.lift_force())
    return {"weighed": held.phrase, "weight_n": round(sum(felt) / len(felt), 2)}
