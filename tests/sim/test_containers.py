"""Putting things into drawers, bins and baskets: where they go, and how arm, base and fingers keep clear of the walls."""

import math
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from test_approach import HANDS, heights, thing
from test_bodies_at_home import known

from vlp.sim import sample
from vlp.sim.embodiments.actions.ahead import Ahead
from vlp.sim.embodiments.actions.approach import Approach, choose_approach
from vlp.sim.embodiments.actions.doors import _Arc
from vlp.sim.embodiments.actions.front import _slant
from vlp.sim.embodiments.actions.grasp import choose_hold
from vlp.sim.embodiments.actions.inside import spot_inside
from vlp.sim.embodiments.actions.place import _on_surface
from vlp.sim.embodiments.actions.scope import ActionMemory, Held
from vlp.sim.embodiments.actions.spots import free_spot
from vlp.sim.embodiments.anymal.body import mechanics as anymal
from vlp.sim.embodiments.anymal.scope import AnymalScope
from vlp.sim.embodiments.hsr.actions.scope import FOREARM_M, HsrScope
from vlp.sim.embodiments.hsr.body import mechanics as hsr
from vlp.sim.embodiments.motion import Failed
from vlp.sim.heightmap import HeightMap
from vlp.sim.worlds.home.places import Cabinet
from vlp.sim.worlds.home.tasks.reaching import AnyHand
from vlp.sim.worlds.protocol import Station

BOX = Station((0, 0, 0), (0.70, 0.0, 0.695), "in", (0.56, -0.33), (0.83, 0.33), 0.575, out_m=0.32)
HAND = (0.06, 0.09)


def anywhere(x: float, y: float) -> bool:
    """The robot has room wherever its hand is."""
    del x, y
    return True


def hsr_at(place, seed=41, pulled_m=0.0, travel_m=0.8):
    """A scope that knows the home and moves nothing."""
    memory = ActionMemory(at=place, pulled_m={place: pulled_m})
    motion = SimpleNamespace(mechanics=hsr())
    return HsrScope(motion, known("hsr", "home", seed), memory, None, travel_m=travel_m)


@pytest.mark.parametrize("place", ["basket", "bin"])
def test_the_base_of_the_hsr_stays_before_the_wall_of_what_it_reaches_into(place):
    """Guards against a base that was driven into the basket: it pressed the wall with 635 N for 12 s."""
    scope = hsr_at(place, travel_m=0.50)
    (low, high), (x, y, _) = (scope.surface.low, scope.surface.high), scope.surface.middle
    for ahead_m in (-0.06, 0.0, 0.05):
        slope = scope._slope_over_walls((x + ahead_m, y, scope.floor_m + 0.06))
        base_x = x + ahead_m - 0.129 - FOREARM_M * math.cos(slope)  # the palm is 12 mm behind the wrist
        assert base_x + 0.215 < low[0] - 0.015, (ahead_m, slope)
    with pytest.raises(Failed, match="walls"):  # where a steep arm would bring the base into the wall
        scope._slope_over_walls((high[0] - 0.01, y, scope.floor_m + 0.01))


def test_the_arm_of_the_hsr_goes_over_the_front_of_the_drawer():
    """Guards against an arm that sloped down to the shoulder and pressed the drawer's front with 35 N."""
    scope = hsr_at("drawer", pulled_m=Cabinet().travel_m, travel_m=0.79)
    x, y, rim_m = scope.surface.middle
    slope = scope._slope_over_walls((x, y, scope.floor_m + 0.02))
    wrist_m = scope.floor_m + 0.02 + scope.gripper.tip_reach(0.0) + 0.14
    to_front_m = x - scope.surface.low[0] + 0.05
    assert wrist_m - to_front_m * math.tan(slope) - 0.04 > rim_m + 0.03


