"""ANYmal's moves between actions and over the table: it steps aside on its legs, and the arm reaches from where it stands."""

import math

from vlp.sim.embodiments.actions.scope import Scope
from vlp.sim.embodiments.mechanics import Mechanics
from vlp.sim.embodiments.motion import Failed


class AnymalScope(Scope):
    """ANYmal in the midst of an action."""

    travel_most_m = 0.75

    def carry(self) -> None:
        """Raise the hand, then fold the arm while the legs step back to the station."""
        motion, mechanics = self.motion, self.motion.mechanics
        pose = motion.reach.hand(motion.target)
        height_m = self.travel_m + self.gripper.tip_reach(motion.opening())
        base = [motion.target[name] for name in Mechanics.base_joints[:2]]
        stretched_m = 0.50  # from the base's axis; in carry posture the hand is nearer
        if math.dist(pose[:2, 3], base) > stretched_m and pose[2, 3] < height_m - 0.005:
            pose[2, 3] = height_m
            motion.move_hand(pose)
        station = dict(zip(Mechanics.base_joints, self.map.stations[self.memory.at or self.map.home], strict=True))
        motion.follow({**{name: value for name, value in mechanics.home.items() if name != mechanics.closer}, **station})
        motion.wait(0.2)

    def reach_over(self, x: float, y: float, closing_rad: float, opening_m: float) -> float:
        """Step aside until the point lies ahead, and stretch the arm out to it."""
        motion = self.motion
        base_x, base_y, yaw = (motion.target[name] for name in Mechanics.base_joints)
        c, s = math.cos(yaw), math.sin(yaw)
        ahead = c * (x - base_x) + s * (y - base_y)
        aside = -s * (x - base_x) + c * (y - base_y)
        farthest_m, straight_m = 0.96, 0.10
        if ahead > farthest_m:
            raise Failed("unreachable", "it lies too far across the table.")
        joints = {}
        if abs(aside) > straight_m:
            joints = {"base_x": base_x - s * aside, "base_y": base_y + c * aside}
        if self.memory.held is None:
            joints[motion.mechanics.closer] = self.gripper.angle_for(opening_m)
        if joints:
            motion.follow(joints)
        along = motion.reach.hand(motion.target)[:2, 1]
        closing = closing_rad + math.pi * round((math.atan2(along[1], along[0]) - closing_rad) / math.pi)
        motion.move_hand(self.gripper.downward((x, y, self.travel_m), closing, opening_m))
        return closing

    def let_go(self, opening_m: float) -> None:
        """Open the fingers; their tips rise by less than half a centimetre."""
        self.motion.open_to(opening_m)
