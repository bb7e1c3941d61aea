"""look_at: turn the wrist's camera towards something, dwell, and look at the table again."""

import math
from typing import Any

from vlp.sim.embodiments.actions.scope import Scope, located
from vlp.sim.embodiments.anymal.body import ARM_JOINTS, CAMERA_ON_WRIST
from vlp.sim.embodiments.mechanics import Mechanics


def look_at(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Turn towards `target` (a located thing or a named place) and back, so that all pictures look alike.

    The arm turns the camera as far as it can without reaching beside the body; the body turns for what lies beyond.
    """
    target, motion = arguments["target"], scope.motion
    x, y, z = scope.map.places[target].middle if isinstance(target, str) else located(target).position_in_world
    base_x, base_y, yaw = (motion.target[name] for name in Mechanics.base_joints)
    bearing = math.remainder(math.atan2(y - base_y, x - base_x) - yaw, 2 * math.pi)
    widest_rad = 0.6
    pan = min(max(bearing, -widest_rad), widest_rad)
    eye_ahead_m, eye_m = 0.50, 1.14  # where the camera is in carry posture
    sight = math.atan2(math.hypot(x - base_x, y - base_y) - eye_ahead_m, eye_m - z)  # from straight down
    tilt = min(max(sight - CAMERA_ON_WRIST.tilt_rad, -0.3), 1.2)
    resting = {name: motion.mechanics.home[name] for name in (ARM_JOINTS[0], ARM_JOINTS[4])}
    turned = dict(zip(resting, (resting[ARM_JOINTS[0]] - pan, resting[ARM_JOINTS[4]] - tilt), strict=True))
    motion.follow({"base_yaw": yaw + bearing - pan, **turned})
    motion.wait(0.5)
    motion.follow({"base_yaw": yaw, **resting})
    return {"pan_rad": round(bearing, 3), "tilt_rad": round(tilt, 3)}
