"""Paths over a floor keep clear of what stands on it."""

from itertools import pairwise

import numpy as np
import pytest

from vlp.core.errors import UsageError
from vlp.sim import open_world, sample
from vlp.sim.embodiments.actions.map import Map
from vlp.sim.worlds.floor import FloorPlan

WALL = ((1.9, 0.0), (2.1, 2.4))
FLOOR = FloorPlan((0.0, 0.0), (4.0, 4.0), (WALL,))


def _nearest_m(floor: FloorPlan, corners) -> float:
    """Clearance along a path by points every centimetre."""
    points = [p for a, b in pairwise(corners) for p in np.linspace(a, b, max(2, int(np.hypot(*np.subtract(b, a)) * 100)))]
    return float(floor.clearance_m(points).min())


def test_clearance_is_the_distance_to_walls_and_borders():
    assert FLOOR.clearance_m([(1.0, 1.0), (1.8, 1.0), (2.1, 2.8), (2.4, 2.8)]) == pytest.approx([0.9, 0.1, 0.4, 0.5])
    assert FLOOR.clearance_m([(2.0, 1.0)])[0] < 0 and FLOOR.clearance_m([(5.0, 1.0)])[0] < 0


def test_a_free_way_is_straight():
    assert FLOOR.path((0.5, 3.4), (3.5, 3.3), 0.3) == ((0.5, 3.4), (3.5, 3.3))


def test_a_path_goes_around_and_stays_clear():
    path = FLOOR.path((1.0, 1.0), (3.0, 1.0), 0.3)
    assert path[0] == (1.0, 1.0) and path[-1] == (3.0, 1.0) and len(path) > 2
    assert _nearest_m(FLOOR, path) >= 0.3 - 0.01
    length = sum(np.hypot(*np.subtract(b, a)) for a, b in pairwise(path))
    around = np.hypot(0.9, 1.4) + 0.2 + np.hypot(0.9, 1.4)  # over the wall's corners themselves
    assert around < length < 1.25 * around


@pytest.mark.parametrize(("start", "goal", "radius", "words"), [
    ((1.0, 1.0), (2.0, 1.0), 0.2, "goal .2.00, 1.00. has 0.00 m"),
    ((0.1, 1.0), (3.0, 1.0), 0.3, "start .0.10, 1.00. has 0.10 m"),
])  # fmt: skip
def test_a_robot_that_stands_too_near_is_told_so(start, goal, radius, words):
    with pytest.raises(UsageError, match=words):
        FLOOR.path(start, goal, radius)


def test_a_closed_room_has_no_way_out():
    closed = FloorPlan((0.0, 0.0), (4.0, 4.0), (((1.9, 0.0), (2.1, 4.0)),))
    with pytest.raises(UsageError, match=r"no way 0\.60 m wide"):
        closed.path((1.0, 1.0), (3.0, 1.0), 0.3)


@pytest.mark.parametrize("world", ["tabletop", "home"])
def test_paths_of_the_worlds_stay_clear_between_their_places(world: str):
    scene = sample(world, 1)
    floor, stations = open_world(world).floor(scene), open_world(world).stations(scene)
    free = [place.stand[:2] for place in stations.values() if floor.clearance_m([place.stand[:2]])[0] > 0.3]
    for a, b in pairwise(free):
        assert _nearest_m(floor, floor.path(a, b, 0.27)) >= 0.27 - 0.01


def test_more_is_kept_on_the_way_than_near_its_ends():
    """Guards against a way that grazed the wall's corner because the robot stood before something where it began."""
    start, goal = (0.35, 1.0), (3.0, 1.0)
    with pytest.raises(UsageError, match="start"):
        FLOOR.path(start, goal, 0.5)
    path = FLOOR.path(start, goal, 0.5, 0.3)
    away = [p for p in path if min(np.hypot(*np.subtract(p, end)) for end in (start, goal)) > 0.6]
    assert away and float(FLOOR.clearance_m(away).min()) >= 0.5 - 0.01
    assert FLOOR.free(start, (0.35, 3.5), 0.4, 0.3) is False and FLOOR.free(start, (0.35, 1.4), 0.4, 0.3) is True


@pytest.mark.parametrize("radius_m", [0.30, 0.40])
def test_the_doorway_is_passed_with_room_for_what_the_hand_holds(radius_m: float):
    """Guards against the HSR's hand, 0.43 m from its axis with a cup in it, on the jamb: ways kept 0.30 m."""
    scene = sample("home", 10000061)
    home = open_world("home")
    floor, stations = home.floor(scene), home.stations(scene)
    poses = {name: place.stand for name, place in stations.items()}
    known = Map(stations, poses, floor, lambda name: False)
    for a, b in (("basket", "shelf: lower"), ("living room", "gauges"), ("cabinet", "button")):
        points = [poses[a], *known.way(poses[a], poses[b], radius_m)]
        way = np.concatenate([np.linspace(p[:2], q[:2], 40) for p, q in pairwise(points)])
        assert float(floor.clearance_m(way[abs(way[:, 0] - 2.45) < 0.6]).min()) > 0.44
