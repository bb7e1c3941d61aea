"""What people do when something is held out to them: they reach for it, take hold, pull, and keep it.

What a person is about is MuJoCo's user data, so snapshots keep it. A hand without fingers takes hold by a weld between palm and
thing, as they are at that moment.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from vlp.sim.embodiments.protocol import Fingers
from vlp.sim.opengl import mujoco
from vlp.sim.worlds.home.mannequins import hand_of, joint_names
from vlp.sim.worlds.home.people import ArmPose, Build, gestures
from vlp.sim.worlds.home.scene import HomePerson, HomeScene
from vlp.sim.worlds.protocol import Pose2

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Manner:
    """How people take things.

    Args:
        reach_m: from the shoulder to what they can take.
        hand_m_s, arm_rad_s: speeds of hand and joints.
        out_m: from the robot's axis; what is nearer to it is carried, and not held out.
        still_m_s: what is slower than this is held out.
        wait_s: how long it must have been held out.
        patience_s: how long they reach, and how long they pull, in vain.
        below_m: from the bottom of a thing to the middle of the palm that takes it.
        beside_m: how far the palm is to the person's side of the middle of the thing, away from the hand that holds it.
        near_m: how near the palm must have come to take hold.
        pull_n: how hard they pull.
        pull_m_s: how fast they pull harder.
        torn_m: what is farther from the hand that holds it than this was taken away by somebody.
    """

    reach_m: float = 0.60
    hand_m_s: float = 0.30
    arm_rad_s: float = 0.8
    out_m: float = 0.55
    still_m_s: float = 0.03
    wait_s: float = 0.4
    patience_s: float = 6.0
    below_m: float = 0.035
    beside_m: float = 0.04
    near_m: float = 0.03
    pull_n: float = 7.5
    pull_m_s: float = 0.012
    torn_m: float = 0.5


class Phase(IntEnum):
    """What a person does."""

    IDLE = 0
    SEES = 1
    READIES = 2
    REACHES = 3
    PULLS = 4
    HOLDS = 5
    LOWERS = 6


def n_remembered() -> int:
    """Return how many numbers of user data a person takes: time, phase, since when, thing, and its pose in the hand."""
    return 4 + 7


def weld_of(name: str) -> str:
    """Return the name of the weld between a person's hand and what it took."""
    return f"{name}'s grip"


def add_grip(spec: mujoco.MjSpec, person: HomePerson, scene: HomeScene) -> None:
    """Add what a person's hand holds things by; it holds nothing yet."""
    if scene.objects:
        spec.add_equality(
            name=weld_of(person.name), type=mujoco.mjtEq.mjEQ_WELD, objtype=mujoco.mjtObj.mjOBJ_BODY, active=False,
            name1=hand_of(person.name), name2=scene.objects[0].phrase,
        )  # fmt: skip


def taken(data: mujoco.MjData, scene: HomeScene, first: int) -> dict[str, str]:
    """Return by thing who has taken hold of it; `first` is where people's user data begins."""
    found = {}
    for i, person in enumerate(scene.persons):
        mind = _mind(data, first, i)
        if mind[1] in (Phase.PULLS, Phase.HOLDS):
            found[scene.objects[int(mind[3])].phrase] = person.name
    return found


def let_go(model: mujoco.MjModel, data: mujoco.MjData, scene: HomeScene, first: int, thing: str) -> None:
    """Let whoever has taken hold of a thing let go of it."""
    for i, person in enumerate(scene.persons):
        mind = _mind(data, first, i)
        if taken(data, scene, first).get(thing) == person.name:
            data.eq_active[model.equality(weld_of(person.name)).id] = 0
            mind[1:3] = Phase.LOWERS, data.time


