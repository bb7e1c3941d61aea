"""Moving a simulated body: smooth joint motions, straight hand motions, the grip; every tick hears the stop."""

import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vlp.sim.embodiments.mechanics import Bounds, Mechanics
from vlp.sim.embodiments.reach import Reach
from vlp.sim.opengl import mujoco
from vlp.sim.worlds.protocol import Pose2

Array = NDArray[np.float64]
Point = tuple[float, float, float]


class Failed(Exception):
    """An action could not be done: a stable code and a sentence for people and for the model."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Stopped(Exception):
    """The stop was pressed."""


class OutOfTime(Exception):
    """The step's time limit, in simulated time, has passed."""


class Motion(ABC):
    """Set points and motions of one robot in one simulation; each body adds how its hand feels.

    Args:
        mechanics: the body's.
        model, data: the world that holds the robot.
        reach: the robot's model of itself and of its map.
        after_tick: called after each control tick with the simulated time in seconds.

    Attributes:
        frame: the pose in the world that the workspace is told from.
    """

    tick_s: ClassVar[float] = 0.02
    """From one set point to the next."""

    def __init__(
        self,
        mechanics: Mechanics,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        reach: Reach,
        after_tick: Callable[[float], None],
    ) -> None:
        self.mechanics, self.model, self.data, self.reach = mechanics, model, data, reach
        self.stop = threading.Event()
        self.deadline_s = math.inf
        self.on_step: list[Callable[[], None]] = []
        self._after_tick = after_tick
        self._steps = round(self.tick_s / model.opt.timestep)
        self._q = {name: int(model.joint(name).qposadr[0]) for name in mechanics.servos}
        self._servo = {name: model.actuator(name).id for name in mechanics.servos}
        self._fingers = [[int(model.joint(name).qposadr[0]) for name in finger] for finger in mechanics.fingers]
        # What set points keep to, so that the servos, which overshoot a little, keep to the limits.
        self._base_m_s, self._hand_m_s = 0.92 * mechanics.bounds.base_m_s, 0.85 * mechanics.bounds.hand_m_s
        self.frame: Pose2 = (0.0, 0.0, 0.0)
        self.target = {name: 0.0 for name in mechanics.servos}
        self.reload()

    def reload(self) -> None:
        """Take the set points from the servos, at the start and after a restored state."""
        for name, servo in self._servo.items():
            self.target[name] = float(self.data.ctrl[servo])

    def joints(self) -> dict[str, float]:
        """Return the measured positions of the commanded joints."""
        return {name: float(self.data.qpos[address]) for name, address in self._q.items()}

    def opening(self) -> float:
        """Return the measured distance between the finger tips in metres."""
        gripper = self.mechanics.gripper
        left, right = (gripper.opening_of(sum(float(self.data.qpos[i]) for i in finger)) for finger in self._fingers)
        return max(0.0, (left + right) / 2)

    def squeezes(self) -> bool:
        """Return whether the closing fingers press on something: at rest on nothing their motor exerts no force."""
        return (
            abs(float(self.data.actuator_force[self._servo[self.mechanics.closer]]))
            > 0.2 * self.mechanics.servos[self.mechanics.closer].force
        )

    @abstractmethod
    def lift_force(self) -> float:
        """Return the force in newtons with which the hand bears upwards, beyond what it takes to hold and move itself."""

    def wrist_force(self) -> Point:
        """Return the force in newtons with which the arm bears its hand, in the world, as the wrist's sensor feels it."""
        x, y, z = self.data.site("wrist_force").xmat.reshape(3, 3) @ self.data.sensor("wrist_force").data
        return float(x), float(y), float(z)

    def moved(self, moves: dict[str, float]) -> None:
        """Take note of how far set points have just moved, before the time of that tick passes."""
        del moves

    def own_state(self) -> dict[str, Any]:
        """Return what, beside the set points, a restored robot needs to go on, as plain data."""
        return {}

    def load_own_state(self, state: dict[str, Any]) -> None:
        """Put back what `own_state` returned; raises KeyError, TypeError or ValueError on anything else."""
        del state

    def tick(self, joints: dict[str, float]) -> None:
        """Move the set points towards `joints`, no faster than the limits allow, and let one tick of time pass.

        Raises:
            Stopped, OutOfTime: before anything moves; the robot holds where it is.
            Failed: "blocked" when a joint lags too far behind; "out-of-workspace" before the hand leaves its workspace.
        """
        if self.stop.is_set():
            self.hold()
            raise Stopped
        if self.data.time >= self.deadline_s:
            self.hold()
            raise OutOfTime
        moves, before = self._kept(joints), self.data.ctrl.copy()
        for name, move in moves.items():
            self.lead(name, self.target[name] + move, move)
        self.moved(moves)
        self._press_gently()
        self._pass(before)
        self._after_tick(self.data.time)
        self._check_lag()

    def _pass(self, before: Array) -> None:
        """Let one tick of time pass, with set points that follow from those before it as the body's mechanics has it."""
        goal, n, closer = self.data.ctrl.copy(), self._steps, self._servo[self.mechanics.closer]
        ramps = self.mechanics.ramps and bool((goal != before).any())
        each = n if ramps or self.on_step else 1
        for i in range(each):
            if ramps:
                self.data.ctrl[:] = before + (i + 1) / n * (goal - before)
                self.data.ctrl[closer] = goal[closer]
            mujoco.mj_step(self.model, self.data, n // each)
            for function in self.on_step:
                function()

    def lead(self, name: str, goal: float, move: float) -> None:
        """Set a joint's set point, which moves by so much in this tick."""
        self.target[name] = goal
        stiffness, damping, *_ = self.mechanics.servos[name]
        # Damping acts on the whole speed; feeding the wanted speed forward keeps the joint from trailing behind.
        feed = 0.0 if name == self.mechanics.closer else damping / stiffness * move / self.tick_s
        self.data.ctrl[self._servo[name]] = goal + feed

    def _kept(self, joints: dict[str, float]) -> dict[str, float]:
        """Return how far each set point may move in one tick towards `joints` within the limits of joints, base and hand."""
        most = {name: self.mechanics.servos[name].speed * self.tick_s for name in joints}
        moves = {name: min(max(goal - self.target[name], -most[name]), most[name]) for name, goal in joints.items()}
        if not any(moves.get(name) for name in self.mechanics.joints):
            return moves
        before = self.reach.palm(self.target)
        after = self.reach.palm({**self.target, **{n: self.target[n] + move for n, move in moves.items()}})
        fastest = max(math.dist(before, after) / self._hand_m_s, _base_way(moves) / self._base_m_s) / self.tick_s
        if fastest > 1:
            moves = {name: move if name == self.mechanics.closer else move / fastest for name, move in moves.items()}
            after = self.reach.palm({**self.target, **{n: self.target[n] + move for n, move in moves.items()}})
        base_after = tuple(self.target[name] + moves.get(name, 0.0) for name in Mechanics.base_joints[:2])
        inset_m = 0.02  # servos overshoot
        outside_m = workspace_exit(self.mechanics.bounds, after, base_after, self.frame, inset_m)
        base_before = self.target["base_x"], self.target["base_y"]
        if outside_m > max(0.0, workspace_exit(self.mechanics.bounds, before, base_before, self.frame, inset_m)):
            self.hold()
            raise Failed("out-of-workspace", "the hand would leave the space that it may work in.")
        return moves

    def _press_gently(self) -> None:
        """Let the fingers' servo lead by no more than its force takes: one that comes free of an edge would slam shut."""
        closer = self.mechanics.closer
        servo, angle = self._servo[closer], float(self.data.qpos[self._q[closer]])
        nearest = angle - self.mechanics.grip_torque(angle) / self.mechanics.servos[closer].stiffness
        self.data.ctrl[servo] = max(self.target[closer], nearest)

    def hold(self) -> None:
        """Freeze every joint where it is now; the fingers keep their grip."""
        for name, address in self._q.items():
            if name != self.mechanics.closer:
                self.target[name] = float(self.data.qpos[address])
            self.data.ctrl[self._servo[name]] = self.target[name]
        self._press_gently()

    def wait(self, seconds: float) -> None:
        """Let time pass, holding the set points."""
        for _ in range(max(1, round(seconds / self.tick_s))):
            self.tick(self.target.copy())

    def follow(self, joints: dict[str, float], speed: float = 1.0, until: Callable[[], bool] | None = None) -> bool:
        """Move joints smoothly and together to their goals; the slowest one decides the time.

        Args:
            joints: goals by name, in metres and radians.
            speed: share of the highest speeds.
            until: asked after each tick whether to stop there; None goes on to the goals.

        Returns:
            True when it was stopped by `until`.
        """
        start = {name: self.target[name] for name in joints}
        longest = max(abs(goal - start[name]) / (self.mechanics.servos[name].speed * speed) for name, goal in joints.items())
        ticks = max(1, math.ceil(1.5 * longest / self.tick_s))
        # A short way of the base must not be over in an instant: its servos overshoot the speed that a jerk asks for.
        ticks = max(ticks, math.ceil(math.sqrt(6 * _base_way({n: joints[n] - start[n] for n in joints}) / 1.0) / self.tick_s))
        ticks = max(ticks, math.ceil(ticks * self._haste(start, joints, ticks)))
        for i in range(1, ticks + 1):
            share = _ease(i / ticks)
            self.tick({name: start[name] + share * (goal - start[name]) for name, goal in joints.items()})
            if until is not None and until():
                self.hold()
                return True
        self.settle()
        return False

    def trace(self, way: Callable[[float], dict[str, float]], time_s: float, until: Callable[[], bool]) -> bool:
        """Move joints along a curve.

        Args:
            way: the joints' goals by name at a share of the way, 0 to 1.
            time_s: how long it takes.
            until: asked after each tick whether to stop there.

        Returns:
            True when it was stopped by `until`.
        """
        ticks = max(1, math.ceil(time_s / self.tick_s))
        for i in range(1, ticks + 1):
            self.tick(way(_ease(i / ticks)))
            if until():
                self.hold()
                return True
        self.settle()
        return False

    def _haste(self, start: dict[str, float], goal: dict[str, float], ticks: int) -> float:
        """Return by how much base or hand would be faster than they may be on a way of so many ticks, at its fastest."""
        if not any(name in self.mechanics.joints for name in goal):
            return 0.0
        shares = [_ease(i / ticks) for i in range(ticks + 1)]
        palms = [
            self.reach.palm({**self.target, **{n: start[n] + share * (goal[n] - start[n]) for n in goal}}) for share in shares
        ]
        hand_m = max(math.dist(a, b) for a, b in pairwise(palms))
        way = {name: goal[name] - start[name] for name in goal}
        base_m = _base_way(way) * max(b - a for a, b in pairwise(shares))
        return max(hand_m / self._hand_m_s, base_m / self._base_m_s) / self.tick_s

    def settle(self) -> None:
        """Wait until the joints have come to rest, at most a fifth of a second."""
        for _ in range(10):
            self.tick(self.target.copy())
            if all(abs(self.data.qpos[self._q[n]] - self.target[n]) < 0.002 for n in self.mechanics.joints):
                return

    def move_hand(
        self,
        pose: Array,
        speed: float = 1.0,
        touch_n: float | None = None,
        most_n: float | None = None,
        until: Callable[[], bool] | None = None,
    ) -> bool:
        """Move the palm in a straight line to a pose.

        Args:
            pose: 4x4 palm pose in the world.
            speed: share of the usual hand speed.
            touch_n: stop where the lift feels so much more force than at the start; None does not feel.
            most_n: stop where the lift bears so much in all.
            until: asked after each tick whether to stop there.

        Returns:
            True when the hand was stopped by what it felt.

        Raises:
            Failed: "unreachable" when joint or collision limits keep the hand from the pose.
        """
        start = self.reach.hand(self.target)
        posture = dict(self.target)
        way_m = float(np.linalg.norm(pose[:3, 3] - start[:3, 3]))
        turn = _rotation_vector(start[:3, :3].T @ pose[:3, :3])
        usual = self.mechanics.solving
        time_s = 1.875 * max(way_m / (usual.usual_m_s * speed), float(np.linalg.norm(turn)) / usual.usual_rad_s)
        ticks = max(1, math.ceil(time_s / self.tick_s))
        force = self.lift_force()
        for i in range(1, ticks + 16):
            share = _gentle(min(1.0, i / ticks))
            waypoint = np.eye(4)
            waypoint[:3, 3] = start[:3, 3] + share * (pose[:3, 3] - start[:3, 3])
            waypoint[:3, :3] = start[:3, :3] @ _rotation(turn * share)
            self.tick(self.reach.toward(waypoint, posture, self.tick_s))
            touched = touch_n is not None and i > 5 and abs(self.lift_force() - force) > touch_n
            if touched or (most_n is not None and i > 5 and self.lift_force() > most_n) or (until is not None and until()):
                self.hold()
                return True
            if i >= ticks and self.reach.error(pose)[0] < 0.001:
                break
        distance_m, angle_rad = self.reach.error(pose)
        if distance_m > 0.006 or angle_rad > 0.05:
            raise Failed("unreachable", f"the hand gets no nearer than {distance_m * 100:.0f} cm to its goal.")
        self.settle()
        return False

    def open_to(self, opening_m: float) -> None:
        """Open (or close) the fingers to a distance between the tips."""
        self.follow({self.mechanics.closer: self.mechanics.gripper.angle_for(opening_m)})

    def close(self) -> float:
        """Close the fingers with full force and return the opening at which they came to rest, in metres."""
        closer, closed_rad = self.mechanics.closer, self.mechanics.gripper.closed_rad
        self.target[closer] = self.joints()[closer]
        before, still, longest_s = self.opening(), 0, 6.0  # ANYmal's fingers take 4.6 s from wide open to shut
        for _ in range(round(longest_s / self.tick_s)):
            self.tick({closer: closed_rad})
            still = still + 1 if abs(self.opening() - before) < 1e-4 else 0
            before = self.opening()
            if still >= 8 and self.target[closer] <= closed_rad + 1e-6:
                break
        return before

    def _check_lag(self) -> None:
        for name in self.mechanics.joints:
            if abs(self.data.qpos[self._q[name]] - self.target[name]) > self.mechanics.lag.get(name, 0.15):
                self.hold()
                raise Failed("blocked", "something is in the way of the robot.")


def workspace_exit(bounds: Bounds, hand: Point, base: tuple[float, ...], frame: Pose2, inset_m: float = 0.0) -> float:
    """Return how far in metres the hand is outside of where it may be; 0 inside, and above the robot's own base.

    Args:
        bounds: with the workspace.
        hand: x, y, z of the palm in the world.
        base: x, y of the base.
        frame: the pose in the world that the workspace is told from.
        inset_m: how much smaller than declared the workspace is taken.
    """
    if math.dist(hand[:2], base[:2]) < bounds.own_m:
        return 0.0
    c, s = math.cos(frame[2]), math.sin(frame[2])
    dx, dy = hand[0] - frame[0], hand[1] - frame[1]
    corners = zip(bounds.low_m, (c * dx + s * dy, c * dy - s * dx, hand[2]), bounds.high_m, strict=True)
    return max(0.0, *(max(a + inset_m - p, p - b + inset_m) for a, p, b in corners))


def _base_way(moves: dict[str, float]) -> float:
    return math.hypot(moves.get("base_x", 0.0), moves.get("base_y", 0.0))


def _ease(t: float) -> float:
    return t * t * (3 - 2 * t)


def _gentle(t: float) -> float:
    return t * t * t * (10 - 15 * t + 6 * t * t)  # starts and ends without a jerk that would feel like a touch


def _rotation_vector(matrix: Array) -> Array:
    quat, vector = np.zeros(4), np.zeros(3)
    mujoco.mju_mat2Quat(quat, matrix.flatten())
    mujoco.mju_quat2Vel(vector, quat, 1.0)
    return vector


def _rotation(vector: Array) -> Array:
    quat, matrix = np.zeros(4), np.zeros(9)
    angle = float(np.linalg.norm(vector))
    mujoco.mju_axisAngle2Quat(quat, vector / angle if angle > 1e-12 else np.array([0.0, 0.0, 1.0]), angle)
    mujoco.mju_quat2Mat(matrix, quat)
    return matrix.reshape(3, 3)
