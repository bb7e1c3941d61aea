"""walk_to, stand and sit: between places, and between the heights of the body."""

from typing import Any

from vlp.core.errors import did_you_mean
from vlp.sim.embodiments.actions.scope import Scope
from vlp.sim.embodiments.motion import Failed


def walk_to(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Walk to `place` in carry posture."""
    place = arguments["place"]
    if place not in scope.map.stations:
        raise Failed("unknown-place", f"there is no place {place!r}. {did_you_mean(place, scope.map.stations)}")
    stand(scope, {})
    scope.drive_to(place)
    return {"at": place}


def stand(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Bring body and arm to carry posture at the present station."""
    del arguments
    scope.travel_m = scope.travel_most_m
    scope.carry()
    return {"height_m": scope.motion.mechanics.home["base_height"]}


def sit(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Lower the body with the arm in carry posture; the next action stands up first."""
    stand(scope, arguments)
    lowest_m = 0.22  # of the body's middle: 12 cm between its belly and the floor
    scope.motion.follow({"base_height": lowest_m})
    return {"height_m": lowest_m}
