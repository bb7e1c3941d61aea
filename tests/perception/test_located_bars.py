"""Handles: bars before a front, which no height above a support tells."""

import numpy as np
import pytest

from vlp.core.observation import Intrinsics, Observation, RobotState
from vlp.perception.grounder import Detection
from vlp.perception.looks import matches
from vlp.perception.pose import locate

WIDE, HIGH = 640, 480
K = Intrinsics(WIDE, HIGH, 554.0, 554.0, 320.0, 240.0)
EYE_M, TILT = 1.05, 0.5


def seen(bar_low, bar_high):
    """A depth image of a bar 3 cm before a front under a table top, from an eye that looks down a little."""
    u, v = np.meshgrid(np.arange(WIDE) + 0.5, np.arange(HIGH) + 0.5)
    c, s = np.cos(TILT), np.sin(TILT)
    turn = np.array([[0.0, -s, c], [-1.0, 0.0, 0.0], [0.0, -c, -s]])  # optical axes in the world: x right, y down, z ahead
    rays = np.stack([(u - K.cx) / K.fx, (v - K.cy) / K.fy, np.ones_like(u)], axis=-1) @ turn.T
    eye = np.array([0.0, 0.0, EYE_M])
    depth = np.full(u.shape, np.inf)

    def add(axis, at, low, high):
        with np.errstate(divide="ignore"):
            far = (at - eye[axis]) / rays[..., axis]
        hit = eye + rays * far[..., None]
        inside = (far > 0) & np.all([(hit[..., k] >= low[k]) & (hit[..., k] <= high[k]) for k in range(3) if k != axis], axis=0)
        depth[inside] = np.minimum(depth[inside], far[inside])
        return inside

    add(2, 0.76, (0.85, -0.4, 0), (1.4, 0.4, 0))  # the top
    add(0, 0.85, (0, -0.4, 0.55), (0, 0.4, 0.76))  # the front
    add(2, 0.0, (-9, -9, 0), (9, 9, 0))  # the floor
    bar = add(0, 0.82, (0, bar_low[0], bar_low[1]), (0, bar_high[0], bar_high[1]))
    rows, columns = np.flatnonzero(bar.any(axis=1)), np.flatnonzero(bar.any(axis=0))
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn, eye
    rng = np.random.default_rng(0)
    depth_m = (depth + rng.normal(0, 0.0015, depth.shape)).astype(np.float32)
    state = RobotState("drawer", "", {}, (0.0, 0.0, 0.0), 0.0, (0.0, 0.0, 0.0))
    image = np.zeros((HIGH, WIDE, 3), np.uint8)
    box = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
    return Observation(image, depth_m, K, pose, state, 0.0), Detection("drawer handle", box, 1.0)


@pytest.mark.parametrize(
    ("low", "high", "upright"), [((-0.07, 0.633), (0.07, 0.647), False), ((0.093, 0.56), (0.107, 0.70), True)]
)
def test_a_bar_is_located_although_it_lies_below_the_support(low, high, upright):
    """By its height over the cabinet's top the handle of a drawer was nothing: it lies 12 cm below it."""
    found = locate(*seen(low, high))
    assert found is not None
    middle = 0.82, (low[0] + high[0]) / 2, (low[1] + high[1]) / 2
    assert np.allclose(found.position_in_world, middle, atol=0.012)
    longest = found.size_m[2] if upright else found.size_m[0]
    assert abs(longest - 0.14) < 0.01 and max(found.size_m[1], min(found.size_m)) < 0.03


def test_a_handle_is_nothing_that_is_left_lying_about():
    assert matches("drawer handle", "drawer handle") and not matches("thing", "drawer handle")
