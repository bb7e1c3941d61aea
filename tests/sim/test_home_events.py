"""What people do in the home while the robot works, in the physics: exchange, shut, knock, put in the way, walk away."""

import math
from itertools import pairwise

import numpy as np
import pytest
from in_home import do, robot_in_home, with_in_hand

from vlp.core.errors import UsageError
from vlp.episodes.world_events import check_event, happen
from vlp.sim.simulation import Simulation
from vlp.sim.truth import alike
from vlp.sim.worlds.home.sampling import sample_home
from vlp.sim.worlds.home.true_state import HomeTruth


def home(seed: int) -> Simulation:
    return Simulation(sample_home(seed), world="home")


def event(simulation: Simulation, text: str) -> tuple[str, ...]:
    return happen(simulation, text, np.random.default_rng(0))


def truth(simulation: Simulation) -> HomeTruth:
    now = simulation.truth()
    assert isinstance(now, HomeTruth)
    return now


@pytest.mark.parametrize(("fixture", "place"), [("drawer", "drawer"), ("cabinet door", "cupboard")])
def test_what_lies_in_a_drawer_stays_in_it_when_somebody_shuts_it(fixture: str, place: str) -> None:
    """Guards against a drawer that is set shut at once, under the things that lie in it."""

    def ajar(seed: int) -> bool:
        scene = sample_home(seed)
        share = {"drawer": scene.fixtures.drawer, "cupboard": scene.fixtures.door}[place]
        return share > 0.5 and any(thing.support == place for thing in scene.objects)

    simulation = home(next(filter(ajar, range(300))))
    before = truth(simulation)
    assert before.opened[fixture] > 0.4 and before.inside(place)
    assert event(simulation, f"shut the {fixture}") == (fixture,)
    after = truth(simulation)
    assert after.opened[fixture] < 0.05 and after.inside(place) == before.inside(place)
    assert before.rebased(after, (fixture,)).opened == after.opened  # judged as if it had been shut from the start


def test_nobody_shuts_a_drawer_before_which_the_robot_stands() -> None:
    robot = robot_in_home("hsr", next(s for s in range(100) if sample_home(s).fixtures.drawer))
    assert do(robot, "go_to", place="drawer").status == "succeeded"
    open_ = truth(robot.simulation).opened["drawer"]
    assert event(robot.simulation, "shut the drawer") == ()
    assert truth(robot.simulation).opened["drawer"] == pytest.approx(open_, abs=0.01)


def test_two_things_of_one_size_change_places() -> None:
    simulation = home(3)
    before = truth(simulation)
    alone = [n for n, item in before.objects.items() if "table" in item.support and not before.inside(n)]
    pairs = [(a, b) for a in alone for b in alone if a < b and alike(before.objects[a], before.objects[b])]
    one, other = pairs[0]
    assert event(simulation, f"swap the {one} with the {other}") == (one, other)
    after = truth(simulation)
    for name, there in ((one, other), (other, one)):
        now, was = after.objects[name].position_in_world, before.objects[there].position_in_world
        assert now[:2] == pytest.approx(was[:2], abs=0.01) and after.objects[name].upright
    small, large = (pick(alone, key=lambda n: before.objects[n].size_m[2]) for pick in (min, max))
    assert event(simulation, f"swap {small} with {large}") == ()  # no room for the one where the other stands


def test_what_is_knocked_out_of_the_hand_lies_in_the_same_room() -> None:
    """Guards against a thing that lands in the other room, and one on the floor, where no hand here comes to it."""
    robot = robot_in_home("hsr", 1)
    with_in_hand(robot, "tomato soup")
    assert robot.observe().state.holding == "tomato soup"
    assert event(robot.simulation, "knock") == ("tomato soup",)
    now = truth(robot.simulation)
    assert not now.holding and now.objects["tomato soup"].support == "coffee table"
    assert not robot.observe().state.holding
    assert event(robot.simulation, "knock") == ()


def test_a_thing_is_put_where_others_are_to_go() -> None:
    simulation = home(1)
    assert event(simulation, "block the shelf: upper by the tomato soup") == ("tomato soup",)
    assert truth(simulation).objects["tomato soup"].support == "shelf: upper"


def test_a_bowl_is_shifted_on_its_table_and_what_lies_in_a_box_is_not() -> None:
    """Guards against a vessel that lands in another room, where nothing can be poured into it."""
    simulation = home(next(s for s in range(100) if {"blue bowl", "tomato soup"} <= {t.phrase for t in sample_home(s).objects}))
    before = truth(simulation)
    assert event(simulation, "shift the blue bowl") == ("blue bowl",)
    now, was = truth(simulation).objects["blue bowl"], before.objects["blue bowl"]
    assert now.support == was.support and now.position_in_world[:2] != pytest.approx(was.position_in_world[:2], abs=0.03)
    assert event(simulation, "block basket by tomato soup") == ("tomato soup",)
    assert event(simulation, "shift the tomato soup") == ()


def test_what_was_taken_away_can_be_brought_and_nothing_else() -> None:
    """Guards against a thing that is in the world twice, or comes from nowhere."""
    simulation = home(1)
    assert event(simulation, "remove the tomato soup") == ("tomato soup",)
    assert "tomato soup" not in truth(simulation).objects
    assert event(simulation, "bring the tomato soup to the kitchen table") == ("tomato soup",)
    assert truth(simulation).objects["tomato soup"].support == "kitchen table"
    with pytest.raises(UsageError, match="unknown name 'tomato soup'"):
        event(simulation, "bring the tomato soup to the kitchen table")


def test_who_is_sent_away_walks_to_the_other_room() -> None:
    simulation = home(1)
    name = next(p.name for p in simulation.scene.persons if p.pose == "standing")
    before = truth(simulation).persons[name].place
    assert event(simulation, f"send {name} away") == (name,)
    for _ in range(40):
        simulation.step(250)
    assert truth(simulation).persons[name].place == {"living room": "kitchen", "kitchen": "living room"}[before]


def test_who_stands_in_the_way_leaves_another_way() -> None:
    """Guards against a person beside the way, whom nobody drives round, and one in the door, where no robot gets by."""
    simulation = home(1)
    name = next(p.name for p in simulation.scene.persons if p.pose == "standing")
    start, goal = simulation.embodiment.base(simulation.data)[:2], simulation.stations["kitchen table"][:2]

    def way_m() -> float:
        corners = simulation.world.floor(simulation.scene, simulation.data).path(start, goal, 0.45, 0.24)
        return sum(math.dist(a, b) for a, b in pairwise(corners))

    before = way_m()
    assert event(simulation, f"let {name} stand in the way to the kitchen table") == (name,)
    assert before + 0.01 < way_m() < before + 1.5
    x, y, _ = truth(simulation).persons[name].position_in_world
    assert min(math.dist((x, y), start), math.dist((x, y), goal)) > 1.2
    snapshot = simulation.snapshot()
    event(simulation, f"send {name} away")
    simulation.step(500)
    simulation.restore(snapshot)
    assert truth(simulation).persons[name].position_in_world[:2] == pytest.approx((x, y), abs=1e-6)
    assert event(simulation, f"let {name} stand in the way to start") == ()  # the robot is there


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("shut the drawr", "drawer"), ("send jnae away", ""), ("block sfa by tomato soup", "sofa"),
        ("block sofa by tomato sup", "tomato soup"), ("swap tomato soup with sofa", ""),
    ],
)  # fmt: skip
def test_a_name_that_is_not_there_is_answered_with_the_closest(text: str, near: str) -> None:
    with pytest.raises(UsageError, match=f"unknown (name|object).*{near}"):
        check_event(home(1), text)
