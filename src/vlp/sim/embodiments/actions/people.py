"""follow and guide: behind a person, or ahead of one; and where a robot stands before somebody."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlp.sim.embodiments.actions.scope import Scope, located
from vlp.sim.embodiments.mechanics import Mechanics
from vlp.sim.embodiments.motion import Failed
from vlp.sim.embodiments.scanner import scan
from vlp.sim.worlds.protocol import Pose2

Array = NDArray[np.float64]
Point2 = tuple[float, float]


def follow(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Go up to `target` (a located person), and behind them until they have stood still for a while.

    The robot keeps to where the person walked, and comes to rest at the nearest named place.

    Raises:
        Failed: "no-way" where it cannot come near the person; "lost" when the scanner shows nobody where they should be.
    """
    person, motion = located(arguments["target"]), scope.motion
    gap_m, apart_m, still_s, wait_s, lost_s, look_s = 1.0, 0.15, 3.0, 8.0, 2.0, 0.2
    tight_m = motion.mechanics.bounds.radius_m + 0.10
    at, trail = person.position_in_world[:2], list[Point2]()
    stand_before(scope, at, person.yaw_rad, _away_m(scope), beside=True)
    steering, began_s, seen_s, moved_s = _Steering(scope), motion.data.time, motion.data.time, motion.data.time
    while motion.data.time - moved_s < (still_s if moved_s > began_s else wait_s):
        found = track(scope, at)
        if found is not None:
            at, seen_s = found, motion.data.time
        elif motion.data.time - seen_s > lost_s and math.dist(at, steering.here) < gap_m:  # else a wall may be between
            raise Failed("lost", f"{person.phrase} is out of sight.")
        if math.dist(at, (trail or [person.position_in_world])[-1][:2]) > apart_m:
            trail.append(at)
            moved_s = motion.data.time
        while len(trail) > 1 and (
            math.dist(trail[0], steering.here) < apart_m or scope.map.floor.free(steering.here, trail[1], tight_m)
        ):
            trail.pop(0)
        near = not trail or math.dist(at, steering.here) < gap_m
        steering.steer(None if near else trail[0], math.atan2(at[1] - steering.here[1], at[0] - steering.here[0]), look_s)
    if moved_s == began_s:
        raise Failed("not-led", f"{person.phrase} went nowhere.")
    place = _nearest(scope, steering.here)
    scope.drive_to(place)
    return {"followed": person.phrase, "at": place}


def guide(scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """Go up to `target` (a located person) and ahead of them to `place`, slowly enough for them to keep up.

    Raises:
        Failed: "no-way" where it cannot come near the person, or to the place.
    """
    person, place = located(arguments["target"]), str(arguments["place"])
    stand_before(scope, person.position_in_world[:2], person.yaw_rad, _away_m(scope))
    scope.motion.wait(1.0)
    scope.drive_to(place, speed=0.6)
    scope.motion.wait(3.0)
    return {"guided": person.phrase, "at": place}


def _away_m(scope: Scope) -> float:
    """Return how far before somebody who is about to walk the robot stands: out of reach of arms that they raise."""
    return 0.86 + scope.motion.mechanics.bounds.radius_m


def stand_before(scope: Scope, person: tuple[float, ...], facing_rad: float, away_m: float, beside: bool = False) -> None:
    """Drive to where the robot stands before a person, looking at them.

    Args:
        scope: the robot in the midst of an action.
        person: x, y in the world.
        facing_rad: where the person's front faces.
        away_m: from the person's axis to the base's.
        beside: whether it stands as far aside as it may, out of the person's way, or where it comes from when it gets nowhere
            before them; else as straight before as the floor allows.

    Raises:
        Failed: "no-way".
    """
    step_rad, why = 0.35, "there is no room before that person."
    turns = sorted((i * step_rad for i in range(-4, 5)), key=lambda turn: (-abs(turn) if beside else abs(turn), turn))
    if beside:  # else behind: who stands in a doorway cannot be passed
        x, y = (scope.motion.target[name] for name in Mechanics.base_joints[:2])
        turns.append(math.atan2(y - person[1], x - person[0]) - facing_rad)
    for turn in turns:
        bearing = facing_rad + turn
        x, y = person[0] + away_m * math.cos(bearing), person[1] + away_m * math.sin(bearing)
        if scope.map.floor.clearance_m([(x, y)])[0] < scope.motion.mechanics.bounds.radius_m:
            continue
        try:
            scope.drive_up_to((x, y, math.remainder(bearing + math.pi, 2 * math.pi)))
            return
        except Failed as failure:
            if failure.code != "no-way":
                raise
            why = failure.message
    raise Failed("no-way", why)


def track(scope: Scope, last: Point2) -> Point2 | None:
    """Return where a person is now who was at a point a moment ago, by the scanner; None where nobody shows."""
    motion, near_m, deep_m, axis_m, least = scope.motion, 0.35, 0.20, 0.10, 3
    x, y, yaw = (motion.joints()[name] for name in Mechanics.base_joints)
    bearing = math.atan2(last[1] - y, last[0] - x)
    points = scan(motion.model, motion.data, (x, y, yaw), bearing)
    points = points[np.linalg.norm(points - last, axis=1) < near_m]
    if len(points) < least:
        return None
    away = np.linalg.norm(points - (x, y), axis=1)
    points = points[away < away.min() + deep_m]  # behind is the wall
    middle = points.mean(axis=0) + axis_m * np.array([math.cos(bearing), math.sin(bearing)])
    return float(middle[0]), float(middle[1])


class _Steering:
    """The base on its way to points that change, its speed changed gently."""

    def __init__(self, scope: Scope) -> None:
        self.motion, self._speed = scope.motion, np.zeros(2)

    @property
    def here(self) -> Point2:
        """Where the base is told to be."""
        return self.motion.target["base_x"], self.motion.target["base_y"]

    def steer(self, goal: Point2 | None, yaw: float, time_s: float) -> None:
        """Move towards a point, or slow down where there is none, for so long; turn to a yaw meanwhile."""
        most_m_s, more_m_s2, turn_rad_s, tick_s = 0.8 * self.motion.mechanics.bounds.base_m_s, 0.5, 0.6, self.motion.tick_s
        x_name, y_name, yaw_name = Mechanics.base_joints
        for _ in range(round(time_s / tick_s)):
            away = np.zeros(2) if goal is None else np.array(goal) - self.here
            far_m = float(np.linalg.norm(away))
            wanted = away / far_m * min(most_m_s, math.sqrt(more_m_s2 * far_m)) if far_m > 1e-6 else away
            change = wanted - self._speed
            most = more_m_s2 * tick_s
            self._speed = self._speed + change * min(1.0, most / max(float(np.linalg.norm(change)), 1e-9))
            off = math.remainder(yaw - self.motion.target[yaw_name], 2 * math.pi)
            turn = min(max(off, -turn_rad_s * tick_s), turn_rad_s * tick_s)
            step = self._speed * tick_s
            goals = {x_name: self.here[0] + float(step[0]), y_name: self.here[1] + float(step[1])}
            self.motion.tick({**goals, yaw_name: self.motion.target[yaw_name] + turn})


def _nearest(scope: Scope, here: Point2) -> str:
    """Return the nearest named place that the robot can drive straight to, else the nearest of all."""
    stations: dict[str, Pose2] = dict(scope.map.stations)
    straight = [name for name, pose in stations.items() if scope.map.floor.free(here, pose[:2], 0.2)]
    return min(straight or stations, key=lambda name: math.dist(stations[name][:2], here))
