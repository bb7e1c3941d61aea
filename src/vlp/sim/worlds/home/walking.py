"""How people walk: alone, ahead of a robot that follows them, or behind one that guides them.

A standing person is a body that MuJoCo is told the pose of ("mocap"): it is moved along a path on the free floor and turned to
where it goes; its legs do not step. Where it is going is MuJoCo's user data, so snapshots keep it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vlp.core.errors import UsageError
from vlp.sim.opengl import mujoco
from vlp.sim.worlds.floor import Corner, FloorPlan
from vlp.sim.worlds.home.people import free_spot
from vlp.sim.worlds.home.rooms import floor_plan
from vlp.sim.worlds.home.scene import HomePerson, HomeScene
from vlp.sim.worlds.protocol import Pose2

Array = NDArray[np.float64]


class Walk(IntEnum):
    """How a person walks."""

    STANDS = 0
    ALONE = 1
    LEADS = 2
    COMES = 3


@dataclass(frozen=True)
class Pace:
    """How people walk.

    Args:
        alone_m_s, with_m_s: speeds alone and with a robot.
        turn_rad_s: how fast they turn.
        near_m: who leads waits for a robot that is farther away.
        engaged_m: who leads or comes along begins once a robot has been this near.
        begin_s, still_m: who leads sets off once it has stood still so long, within so much.
        lost_s: how long who leads waits for a robot that is left behind before it must come up again.
        behind_m: how far they stay behind a robot.
        room_m: what they keep to everything in the free room, where the robot is to follow.
        tight_m: what they keep where there is less room.
        ahead_m: how far they step out of where they stand before they turn.
        wait_m: what they keep from a robot in their way.
        give_way_m: who comes along steps away from a robot that is nearer.
        again_s: how often who comes along looks for the way anew.
    """

    alone_m_s: float = 0.8
    with_m_s: float = 0.35
    turn_rad_s: float = 2.5
    near_m: float = 1.9
    engaged_m: float = 1.3
    begin_s: float = 2.0
    still_m: float = 0.02
    lost_s: float = 4.0
    behind_m: float = 1.0
    room_m: float = 0.45
    tight_m: float = 0.24
    ahead_m: float = 0.5
    wait_m: float = 1.05
    give_way_m: float = 0.85
    again_s: float = 0.5


def most_corners() -> int:
    """Return how many corners of a way a person remembers."""
    return 14


def n_remembered() -> int:
    """Return how many numbers of user data a walker takes.

    They are time, gait, yaw in the end, last look, engaged, the number of corners, the corners, and where a robot last moved.
    """
    return 6 + 2 * most_corners() + 2


def where(data: mujoco.MjData, person: HomePerson) -> Pose2:
    """Return where a person's feet (the hips of one who sits or lies) are now, and where the front faces."""
    if person.pose != "standing":
        return person.x_m, person.y_m, person.yaw_rad
    body = data.body(person.name)
    turn = body.xmat.reshape(3, 3)
    return float(body.xpos[0]), float(body.xpos[1]), math.atan2(turn[1, 0], turn[0, 0])


def floor_now(data: mujoco.MjData, scene: HomeScene) -> FloorPlan:
    """Return the floor with people where they are now."""
    return floor_plan(_moved(data, scene, ""))


def send(data: mujoco.MjData, scene: HomeScene, first: int, name: str, gait: Walk, place: str = "") -> None:
    """Let a person who stands walk.

    Args:
        data: a home.
        scene: what it was built from.
        first: where the walkers' user data begins.
        name: who.
        gait: how; who comes along needs no goal.
        place: the room to go to.

    Raises:
        UsageError: the person does not stand, or there is no room to stand or no way.
    """
    i = next((i for i, person in enumerate(scene.persons) if person.name == name and person.pose == "standing"), -1)
    if i < 0:
        raise UsageError(f"there is nobody {name!r} who stands.")
    mind, corners, yaw = _mind(data, first, i), (), 0.0
    if gait in (Walk.ALONE, Walk.LEADS):
        goal = _spot_in(data, scene, name, place)
        corners, yaw = _way(data, scene, scene.persons[i], goal), goal[2]
    mind[:] = 0.0
    mind[0], mind[1], mind[2] = data.time, gait, yaw
    _remember(mind, corners)


