"""A simulated body with a hand as a `Robot`: actions carried out by physics, observations by rendering."""

import base64
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlp.core.errors import UsageError
from vlp.core.observation import Located, Observation, RobotState
from vlp.primitives.manifest import Manifest
from vlp.primitives.standard import with_primitives
from vlp.robot.arguments import check_arguments
from vlp.robot.keys import Once
from vlp.robot.protocol import Step, StepResult
from vlp.sim.embodiments.actions.hand import HAND_ACTIONS, hand_primitives
from vlp.sim.embodiments.actions.map import Map
from vlp.sim.embodiments.actions.scope import ActionMemory, Scope
from vlp.sim.embodiments.kinematics import field_of_view_deg
from vlp.sim.embodiments.mechanics import Mechanics
from vlp.sim.embodiments.motion import Failed, Motion, OutOfTime, Stopped
from vlp.sim.embodiments.reach import Reach, Slab
from vlp.sim.heightmap import HeightMap
from vlp.sim.opengl import mujoco
from vlp.sim.render import Camera, Shot, frozen, noisy_depth
from vlp.sim.simulation import Simulation
from vlp.sim.worlds.protocol import Pose2, Station

ActionFunction = Callable[[Any, dict[str, Any]], dict[str, Any]]
"""Takes a `Scope` of its body and a step's arguments, moves the robot, and returns what it reached as plain data."""


@dataclass(frozen=True)
class Acting:
    """What a body adds to the shared robot.

    Args:
        mechanics: its joints, servos, hand and bounds.
        motion: how it moves.
        scope: its moves over the table.
        action: from the name of a primitive to the function that carries it out; raises UsageError for an unknown one.
        sight: the link that is the optical frame of the camera that it observes with.
    """

    mechanics: Mechanics
    motion: type[Motion]
    scope: type[Scope]
    action: Callable[[str], ActionFunction]
    sight: str


def _slab(surface: Station) -> Slab:
    """Return the board that things stand on; its legs are out of the arm's way."""
    (x1, y1), (x2, y2), thick_m = surface.low, surface.high, 0.03
    middle = ((x1 + x2) / 2, (y1 + y2) / 2, surface.middle[2] - thick_m / 2)
    return Slab(middle, ((x2 - x1) / 2, (y2 - y1) / 2, thick_m / 2))