def test_a_thing_goes_where_nothing_lies_in_a_drawer_and_in_the_middle_of_an_empty_one():
    """Guards against an apple that was lowered on a tennis ball: jammed, the physics diverged with 21,758 N on the drawer."""
    x, y, floor_m = spot_inside(heights(BOX), BOX, (0.04, 0.04), HAND, 0.03, anywhere)
    assert (x, y, floor_m) == (pytest.approx(BOX.middle[0], abs=0.02), pytest.approx(0.0, abs=0.02), BOX.floor_m)
    ball = heights(BOX, (0.70, 0.0, 0.034, 0.067))
    x, y, floor_m = spot_inside(ball, BOX, (0.04, 0.04), HAND, 0.03, anywhere)
    assert floor_m == BOX.floor_m and max(abs(x - 0.70) - 0.06, abs(y) - 0.09) > 0.034 - 0.011  # clear of the fingers, too


def test_the_base_of_the_hsr_keeps_off_the_wall_that_a_basket_stands_at():
    """Guards against a ball that was put to the right of a brick: the base pressed the room's wall, six times in a row."""
    scope = hsr_at("basket")
    there = scope.surface
    brick = heights(there, (there.middle[0], 0.02, 0.05, 0.05))
    assert spot_inside(brick, there, (0.034, 0.034), HAND, 0.02, anywhere)[1] < -0.08
    assert spot_inside(brick, there, (0.034, 0.034), HAND, 0.02, scope.stands_over)[1] > -0.06


def test_in_a_full_bin_a_thing_is_let_go_on_what_lies_there():
    full = heights(BOX, (0.695, 0.0, 0.4, 0.08))
    assert spot_inside(full, BOX, (0.04, 0.04), HAND, 0.03, anywhere)[2] == pytest.approx(BOX.floor_m + 0.08)


def test_what_stands_on_the_cabinet_is_not_in_its_drawer():
    """Guards against a toy car on the cabinet's top that was refused, as if the drawer slid under something over it."""
    home = known("hsr", "home", 41)
    x, y = home.places["drawer"].middle[:2]
    top_m = home.places["cabinet"].middle[2]
    assert home.inside((x, y, top_m + 0.02), {}) == "" and home.inside((x, y - 0.25, 0.60), {"drawer": 0.32}) == "drawer"


def test_the_map_knows_how_far_a_drawer_can_still_be_pulled():
    home = known("hsr", "home", 40)
    ajar_m = sample("home", 40).fixtures.drawer * Cabinet().travel_m
    assert home.left_to_pull_m("drawer", 0.05) == pytest.approx(Cabinet().travel_m - ajar_m - 0.05)


class FakeHand(Ahead):
    """Notes how it is walked, and meets the end at so far."""

    def __init__(self, end_m):
        self.end_m, self.far_m, self.walks = end_m, 0.0, []

    def walk(self, ahead_m, speed=0.15, **until):
        self.walks.append((round(ahead_m, 3), speed))
        self.far_m += abs(ahead_m)
        return self.far_m >= self.end_m


@pytest.mark.parametrize(("left_m", "walks"), [(0.32, [(-0.29, 0.15), (-0.06, 0.03)]), (0.02, [(-0.35, 0.03)])])
def test_a_drawer_comes_slowly_to_its_end(left_m, walks):
    """Guards against 72 N on a handle and 22 N of grip when a drawer was pulled to its end at 6 cm/s."""
    hand = FakeHand(left_m)
    assert hand.walk_to_the_end(-0.35, left_m, 0.15, lambda: False) and hand.walks == walks


def test_a_ball_in_a_bowl_is_held_below_its_middle():
    """Guards against a plum held by its top, between a bowl's walls, that slipped out of the fingers on the way."""
    table = Station((0, 0, 0), (0.60, 0.0, 0.43), "on", (0.36, -0.4), (0.84, 0.4), 0.43)
    seen = heights(table)
    away = np.hypot(*(seen.centres() - (0.60, 0.0)).transpose(2, 0, 1))
    seen.heights[:] = table.floor_m + np.where(away < 0.08, np.clip((away - 0.03) * 1.2, 0.008, 0.06), 0.0)
    seen.heights[away < 0.03] = table.floor_m + 0.06
    plum = thing("plum", 0.60, 0.0, (0.056, 0.056, 0.056), floor_m=table.floor_m + 0.007)
    for hand in HANDS.values():
        assert choose_hold(hand, plum, seen, table.floor_m)[2] < plum.position_in_world[2]