def stand_in_way(data: mujoco.MjData, scene: HomeScene, first: int, name: str, start: Corner, goal: Corner) -> bool:
    """Set a person who stands down on the way of a robot, not near its ends, where another way is left.

    Args:
        data: a home; the caller computes where everything is then.
        scene: what it was built from.
        first: where the walkers' user data begins.
        name: who.
        start, goal: of the way.

    Returns:
        False where there is no such spot; then nobody has moved.
    """
    room_m, ends_m, away_m, half_m = Pace().room_m, Pace().tight_m, 1.2, 0.25
    floor = floor_plan(_moved(data, scene, name))
    try:
        corners = np.asarray(floor.path(start, goal, room_m, ends_m))
    except UsageError:
        return False
    way = np.concatenate([np.linspace(a, b, 12) for a, b in pairwise(corners)])
    far_m = np.array([min(math.dist(spot, start), math.dist(spot, goal)) for spot in way])
    for x, y in way[np.argsort(-far_m)][: int((far_m > away_m).sum())].tolist():
        taken = (x - half_m, y - half_m), (x + half_m, y + half_m)
        try:
            replace(floor, obstacles=(*floor.obstacles, taken)).path(start, goal, room_m, ends_m)
        except UsageError:
            continue
        i = next(i for i, person in enumerate(scene.persons) if person.name == name)
        _mind(data, first, i)[1] = Walk.STANDS
        data.mocap_pos[int(data.model.body(name).mocapid[0]), :2] = x, y
        return True
    return False


def walk(data: mujoco.MjData, scene: HomeScene, robot: Pose2, first: int) -> None:
    """Let people walk on.

    Args:
        data: a home after a time step.
        scene: what it was built from.
        robot: where the robot's base is.
        first: where the walkers' user data begins.
    """
    for i, person in enumerate(scene.persons):
        mind = _mind(data, first, i)
        dt_s = min(max(data.time - mind[0], 0.0), 0.1)
        mind[0] = data.time
        if mind[1] != Walk.STANDS and dt_s > 0:
            _Walker(data, scene, person, mind, robot).go_on(dt_s)


def _mind(data: mujoco.MjData, first: int, i: int) -> Array:
    return data.userdata[first + i * n_remembered() : first + (i + 1) * n_remembered()]


def _remember(mind: Array, corners: Sequence[Corner]) -> None:
    kept = list(corners)[: most_corners()]
    mind[5] = len(kept)
    mind[6 : 6 + 2 * len(kept)] = np.asarray(kept, dtype=np.float64).ravel()


