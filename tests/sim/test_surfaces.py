"""Surfaces of the home: what is seen of them, what is located there, and what hands can take and put."""

import math
from dataclasses import replace
from types import SimpleNamespace

import mujoco
import numpy as np
import pytest
from in_home import do, robot_in_home, see
from test_approach import BOARD, HANDS, heights, thing

from vlp.episodes.assemble import true_boxes
from vlp.perception.grounder import Detection
from vlp.perception.pose import locate
from vlp.sim import sample
from vlp.sim.embodiments.actions.approach import Approach, choose_approach, is_tall
from vlp.sim.embodiments.actions.front import _slant
from vlp.sim.embodiments.actions.map import into
from vlp.sim.embodiments.actions.scope import Held
from vlp.sim.embodiments.motion import Failed
from vlp.sim.heightmap import CELL_M, HeightMap
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.home.catalogue import products
from vlp.sim.worlds.home.tasks.reaching import cannot_put, out_of_reach
from vlp.sim.worlds.home.true_state import truth_of

SEEN = ("kitchen table", "cabinet", "shelf: upper", "shelf: middle", "shelf: lower")


def stand(robot, place):
    """Put the robot to a place in the posture that it has there; no time passes."""
    simulation = robot.simulation
    simulation.embodiment.set_home(simulation.model, simulation.data, simulation.stations[place])
    for name, value in robot._scope().posture(place).items():
        simulation.data.joint(name).qpos[0] = value
    mujoco.mj_forward(simulation.model, simulation.data)
    robot.memory.at = place


@pytest.mark.parametrize("body", HANDS)
def test_all_that_stands_on_boards_and_high_surfaces_is_in_view(body):
    """Guards against a milk carton at the end of the upper board that was out of view, and soap that a board above hid."""
    robot = robot_in_home(body, 10000040)
    simulation, k, checked = robot.simulation, robot.simulation.embodiment.intrinsics, 0
    for name, item in simulation.truth().objects.items():
        if item.support not in SEEN or not products()[name].portable:
            continue
        stand(robot, item.support)
        camera, half = simulation.data.camera(simulation.embodiment.camera), np.array(item.size_m) / 2
        turn = camera.xmat.reshape(3, 3)
        c, s = math.cos(item.yaw_rad), math.sin(item.yaw_rad)
        for sign in np.ndindex(2, 2, 2):
            x, y, z = half * (2 * np.array(sign) - 1)
            corner = np.add(item.position_in_world, (c * x - s * y, s * x + c * y, z))
            right, up, back = turn.T @ (corner - camera.xpos)
            assert back < 0 and abs(right / back) * k.fx < k.width / 2 and abs(up / back) * k.fy < k.height / 2, name
        hit = np.array([-1], dtype=np.int32)
        eye = camera.xpos + 0.1 * (np.array(item.position_in_world) - camera.xpos)  # beyond the camera's own case
        mujoco.mj_ray(simulation.model, simulation.data, eye, item.position_in_world - eye, None, 1, -1, hit)
        assert simulation.model.body(int(simulation.model.geom_bodyid[hit[0]])).name not in SEEN, name
        checked += 1
    assert checked >= 8


def test_what_is_seen_from_the_side_is_located_where_it_is():
    """Guards against a carton 1.6 m long, its top 2 cm over the camera; bears 3 cm too near; mugs as wide as their handles."""
    robot = robot_in_home("hsr", 10000042)
    simulation, sizes, checked = robot.simulation, robot.simulation.world.sizes(), 0
    for place in ("shelf: upper", "shelf: middle", "kitchen table"):
        stand(robot, place)
        seen, observation = true_boxes(simulation)(), robot.observe()
        for name, item in simulation.truth().objects.items():
            if item.support == place and products()[name].portable:
                found = locate(observation, Detection(name, seen[name], 1.0), sizes=sizes)
                assert found is not None
                assert math.dist(found.position_in_world[:2], item.position_in_world[:2]) < 0.022, name
                assert found.size_m[1] < min(item.size_m[:2]) + 0.02, name
                checked += 1
    assert checked >= 6


def test_a_camera_that_is_askew_is_aligned_with_the_edge_of_the_surface():
    """Guards against things 2 cm aside of where they are, seen from 1.2 m by a camera that is mounted 0.015 rad askew."""
    made = HeightMap.of_boxes((0.44, -0.5), (0.62, 0.5), 0.7)
    made.edge = 0.5 + 0.02 * made.centres()[0, :, 1]
    made.edge[30:33] -= 0.05  # something hangs over the edge
    made.edge[80:] += 0.07  # something hides it
    assert made.turn_of_edge() == pytest.approx(0.02, abs=1e-5)
    made.edge[:] = np.inf
    assert made.turn_of_edge() == 0.0


