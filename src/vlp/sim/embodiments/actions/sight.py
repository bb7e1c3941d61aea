"""look_at, look and wait: turn the camera towards something, keep it there with a narrower view, hold still."""

from typing import Any

from vlp.sim.embodiments.actions.scope import Scope, located


def look_at(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Turn the camera towards `target` (a located thing or a named place) and back, so that all pictures look alike."""
    joints, reached = scope.aim(*_bearing(scope, arguments["target"]))
    resting = {**{name: scope.motion.target[name] for name in joints}, **scope.posture(scope.memory.at)}
    scope.motion.follow(joints)
    scope.motion.wait(0.5)
    scope.motion.follow({name: resting[name] for name in joints})
    return {name: round(turn, 3) for name, turn in reached.items()}


def look(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Turn the camera towards `target`, or by `pan_rad` and `tilt_rad`, narrow its view, and stay so until the next action."""
    reached: dict[str, float] = {}
    for _ in range(2):  # a camera on an arm moves as it turns
        pan, tilt = _bearing(scope, arguments["target"]) if "target" in arguments else (None, None)
        joints, reached = scope.aim(arguments.get("pan_rad", pan), arguments.get("tilt_rad", tilt))
        if joints:
            scope.motion.follow(joints)
    scope.motion.wait(0.3)
    scope.memory.zoom = min(max(float(arguments["zoom"]), 1.0), 4.0)
    return {**{name: round(turn, 3) for name, turn in reached.items()}, "zoom": scope.memory.zoom}


def wait(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Hold still for `duration_s`, clipped to a minute."""
    duration_s = min(max(float(arguments["duration_s"]), 0.1), 60.0)
    scope.motion.wait(duration_s)
    return {"duration_s": duration_s}


def _bearing(scope: Scope, target: Any) -> tuple[float, float]:
    point = scope.map.places[target].middle if isinstance(target, str) else located(target).position_in_world
    return scope.bearing(point)
