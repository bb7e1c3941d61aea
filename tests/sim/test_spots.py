"""Where things are put down inside containers."""

import numpy as np
import pytest

from vlp.core.observation import Located
from vlp.sim.embodiments.actions.spots import inner_spot, mug_spot
from vlp.sim.heightmap import HeightMap

TRAY = Located("white tray", (0.0, 0.0, 1.0, 1.0), (0.6, 0.0, 0.445), (0.22, 0.16, 0.03), 0.0, 1.0, 0.0)


BOX = Located("green box", (0.0, 0.0, 1.0, 1.0), (0.6, 0.0, 0.47), (0.15, 0.13, 0.08), 0.0, 1.0, 0.0)
PLATE = Located("blue plate", (0.0, 0.0, 1.0, 1.0), (0.6, 0.0, 0.44), (0.19, 0.19, 0.02), 0.0, 1.0, 0.0)


class Heights(HeightMap):
    """A table on which discs stand: rows (x, y, radius, height)."""

    def __init__(self, *discs: tuple[float, float, float, float]) -> None:
        self.low, self.floor_m = np.array([0.3, -0.4]), 0.43
        self.heights = np.full((60, 80), 0.43)
        self.known = np.ones((60, 80), dtype=bool)
        for x, y, radius, height in discs:
            self.heights[np.hypot(*np.moveaxis(self.centres() - (x, y), -1, 0)) < radius] = height


def test_the_fingers_keep_off_what_stands_beside():
    """Guards against a hand that comes down on a neighbour: on a tray with a can the place was free, the fingers' was not."""
    heights = Heights((0.6, 0.05, 0.03, 0.55))
    kept_off = inner_spot(heights, TRAY, 0.025, 0.025, 0.43, True, fingers=(0.015, 0.06), tip_m=0.05)
    assert heights.highest_within(kept_off[1], kept_off[2], 0.015, 0.06, 0.0) < 0.5


@pytest.mark.parametrize(("half_m", "disc"), [((0.06, 0.03), False), ((0.042, 0.042), True)])
def test_a_thing_is_found_again_where_it_stands_finer_than_by_cells(half_m, disc):
    """Guards against fingers that came down on a cup's rim: from afar it was seen 13 mm aside, and they had 12 mm."""
    rng, heights, yaw, (x, y) = (
        np.random.default_rng(0),
        HeightMap.of_boxes((0.3, -0.3), (0.9, 0.3), 0.43),
        0.5,
        (0.612, -0.009),
    )
    spots = rng.uniform(-1.0, 1.0, (6000, 2))
    spots = spots[np.linalg.norm(spots, axis=1) < 1.0] if disc else spots
    c, s = np.cos(yaw), np.sin(yaw)
    spots = (spots * half_m) @ np.array([[c, s], [-s, c]]) + (x, y)
    floor = np.column_stack([rng.uniform((0.5, -0.1), (0.7, 0.1), (2000, 2)), np.full(2000, 0.43)])
    heights.points = np.vstack([floor, np.column_stack([spots, np.full(len(spots), 0.52)])])
    assert np.allclose(heights.middle_of(0.6, 0.0, half_m, yaw, 0.48, disc), (x, y), atol=0.003)
    heights.points = floor
    assert heights.middle_of(0.6, 0.0, half_m, yaw, 0.48, disc) is None


def test_two_bottles_fit_on_a_plate_one_after_the_other():
    # The first stood in the middle; the second was let go where it leaned on the first, and fell.
    radius = 0.029
    _, x, y, _ = inner_spot(Heights(), PLATE, radius, radius, 0.43, True)
    _, x2, y2, floor = inner_spot(Heights((x, y, radius, 0.60)), PLATE, radius, radius, 0.43, True)
    assert np.hypot(x - x2, y - y2) > 2 * radius + 0.003 and floor < 0.45
    assert max(np.hypot(x - 0.6, y), np.hypot(x2 - 0.6, y2)) + radius <= 0.72 * 0.095 + 1e-6


def test_what_finds_no_free_place_goes_on_top_of_what_lies_there():
    _, _, _, floor = inner_spot(Heights((0.6, 0.0, 0.08, 0.50)), PLATE, 0.03, 0.03, 0.43, True)
    assert floor == 0.50


def test_a_mug_and_its_handle_both_find_room_in_a_box():
    # Half-way to a corner, where other things go, the handle came down on the wall whatever way it was turned.
    handles = [-k * np.pi / 12 for k in range(12)]
    for discs in ((), ((0.64, 0.03, 0.025, 0.49),)):
        heights = Heights(*discs)
        x, y, handle = mug_spot(heights, BOX, 0.036, 0.43, handles)
        for away, radius in ((0.0, 0.036), (0.063, 0.005)):
            px, py = x + away * np.cos(handle) - 0.6, y + away * np.sin(handle)
            assert abs(px) + radius < 0.069 and abs(py) + radius < 0.059
            assert all(np.hypot(px + 0.6 - dx, py - dy) > radius + r - 0.005 for dx, dy, r, _ in discs)
