"""A second body and a second world, as small as they come: a box on wheels with a camera, and a room with two crates."""

import re
from dataclasses import asdict, dataclass
from typing import ClassVar

import mujoco
import numpy as np

from vlp.core.observation import Intrinsics, Observation, RobotState
from vlp.primitives.manifest import Limits, Place
from vlp.primitives.standard import make_manifest
from vlp.robot.arguments import check_arguments
from vlp.robot.keys import Once
from vlp.robot.protocol import StepResult
from vlp.sim.render import Camera
from vlp.sim.truth import TrueObject, Truth
from vlp.sim.worlds.floor import FloorPlan
from vlp.sim.worlds.protocol import Happening, Station

JOINTS = ("base_x", "base_y", "base_yaw")
SIZE_M = 0.3
BOX = mujoco.mjtGeom.mjGEOM_BOX


@dataclass(frozen=True)
class Crate:
    phrase: str
    at: tuple[float, float]
    rgb: tuple[float, float, float]
    size_m: tuple[float, float, float] = (SIZE_M, SIZE_M, SIZE_M)


@dataclass(frozen=True)
class RoomScene:
    seed: int
    objects: tuple[Crate, ...]

    def to_json(self):
        return asdict(self)


def shove(simulation, rng, named):
    del rng
    x, y, z = simulation.truth().objects[named[0]].position_in_world
    simulation.put(named[0], (x + 0.5, y, z))
    return (named[0],)


class Room:
    name, audience, places = "room", "ceiling", (Place("door"), Place("window"))
    tasks = None
    events: ClassVar = {"shove": Happening(r"shove (?:the )?(\w+ \w+)", "shove red crate", shove)}
    legible = False

    def sample(self, seed):
        x = float(np.random.default_rng(seed).uniform(1.5, 2.0))
        return RoomScene(seed, (Crate("red crate", (x, 0.5), (0.8, 0.1, 0.1)), Crate("blue crate", (x, -0.5), (0.1, 0.1, 0.8))))

    def build(self, scene, robot):
        robot.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[9, 9, 0.1])
        robot.worldbody.add_light(pos=[0, 0, 4])
        robot.worldbody.add_camera(name=self.audience, pos=[0, 0, 5])
        for crate in scene.objects:
            body = robot.worldbody.add_body(name=crate.phrase, pos=[*crate.at, SIZE_M / 2])
            body.add_freejoint(name=crate.phrase)
            body.add_geom(type=BOX, size=[SIZE_M / 2] * 3, rgba=[*crate.rgb, 1], mass=1.0)
        return robot.compile()

    def stations(self, scene):
        del scene
        stands = {"door": (0.0, 0.0, 0.0), "window": (0.5, 1.5, 0.5)}
        return {name: Station(stand, (*stand[:2], 0.0)) for name, stand in stands.items()}

    def react(self, simulation):
        del simulation

    def floor(self, scene, data=None):
        crates = tuple(((x - 0.15, y - 0.15), (x + 0.15, y + 0.15)) for x, y in (crate.at for crate in scene.objects))
        return FloorPlan((-4.0, -4.0), (4.0, 4.0), crates)

    def described(self, truth):
        return {}

    def is_container(self, phrase):
        return False

    def truth(self, simulation, held=None):
        del held
        found = {}
        for crate in simulation.scene.objects:
            x, y, z = (float(v) for v in simulation.data.body(crate.phrase).xpos)
            colour, kind = crate.phrase.split()
            if x > -10:
                found[crate.phrase] = TrueObject(colour, kind, (x, y, z), crate.size_m, support="floor")
        return Truth(found, at=simulation.at())

    def sights(self, simulation):
        return {name: (name,) for name in simulation.truth().objects}

    def people(self, scene):
        return {}

    def sizes(self):
        return {}

    def describe(self, scene, truth=None):
        del truth
        return f"a room with {len(scene.objects)} crates"


