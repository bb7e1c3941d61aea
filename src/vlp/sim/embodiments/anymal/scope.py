"""ANYmal's moves between actions and over the table: it steps aside on its legs, and the arm reaches from where it stands."""

import math

from vlp.sim.embodiments.actions.map import into
from vlp.sim.embodiments.actions.scope import Scope
from vlp.sim.embodiments.anymal.body import ARM_JOINTS
from vlp.sim.embodiments.mechanics import Mechanics
from vlp.sim.embodiments.motion import Failed, Point

BEFORE_M = 0.45
"""From the base's axis to what it works at; the head reaches 0.37 m."""
HIGH_M = 0.60
"""From this height of a surface on the wrist's camera is raised to see it all."""
OVERLOOKING = dict(zip((ARM_JOINTS[1], ARM_JOINTS[2], ARM_JOINTS[4]), (2.080, 1.538, 5.166), strict=True))
"""The arm drawn back: the wrist's camera 0.2 m ahead of the base's axis and 1.3 m high, looking 40 degrees down."""


class AnymalScope(Scope):
    """ANYmal in the midst of an action."""

    @property
    def travel_most_m(self) -> float:
        """The highest that open finger tips can travel."""
        low_m = 0.50
        return 0.75 if self.surface_m < low_m else 0.95

    def posture(self, place: str) -> dict[str, float]:
        """Return body and arm as they rest; before a high surface the wrist's camera looks over it from behind and above.

        In carry posture it is 0.4 m over a kitchen table, and saw 0.28 m of it to either side.
        """
        resting = super().posture(place)
        if self.map.is_one_workspace or self.map.takes(place) != "on" or self.map.places[place].middle[2] < HIGH_M:
            return resting
        return {**resting, **OVERLOOKING}

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

    def reach_over(self, x: float, y: float, closing_rad: float, opening_m: float) -> float:
        """Step up to the surface and aside until the point lies ahead, and stretch the arm out to it."""
        motion = self.motion
        (x, y), closing_rad = self.in_world(x, y), closing_rad + self.frame[2]
        base_x, base_y, yaw = (motion.target[name] for name in Mechanics.base_joints)
        c, s = math.cos(yaw), math.sin(yaw)
        ahead = c * (x - base_x) + s * (y - base_y)
        aside = -s * (x - base_x) + c * (y - base_y)
        farthest_m, straight_m, surface = 0.96, 0.10, self.surface
        closer = max(0.0, surface.low[0] - BEFORE_M - into(self.frame, base_x, base_y)[0]) if surface.takes == "on" else 0.0
        if ahead - closer > farthest_m:
            raise Failed("unreachable", f"it lies too far across the {self.work}.")
        joints = {}
        if abs(aside) > straight_m or closer > straight_m:
            joints = {"base_x": base_x + c * closer - s * aside, "base_y": base_y + s * closer + c * aside}
        if self.memory.held is None:
            joints[motion.mechanics.closer] = self.gripper.angle_for(opening_m)
        if joints:
            motion.follow(joints)
        along = motion.reach.hand(motion.target)[:2, 1]
        closing = closing_rad + math.pi * round((math.atan2(along[1], along[0]) - closing_rad) / math.pi)
        motion.move_hand(self.gripper.downward((x, y, self.travel_m), closing, opening_m))
        return closing - self.frame[2]

    def reach_ahead(self, tip: Point, closing: Point, opening_m: float) -> Point:
        """Walk until the point lies straight ahead, and stretch the arm half."""
        motion, tips_m = self.motion, 0.92  # from the base's axis
        yaw = motion.target[Mechanics.base_joints[2]]
        sight = math.cos(yaw), math.sin(yaw), 0.0
        x, y = (p - tips_m * s for p, s in zip(tip[:2], sight[:2], strict=True))
        fingers = {} if self.memory.held else {motion.mechanics.closer: self.gripper.angle_for(opening_m)}
        motion.follow({"base_x": x, "base_y": y, **fingers})
        motion.move_hand(self.gripper.pointing(sight, tip, closing, opening_m))
        return closing

    def let_go(self, opening_m: float) -> None:
        """Open the fingers; their tips rise by less than half a centimetre."""
        self.motion.open_to(opening_m)
