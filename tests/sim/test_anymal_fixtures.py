"""ANYmal presses a button, and opens and shuts a drawer by its handle: bodies on springs and slides, moved by contact alone."""

import math

import mujoco
import pytest
from cart_in_room import BOX, Room, RoomScene
from on_table import do

from vlp.core.observation import Located
from vlp.primitives.manifest import Place
from vlp.sim.embodiments.anymal.embodiment import Anymal
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.protocol import Station

pytestmark = pytest.mark.slow
WALL_M, YAW_RAD = 1.08, 0.2
"""How far ahead of the robot the wall stands, and in which direction."""


def ahead(along_m, aside_m=0.0):
    c, s = math.cos(YAW_RAD), math.sin(YAW_RAD)
    return c * along_m - s * aside_m, s * along_m + c * aside_m


class Fixtures(Room):
    """A wall with a button, and a drawer below with a bar for a handle."""

    name, places = "fixtures", (Place("wall"), Place("button", affords=("press",)))

    def sample(self, seed):
        return RoomScene(seed, ())

    def build(self, scene, robot):
        world, turn = robot.worldbody, [math.cos(YAW_RAD / 2), 0, 0, math.sin(YAW_RAD / 2)]
        world.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[9, 9, 0.1])
        world.add_camera(name=self.audience, pos=[0, 0, 5])
        slide, rod = mujoco.mjtJoint.mjJNT_SLIDE, mujoco.mjtGeom.mjGEOM_CAPSULE
        button = world.add_body(name="button", pos=[*ahead(WALL_M - 0.03), 0.85], quat=turn)
        button.add_joint(name="button", type=slide, axis=[1, 0, 0], range=[0, 0.012], stiffness=250, damping=4, limited=True)
        button.add_geom(type=BOX, size=[0.012, 0.035, 0.035], mass=0.05)
        drawer = world.add_body(name="drawer", pos=[*ahead(WALL_M, 0.2), 0.62], quat=turn)
        drawer.add_joint(name="drawer", type=slide, axis=[-1, 0, 0], range=[0, 0.32], damping=20, frictionloss=3, limited=True)
        drawer.add_geom(type=BOX, size=[0.01, 0.2, 0.06], mass=2.0)
        drawer.add_geom(type=rod, fromto=[-0.055, -0.07, 0, -0.055, 0.07, 0], size=[0.007, 0, 0], mass=0.05)
        return robot.compile()

    def stations(self, scene):
        return {
            "wall": Station((0.0, 0.0, YAW_RAD), (*ahead(WALL_M), 0.6)),
            "button": Station((*ahead(0.1, -0.2), YAW_RAD), (*ahead(WALL_M), 0.85)),
        }


@pytest.fixture
def robot():
    simulation = Simulation(RoomScene(0, ()), Anymal(), Fixtures())
    return simulation.embodiment.robot(simulation)


def handle(along_m):
    size = 0.14, 0.014, 0.014
    return Located(
        "drawer handle", (0, 0, 9, 9), (*ahead(along_m, 0.2), 0.622), size, YAW_RAD - math.pi / 2, 1.0, 0.0
    ).to_json()


def at(robot, joint):
    return float(robot.simulation.data.joint(joint).qpos[0])


def test_a_button_is_pressed_to_its_end_and_comes_back(robot):
    deepest = []
    robot.on_tick.append(lambda now_s: deepest.append(at(robot, "button")))
    do(robot, "walk_to", place="button")
    result = do(robot, "press", target="button")
    assert result.status == "succeeded", result
    assert max(deepest) > 0.011 and at(robot, "button") < 0.002 and robot.simulation.at() == "button"


def test_pressing_at_nothing_says_so(robot):
    nothing = Located("button", (0, 0, 9, 9), (*ahead(0.8), 0.85), (0.05, 0.05, 0.05), 0.0, 1.0, 0.0).to_json()
    assert do(robot, "press", target=nothing).code == "missed"


def test_a_drawer_is_opened_and_shut_by_its_handle(robot):
    result = do(robot, "open", target=handle(WALL_M - 0.055), distance_m=0.25)
    assert result.status == "succeeded", result
    opened = at(robot, "drawer")
    assert opened == pytest.approx(0.25, abs=0.03)
    result = do(robot, "close", target=handle(WALL_M - 0.055 - opened))
    assert result.status == "succeeded", result
    assert at(robot, "drawer") < 0.01 and robot.simulation.at() == "wall"


def test_a_bar_that_is_seen_too_near_is_felt_for(robot):
    """Guards against fingers that closed before a handle seen 3.3 cm too near, walked back, and said that it had slipped."""
    result = do(robot, "open", target=handle(WALL_M - 0.055 - 0.033), distance_m=0.25)
    assert result.status == "succeeded", result
    assert at(robot, "drawer") == pytest.approx(0.25, abs=0.03)


def test_a_drawer_that_is_stuck_is_let_go(robot):
    robot.simulation.model.dof_frictionloss[robot.simulation.model.joint("drawer").dofadr[0]] = 500.0
    result = do(robot, "open", target=handle(WALL_M - 0.055), distance_m=0.25)
    assert result.code in ("stuck", "slipped"), result
    assert at(robot, "drawer") < 0.02 and robot.simulation.at() == "wall"
