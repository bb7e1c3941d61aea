"""The HSR's moves between actions and over the table: it drives while the arm, which points ahead, unfolds or folds."""

import math

import numpy as np

from vlp.sim.embodiments.actions.scope import SIDEWAYS_RAD, Scope
from vlp.sim.embodiments.hsr.body import GRIPPER, HOME
from vlp.sim.embodiments.mechanics import Mechanics
from vlp.sim.embodiments.motion import Failed

READY: dict[str, float] = {"arm_flex_joint": -math.pi / 2, "arm_roll_joint": 0.0, "wrist_flex_joint": -math.pi / 2}
"""The arm stretched out level to the front, the hand pointing down; the fingers close sideways at a wrist roll of 0."""
LIFT_RANGE_M = (0.0, 0.69)


class HsrScope(Scope):
    """The HSR in the midst of an action."""

    travel_most_m = 0.78

    def carry(self) -> None:
        """Raise the hand, then drive back to the station while the arm folds up.

        Folding lifts the load faster than the drive moves it sideways, so it clears what it passes.
        """
        motion = self.motion
        station = dict(zip(Mechanics.base_joints, self.map.stations[self.memory.at or self.map.home], strict=True))
        if motion.target["arm_flex_joint"] < -0.2 and self._tip_height(motion.target["arm_lift_joint"]) < self.travel_m:
            motion.follow({"arm_lift_joint": self._lift_at(self.travel_m)}, speed=0.9)
        posture = {name: value for name, value in HOME.items() if name != GRIPPER}
        motion.follow({**posture, **station})
        motion.wait(0.2)

    def reach_over(self, x: float, y: float, closing_rad: float, opening_m: float) -> float:
        """Drive and unfold the arm until the hand is over a point; the torso must not stand in the table."""
        roll, closing = wrist_roll(closing_rad)
        motion = self.motion
        joints = {**READY, "wrist_roll_joint": roll, "arm_lift_joint": self._lift_at(self.travel_m)}
        palm = motion.reach.hand({**motion.target, **joints})[:2, 3]
        joints["base_x"] = motion.target["base_x"] + float(x - palm[0])
        joints["base_y"] = motion.target["base_y"] + float(y - palm[1])
        torso_ahead_m = 0.03  # of the base's centre, with a margin; the base itself drives under the table
        if self.map.takes(self.memory.at) != "in" and joints["base_x"] > self.map.table.low[0] - torso_ahead_m:
            raise Failed("unreachable", "it lies too far across the table.")
        if self.memory.held is None:
            joints[GRIPPER] = self.gripper.angle_for(opening_m)
        motion.follow(joints)
        return closing

    def let_go(self, opening_m: float) -> None:
        """Open the fingers with the tips kept at their height: by themselves they rise and could catch on a cap."""
        motion = self.motion
        rise_m = self.gripper.tip_reach(motion.opening()) - self.gripper.tip_reach(opening_m)
        lift_m = max(LIFT_RANGE_M[0], motion.target["arm_lift_joint"] - rise_m)
        motion.follow({GRIPPER: self.gripper.angle_for(opening_m), "arm_lift_joint": lift_m})

    def _tip_height(self, lift_m: float) -> float:
        """Return the height of the closed tips in `READY` at a lift position."""
        palm_over_lift_m = 0.34 - 0.005 - 0.1405
        return lift_m + palm_over_lift_m - self.gripper.tip_reach(0.0)

    def _lift_at(self, tip_m: float) -> float:
        return float(np.clip(tip_m - self._tip_height(0.0), *LIFT_RANGE_M))


def wrist_roll(closing_rad: float) -> tuple[float, float]:
    """Return the wrist roll for a closing direction in `READY`, and that direction, which half a turn may change."""
    roll = (SIDEWAYS_RAD - closing_rad + math.pi / 2) % math.pi - math.pi / 2
    if roll < -1.90:  # the wrist turns no further
        roll += math.pi
    return roll, SIDEWAYS_RAD - roll
