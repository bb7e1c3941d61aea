"""ANYmal's moves between actions and over the table: it steps aside on its legs, and the arm reaches from where it stands."""

import math
from dataclasses import replace
from typing import NamedTuple

from vlp.core.observation import Located
from vlp.sim.embodiments.actions.map import into, turned_to
from vlp.sim.embodiments.actions.scope import Scope, is_round
from vlp.sim.embodiments.anymal.body import ARM_JOINTS, CAMERA_ON_WRIST
from vlp.sim.embodiments.mechanics import Mechanics
from vlp.sim.embodiments.motion import Failed, Point

BEFORE_M = 0.45
"""From the base's axis to what it works at; the head reaches 0.37 m."""
HIGH_M = 0.60
"""From this height of a surface on the wrist's camera is raised to see it all."""
OVERLOOKING = dict(zip((ARM_JOINTS[1], ARM_JOINTS[2], ARM_JOINTS[4]), (2.080, 1.538, 5.166), strict=True))
"""The arm drawn back, see `Eye` for where the wrist's camera is then."""
SINKS_M = 0.26
"""How far the body sinks at most."""


class Eye(NamedTuple):
    """Where the wrist's camera is with the arm drawn back: ahead of the base's axis, over the floor, and how far it looks down.

    `over_m` is how high over a board it looks into it best: from farther up, the board above hides what stands at the back.
    """

    ahead_m: float = 0.20
    height_m: float = 1.30
    down_rad: float = math.radians(40)
    over_m: float = 0.35