@pytest.mark.parametrize("mechanics", [hsr(), anymal()], ids=["hsr", "anymal"])
def test_fingers_that_are_opened_wide_press_no_harder_than_others(mechanics):
    """Guards against 24 N on a box of 10 cm, where the HSR declares 20 N."""
    gripper = mechanics.gripper
    for opening_m in np.linspace(0.01, gripper.widest_m, 12):
        angle = gripper.angle_for(float(opening_m))
        grip_n = mechanics.grip_torque(angle) / gripper.torque_per_newton(angle)
        assert grip_n <= 0.7 * mechanics.bounds.grip_force_n + 1e-9


def test_what_was_taken_from_above_is_laid_down_where_a_board_leaves_no_room_to_stand_it_up():
    """Guards against what came out of the drawer and was refused at the shelf, since it might fall over."""
    board = Station((0, 0, 0), (0.66, 0.0, 0.88), "on", (0.5, -0.4), (0.82, 0.4), 0.88, headroom_m=0.33)
    scope = SimpleNamespace(surface=board, hand_m=0.34)
    for phrase, size in (("orange", (0.072, 0.072, 0.072)), ("tomato soup", (0.068, 0.068, 0.10))):
        assert _slant(scope, Held(phrase, size, 0.04, 0.07, 0.09, (0.0, 0.0)))[0] > math.radians(15)
    with pytest.raises(Failed, match="no room"):
        _slant(scope, Held("orange cup", (0.084, 0.084, 0.095), 0.05, 0.08, 0.1, (0.0, 0.0)))


def test_who_turns_in_a_doorway_keeps_clear_by_what_is_held():
    """Guards against a plum in the HSR's hand that met the door's frame, 36 cm from the base's axis, and was lost."""
    home = known("hsr", "home", 10000041)
    way = home.way(home.stations["coffee table"], home.stations["drawer"], hsr().bounds.radius_m)
    turns = [a[:2] for a, b in pairwise(way) if a[:2] == b[:2]]
    assert home.floor.clearance_m(turns).min() > 0.42


def test_a_hand_gives_way_to_what_pushes_it_aside():
    """Guards against a door's bar that one finger pressed with 26 N, seen 5 mm off: pulling it open took more than 25 N."""
    hand, stiff_n_m = object.__new__(Ahead), 30_000.0
    bar_m, base = 0.004, {"base_x": 0.0, "base_y": 0.0}

    def trace(way, time_s, until):
        for k in range(round(time_s / 0.02)):
            base.update(way(k / 75))
            if until():
                return True
        return False

    hand.sideways = (0.0, 1.0, 0.0)
    hand.motion = SimpleNamespace(target=base, trace=trace)
    hand.felt = lambda: (0.0, min(26.0, max(-26.0, stiff_n_m * (base["base_y"] + bar_m))), 0.0)
    hand.give_way()
    assert base["base_y"] == pytest.approx(-bar_m, abs=0.0002) and base["base_x"] == 0.0


@pytest.mark.parametrize(("seen", "bar"), [((0.045, -0.382), (-0.001, -0.348)), ((0.0, -0.348), (0.0, -0.348))])
def test_the_end_of_an_open_leaf_is_not_taken_for_its_handle(seen, bar):
    """Guards against fingers that pushed 5.7 cm beside the handle of an open door, scraped over it, and left the door open."""
    hand = SimpleNamespace(point=(*seen, 0.45), heading=(0.0, 1.0, 0.0), sideways=(1.0, 0.0, 0.0))
    arc = _Arc(hand, SimpleNamespace(hinge=(0.0, 0.0), middle=(0.2, 0.2, 0.3)))
    found = arc.bar() if arc.shows_the_end() else hand.point
    assert found[:2] == pytest.approx(bar, abs=0.012)


