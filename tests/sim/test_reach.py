"""What a hand that comes from above does not reach: a board of the shelf, and the inner end of the drawer."""

from dataclasses import replace

import pytest
from in_home import Bumps, do, see

from vlp.sim import open_world
from vlp.sim.open import manifest_of
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.home.catalogue import products
from vlp.sim.worlds.home.places import surfaces
from vlp.sim.worlds.home.sampling import sample_home
from vlp.sim.worlds.home.scene import Thing
from vlp.sim.worlds.home.tasks.expert import plan
from vlp.sim.worlds.home.tasks.families import families
from vlp.sim.worlds.home.true_state import truth_of


def robot_at(place, name, along_m, drawer=0.0):
    """The HSR at a place of a home, where one thing lies so far from the middle, away from the robot."""
    scene = sample_home(7)
    fixtures = replace(scene.fixtures, drawer=drawer, door=0.0)
    top = surfaces(scene.furniture, fixtures)[place]
    x, y = ((a + b) / 2 for a, b in zip(top.low, top.high, strict=True))
    rest = tuple(t for t in scene.objects if t.support != place and t.name != name)
    made = Thing(name, (x, y, 1.0), 0.0, place, top.relation)
    made = replace(made, position_m=(x, y + along_m, top.floor_m + made.size_m[2] / 2 + 0.0005))  # its front faces along -y
    simulation = Simulation(replace(scene, fixtures=fixtures, objects=(*rest, made)), "hsr", "home")
    simulation.embodiment.set_home(simulation.model, simulation.data, simulation.stations[place])
    simulation.step(50)
    return simulation.embodiment.robot(simulation)


@pytest.mark.parametrize(("yaw_rad", "hands"), [(0.0, set()), (1.2, {"hsr", "anymal"})])
def test_the_expert_says_cannot_where_a_box_under_a_board_is_too_broad_for_the_hand(yaw_rad, hands):
    """Guards against a policy whose grasp every robot refuses: the box shows its long side, which no hand spans."""
    truth, home = truth_of(sample_home(83)), open_world("home")
    template = next(o for o in truth.objects.values() if o.support == "kitchen table")
    x, y, z = home.stations(sample_home(83))["shelf: middle"].middle
    size = products()["cereal box"].size_m
    box = replace(template, name="cereal box", size_m=size, position_in_world=(x, y, z + 0.1), yaw_rad=yaw_rad,
                  support="shelf: middle", room="kitchen")  # fmt: skip
    truth = replace(truth, objects={**truth.objects, "cereal box": box})
    task = families()["put"].build(truth, {"thing": "cereal box", "place": "sofa"})
    for body in ("hsr", "anymal"):
        opening_m = manifest_of(body, "home").limits.gripper_opening_m
        assert bool(plan(truth, task, opening_m=opening_m).get("cannot")) == (body not in hands)


@pytest.mark.parametrize(
    ("place", "name", "along_m", "open_share"),
    [
        pytest.param("shelf: upper", "cola can", 0.0, 0.0, marks=pytest.mark.long),
        pytest.param("drawer", "puzzle cube", 0.12, 1.0, marks=pytest.mark.long),
    ],
)
def test_a_thing_is_taken_from_under_a_board_and_nothing_else_is_touched(place, name, along_m, open_share):
    robot = robot_at(place, name, along_m, open_share)
    bumps = Bumps(robot)
    result = do(robot, "grasp", target=see(robot, name))
    assert result.status == "succeeded", result
    assert robot.simulation.truth().holding == name and not robot.memory.held.from_above and bumps.counted == {}
