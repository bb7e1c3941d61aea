"""look_at: turn the head towards something, dwell, and look at the table again."""

import math
from typing import Any

from vlp.sim.embodiments.actions.scope import Scope, located
from vlp.sim.embodiments.hsr.body import HEAD_JOINTS


def look_at(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Turn the head towards `target` (a located thing or a named place) and back, so that all pictures look alike."""
    target = arguments["target"]
    if isinstance(target, str):
        x, y, z = scope.map.places[target].middle
    else:
        x, y, z = located(target).position_in_world
    joints = scope.motion.joints()
    dx, dy = x - joints["base_x"], y - joints["base_y"]
    pan = math.remainder(math.atan2(dy, dx) - joints["base_yaw"], 2 * math.pi)
    eye_m = 1.05
    tilt = -math.atan2(eye_m - z, max(math.hypot(dx, dy), 0.05))
    pan, tilt = min(max(pan, -3.8), 1.7), min(max(tilt, -1.5), 0.5)  # what the joints allow
    scope.motion.follow(dict(zip(HEAD_JOINTS, (pan, tilt), strict=True)))
    scope.motion.wait(0.5)
    resting = scope.posture(scope.memory.at)
    scope.motion.follow({name: resting[name] for name in HEAD_JOINTS})
    return {"pan_rad": round(pan, 3), "tilt_rad": round(tilt, 3)}