class AnymalScope(Scope):
    """ANYmal in the midst of an action."""

    low_arm_m, rim_m, leaning_m, deep_m, yields_m_n = 0.50, 0.046, 0.065, 0.020, 6e-6
    hands_over = 0.06
    """At 0.15 its stiff base knocked a mug at a hand that was held out with 15 N before it had felt it and stopped."""

    @property
    def hand_m(self) -> float:
        """From the finger tips to behind the wrist."""
        return 0.34

    def folds_m(self, inside: bool) -> float:
        """Return how far back a hand must be: as the arm folds it comes forward first, below a drawer against its front."""
        low_m = 0.23
        return super().folds_m(inside) + (low_m if self.surface.hinge and self.surface.headroom_m < math.inf else 0.0)

    @property
    def travel_most_m(self) -> float:
        """The highest that open finger tips can travel."""
        low_m = 0.50
        return 0.75 if self.surface_m < low_m else 0.95

    def posture(self, place: str) -> dict[str, float]:
        """Return body and arm as they rest; with the arm drawn back the wrist's camera sees all of a board or a high surface.

        In carry posture it is 0.4 m over a kitchen table, and saw 0.28 m of it to either side.
        """
        resting, there, eye = super().posture(place), self.map.places.get(place), Eye()
        covered = there is not None and there.headroom_m < math.inf
        if there is None or self.map.is_one_workspace or not (covered or (there.takes == "on" and there.middle[2] > HIGH_M)):
            return resting
        x, y, z = self.map.seen_from(self.map.stations[place], place).middle
        sunk_m = min(max(0.0, eye.height_m - z - eye.over_m), SINKS_M) if covered else 0.0
        raised = math.atan2(x - eye.ahead_m, eye.height_m - sunk_m - z) - (math.pi / 2 - eye.down_rad)
        first, wrist = ARM_JOINTS[0], ARM_JOINTS[4]
        return {
            **resting, **OVERLOOKING, "base_height": resting["base_height"] - sunk_m,
            first: resting[first] - math.atan2(y, x), wrist: OVERLOOKING[wrist] - raised,
        }  # fmt: skip

    def on_the_way(self) -> dict[str, float]:
        """Return body and arm as they are between places: drawn back, since a load in carry posture swept along a wall."""
        return {**self.posture(""), **OVERLOOKING}

    def bearing(self, point: Point) -> tuple[float, float]:
        """Return the direction from where the wrist's camera is now; what is near below it has its pan from the base."""
        (x, y, z), yaw = point, self.station()[Mechanics.base_joints[2]]
        eye_x, eye_y, eye_z = self.motion.data.body("wrist_rgbd_optical_frame").xpos.tolist()
        far_m, near_m = math.hypot(x - eye_x, y - eye_y), 0.5
        base_x, base_y = (eye_x, eye_y) if far_m > near_m else (self.motion.target[name] for name in Mechanics.base_joints[:2])
        return math.remainder(math.atan2(y - base_y, x - base_x) - yaw, 2 * math.pi), math.atan2(z - eye_z, far_m)

    def aim(self, pan_rad: float | None, tilt_rad: float | None) -> tuple[dict[str, float], dict[str, float]]:
        """Return joints of arm and base: the arm turns the camera as far as it can without reaching beside the body."""
        joints, reached, (first, fifth) = dict[str, float](), dict[str, float](), (ARM_JOINTS[0], ARM_JOINTS[4])
        home, widest_rad = self.motion.mechanics.home, 0.6
        if tilt_rad is not None:
            down = -math.pi / 2 + CAMERA_ON_WRIST.tilt_rad  # where the camera looks with the hand pointing down
            raised = min(max(tilt_rad - down, -0.3), 1.2)
            joints |= {**{name: home[name] for name in ARM_JOINTS}, fifth: home[fifth] - raised}
            reached["tilt_rad"] = down + raised
        if pan_rad is not None:
            turned = min(max(pan_rad, -widest_rad), widest_rad)
            yaw = self.station()[Mechanics.base_joints[2]]
            joints |= {"base_yaw": yaw + pan_rad - turned, first: home[first] - turned}
            reached["pan_rad"] = pan_rad
        return joints, reached

    def carry(self) -> None:
        """Raise the hand, then fold the arm while the legs step back to the station."""
        motion = self.motion
        pose = motion.reach.hand(motion.target)
        height_m = self.travel_m + self.gripper.tip_reach(motion.opening())
        base = [motion.target[name] for name in Mechanics.base_joints[:2]]
        stretched_m = 0.50  # from the base's axis; in carry posture the hand is nearer
        if math.dist(pose[:2, 3], base) > stretched_m and pose[2, 3] < height_m - 0.005:
            pose[2, 3] = height_m
            motion.move_hand(pose)
        motion.follow({**self.posture(self.memory.at), **self.station()})
        motion.wait(0.2)

    def reach_over(self, tip: Point, closing_rad: float, opening_m: float) -> float:
        """Step up to the surface and aside until the point lies ahead, and stretch the arm out over it."""
        motion = self.motion
        (x, y), closing_rad = self.in_world(*tip[:2]), closing_rad + self.frame[2]
        base_x, base_y, yaw = (motion.target[name] for name in Mechanics.base_joints)
        c, s = math.cos(yaw), math.sin(yaw)
        ahead = c * (x - base_x) + s * (y - base_y)
        aside = -s * (x - base_x) + c * (y - base_y)
        nearest_m, farthest_m, straight_m, surface = 0.48, 0.96, 0.10, self.surface
        closer = max(0.0, surface.low[0] - BEFORE_M - into(self.frame, base_x, base_y)[0]) if surface.takes == "on" else 0.0
        if ahead - closer > farthest_m:
            raise Failed("unreachable", f"it lies too far across the {self.work}.")
        if ahead < nearest_m:  # the folded arm brings the wrist no nearer over what is low
            closer = ahead - nearest_m
        joints = {}
        if abs(aside) > straight_m or closer > straight_m or closer < 0:
            joints = {"base_x": base_x + c * closer - s * aside, "base_y": base_y + s * closer + c * aside}
        if self.memory.held is None:
            joints[motion.mechanics.closer] = self.gripper.angle_for(opening_m)
        if joints:
            motion.follow(joints)
        along = motion.reach.hand(motion.target)[:2, 1]
        closing = closing_rad + math.pi * round((math.atan2(along[1], along[0]) - closing_rad) / math.pi)
        motion.move_hand(self.gripper.downward((x, y, self.travel_m), closing, opening_m))
        return closing - self.frame[2]

    def nearer(self, target: Located, closing_rad: float, opening_m: float) -> Located:
        """Hold the hand just before a thing and look down on it: of 13 mm that it is seen aside from afar, 4 are left."""
        if self.surface.takes != "on" or self.map.is_one_workspace:
            return target
        (x, y, z), (length, width, height) = target.position_in_world, target.size_m
        before_m, around_m, upper = 0.12, 0.06, 0.4  # the last: share of the thing that its outline is told from
        top = z + height / 2
        self.reach_over((x - before_m, y, top), closing_rad, opening_m)
        wide_m = length / 2 + around_m
        there = replace(self.surface, low=(x - wide_m, y - wide_m), high=(x + wide_m, y + wide_m))
        seen = self.look(self.frame, there, 0.0)
        disc = is_round(target.phrase) or length == width
        middle = seen.middle_of(x, y, (length / 2, width / 2), target.yaw_rad, top - upper * height, disc)
        return target if middle is None else replace(target, position_in_world=(*middle, z))

    def turn_hand(self, tip: Point, tilt_rad: float, opening_m: float, speed: float = 1.0) -> None:
        """Walk until the point lies straight ahead, as far as the arm needs to turn the hand there, and stretch the arm.

        A hand that is there already is turned by the arm alone: as the base walked on with a cup tilted by 88 degrees, balls
        ran out 0.1 m before the bowl.
        """
        motion, ahead_m, near_m, there_m = self.motion, 0.85, 0.10, 0.25  # the first: from the base's axis
        base_x, base_y, yaw = (motion.target[name] for name in Mechanics.base_joints)
        x, y = tip[0] - ahead_m * math.cos(yaw), tip[1] - ahead_m * math.sin(yaw)
        there = math.dist(motion.reach.palm(motion.target), tip) < there_m
        if not there and math.dist((x, y), (base_x, base_y)) > near_m:
            motion.follow({"base_x": x, "base_y": y})
        motion.move_hand(self.tilted(tip, tilt_rad, opening_m), speed)

    def reach_ahead(self, tip: Point, closing: Point, opening_m: float, sight: Point | None = None) -> Point:
        """Walk until the point lies straight ahead, lower the body for what is low, and stretch the arm half."""
        motion = self.motion
        yaw = motion.target[Mechanics.base_joints[2]]
        covered, sight = sight is not None, sight or (math.cos(yaw), math.sin(yaw), 0.0)
        heading = turned_to((0.0, 0.0, math.atan2(sight[1], sight[0])), yaw)[2]
        hand_m, shoulder_m = 0.30, 0.815  # from the wrist to the tips; height of the shoulder of a standing body
        wrist_z = tip[2] - hand_m * sight[2]
        # The elbow stands out over the line from shoulder to wrist: a shoulder above the wrist pushed it into a shelf.
        sunk_m = min(max(0.0, shoulder_m - wrist_z), 0.26) if covered else 0.0
        level_m = hand_m * math.hypot(*sight[:2])
        low = wrist_z < shoulder_m - 0.35
        wrist_m = self._stretch_m(tip, heading, level_m, covered) if low else 0.62  # from the base's axis
        tips_m = wrist_m + level_m
        standing = motion.mechanics.home["base_height"]
        joints = {
            "base_x": tip[0] - tips_m * math.cos(heading),
            "base_y": tip[1] - tips_m * math.sin(heading),
            "base_yaw": heading,
            "base_height": standing - sunk_m,
        }
        if self.memory.held is None:
            joints[motion.mechanics.closer] = self.gripper.angle_for(opening_m)
        motion.follow(joints)
        motion.move_hand(self.gripper.pointing(sight, tip, closing, opening_m))
        return closing

    def _stretch_m(self, tip: Point, heading_rad: float, level_m: float, covered: bool) -> float:
        """Return how far from the base's axis the wrist is brought to what is low; `level_m` of the hand are ahead of it.

        The elbow, 0.5 m behind the tips of an arm stretched so far, stays before a cupboard and the drawer over it.
        """
        near_m, rear_m = 0.70, 0.29 + self.folds_m(covered)
        wrist_m = near_m if not covered else 0.94 if self.surface.hinge else 0.82
        stands = [
            (tip[0] - far_m * math.cos(heading_rad), tip[1] - far_m * math.sin(heading_rad))
            for far_m in (wrist_m + level_m, near_m + level_m)
        ]
        room_m, nearer_m = self.map.floor.clearance_m(stands)
        return near_m if room_m < min(rear_m, nearer_m) else wrist_m  # before a shelf it pressed the kitchen table with 786 N

    def let_go(self, opening_m: float) -> None:
        """Open the fingers; their tips rise by less than half a centimetre."""
        self.motion.open_to(opening_m)