def take(model: mujoco.MjModel, data: mujoco.MjData, scene: HomeScene, hand: Fingers | None, robot: Pose2, first: int) -> None:
    """Let people go on with what they are about.

    Args:
        model, data: a home after a time step.
        scene: what it was built from.
        hand: the robot's.
        robot: where its base is.
        first: where people's user data begins.
    """
    if hand is None or not scene.objects:
        return
    touching = _touching(model, data)
    for i, person in enumerate(scene.persons):
        if person.pose != "lying":
            _Taker(model, data, scene, person, _mind(data, first, i), robot, touching).go_on(hand)


def _touching(model: mujoco.MjModel, data: mujoco.MjData) -> dict[str, set[str]]:
    """Return by body which others it touches; bodies that are asleep are left out."""
    found: dict[str, set[str]] = {}
    for pair in model.geom_bodyid[data.contact.geom].tolist():
        one, two = (model.body(body).name for body in pair)
        found.setdefault(one, set()).add(two)
        found.setdefault(two, set()).add(one)
    return found


def _mind(data: mujoco.MjData, first: int, i: int) -> Array:
    return data.userdata[first + i * n_remembered() : first + (i + 1) * n_remembered()]


class _Taker:
    """One person at one moment.

    Args:
        model, data, scene: the home.
        person: who.
        mind: what the person remembers, a view of the user data.
        robot: where the robot's base is.
        touching: by body which others it touches.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        scene: HomeScene,
        person: HomePerson,
        mind: Array,
        robot: Pose2,
        touching: Mapping[str, set[str]],
    ) -> None:
        self.model, self.data, self.scene, self.person, self.mind = model, data, scene, person, mind
        self.robot, self.touching = robot, touching
        self.manner = Manner()

    def go_on(self, hand: Fingers) -> None:
        """Do what the time since the last call allows."""
        dt_s = min(max(self.data.time - self.mind[0], 0.0), 0.1)
        self.mind[0] = self.data.time
        phase = int(self.mind[1])
        if phase in (Phase.IDLE, Phase.SEES):
            self._watch(hand)
        elif phase == Phase.READIES:
            self._ready(hand, dt_s)
        elif phase == Phase.REACHES:
            self._reach(hand, dt_s)
        elif phase == Phase.PULLS:
            self._pull(hand, dt_s)
        elif phase == Phase.HOLDS:
            self._keep(dt_s)
        elif self._arm_towards((0.0,) * 4, dt_s):
            self._begin(Phase.IDLE)

    def _watch(self, hand: Fingers) -> None:
        """Wait until something has been held out for a while."""
        thing = self._held_out(hand)
        if thing < 0:
            self._begin(Phase.IDLE)
        elif self.mind[1] == Phase.IDLE or self.mind[3] != thing:
            self.mind[3] = thing
            self._begin(Phase.SEES)
        elif self._since_s() > self.manner.wait_s:
            self._begin(Phase.READIES)

    def _ready(self, hand: Fingers, dt_s: float) -> None:
        """Bring an arm that is not below the thing before the body, its elbow low and its hand below what is held out.

        An arm that had been raised kept its elbow up, and its forearm struck the thing that its hand went under.
        """
        low_m, low = 0.15, self._turns_to(ArmPose(0.25, 0.0, 0.0, 0.6))
        if self._held_out(hand) != int(self.mind[3]):
            self._begin(Phase.LOWERS)
        elif self._palm()[2] < self.data.body(self._name()).xpos[2] - low_m or self._arm_towards(low, dt_s):
            self._begin(Phase.REACHES)

    def _reach(self, hand: Fingers, dt_s: float) -> None:
        """Bring the palm below the thing, and take hold there."""
        thing = int(self.mind[3])
        if self._held_out(hand) != thing or self._since_s() > self.manner.patience_s:
            self._begin(Phase.LOWERS)
            return
        name, m = self._name(), self.manner
        size_m = np.array(self.scene.objects[thing].size_m)
        body = self.data.body(name)
        low_m = float(np.abs(body.xmat.reshape(3, 3)[2]) @ size_m) / 2
        goal = body.xpos + m.beside_m * self._homewards(body.xpos) - (0.0, 0.0, low_m + m.below_m)
        if np.linalg.norm(goal - self._palm()) < m.near_m and self._is_still(name):
            self._grip(name)
            self._begin(Phase.PULLS)
            return
        away = self._way_under(goal) - self._palm()
        self._move_palm(4.0 * away, m.hand_m_s, dt_s)

    def _pull(self, hand: Fingers, dt_s: float) -> None:
        """Pull until the robot has let go."""
        self._show_grip()
        m, body = self.manner, self.data.body(self._name())
        if not self._touched_by(hand):
            self._begin(Phase.HOLDS)
        elif self._since_s() > m.patience_s or self._torn():
            self._drop()
        elif self._weld_n() < m.pull_n:
            self._move_palm(self._homewards(body.xpos), m.pull_m_s, dt_s)

    def _keep(self, dt_s: float) -> None:
        """Hold the thing before the body, once the robot's hand has gone."""
        self._show_grip()
        gone_s = 1.5
        if self._torn():
            self._drop()
        elif self._since_s() > gone_s:
            self._arm_towards(self._turns_to(gestures()["offering"][0]), dt_s)

    def _way_under(self, goal: Array) -> Array:
        """Return where the palm goes next on its way to a point below a thing, so that it meets nothing.

        A hand that is higher comes down on its person's side of the thing first: straight down to the point below it, it struck
        bottles out of the fingers that held them.
        """
        palm, below_m, clear_m, near_m = self._palm(), 0.10, 0.16, 0.06
        far_m = np.linalg.norm((goal - palm)[:2])
        if far_m < near_m:
            return goal
        lowered = goal - (0.0, 0.0, below_m)
        return lowered + clear_m * self._homewards(goal) if palm[2] > goal[2] else lowered

    # What the person sees and feels.

    def _held_out(self, hand: Fingers) -> int:
        """Return the thing that a robot holds out within reach of a person with an empty hand, -1 for none.

        What it carries past a sofa is not held out: somebody on it took hold of a mug, and lost it as the robot drove off.
        """
        for i, thing in enumerate(self.scene.objects):
            partners = self.touching.get(thing.phrase)
            if not partners or not all(any(name.startswith(finger) for name in partners) for finger in hand.each):
                continue
            shoulder = self.data.body(joint_names(self.person.name)[0]).xpos
            at = self.data.body(thing.phrase).xpos
            near = np.linalg.norm(at - shoulder) < self.manner.reach_m and self._is_nearest(at)
            near = near and math.dist(at[:2], self.robot[:2]) > self.manner.out_m
            still = self._is_still(thing.phrase) or self.mind[1] in (Phase.READIES, Phase.REACHES)
            own = self.touching.get(hand_of(self.person.name), set())
            if near and still and not own & ({other.phrase for other in self.scene.objects} - {thing.phrase}):
                return i
        return -1

    def _is_nearest(self, point: Array) -> bool:
        """Return whether no other person is nearer to a point."""
        away = {p.name: float(np.linalg.norm(self.data.body(p.name).xpos[:2] - point[:2])) for p in self.scene.persons}
        return min(away, key=away.__getitem__) == self.person.name

    def _is_still(self, name: str) -> bool:
        return bool(np.linalg.norm(self.data.joint(name).qvel[:3]) < self.manner.still_m_s)

    def _touched_by(self, hand: Fingers) -> bool:
        return any(name.startswith(hand.hand) for name in self.touching.get(self._name(), ()))

    def _weld_n(self) -> float:
        """Return the force in newtons in the grip."""
        weld = self.model.equality(weld_of(self.person.name)).id
        rows = np.flatnonzero((self.data.efc_type == mujoco.mjtConstraint.mjCNSTR_EQUALITY) & (self.data.efc_id == weld))
        return float(np.linalg.norm(self.data.efc_force[rows[:3]]))

    def _homewards(self, point: Array) -> Array:
        """Return the level direction from a point to the person."""
        x, y = self.data.body(self.person.name).xpos[:2] - point[:2]
        return np.array([x, y, 0.0]) / math.hypot(x, y)

    def _palm(self) -> Array:
        build, body = Build(), self.data.body(hand_of(self.person.name))
        return body.xpos + body.xmat.reshape(3, 3) @ (0.0, 0.0, -build.forearm_m - build.palm_m)

    def _since_s(self) -> float:
        return float(self.data.time - self.mind[2])

    def _name(self) -> str:
        return self.scene.objects[int(self.mind[3])].phrase

    # What the person does.

    def _begin(self, phase: Phase) -> None:
        if self.mind[1] != phase:
            self.mind[1:3] = phase, self.data.time

    def _move_palm(self, wanted: Array, most_m_s: float, dt_s: float) -> None:
        """Move the servos' set points so that the palm moves in a direction, by damped least squares."""
        speed = wanted * min(1.0, most_m_s / max(float(np.linalg.norm(wanted)), 1e-9))
        names = joint_names(self.person.name)
        whole, damping_m2 = np.zeros((3, self.model.nv)), 0.0025
        mujoco.mj_jac(self.model, self.data, whole, None, self._palm(), self.model.body(hand_of(self.person.name)).id)
        jacobian = whole[:, [int(self.model.joint(name).dofadr[0]) for name in names]]
        turn = jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + damping_m2 * np.eye(3), speed) * dt_s
        for name, angle in zip(names, turn, strict=True):
            self.data.ctrl[self.model.actuator(name).id] += angle

    def _arm_towards(self, angles: tuple[float, ...], dt_s: float) -> bool:
        """Move the servos' set points towards angles from the gesture; return whether they are there."""
        far = 0.0
        for name, goal in zip(joint_names(self.person.name), angles, strict=True):
            servo, step = self.model.actuator(name).id, self.manner.arm_rad_s * dt_s
            self.data.ctrl[servo] += min(max(goal - self.data.ctrl[servo], -step), step)
            far = max(far, abs(goal - self.data.ctrl[servo]))
        return far < 1e-6

    def _turns_to(self, pose: ArmPose) -> tuple[float, ...]:
        """Return the angles of a pose from those of the gesture."""
        was = gestures()[self.person.gesture][0].angles()
        return tuple(b - a for a, b in zip(was, pose.angles(), strict=True))

    def _grip(self, name: str) -> None:
        """Take hold of a thing as it lies in the hand now."""
        hand, body = self.data.body(hand_of(self.person.name)), self.data.body(name)
        back, turned = np.zeros(4), np.zeros(4)
        mujoco.mju_negQuat(back, hand.xquat)
        mujoco.mju_mulQuat(turned, back, body.xquat)
        self.mind[4:7], self.mind[7:11] = hand.xmat.reshape(3, 3).T @ (body.xpos - hand.xpos), turned
        self._show_grip()
        for joint in joint_names(self.person.name):  # from here on they pull: servos on their way pressed a mug with 53 N
            self.data.ctrl[self.model.actuator(joint).id] = self.data.joint(joint).qpos[0]

    def _show_grip(self) -> None:
        """Let the weld be what is remembered; a restored snapshot has another model."""
        weld = self.model.equality(weld_of(self.person.name)).id
        self.model.eq_obj2id[weld] = self.model.body(self._name()).id
        self.model.eq_data[weld, 0:3], self.model.eq_data[weld, 3:10] = 0.0, self.mind[4:11]
        self.data.eq_active[weld] = 1

    def _torn(self) -> bool:
        return bool(np.linalg.norm(self.data.body(self._name()).xpos - self._palm()) > self.manner.torn_m)

    def _drop(self) -> None:
        self.data.eq_active[self.model.equality(weld_of(self.person.name)).id] = 0
        self._begin(Phase.LOWERS)