class SimRobot:
    """A `Robot` over a `Simulation`; it offers `reset_stop`, `cancel`, `result_of`, `snapshot` and `restore` besides.

    Args:
        simulation: the world with the robot in it.
        acting: what its body adds.

    Attributes:
        on_tick: functions called with the simulated time in seconds after every control tick (0.02 s), e.g. a recorder.
        on_step: functions called after every time step of the physics (0.002 s).
    """

    def __init__(self, simulation: Simulation, acting: Acting) -> None:
        self.simulation, self._acting = simulation, acting
        self.on_tick: list[Callable[[float], None]] = []
        world, scene = simulation.world, simulation.scene
        pressed = frozenset(place.name for place in world.places if "press" in place.affords)
        self._map = Map(simulation.places, simulation.stations, world.floor(scene), world.is_container, pressed)
        slabs = tuple(_slab(place) for place in simulation.places.values() if place.takes == "on")
        mechanics = acting.mechanics
        if not self._map.is_one_workspace:
            mechanics = replace(mechanics, bounds=mechanics.bounds.at_places())
        self.motion = acting.motion(mechanics, simulation.model, simulation.data, Reach(mechanics, slabs), self._ticked)
        self.on_step = self.motion.on_step
        self.memory = ActionMemory(at=simulation.at() or self._map.home)
        self._manifest = simulation.embodiment.manifest(simulation.world.places)
        self._camera: Camera | None = None
        self._seen: tuple[Shot, Observation] | None = None
        self._once = Once()
        self._cancelled: set[str] = set()
        self._running = ""

    # The four methods.

    def describe(self) -> Manifest:
        """Return what the robot says of itself."""
        return self._manifest

    def observe(self) -> Observation:
        """Return an image and depth as a sensor gives it, both drawn when read, and proprioception; no time passes.

        As long as nothing changes it is the same observation, so that what was made of it can be kept.
        """
        data, state, body = self.simulation.data, self._state(), self.simulation.embodiment
        if self._camera is None:
            self._camera = Camera(self.simulation.model, body.camera, body.intrinsics.width, body.intrinsics.height)
        shot, now_s, last = self._camera.shot(data), float(data.time), self._seen
        if last is None or (shot, now_s, state) != (last[0], last[1].stamp_s, last[1].state):
            sensor = self._in_base(self._acting.sight)
            self._seen = last = shot, Observation.on_demand(
                lambda: shot.rgb_and_depth[0], partial(self._depth, shot, now_s),
                intrinsics=body.intrinsics.zoomed(self.memory.zoom), camera_in_base=sensor, state=state, stamp_s=now_s,
            )  # fmt: skip
        return last[1]

    def _depth(self, shot: Shot, now_s: float) -> NDArray[np.float32]:
        # The noise follows from scene and time, so that a restored run sees what the first one saw.
        rng = np.random.default_rng([self.simulation.scene.seed, round(now_s * 1000), 5])
        return frozen(noisy_depth(shot.rgb_and_depth[1], rng))

    def execute(self, step: Step) -> StepResult:
        """Carry out one step once per key; a repeated key returns the first result.

        Raises:
            SimulationFault: the physics broke down, which is nobody's failure.
        """
        return self._once.run(step, self._act)

    def stop(self) -> None:
        """Stop all motion at the next control tick and latch; from any thread."""
        self.motion.stop.set()

    # What this robot offers beyond the four.

    @property
    def set_points(self) -> dict[str, float]:
        """What the joints are told to be, in metres and radians, by name."""
        return self.motion.target

    def offer_hand(self) -> None:
        """Let the hand be moved from outside: `move_hand` and `ready` are added to the manifest.

        Models that were made for a robot's other primitives do not know these two, so no robot has them unasked.
        """
        offered = {primitive.name: primitive for primitive in hand_primitives()}
        self._manifest = with_primitives(self._manifest, offered)

    def reset_stop(self) -> None:
        """Release the stop latch."""
        self.motion.stop.clear()

    def cancel(self, key: str) -> None:
        """End the step that runs under this key at the next control tick; the latch stays open."""
        self._cancelled.add(key)

    def result_of(self, key: str) -> StepResult | None:
        """Return the result of a finished key, None when nothing finished under it."""
        return self._once.result_of(key)

    def reachable(self, step: Step, thing: Located) -> str:
        """Return why the hand cannot get over a thing to take it, "" when it can: by the map and the length of the arm."""
        if step.do != "grasp":
            return ""
        try:
            return "" if self._scope().place_of(thing) else "it is not on the surface that the arm works over"
        except Failed as failure:
            return failure.message.rstrip(".")

    def snapshot(self) -> bytes:
        """Return the world and the robot's memory between two steps, as JSON bytes."""
        state = {
            "world": base64.b64encode(self.simulation.snapshot()).decode(),
            "memory": self.memory.to_json(),
            "set_points": self.motion.target,
            "stopped": self.motion.stop.is_set(),
            "keys": self._once.to_json(),
        }
        if own := self.motion.own_state():
            state["own"] = own
        return json.dumps(state, separators=(",", ":")).encode()

    def restore(self, snapshot: bytes) -> None:
        """Put back what `snapshot` returned; raises UsageError when it is none or belongs to another world."""
        try:
            state = json.loads(snapshot)
            world = base64.b64decode(state["world"], validate=True)
            memory = ActionMemory.from_json(state["memory"])
            set_points = {name: float(state["set_points"][name]) for name in self.motion.target}
            own = dict(state.get("own", {}))
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"this is not a snapshot of a simulated robot: {str(error)[:120]}.") from None
        self.simulation.restore(world)
        self.motion.load_own_state(own)
        self.memory, self.motion.target = memory, set_points
        self._focus(memory.zoom)
        self._once.load(state["keys"])
        (self.motion.stop.set if state["stopped"] else self.motion.stop.clear)()

    # Inside.

    def _act(self, step: Step) -> StepResult:
        report = check_arguments(step.do, step.arguments, self._manifest)
        if not report.ok:
            issue = report.issues[0]
            return StepResult(step.key, "rejected", code=issue.code, message=f"{issue.message} {issue.hint}".strip())
        motion, start_s = self.motion, float(self.simulation.data.time)
        limit_s = step.timeout_s if step.timeout_s is not None else self._manifest.primitives[step.do].timeout_s
        motion.deadline_s = start_s + limit_s
        self._running = step.key

        def ended(status: Any, code: str = "", message: str = "", done: dict[str, Any] | None = None) -> StepResult:
            spent_s = float(self.simulation.data.time) - start_s
            plain = json.loads(json.dumps(done or {}))  # so that a restored result equals the first
            return StepResult(step.key, status, plain, None, code, message, round(spent_s, 3))

        try:
            done = self._carry_out(step)
        except Stopped:
            latched = "the robot is stopped."
            return ended("stopped", "stopped", latched if motion.stop.is_set() else "the step was cancelled.")
        except OutOfTime:
            return ended("timeout", "timeout", f"{step.do} was not finished after {limit_s:g} s.")
        except Failed as failure:
            return ended("failed", failure.code, failure.message)
        finally:
            motion.deadline_s = math.inf
            self._running = ""
            # A step leaves poses one time step old; a restored world computes them anew, so do it here as well.
            mujoco.mj_forward(self.simulation.model, self.simulation.data)
        return ended("succeeded", done=done)

    def _carry_out(self, step: Step) -> dict[str, Any]:
        if self.motion.stop.is_set():
            raise Stopped
        self._feel()
        self._map = self._map.with_floor(self.simulation.world.floor(self.simulation.scene, self.simulation.data))
        self._focus(1.0)
        scope = self._scope()
        self.motion.frame = scope.frame
        if step.do not in HAND_ACTIONS and not scope.is_home():  # those go on from where the hand is
            scope.recover()
        done = self._acting.action(step.do)(scope, self._manifest.primitives[step.do].filled(step.arguments))
        self._focus(self.memory.zoom)
        return done

    def _focus(self, zoom: float) -> None:
        """Narrow the view of the camera so many times."""
        body, self.memory.zoom = self.simulation.embodiment, zoom
        camera = self.simulation.model.camera(body.camera)
        camera.fovy[0] = field_of_view_deg(body.intrinsics.height, zoom * body.intrinsics.fy)

    def _scope(self) -> Scope:
        return self._acting.scope(self.motion, self._map, self.memory, self._look)

    def _look(self, frame: Pose2, surface: Station, turn_rad: float) -> HeightMap:
        return HeightMap(self.observe(), surface.low, surface.high, surface.middle[2], frame, surface.headroom_m, turn_rad)

    def _ticked(self, now_s: float) -> None:
        self.simulation.check()
        for function in self.on_tick:
            function(now_s)
        if self._running in self._cancelled:
            self._cancelled.discard(self._running)
            self.motion.hold()
            raise Stopped

    def _feel(self) -> None:
        """Forget the held thing when the fingers have closed where it was, or press on nothing."""
        if self.memory.held is not None and (
            self.motion.opening() < self.motion.mechanics.gripper.empty_m or not self.motion.squeezes()
        ):
            self.memory.held = None

    def _state(self) -> RobotState:
        self._feel()
        joints = self.motion.joints()
        opening, mechanics = self.motion.opening(), self.motion.mechanics
        closed = self.motion.target[mechanics.closer] <= mechanics.gripper.closed_rad + 0.01
        holding = (
            self.memory.held.phrase
            if self.memory.held
            else "something"
            if closed and opening > mechanics.gripper.empty_m and self.motion.squeezes()
            else ""
        )
        x, y, z = self._in_base(mechanics.hand)[:3, 3].tolist()
        bx, by, yaw = (joints[name] for name in Mechanics.base_joints)
        return RobotState(self.memory.at, holding, joints, (bx, by, yaw), opening, (x, y, z))

    def _in_base(self, link: str) -> NDArray[np.float64]:
        """Return the 4x4 pose of a link in the base frame, from the robot's own joints."""
        data = self.simulation.data
        poses = []
        for name in ("base_footprint", link):
            pose = np.eye(4)
            pose[:3, :3], pose[:3, 3] = data.body(name).xmat.reshape(3, 3), data.body(name).xpos
            poses.append(pose)
        return np.linalg.inv(poses[0]) @ poses[1]
