"""The way of the hand to a thing from the front: past what stands around it, and why there is none."""

import math

import numpy as np
import pytest

from vlp.core.observation import Located
from vlp.sim.embodiments.actions.approach import Approach, choose_approach, is_tall
from vlp.sim.embodiments.anymal.body import mechanics as anymal
from vlp.sim.embodiments.hsr.body import mechanics as hsr
from vlp.sim.heightmap import CELL_M, HeightMap
from vlp.sim.worlds.protocol import Station

BOARD = Station((0, 0, 0), (0.66, 0.0, 0.5), "on", (0.5, -0.4), (0.82, 0.4), 0.5, headroom_m=0.33)
HANDS = {"hsr": hsr().gripper, "anymal": anymal().gripper}


def heights(station, *boxes):
    """A height map with boxes (x, y, half, height) on its floor, all of it seen."""
    made = object.__new__(HeightMap)
    made.low, made.floor_m = np.array(station.low), station.floor_m
    shape = np.ceil((np.array(station.high) - station.low) / CELL_M).astype(int)
    made.heights, made.known = np.full(tuple(shape), station.floor_m), np.ones(tuple(shape), bool)
    for x, y, half, high in boxes:
        away = np.abs(made.centres() - (x, y)).max(axis=-1)
        made.heights[away <= half] = station.floor_m + high
    return made


def thing(phrase, x, y, size, yaw=0.0, floor_m=0.5):
    return Located(phrase, (0, 0, 9, 9), (x, y, floor_m + size[2] / 2), size, yaw, 1.0, 0.0)


def can(x, y):
    return thing("cola can", x, y, (0.066, 0.066, 0.115))


@pytest.mark.parametrize("hand", HANDS.values(), ids=list(HANDS))
def test_a_can_alone_on_a_board_is_taken_straight_ahead_at_its_middle(hand):
    way = choose_approach(hand, can(0.65, 0.0), heights(BOARD, (0.65, 0.0, 0.033, 0.115)), BOARD, 0.5)
    assert isinstance(way, Approach) and not way.steep and abs(way.heading_rad) < 0.01
    assert 0.54 < way.tip[2] < 0.58 and way.tip[0] - way.before_m < BOARD.low[0]


def test_the_hand_turns_past_what_stands_before_a_thing_and_says_so_where_it_cannot():
    hand, target = HANDS["hsr"], (0.70, 0.0, 0.033, 0.115)
    way = choose_approach(hand, can(0.70, 0.0), heights(BOARD, target, (0.56, 0.07, 0.02, 0.2)), BOARD, 0.5)
    assert isinstance(way, Approach) and way.heading_rad > math.radians(5)  # from the right
    wall = [(0.56, y, 0.03, 0.2) for y in np.arange(-0.4, 0.4, 0.06)]
    assert "in the hand's way" in str(choose_approach(hand, can(0.70, 0.0), heights(BOARD, target, *wall), BOARD, 0.5))


def test_a_thing_is_not_in_the_way_to_itself():
    """Guards against a sponge that was said to stand in the hand's way to it: its edges were seen 2 cm from where they are."""
    sponge = thing("sponge", 0.60, 0.12, (0.096, 0.060, 0.038), math.radians(25))
    seen = HeightMap.of_boxes(BOARD.low, BOARD.high, 0.5, [((0.597, 0.130, math.radians(25)), (0.108, 0.076, 0.040))])
    way = choose_approach(HANDS["hsr"], sponge, seen, BOARD, 0.5)
    assert isinstance(way, Approach)
    high = HeightMap.of_boxes(BOARD.low, BOARD.high, 0.5, [((0.597, 0.130, math.radians(25)), (0.108, 0.076, 0.150))])
    assert "in the hand's way" in str(choose_approach(HANDS["hsr"], sponge, high, BOARD, 0.5))


