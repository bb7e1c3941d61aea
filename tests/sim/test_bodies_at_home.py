"""Both bodies in a home: they drive around furniture, work at the place where they stand, and touch nothing else."""

import json
import math

import numpy as np
import pytest
from in_home import Bumps, do, robot_in_home, see

from vlp.core.observation import Located
from vlp.primitives.manifest import Manifest
from vlp.sim import open_embodiment, open_world, sample
from vlp.sim.embodiments.actions.map import Map
from vlp.sim.embodiments.motion import Failed
from vlp.sim.open import manifest_of
from vlp.sim.worlds.floor import FloorPlan

BODIES = {"hsr": "go_to", "anymal": "walk_to"}
RADII_M = {"hsr": 0.30, "anymal": 0.40}


def known(body, world, seed):
    scene, made = sample(world, seed), open_world(world)
    places = made.stations(scene)
    return Map(places, open_embodiment(body).stations(places), made.floor(scene), made.is_container)


@pytest.mark.parametrize("body", BODIES)
def test_the_way_between_places_of_a_table_is_straight(body):
    """A way around something there would change every recorded run of the tabletop."""
    for seed in range(12):
        table = known(body, "tabletop", seed)
        for start in table.stations.values():
            assert all(table.way(start, goal, RADII_M[body]) == [goal] for goal in table.stations.values())


@pytest.mark.parametrize("body", BODIES)
def test_a_way_through_the_home_ends_at_the_station_and_keeps_clear(body):
    home = known(body, "home", 7)
    way = home.way(home.stations["start"], home.stations["kitchen table"], RADII_M[body])
    assert way[-1] == home.stations["kitchen table"] and len(way) > 3
    on_the_way = [pose[:2] for pose in way[:-1]]
    assert home.floor.clearance_m(on_the_way).min() >= RADII_M[body] - 0.05


def test_a_place_that_is_walled_in_is_no_place_to_drive_to():
    home = known("hsr", "home", 3)
    walled = FloorPlan(home.floor.low, home.floor.high, (*home.floor.obstacles, ((2.3, -2.3), (2.6, 2.3))))
    with pytest.raises(Failed, match=r"no way .* wide leads from") as failed:
        Map(home.places, home.stations, walled, home.is_container).way(home.stations["start"], home.stations["bin"], 0.3)
    assert failed.value.code == "no-way"


def test_what_stands_on_a_board_of_the_shelf_is_on_that_board():
    home = known("hsr", "home", 3)
    x, y, _ = home.places["shelf: middle"].middle
    assert [home.surface_under((x, y, z), "") for z in (0.2, 0.95, 0.05)] == ["shelf: lower", "shelf: upper", ""]
    assert home.surface_under((x, y, 0.55), "shelf: middle") == "shelf: middle"


def test_containers_are_known_by_the_world_and_not_by_their_last_word():
    assert not open_world("home").is_container("cereal box") and open_world("tabletop").is_container("red box")
    assert open_world("home").is_container("blue bowl")


def test_the_hsr_presses_and_opens_only_where_a_place_affords_it():
    table, home = (manifest_of("hsr", world) for world in ("tabletop", "home"))
    beyond = {"press", "open", "close", "handover"}
    assert not beyond & set(table.primitives) and beyond <= set(home.primitives)
    assert table.limits.workspace is not None and home.limits.workspace is None and home.limits.workspace_at == "place"
    assert Manifest.from_json(json.loads(json.dumps(home.to_json()))) == home


@pytest.mark.long
@pytest.mark.parametrize("body", BODIES)
def test_a_mug_is_carried_from_the_coffee_table_to_the_kitchen_table(body):
    robot = robot_in_home(body, 83)
    bumps, before = Bumps(robot), robot.simulation.truth().objects
    do(robot, BODIES[body], place="coffee table")
    assert do(robot, "grasp", target=see(robot, "blue mug")).status == "succeeded"
    result = do(robot, "place", target="kitchen table", relation="on")
    assert result.status == "succeeded", result
    now = robot.simulation.truth().objects
    assert now["blue mug"].support == "kitchen table" and now["blue mug"].upright and robot.simulation.at() == "kitchen table"
    moved = {n for n, o in before.items() if np.linalg.norm(np.subtract(o.position_in_world, now[n].position_in_world)) > 0.01}
    assert moved == {"blue mug"} and bumps.counted == {}