@pytest.mark.parametrize("body", ["hsr", "anymal"])
def test_the_edge_of_a_board_tells_how_a_camera_is_askew(body: str):
    """Guards against a turn read from cells of 1 cm, off by 0.01 rad: a finger met the corner of a box that was seen right."""
    robot = robot_in_home(body, 10000044)
    simulation = robot.simulation
    for place in ("shelf: middle", "shelf: upper"):
        stand(robot, place)
        there = simulation.places[place]
        (ax, ay), (bx, by) = (into(there.stand, *corner) for corner in (there.low, there.high))
        low, high = (min(ax, bx) - 0.06, min(ay, by)), (min(ax, bx) + 0.12, max(ay, by))
        seen = HeightMap(robot.observe(), low, high, there.floor_m, there.stand, there.headroom_m)
        assert seen.turn_of_edge() == pytest.approx(_camera_turn(simulation), abs=0.002), place


def _camera_turn(simulation: Simulation) -> float:
    """Return by how much the camera is turned about the vertical against the frame that the robot believes it to be in."""
    sights = {"hsr": "head_rgbd_sensor_link", "anymal": "wrist_rgbd_optical_frame"}
    optical = np.diag([1.0, -1.0, -1.0])
    camera = simulation.data.camera(simulation.embodiment.camera).xmat.reshape(3, 3) @ optical
    turn = camera @ simulation.data.body(sights[simulation.embodiment.name]).xmat.reshape(3, 3).T
    return math.atan2(turn[1, 0] - turn[0, 1], turn[0, 0] + turn[1, 1])


def test_heights_of_boxes_are_those_of_boxes():
    made = HeightMap.of_boxes((0.5, -0.4), (0.8, 0.4), 0.5, [((0.65, 0.0, math.pi / 2), (0.2, 0.04, 0.1))])
    assert made.highest_within(0.65, 0.08, CELL_M, CELL_M, 0.0) == pytest.approx(0.6)
    assert made.highest_within(0.72, 0.0, CELL_M, CELL_M, 0.0) == 0.5


@pytest.mark.parametrize("body", HANDS)
def test_on_its_way_the_hand_stays_over_the_body(body):
    """Guards against a walk that was refused, the hand stretched towards the upper board, and loads swept along walls."""
    robot = robot_in_home(body, 10000044)
    scope = robot._scope()
    for posture in [scope.on_the_way(), *(scope.posture(place) for place in SEEN)]:
        x, y, _ = scope.motion.reach.palm({**scope.motion.target, **posture, "base_x": 0.0, "base_y": 0.0, "base_yaw": 0.0})
        assert math.hypot(x, y) < scope.motion.mechanics.bounds.own_m
    x, y, _ = scope.motion.reach.palm(
        {**scope.motion.target, **scope.on_the_way(), "base_x": 0.0, "base_y": 0.0, "base_yaw": 0.0}
    )
    assert math.hypot(x, y) < 0.75 * scope.motion.mechanics.bounds.radius_m + 0.05


# What hands can take and put.


@pytest.mark.parametrize("hand", HANDS.values(), ids=list(HANDS))
def test_bears_are_held_by_the_head_and_pears_below_their_middle(hand):
    """Guards against fingers at a bear's neck and at a pear's taper, out of which both slipped."""
    bear, pear = (choose_approach(hand, thing(name, 0.65, 0.0, size), heights(BOARD), BOARD, 0.5) for name, size in
                  (("teddy bear", (0.08, 0.08, 0.15)), ("pear", (0.068, 0.068, 0.10))))  # fmt: skip
    assert isinstance(bear, Approach) and 0.10 < bear.tip[2] - 0.5 < 0.13
    assert isinstance(pear, Approach) and pear.tip[2] - 0.5 < 0.05


def test_mugs_are_taken_from_the_front_so_that_they_can_be_put_under_a_board():
    assert is_tall(thing("red mug", 0, 0, (0.078, 0.078, 0.092)))


def test_fingers_open_no_wider_than_they_are_long_enough():
    """Guards against fingers opened so wide, and so short, that the palm met a coffee tin before they were around it."""
    hand = HANDS["hsr"]
    way = choose_approach(hand, thing("coffee tin", 0.65, 0.0, (0.09, 0.09, 0.125)), heights(BOARD), BOARD, 0.5)
    assert isinstance(way, Approach) and hand.tip_reach(way.opening_m) > 0.045 + way.tip[0] - 0.65


@pytest.mark.parametrize("hand", HANDS.values(), ids=list(HANDS))
@pytest.mark.parametrize("degrees", range(-180, 180, 30))
def test_a_mug_is_taken_past_its_handle_however_it_is_turned(hand, degrees):
    """Guards against a finger that closed on a handle at the near side: the mug fell on the way."""
    mug = thing("red mug", 0.65, 0.0, (0.078, 0.078, 0.092), math.radians(degrees))
    way = choose_approach(hand, mug, heights(BOARD), BOARD, 0.5)
    assert isinstance(way, Approach)
    beyond = abs(math.remainder(mug.yaw_rad - way.heading_rad, 2 * math.pi))
    assert beyond < math.radians(61) or beyond > math.radians(159)