class _Walker:
    """One walking person at one moment."""

    def __init__(self, data: mujoco.MjData, scene: HomeScene, person: HomePerson, mind: Array, robot: Pose2) -> None:
        self.data, self.scene, self.person, self.mind = data, scene, person, mind
        self.robot, self.robot_yaw = robot[:2], robot[2]
        self.pace = Pace()
        self.x, self.y, self.yaw = where(data, person)

    def go_on(self, dt_s: float) -> None:
        """Walk and turn as far as the time since the last call allows."""
        away_m = math.dist((self.x, self.y), self.robot)
        if self.mind[1] == Walk.COMES:
            self._come(away_m)
        elif self.mind[1] == Walk.LEADS and not self._leads(away_m):
            return
        if self.mind[1] == Walk.COMES and self.mind[4] and away_m < self.pace.give_way_m:
            self._give_way(dt_s)
        elif self.mind[5] > 0:
            self._step(dt_s)
        elif self.mind[1] != Walk.COMES and self._turn(self.mind[2], dt_s) < 1e-3:
            self.mind[1] = Walk.STANDS
        self._stand()

    def _leads(self, away_m: float) -> bool:
        """Return whether to walk on: once a robot that came up stands still and faces them, while it is not left behind."""
        if not self.mind[4]:
            bearing, faces_rad = math.atan2(self.y - self.robot[1], self.x - self.robot[0]), 0.5
            turned = abs(math.remainder(bearing - self.robot_yaw, 2 * math.pi)) > faces_rad  # it turns to them where it stands
            if turned or away_m > self.pace.engaged_m or math.dist(self.mind[-2:], self.robot) > self.pace.still_m:
                self.mind[3], self.mind[-2:] = self.data.time, self.robot
            self.mind[4] = self.data.time - self.mind[3] > self.pace.begin_s
        near = away_m < self.pace.near_m
        if self.mind[4] and near:
            self.mind[3] = self.data.time
        elif self.data.time - self.mind[3] > self.pace.lost_s:  # then it must come up again
            self.mind[4] = 0.0
        return bool(self.mind[4]) and near

    def _come(self, away_m: float) -> None:
        """Look for the way to the robot, once it has been near."""
        self.mind[4] = self.mind[4] or away_m < self.pace.engaged_m
        if not self.mind[4] or away_m < self.pace.behind_m:
            self.mind[5] = 0
        elif self.mind[5] == 0 or self.data.time - self.mind[3] > self.pace.again_s:
            self.mind[3] = self.data.time
            floor, here = floor_plan(_moved(self.data, self.scene, self.person.name)), (self.x, self.y)
            room_m = min(self.pace.tight_m, float(floor.clearance_m([here, self.robot]).min()) - 0.01)
            if floor.free(here, self.robot, room_m):
                _remember(self.mind, [self.robot])
                return
            try:
                _remember(self.mind, floor.path(here, self.robot, room_m)[1:])
            except UsageError:  # the robot is in a corner: wait until it comes out
                self.mind[5] = 0

    def _step(self, dt_s: float) -> None:
        """Walk towards the next corner, once turned to it; wait for a robot that is in the way."""
        to = self.mind[6] - self.x, self.mind[7] - self.y
        far_m = math.hypot(*to)
        speed = self.pace.alone_m_s if self.mind[1] == Walk.ALONE else self.pace.with_m_s
        if far_m < max(0.02, speed * dt_s):
            n = int(self.mind[5])
            self.mind[6 : 6 + 2 * (n - 1)] = self.mind[8 : 8 + 2 * (n - 1)].copy()
            self.mind[5] = n - 1
            return
        heading = math.atan2(to[1], to[0])
        off = self._turn(heading, dt_s)
        ahead = self.robot[0] - self.x, self.robot[1] - self.y
        near_m = math.hypot(*ahead)
        blocked = near_m < self.pace.wait_m and (ahead[0] * to[0] + ahead[1] * to[1]) > 0.5 * near_m * far_m
        if off < 0.6 and not blocked:
            self.x += speed * dt_s * to[0] / far_m
            self.y += speed * dt_s * to[1] / far_m

    def _give_way(self, dt_s: float) -> None:
        """Step away from the robot, or aside where there is no room."""
        floor = floor_plan(_moved(self.data, self.scene, self.person.name))
        bearing, far_m = math.atan2(self.y - self.robot[1], self.x - self.robot[0]), self.pace.alone_m_s * dt_s
        ways = [
            (self.x + far_m * math.cos(bearing + turn), self.y + far_m * math.sin(bearing + turn)) for turn in (0.0, 1.2, -1.2)
        ]
        rooms = floor.clearance_m(ways)
        best = next((i for i, room_m in enumerate(rooms) if room_m > self.pace.tight_m), int(np.argmax(rooms)))
        self.x, self.y = ways[best]

    def _turn(self, yaw: float, dt_s: float) -> float:
        """Turn towards a direction; return how far off it still is."""
        off, most = math.remainder(yaw - self.yaw, 2 * math.pi), self.pace.turn_rad_s * dt_s
        self.yaw += min(max(off, -most), most)
        return abs(math.remainder(yaw - self.yaw, 2 * math.pi))

    def _stand(self) -> None:
        mocap = int(self.data.model.body(self.person.name).mocapid[0])
        self.data.mocap_pos[mocap, :2] = self.x, self.y
        self.data.mocap_quat[mocap] = math.cos(self.yaw / 2), 0.0, 0.0, math.sin(self.yaw / 2)


def _moved(data: mujoco.MjData, scene: HomeScene, without: str) -> HomeScene:
    """Return a scene with people where they are now, without one of them."""
    people = []
    for person in scene.persons:
        x, y, yaw = where(data, person)
        people += [replace(person, x_m=x, y_m=y, yaw_rad=yaw)] if person.name != without else []
    return replace(scene, persons=tuple(people))


def _spot_in(data: mujoco.MjData, scene: HomeScene, name: str, room: str) -> Pose2:
    """Return the first spot in a room that is free for a person to stand at."""
    found = free_spot(room, [where(data, person)[:2] for person in scene.persons if person.name != name])
    if found is None:
        raise UsageError(f"there is no room for {name} to stand in {room!r}.")
    return found


def _way(data: mujoco.MjData, scene: HomeScene, person: HomePerson, goal: Pose2) -> tuple[Corner, ...]:
    """Return the corners of a way that a robot can follow: out of where the person stands, and straight to where they go."""
    pace, here = Pace(), where(data, person)
    floor = floor_plan(_moved(data, scene, person.name))
    out, before = (
        (pose[0] + pace.ahead_m * math.cos(pose[2]), pose[1] + pace.ahead_m * math.sin(pose[2])) for pose in (here, goal)
    )
    return (*floor.path(out, before, pace.room_m), goal[:2])
