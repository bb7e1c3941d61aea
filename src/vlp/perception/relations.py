"""Whether a relation holds between two located things, by geometry alone."""

from collections.abc import Callable

import numpy as np

from vlp.core.observation import Array, Located
from vlp.perception.looks import shape_of


def over(subject: Located, other: Located, slack_m: float = 0.01) -> bool:
    """Return whether the subject's centre is above the other's footprint."""
    dx, dy = offset(subject, other)
    if shape_of(other.phrase).round:
        return bool(np.hypot(dx, dy) <= other.size_m[0] / 2 + slack_m)
    c, s = np.cos(other.yaw_rad), np.sin(other.yaw_rad)
    along, across = c * dx + s * dy, -s * dx + c * dy
    return bool(abs(along) <= other.size_m[0] / 2 + slack_m and abs(across) <= other.size_m[1] / 2 + slack_m)


def offset(subject: Located, other: Located) -> Array:
    """Return x and y of the subject as seen from the other, in metres."""
    return np.array(subject.position_in_world[:2]) - np.array(other.position_in_world[:2])


def bottom(item: Located) -> float:
    """Return the height of its lowest point above the floor, in metres."""
    return item.position_in_world[2] - item.size_m[2] / 2


def top(item: Located) -> float:
    """Return the height of its highest point above the floor, in metres."""
    return item.position_in_world[2] + item.size_m[2] / 2


def gap(subject: Located, other: Located) -> float:
    """Return the free distance between two things along the line of their centres, 0 when they meet, in metres."""
    d = offset(subject, other)
    distance = float(np.hypot(*d))
    if distance < 1e-6:
        return 0.0
    return max(0.0, distance - _reach(subject, d / distance) - _reach(other, -d / distance))


def is_in(subject: Located, other: Located) -> bool:
    """Return whether the subject is inside the other: over it, and not standing on its rim."""
    return over(subject, other, 0.005) and bottom(subject) < top(other) + 0.005 and top(subject) > bottom(other)


def is_on(subject: Located, other: Located) -> bool:
    """Return whether the subject rests on the other's top, or within a shallow one such as a plate."""
    rest_m = 0.03  # how far a thing may seem to be from the surface it rests on: both heights are estimates
    low = bottom(other) - 0.01 if shape_of(other.phrase).shallow else top(other) - rest_m
    return over(subject, other) and low <= bottom(subject) <= top(other) + rest_m and top(subject) > top(other)


def is_next_to(subject: Located, other: Located) -> bool:
    """Return whether the subject stands beside the other, close by and not over it."""
    return gap(subject, other) <= 0.12 and not over(subject, other) and not over(other, subject)


def _beside(axis: int, sign: float) -> Callable[[Located, Located], bool]:
    """Return the test whether the middles of two things are so far apart along an axis that one is beside the other."""

    def holds(subject: Located, other: Located) -> bool:
        return bool(sign * offset(subject, other)[axis] > 0.015)

    return holds


RELATIONS: dict[str, Callable[[Located, Located], bool]] = {
    "in": is_in,
    "on": is_on,
    "next_to": is_next_to,
    "left_of": _beside(1, 1.0),
    "right_of": _beside(1, -1.0),
    "behind": _beside(0, 1.0),
    "in_front_of": _beside(0, -1.0),
}
"""Tests of (subject, other); sides are as the robot sees them from the table station."""


def _reach(item: Located, direction: Array) -> float:
    """Return how far a thing extends from its centre in a direction, in metres."""
    if shape_of(item.phrase).round:
        return item.size_m[0] / 2
    c, s = np.cos(item.yaw_rad), np.sin(item.yaw_rad)
    along, across = abs(c * direction[0] + s * direction[1]), abs(-s * direction[0] + c * direction[1])
    return float(along * item.size_m[0] / 2 + across * item.size_m[1] / 2)