@pytest.mark.parametrize("hand", HANDS.values(), ids=list(HANDS))
def test_the_hand_keeps_off_the_walls_of_a_shelf(hand):
    """Guards against a slack for things seen too large that was granted by walls as well: fingers hit the side of the shelf."""
    for y in (0.31, 0.34, 0.36):
        way = choose_approach(hand, thing("tennis ball", 0.63, y, (0.067, 0.067, 0.067)), heights(BOARD), BOARD, 0.5)
        if isinstance(way, Approach):
            side = way.tip[1] + (way.opening_m / 2 + hand.thick_m) * math.cos(way.heading_rad)
            assert side <= BOARD.high[1] + 1e-6, y
    assert isinstance(choose_approach(hand, thing("tennis ball", 0.63, 0.36, (0.067,) * 3), heights(BOARD), BOARD, 0.5), str)


def test_the_base_does_not_stand_in_the_sofa_to_take_something_from_the_table():
    """Guards against a can at the table's left end that was taken from the left: the base pressed the sofa with 1,508 N."""
    robot = robot_in_home("hsr", 10000163)
    stand(robot, "coffee table")
    scope = robot._scope()
    lemonade = 0.689 - scope.frame[0], 0.287, 0.50
    assert scope.stands_free(lemonade, 0.0, 0.5) and not scope.stands_free(lemonade, -0.83, 0.5)


def test_on_a_table_the_hand_comes_level_or_from_above():
    """Guards against a palm that met the top of a can, to which the hand came slanted, since a bowl was in its way."""
    table = replace(BOARD, headroom_m=math.inf)
    behind = heights(table, (0.65, 0.0, 0.033, 0.115), *((0.55, y, 0.03, 0.06) for y in np.arange(-0.2, 0.21, 0.06)))
    assert isinstance(
        choose_approach(HANDS["hsr"], thing("cola can", 0.68, 0.0, (0.066, 0.066, 0.115)), behind, table, 0.5), str
    )


@pytest.mark.long
def test_what_is_held_does_not_creep_through_the_fingers():
    """Guards against a bear that slid 7 mm in 10 s towards the palm, jammed there and was pressed with 21 N."""
    robot = robot_in_home("hsr", 10000042)
    data, palm = robot.simulation.data, robot.simulation.embodiment.fingers.palm
    do(robot, "go_to", place="shelf: middle")
    assert do(robot, "grasp", target=see(robot, "teddy bear")).status == "succeeded"

    def in_hand():
        return data.body(palm).xmat.reshape(3, 3).T @ (data.body("teddy bear").xpos - data.body(palm).xpos)

    before = in_hand()
    robot.motion.wait(10.0)
    assert np.linalg.norm(in_hand() - before) < 0.002


def board_scope(hand_m):
    return SimpleNamespace(hand_m=hand_m, surface=SimpleNamespace(headroom_m=0.33))


@pytest.mark.parametrize("hand_m", [0.295, 0.34])
def test_what_is_low_leans_as_far_as_it_takes_to_come_under_a_board(hand_m):
    """Guards against a lemon that was refused, since it would not have stood upright."""
    lemon = Held("lemon", (0.07, 0.07, 0.06), 0.025, 0.05, 0.07, (0, 0))
    slant, low_m = _slant(board_scope(hand_m), lemon)
    assert math.radians(20) <= slant < math.radians(85) and low_m + (hand_m - 0.045) * math.sin(slant) < 0.33 - 0.085
    with pytest.raises(Failed, match="no room to put down"):
        _slant(board_scope(hand_m), Held("purple cup", (0.084, 0.084, 0.095), 0.045, 0.08, 0.1, (0, 0)))


def test_what_no_hand_reaches_is_not_asked_for():
    """Guards against cups to be put on boards, and a lemon to be taken 5 cm beside the shelf's wall: no hand does either."""
    truth = truth_of(sample("home", 10000049))
    assert "does not come to it" in out_of_reach(truth, "lemon", 0.13) and not out_of_reach(truth, "iced tea", 0.13)
    assert cannot_put("purple cup", "shelf: upper") and cannot_put("purple cup", "shelf")
    assert not cannot_put("purple cup", "sofa") and not cannot_put("red mug", "shelf: upper")


@pytest.mark.parametrize(("deep_m", "yaw", "asked"), [(0.10, 0.0, True), (0.30, 0.0, False), (0.30, math.pi / 2, True)])
def test_what_lies_far_across_the_cabinet_is_asked_for_where_a_hand_from_the_front_takes_it(deep_m, yaw, asked):
    """Guards against a banana that lay crosswise, 0.3 m deep: no arm came so far from above, no hand around it."""
    truth = truth_of(sample("home", 10000049))
    top, banana = truth.surfaces["cabinet"], products()["banana"].size_m
    at = (top.low[0] + top.high[0]) / 2, top.low[1] + deep_m, top.floor_m + banana[2] / 2
    lies = replace(next(iter(truth.objects.values())), name="banana", size_m=banana, position_in_world=at, yaw_rad=yaw)
    cleared = {name: item for name, item in truth.objects.items() if item.support != "cabinet"}
    home = replace(truth, objects={**cleared, "banana": replace(lies, support="cabinet", relation="on")})
    assert (out_of_reach(home, "banana", 0.13) == "") == asked