def test_a_mug_whose_handle_only_leaves_the_side_of_the_open_door_is_no_task_for_a_hand():
    """Guards against mugs in the cupboard that were asked for although the door stood where the robot would have to."""
    board = Station((0.0, 0.0, 0.0), (0.7, 0.0, 0.5), "on", (0.5, -0.4), (0.9, 0.4), 0.5, headroom_m=0.33)
    empty = HeightMap.of_boxes(board.low, board.high, 0.5, [])
    behind_a_door, hand = replace(board, hinge=(0.5, 0.2)), AnyHand(0.13)
    mugs = [thing("red mug", 0.7, 0.0, (0.11, 0.079, 0.093), yaw=0.3 * k) for k in range(21)]
    free, behind = ([choose_approach(hand, mug, empty, at, 0.5) for mug in mugs] for at in (board, behind_a_door))
    assert any(isinstance(way, Approach) and way.heading_rad < -0.1 for way in free)
    assert all(isinstance(way, str) or way.heading_rad > -1e-3 for way in behind)
    for seed in range(60):
        for item in sample("home", seed).objects:
            if item.product.shape == "mug" and item.support.startswith(("cupboard", "shelf")):
                yaw = math.remainder(item.yaw_rad - math.pi / 2, 2 * math.pi)
                seen = thing(item.name, 0.7, 0.0, item.size_m, yaw=yaw)
                assert isinstance(choose_approach(hand, seen, empty, behind_a_door, 0.5), Approach), seed


def test_what_lies_in_a_drawer_is_seen_over_its_front_and_has_room_for_a_hand():
    """Guards against things close behind the drawer's front or under the cabinet's top, out of view or out of reach."""
    for seed in range(120):
        scene = sample("home", seed)
        front_m = scene.furniture["cabinet"].point(-scene.furniture["cabinet"].depth_m / 2)[1]
        for lies in scene.objects:
            if lies.support == "drawer":
                deep_m = lies.position_m[1] - front_m + Cabinet().travel_m * scene.fixtures.drawer
                assert 0.10 < deep_m < 0.24, (seed, lies.name)


def test_a_hand_that_reaches_into_a_cupboard_keeps_the_body_away_from_its_open_door():
    """Guards against a base that stood square before the cupboard and pressed the end of its open door with 104 N."""
    cupboard = Station((0, 0, 0), (0.95, 0, 0.1), "in", (0.71, -0.18), (1.19, 0.18), 0.1, headroom_m=0.4, hinge=(0.69, 0.197))
    can = thing("cola can", 0.90, -0.05, (0.066, 0.066, 0.115), floor_m=0.1)
    way = choose_approach(HANDS["hsr"], can, heights(cupboard), cupboard, 0.1)
    assert isinstance(way, Approach) and math.radians(5) < way.heading_rad < math.radians(15)


def test_anymal_steps_back_before_the_cupboard_and_not_into_the_table_behind_it():
    """Guards against a hand that hit the drawer with 1,700 N as the arm folded, and a body that backed into a table."""
    home = known("anymal", "home", 41)
    at = {place: AnymalScope(SimpleNamespace(), home, ActionMemory(at=place), None) for place in ("cupboard", "shelf: upper")}
    assert at["cupboard"].folds_m(True) > 0.3 and at["shelf: upper"].folds_m(True) < 0.15