class CartRobot:
    def __init__(self, simulation):
        self.simulation, self.on_tick, self.on_step, self.stopped, self.once = simulation, [], [], False, Once()
        self.manifest = simulation.embodiment.manifest(simulation.world.places)

    @property
    def set_points(self):
        return dict(zip(JOINTS, (float(v) for v in self.simulation.data.ctrl[:3]), strict=True))

    def describe(self):
        return self.manifest

    def observe(self):
        simulation = self.simulation
        body, data = simulation.embodiment, simulation.data
        rgb, depth = Camera(simulation.model, body.camera, 320, 240).rgb_and_depth(data)
        pose = np.eye(4)
        pose[:3, :3] = np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])
        pose[:3, 3] = 0.2, 0.0, 0.4
        joints = dict(zip(JOINTS, body.base(data), strict=True))
        state = RobotState(simulation.at(), "", joints, body.base(data), 0.0, (0.0, 0.0, 0.0))
        return Observation(rgb, depth, body.intrinsics, pose, state, float(data.time))

    def execute(self, step):
        return self.once.run(step, self.act)

    def act(self, step):
        issues = check_arguments(step.do, step.arguments, self.manifest).issues
        if issues:
            return StepResult(step.key, "rejected", code=issues[0].code, message=issues[0].message)
        goal = self.simulation.stations[step.arguments["place"]]
        start = self.simulation.embodiment.base(self.simulation.data)
        for i in range(150):
            if self.stopped:
                return StepResult(step.key, "stopped", code="stopped", message="the cart is stopped.")
            share = min(1.0, (i + 1) / 100)
            self.simulation.data.ctrl[:3] = [a + share * (b - a) for a, b in zip(start, goal, strict=True)]
            self.simulation.step(10)
            for function in self.on_tick:
                function(float(self.simulation.data.time))
        return StepResult(step.key, "succeeded", {"place": step.arguments["place"]})

    def stop(self):
        self.stopped = True

    def reset_stop(self):
        self.stopped = False


class Cart:
    name, camera, fingers, own_m = "cart", "front", None, 0.0
    intrinsics = Intrinsics(320, 240, 208.0, 208.0, 160.0, 120.0)

    def spec(self):
        made = mujoco.MjSpec()
        made.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
        cart = made.worldbody.add_body(name="cart")
        cart.add_geom(type=BOX, size=[0.2, 0.15, 0.1], pos=[0, 0, 0.15], mass=5.0, contype=0, conaffinity=0)
        slide, hinge = mujoco.mjtJoint.mjJNT_SLIDE, mujoco.mjtJoint.mjJNT_HINGE
        for name, kind, axis in zip(JOINTS, (slide, slide, hinge), np.eye(3), strict=True):
            cart.add_joint(name=name, type=kind, axis=axis)
            made.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT).set_to_position(kp=2000, kv=300)
        cart.add_camera(name=self.camera, pos=[0.2, 0, 0.4], quat=[0.5, 0.5, -0.5, -0.5], fovy=60)
        return made

    def set_home(self, model, data, base=(0.0, 0.0, 0.0)):
        for joint, value in zip(JOINTS, base, strict=True):
            data.joint(joint).qpos[0] = data.actuator(joint).ctrl[0] = value
        mujoco.mj_forward(model, data)

    def base(self, data):
        return tuple(float(data.joint(name).qpos[0]) for name in JOINTS)

    def stations(self, places):
        return {name: place.stand for name, place in places.items()}

    def robot(self, simulation):
        return CartRobot(simulation)

    def manifest(self, places):
        return make_manifest("cart", ("go_to",), places, Limits(base_speed_m_s=1.0))

    def pose_near(self, model, data, base, rng):
        del rng
        self.set_home(model, data, base)
        return base

    def put_in_hand(self, model, data, name, size_m, rng):
        raise NotImplementedError(re.sub(r"\s+", " ", f"a cart has no hand for the {name}"))
