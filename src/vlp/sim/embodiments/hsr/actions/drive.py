"""go_to and home: between places, and into the resting posture."""

from typing import Any

from vlp.core.errors import did_you_mean
from vlp.sim.embodiments.actions.scope import Scope
from vlp.sim.embodiments.motion import Failed


def go_to(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Drive to `place` in carry posture and look down."""
    place = arguments["place"]
    if place not in scope.map.stations:
        raise Failed("unknown-place", f"there is no place {place!r}. {did_you_mean(place, scope.map.stations)}")
    scope.travel_m = scope.travel_most_m
    scope.carry()
    scope.drive_to(place)
    return {"at": place}


def home(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Bring arm and head to carry posture at the present station."""
    scope.travel_m = scope.travel_most_m
    scope.carry()
    return {}