def test_on_a_full_table_the_hand_comes_down_beside_what_is_low_and_not_twice_where_it_touched_something():
    """Guards against a lemon between a juice and a box: the hand touched them, and six new policies took the same spot."""
    scope = hsr_at("kitchen table")
    there, size = scope.surface, (0.078, 0.054, 0.054)
    middle = there.low[0] + 0.16
    tall = [((middle + dx, dy, 0.0), (0.07, 0.07, 0.20)) for dx in (-0.08, 0.08) for dy in (-0.15, 0.0, 0.15)]
    scope.heights = HeightMap.of_boxes(there.low, there.high, there.floor_m, tall)
    held = Held("lemon", size, 0.027, 0.054, 0.074, (0.0, 0.0))
    hand = scope.gripper.knuckle_reach(held.let_go_m)
    first = _on_surface(scope, held)
    assert scope.heights.highest_within(first.x, first.y, 0.06, hand, 0.0) < there.floor_m + 0.05
    scope.memory.blocked = ("lemon", 1)
    second = _on_surface(scope, held)
    assert math.hypot(second.x - first.x, second.y - first.y) > 0.05


def test_what_comes_from_the_front_goes_to_the_back_so_that_a_table_takes_more_than_a_row():
    """Guards against a row of mugs and cans at the table's edge: the next had no way in, at the 72nd step of 105."""
    there = hsr_at("kitchen table").surface
    boxes: list[tuple[tuple[float, float, float], tuple[float, float, float]]] = []
    for _ in range(14):
        heights_now = HeightMap.of_boxes(there.low, there.high, there.floor_m, boxes)
        lanes = heights_now.way_in(0.09) < there.floor_m + 0.025
        x, y = free_spot(heights_now, 0.045, (9.0, 9.0), lanes, deep=True)
        boxes.append(((x, y, 0.0), (0.09, 0.09, 0.10)))
    assert boxes[0][0][0] > boxes[-1][0][0] + 0.10


def test_a_base_behind_a_turned_hand_stays_before_the_cabinet():
    """Guards against a base that pressed the cabinet with 1,535 N: whether it has room behind a hand was not asked there."""
    scope = hsr_at("cabinet")
    deep = scope.surface.low[0] + 0.35, 0.0, 0.79
    assert scope.stands_free(deep, 0.0, 0.3) and not scope.stands_free(deep, 0.7, 0.3)
    under = hsr_at("coffee table")
    assert under.stands_free((under.surface.low[0] + 0.2, 0.0, 0.46), 0.0, 0.3)


def test_a_thing_is_put_no_farther_across_the_cabinet_than_the_arm_comes():
    """Guards against a spot behind what lies there, chosen freely and then refused as too far across the cabinet."""
    scope = hsr_at("cabinet")
    (low, high), middle_m = (scope.surface.low, scope.surface.high), scope.surface.low[0] + 0.12
    lies = (middle_m + 0.08, 0.0, 0.0), (0.10, 0.30, 0.1)
    scope.heights = HeightMap.of_boxes(low, high, scope.surface_m, [lies])
    held = Held("orange", (0.07, 0.07, 0.07), 0.03, 0.06, 0.08, (0.0, 0.0))
    spot = _on_surface(scope, held)
    assert spot.x < scope.over_m < low[0] + 0.20


def test_anymal_stretches_into_the_cupboard_and_less_only_where_that_leaves_more_room_behind_it():
    """Guards against an elbow that pressed the drawer with 1,572 N, and a base that pressed the table behind with 1,094 N."""
    home, hand_m, deep_m = known("anymal", "home", 3), 0.30, 0.15  # in this home nothing gives the room that is wished for
    scope = AnymalScope(SimpleNamespace(), home, ActionMemory(at="cupboard"), None)
    tip, facing = (*scope.in_world(scope.surface.low[0] + deep_m, 0.0), scope.floor_m + 0.1), home.places["cupboard"].stand[2]
    assert scope._stretch_m(tip, facing, hand_m, True) == 0.94  # the elbow is 0.5 m behind the tips, and stays outside
    x, y = scope.in_world(scope.surface.low[0] + deep_m - hand_m - 0.94, 0.0)
    stool = (x - 0.1, y - 0.1), (x + 0.1, y + 0.1)
    scope.map = replace(home, floor=replace(home.floor, obstacles=(*home.floor.obstacles, stool)))
    assert scope._stretch_m(tip, facing, hand_m, True) == 0.70