def test_the_handle_of_a_mug_does_not_stand_in_the_hands_way_to_it():
    """Guards against a mug in the cupboard that was refused: its handle, which no seen width counts, was 6 cm before it."""
    handle_rad = math.pi - 0.3
    mug = thing("striped mug", 0.65, 0.0, (0.078, 0.078, 0.091), handle_rad)
    out = 0.65 + 0.055 * math.cos(handle_rad), 0.055 * math.sin(handle_rad), handle_rad
    boxes = [((0.65, 0.0, 0.0), (0.078, 0.078, 0.091)), (out, (0.04, 0.014, 0.06))]
    seen = HeightMap.of_boxes(BOARD.low, BOARD.high, 0.5, boxes)
    assert isinstance(choose_approach(HANDS["hsr"], mug, seen, BOARD, 0.5), Approach)
    brick = HeightMap.of_boxes(BOARD.low, BOARD.high, 0.5, [*boxes, ((0.55, 0.0, 0.0), (0.06, 0.20, 0.06))])
    assert "in the hand's way" in str(choose_approach(HANDS["hsr"], mug, brick, BOARD, 0.5))


def test_a_square_carton_is_not_taken_by_its_corners():
    """Guards against a carton that was seen 0.1 mm longer than wide, counted as round, and slipped out by two corners."""
    carton = thing("orange juice", 0.65, 0.0, (0.07221, 0.07212, 0.2), math.radians(30))
    way = choose_approach(HANDS["hsr"], carton, heights(BOARD), BOARD, 0.5)
    assert isinstance(way, Approach) and abs(way.heading_rad - math.radians(30)) <= math.radians(11)


def test_on_top_of_a_cabinet_the_body_stands_away_from_its_door():
    """Guards against a base beside an open door: the HSR, turned away from it, pressed the end of the leaf with 1,415 N."""
    from test_bodies_at_home import known

    home = known("hsr", "home", 3)
    top = home.seen_from(home.frame("cabinet"), "cabinet")
    x, y, floor_m = top.low[0] + 0.18, top.middle[1] + 0.02, top.floor_m
    carton = thing("orange juice", x, y, (0.0721, 0.072, 0.2), math.radians(50), floor_m)
    way = choose_approach(HANDS["hsr"], carton, HeightMap.of_boxes(top.low, top.high, floor_m), top, floor_m)
    assert isinstance(way, Approach) and way.heading_rad > 0.0


def test_a_wide_box_is_taken_along_its_length_where_it_is_turned_enough():
    hand, size = HANDS["hsr"], (0.15, 0.056, 0.2)
    square = choose_approach(hand, thing("cereal box", 0.65, 0.0, size, math.pi / 2), heights(BOARD), BOARD, 0.5)
    turned = choose_approach(hand, thing("cereal box", 0.65, 0.0, size, math.radians(40)), heights(BOARD), BOARD, 0.5)
    assert "wider than the hand" in str(square)
    assert isinstance(turned, Approach) and math.isclose(turned.heading_rad, math.radians(40), abs_tol=0.2)


def test_what_lies_under_the_top_of_the_cabinet_is_taken_slanted_over_the_drawers_front():
    drawer = Station((0, 0, 0), (0.75, 0.0, 0.695), "in", (0.60, -0.3), (0.87, 0.3), 0.575, out_m=0.0)
    target = thing("puzzle cube", 0.88, 0.0, (0.058, 0.058, 0.058), floor_m=0.575)
    way = choose_approach(HANDS["hsr"], target, heights(drawer), drawer, 0.575)
    assert isinstance(way, Approach) and way.steep
    deep = thing("puzzle cube", 0.95, 0.0, (0.058, 0.058, 0.058), floor_m=0.575)
    assert isinstance(choose_approach(HANDS["hsr"], deep, heights(drawer), drawer, 0.575), str)


def test_only_slender_things_count_as_tall():
    assert is_tall(can(0, 0)) and not is_tall(thing("tuna can", 0, 0, (0.086, 0.086, 0.045)))


def test_the_map_knows_which_door_a_handle_belongs_to():
    from test_bodies_at_home import known

    home = known("hsr", "home", 3)
    hinge = home.places["cupboard"].hinge
    assert hinge is not None
    x, y = hinge
    assert home.door_of((x + 0.345, y - 0.045, 0.42)) == home.places["cupboard"]
    assert home.door_of((x + 0.345, y - 0.045, 0.64)) is None  # the drawer's