def drawer_handle(robot):
    """The bar of the drawer, as a camera would locate it."""
    simulation = robot.simulation
    drawer, cabinet = simulation.data.body("drawer"), simulation.scene.furniture["cabinet"]
    bar_m = -0.02 + (cabinet.height_m - 0.034 - 0.555) / 2
    at = drawer.xpos + drawer.xmat.reshape(3, 3) @ (-cabinet.depth_m / 2 - 0.055, 0.0, bar_m)
    return Located("drawer handle", (0, 0, 9, 9), tuple(at.tolist()), (0.14, 0.014, 0.014), 0.0, 1.0, 0.0).to_json()


@pytest.mark.long
@pytest.mark.parametrize("body", BODIES)
def test_a_cube_is_put_into_the_drawer_that_was_opened(body):
    robot = robot_in_home(body, 7)
    bumps, simulation = Bumps(robot, "drawer", "drawer handle"), robot.simulation
    do(robot, BODIES[body], place="drawer")
    assert do(robot, "open", target=drawer_handle(robot)).status == "succeeded" and simulation.truth().opened["drawer"] > 0.7
    do(robot, BODIES[body], place="kitchen table")
    assert do(robot, "grasp", target=see(robot, "puzzle cube")).status == "succeeded"
    result = do(robot, "place", target="drawer", relation="in")
    assert result.status == "succeeded", result
    assert do(robot, "close", target=drawer_handle(robot)).status == "succeeded"
    truth = simulation.truth()
    assert truth.objects["puzzle cube"].support == "drawer" and truth.opened["drawer"] < 0.02 and bumps.counted == {}


@pytest.mark.long
@pytest.mark.parametrize("nearer_m", [0.010, 0.033])
def test_a_door_is_opened_by_a_bar_that_is_seen_too_near(nearer_m):
    """Guards against an arc about a wrong middle that took 25 N, and bars that slipped off the pads' ends."""
    robot = robot_in_home("anymal", 2)
    simulation = robot.simulation
    do(robot, "walk_to", place="cupboard")
    yaw, z = simulation.places["cupboard"].stand[2], 0.422
    hinge_x, hinge_y = simulation.places["cupboard"].hinge
    assert math.isclose(yaw, math.pi / 2), "the bar is 0.345 m to the right of the hinge and 0.045 m before it"
    seen = hinge_x + 0.345, hinge_y - 0.045 - nearer_m, z
    handle = Located("cabinet door handle", (0, 0, 9, 9), seen, (0.014, 0.014, 0.14), 0.0, 1.0, 0.0).to_json()
    result = do(robot, "open", target=handle, distance_m=0.3)
    assert result.status == "succeeded", result
    assert simulation.truth().opened["cabinet door"] > 0.85


@pytest.mark.slow
def test_a_drawer_that_is_shut_takes_nothing():
    robot = robot_in_home("hsr", 7)
    assert do(robot, "grasp", target=see(robot, "apple")).status == "succeeded"
    result = do(robot, "place", target="drawer", relation="in")
    assert result.code == "closed" and robot.memory.held is not None


@pytest.mark.long
@pytest.mark.parametrize("body", BODIES)
def test_the_button_is_pressed_once_and_the_lamp_switches(body):
    """Guards against a button that sprang back from a first knock and was pressed again: the lamp was as before."""
    robot = robot_in_home(body, 7)
    bumps, lit = Bumps(robot), robot.simulation.truth().lamp_on
    do(robot, BODIES[body], place="button")
    assert do(robot, "press", target="button").status == "succeeded"
    assert robot.simulation.truth().lamp_on != lit and set(bumps.counted) == {"button"}
    resting_m = robot.motion.mechanics.gripper.resting_m
    assert robot.motion.opening() == pytest.approx(resting_m, abs=0.005)  # shut fingers were in the way of what came next


@pytest.mark.long
@pytest.mark.parametrize("seed", [83, 85])
def test_the_hsr_drives_away_from_a_button_that_it_has_pressed(seed):
    """Guards against fingers that stayed shut after `press`: driving away failed, "something is in the way of the robot"."""
    robot = robot_in_home("hsr", seed)
    for action, about in (("go_to", {"place": "button"}), ("press", {"target": "button"}), ("go_to", {"place": "bin"})):
        result = do(robot, action, **about)
        assert result.status == "succeeded", (action, result)


@pytest.mark.parametrize("body", BODIES)
def test_a_place_that_is_no_button_is_not_pressed(body):
    """Guards against a hand that pushed at furniture until it resisted, and called that a success."""
    robot = robot_in_home(body, 7)
    before = robot.simulation.data.time
    result = do(robot, "press", target="shelf: middle")
    assert (result.status, result.code) == ("failed", "bad-target") and robot.simulation.data.time == before
    assert result.message == "'shelf: middle' cannot be pressed; what can be pressed here: button."
