"""Moving the simulated HSR: smooth joint motions, straight hand motions, the grip; every tick hears the stop."""

import math
import threading
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vlp.sim.embodiments.hsr.body import BASE_JOINTS, BOUNDS, GRIPPER, SERVOS
from vlp.sim.embodiments.hsr.hand import FINGERS, angle_for, opening_of
from vlp.sim.embodiments.hsr.reach import JOINTS, Reach
from vlp.sim.opengl import mujoco

Array = NDArray[np.float64]
TICK_S = 0.02
"""From one set point to the next."""
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


class Motion:
    """Set points and motions of one robot in one simulation.

    Args:
        model, data: the world that holds the robot.
        reach: the robot's model of itself and of its map.
        after_tick: called after each control tick with the simulated time in seconds.
    """

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, reach: Reach, after_tick: Callable[[float], None]) -> None:
        self.model, self.data, self.reach = model, data, reach
        self.stop = threading.Event()
        self.deadline_s = math.inf
        self.on_step: list[Callable[[], None]] = []
        self._after_tick = after_tick
        self._steps = round(TICK_S / model.opt.timestep)
        self._q = {name: int(model.joint(name).qposadr[0]) for name in SERVOS}
        self._servo = {name: model.actuator(name).id for name in SERVOS}
        fingers = ("hand_l_proximal_joint", "hand_l_spring_proximal_joint")
        fingers += ("hand_r_proximal_joint", "hand_r_spring_proximal_joint")
        self._fingers = [int(model.joint(name).qposadr[0]) for name in fingers]
        self._lift_speed = self._lift_acceleration = 0.0
        # What set points keep to, so that the servos, which overshoot a little, keep to the limits.
        self._base_m_s, self._hand_m_s = 0.92 * BOUNDS.base_m_s, 0.85 * BOUNDS.hand_m_s
        self.target = {name: 0.0 for name in SERVOS}
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
        left, left_spring, right, right_spring = (float(self.data.qpos[i]) for i in self._fingers)
        return max(0.0, (opening_of(left + left_spring) + opening_of(right + right_spring)) / 2)

    def squeezes(self) -> bool:
        """Return whether the closing fingers press on something: at rest on nothing their motor exerts no force."""
        return abs(float(self.data.actuator_force[self._servo[GRIPPER]])) > 0.2 * SERVOS[GRIPPER].force

    def lift_force(self) -> float:
        """Return the force in newtons that the lift's motor exerts beyond what balances and accelerates the arm."""
        force = float(self.data.actuator_force[self._servo["arm_lift_joint"]])
        # Set points advance once per tick: at its end the servo is ahead by half a tick's way.
        ahead = SERVOS["arm_lift_joint"].stiffness * self._lift_speed * TICK_S / 2
        lifted_kg = 6.2  # the arm, and a quarter of torso and head, which follow it at half its speed
        return force + ahead - lifted_kg * self._lift_acceleration

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
        for name, move in self._kept(joints).items():
            self.target[name] += move
            if name == "arm_lift_joint":
                self._lift_acceleration = (move / TICK_S - self._lift_speed) / TICK_S
                self._lift_speed = move / TICK_S
            stiffness, damping, *_ = SERVOS[name]
            # Damping acts on the whole speed; feeding the wanted speed forward keeps the joint from trailing behind.
            feed = 0.0 if name == GRIPPER else damping / stiffness * move / TICK_S
            self.data.ctrl[self._servo[name]] = self.target[name] + feed
        self._press_gently()
        for _ in range(self._steps if self.on_step else 1):
            mujoco.mj_step(self.model, self.data, 1 if self.on_step else self._steps)
            for function in self.on_step:
                function()
        self._after_tick(self.data.time)
        self._check_lag()

    def _kept(self, joints: dict[str, float]) -> dict[str, float]:
        """Return how far each set point may move in one tick towards `joints` within the limits of joints, base and hand."""
        most = {name: SERVOS[name].speed * TICK_S for name in joints}
        moves = {name: min(max(goal - self.target[name], -most[name]), most[name]) for name, goal in joints.items()}
        if not any(moves.get(name) for name in JOINTS):
            return moves
        before = self.reach.palm(self.target)
        after = self.reach.palm({**self.target, **{n: self.target[n] + move for n, move in moves.items()}})
        fastest = max(math.dist(before, after) / self._hand_m_s, _base_way(moves) / self._base_m_s) / TICK_S
        if fastest > 1:
            moves = {name: move if name == GRIPPER else move / fastest for name, move in moves.items()}
            after = self.reach.palm({**self.target, **{n: self.target[n] + move for n, move in moves.items()}})
        base_after = tuple(self.target[name] + moves.get(name, 0.0) for name in BASE_JOINTS[:2])
        inset_m = 0.02  # servos overshoot
        outside_m = workspace_exit(after, base_after, inset_m)
        base_before = self.target["base_x"], self.target["base_y"]
        if outside_m > max(0.0, workspace_exit(before, base_before, inset_m)):
            self.hold()
            raise Failed("out-of-workspace", "the hand would leave the space that it may work in.")
        return moves

    def _press_gently(self) -> None:
        """Let the fingers' servo lead by no more than full force takes: one that comes free of an edge would slam shut."""
        servo, (stiffness, _, force, _) = self._servo[GRIPPER], SERVOS[GRIPPER]
        nearest = float(self.data.qpos[self._q[GRIPPER]]) - 1.1 * force / stiffness
        self.data.ctrl[servo] = max(self.target[GRIPPER], nearest)

    def hold(self) -> None:
        """Freeze every joint where it is now; the fingers keep their grip."""
        for name, address in self._q.items():
            if name != GRIPPER:
                self.target[name] = float(self.data.qpos[address])
            self.data.ctrl[self._servo[name]] = self.target[name]
        self._press_gently()

    def wait(self, seconds: float) -> None:
        """Let time pass, holding the set points."""
        for _ in range(max(1, round(seconds / TICK_S))):
            self.tick(self.target.copy())

    def follow(self, joints: dict[str, float], speed: float = 1.0) -> None:
        """Move joints smoothly and together to their goals; the slowest one decides the time.

        Args:
            joints: goals by name, in metres and radians.
            speed: share of the highest speeds.
        """
        start = {name: self.target[name] for name in joints}
        longest = max(abs(goal - start[name]) / (SERVOS[name].speed * speed) for name, goal in joints.items())
        ticks = max(1, math.ceil(1.5 * longest / TICK_S))
        # A short way of the base must not be over in an instant: its servos overshoot the speed that a jerk asks for.
        ticks = max(ticks, math.ceil(math.sqrt(6 * _base_way({n: joints[n] - start[n] for n in joints}) / 1.0) / TICK_S))
        ticks = max(ticks, math.ceil(ticks * self._haste(start, joints, ticks)))
        for i in range(1, ticks + 1):
            share = _ease(i / ticks)
            self.tick({name: start[name] + share * (goal - start[name]) for name, goal in joints.items()})
        self.settle()

    def _haste(self, start: dict[str, float], goal: dict[str, float], ticks: int) -> float:
        """Return by how much base or hand would be faster than they may be on a way of so many ticks, at its fastest."""
        if not any(name in JOINTS for name in goal):
            return 0.0
        shares = [_ease(i / ticks) for i in range(ticks + 1)]
        palms = [
            self.reach.palm({**self.target, **{n: start[n] + share * (goal[n] - start[n]) for n in goal}}) for share in shares
        ]
        hand_m = max(math.dist(a, b) for a, b in pairwise(palms))
        way = {name: goal[name] - start[name] for name in goal}
        base_m = _base_way(way) * max(b - a for a, b in pairwise(shares))
        return max(hand_m / self._hand_m_s, base_m / self._base_m_s) / TICK_S

    def settle(self) -> None:
        """Wait until the joints have come to rest, at most a fifth of a second."""
        for _ in range(10):
            self.tick(self.target.copy())
            if all(abs(self.data.qpos[self._q[n]] - self.target[n]) < 0.002 for n in JOINTS):
                return

    def move_hand(self, pose: Array, speed: float = 1.0, touch_n: float | None = None, most_n: float | None = None) -> bool:
        """Move the palm in a straight line to a pose.

        Args:
            pose: 4x4 palm pose in the world.
            speed: share of the usual hand speed.
            touch_n: stop where the lift feels so much more force than at the start; None does not feel.
            most_n: stop where the lift bears so much in all.

        Returns:
            True when the hand was stopped by what it felt.

        Raises:
            Failed: "unreachable" when joint or collision limits keep the hand from the pose.
        """
        start = self.reach.hand(self.target)
        posture = dict(self.target)
        way_m = float(np.linalg.norm(pose[:3, 3] - start[:3, 3]))
        turn = _rotation_vector(start[:3, :3].T @ pose[:3, :3])
        usual_m_s, usual_rad_s = 0.19, 1.2
        time_s = 1.875 * max(way_m / (usual_m_s * speed), float(np.linalg.norm(turn)) / usual_rad_s)
        ticks = max(1, math.ceil(time_s / TICK_S))
        force = self.lift_force()
        for i in range(1, ticks + 16):
            share = _gentle(min(1.0, i / ticks))
            waypoint = np.eye(4)
            waypoint[:3, 3] = start[:3, 3] + share * (pose[:3, 3] - start[:3, 3])
            waypoint[:3, :3] = start[:3, :3] @ _rotation(turn * share)
            self.tick(self.reach.toward(waypoint, posture, TICK_S))
            touched = touch_n is not None and i > 5 and abs(self.lift_force() - force) > touch_n
            if touched or (most_n is not None and i > 5 and self.lift_force() > most_n):
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
        self.follow({GRIPPER: angle_for(opening_m)})

    def close(self) -> float:
        """Close the fingers with full force and return the opening at which they came to rest, in metres."""
        self.target[GRIPPER] = self.joints()[GRIPPER]
        before, still = self.opening(), 0
        for _ in range(round(2.5 / TICK_S)):
            self.tick({GRIPPER: FINGERS.closed_rad})
            still = still + 1 if abs(self.opening() - before) < 1e-4 else 0
            before = self.opening()
            if still >= 8 and self.target[GRIPPER] <= FINGERS.closed_rad + 1e-6:
                break
        return before

    def _check_lag(self) -> None:
        most = {"base_x": 0.03, "base_y": 0.03, "base_yaw": 0.08, "arm_lift_joint": 0.02}  # behind its set point: m, rad
        for name in JOINTS:
            if abs(self.data.qpos[self._q[name]] - self.target[name]) > most.get(name, 0.15):
                self.hold()
                raise Failed("blocked", "something is in the way of the robot.")


def workspace_exit(hand: Point, base: tuple[float, ...], inset_m: float = 0.0) -> float:
    """Return how far in metres the hand is outside of where it may be; 0 inside, and above the robot's own base.

    Args:
        hand: x, y, z of the palm in the world.
        base: x, y of the base.
        inset_m: how much smaller than declared the workspace is taken.
    """
    if math.dist(hand[:2], base[:2]) < BOUNDS.own_m:
        return 0.0
    corners = zip(BOUNDS.low_m, hand, BOUNDS.high_m, strict=True)
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
