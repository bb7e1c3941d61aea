"""The HSR's moves between actions and over the table: it drives while the arm, which points ahead, unfolds or folds."""

import math

import numpy as np

from vlp.sim.embodiments.actions.map import into, turned_to
from vlp.sim.embodiments.actions.scope import SIDEWAYS_RAD, Scope, is_open_vessel
from vlp.sim.embodiments.hsr.body import GRIPPER, HEAD_JOINTS
from vlp.sim.embodiments.motion import Failed, Point

READY: dict[str, float] = {"arm_flex_joint": -math.pi / 2, "arm_roll_joint": 0.0, "wrist_flex_joint": -math.pi / 2}
"""The arm stretched out level to the front, the hand pointing down; the fingers close sideways at a wrist roll of 0."""
RAISED: dict[str, float] = {**READY, "arm_flex_joint": -1.25, "wrist_flex_joint": 1.25 - math.pi}
"""The same with the arm slanting upwards, as far as the wrist bends, for the tops of high furniture."""
LIFT_RANGE_M = (0.0, 0.69)
UPRIGHT: dict[str, float] = {
    "arm_lift_joint": 0.45, "arm_flex_joint": -0.19, "arm_roll_joint": 0.8, "wrist_flex_joint": -1.90,
}  # fmt: skip
"""Carry posture with an open vessel, which leans by 63 degrees, as far from the side as the wrist bends over the base: balls
stay in a cup up to 80. High, so that it passes over what stands at the edge of a table."""
HAND_M = 0.1405
"""From the wrist to the palm."""
EYE_M = 1.05
"""Height of the head's camera in carry posture."""
FOREARM_M = 0.345
"""From the shoulder to the wrist."""
PALM_AHEAD_M = 0.129
"""From the base's axis ahead to the palm of a hand that points down, without the forearm."""
RISE_M = FOREARM_M * math.cos(1.25)
"""How much higher that holds the hand."""
LOW_M = 0.50
"""Up to this height of a surface the level arm passes over what stands there."""


def pointing(slope_rad: float, hand_rad: float) -> dict[str, float]:
    """Return the arm stretched out to the front, by how far it and the hand rise over level."""
    return {**READY, "arm_flex_joint": slope_rad - math.pi / 2, "wrist_flex_joint": hand_rad - slope_rad}


class HsrScope(Scope):
    """The HSR in the midst of an action."""

    low_arm_m, rim_m, arm_ahead_m, base_m = 0.26, 0.056, 0.73, 0.235

    @property
    def hand_m(self) -> float:
        """From the finger tips to behind the wrist."""
        return 0.295

    def folds_m(self, inside: bool) -> float:
        """Return how far back a hand must be: it folds to the side, where a door may stand open."""
        hinge, covered = self.surface.hinge, self.surface.headroom_m < math.inf  # over the furniture the hand is over its door
        leaf_m = 2 * abs(hinge[1] - self.surface.middle[1]) if inside and hinge and covered else 0.0
        return super().folds_m(inside) + leaf_m

    @property
    def over_m(self) -> float:
        """How far the stretched arm comes while torso and base stay before what they cannot drive under."""
        if self.surface.takes != "on":
            return super().over_m
        slope_rad = (READY if self._low else RAISED)["arm_flex_joint"] + math.pi / 2
        return self._farthest_m + PALM_AHEAD_M + FOREARM_M * math.cos(slope_rad)

    @property
    def _low(self) -> bool:
        return self.surface.middle[2] < LOW_M

    @property
    def _farthest_m(self) -> float:
        """How far ahead in the frame the base may drive: torso and base must not stand in tables and walls."""
        torso_m, base_m = 0.03, 0.24  # ahead of the base's centre, with a margin; the base itself may drive under a table
        return self.surface.low[0] + min(-torso_m, self.surface.under_m - base_m)

    @property
    def travel_most_m(self) -> float:
        """The highest that open finger tips can travel, which the lift's end decides."""
        return 0.78 if self.surface_m < LOW_M else 0.88

    def posture(self, place: str) -> dict[str, float]:
        """Return arm and head as they rest; the head looks at the middle of a place that it would not see otherwise."""
        resting = super().posture(place)
        if place in self.map.places and self.map.places[place].out_m is not None:
            return {**resting, "arm_lift_joint": LIFT_RANGE_M[1]}  # the head rises by half of that, over a drawer's front
        if self.memory.held and self.memory.held.from_above and is_open_vessel(self.memory.held.phrase):
            resting |= UPRIGHT
        if self.map.is_one_workspace or place not in self.map.places:
            return resting
        x, y, z = self.map.seen_from(self.map.stations[place], place).middle
        nothing_m = 0.05  # the middle of a place at which there is nothing to see is where one stands
        if x < nothing_m:
            return resting
        ahead_m, seen_rad = 0.05, 0.30  # half of what it sees from the top to the bottom is 0.41
        tilt, pan = -math.atan2(EYE_M - z, x - ahead_m), math.atan2(y, x - ahead_m)
        if abs(tilt - resting["head_tilt_joint"]) >= seen_rad:
            resting = {**resting, "head_tilt_joint": tilt}
        aside_rad = 0.10  # the stands of a shelf's boards are 0.2 m apart: from there its end was out of view
        return {**resting, "head_pan_joint": pan} if abs(pan) > aside_rad else resting

    def bearing(self, point: Point) -> tuple[float, float]:
        """Return pan and tilt of the head that looks at a point."""
        x, y, z = point
        joints = self.motion.joints()
        dx, dy = x - joints["base_x"], y - joints["base_y"]
        eye_m = 0.95 + 0.5 * joints["arm_lift_joint"]
        pan = math.remainder(math.atan2(dy, dx) - joints["base_yaw"], 2 * math.pi)
        return pan, -math.atan2(eye_m - z, max(math.hypot(dx, dy), 0.05))

    def aim(self, pan_rad: float | None, tilt_rad: float | None) -> tuple[dict[str, float], dict[str, float]]:
        """Return the joints of the head, within their limits; the neck turns farther to the right than to the left."""
        if pan_rad is not None:
            low_rad, high_rad, turn_rad = -3.8, 1.7, 2 * math.pi
            ways = [min(max(pan_rad + whole, low_rad), high_rad) for whole in (0.0, -turn_rad)]
            pan_rad = min(ways, key=lambda way: abs(math.remainder(way - (pan_rad or 0.0), turn_rad)))
        wanted = {"pan_rad": (pan_rad, -3.8, 1.7), "tilt_rad": (tilt_rad, -1.5, 0.5)}
        reached = {name: min(max(turn, low), high) for name, (turn, low, high) in wanted.items() if turn is not None}
        return {joint: reached[name] for joint, name in zip(HEAD_JOINTS, wanted, strict=True) if name in reached}, reached

    def carry(self) -> None:
        """Raise the hand, then drive back to the station while the arm folds up.

        Folding lifts the load faster than the drive moves it sideways, so it clears what it passes.
        """
        motion = self.motion
        flex, wrist = motion.target["arm_flex_joint"], motion.target["wrist_flex_joint"]
        down = flex < -0.2 and (wrist < -1.3 or flex + wrist < -2.6)
        if down and self._tip_height(motion.target["arm_lift_joint"]) - _sunk(flex) < self.travel_m:
            motion.follow({"arm_lift_joint": self._lift_at(self.travel_m + _sunk(flex))}, speed=0.9)
        motion.follow({**self.posture(self.memory.at), **self.station()})
        motion.wait(0.2)

    def reach_over(self, tip: Point, closing_rad: float, opening_m: float) -> float:
        """Drive and unfold the arm until the hand is over a point, see `over_m`."""
        roll, closing = wrist_roll(closing_rad)
        motion, surface = self.motion, self.surface
        low = self._low
        if surface.takes == "in" and not self.map.is_one_workspace:
            slope_rad = self._slope_over_walls(tip)
            arm = pointing(slope_rad, -math.pi / 2)
            lift_m = self._lift_at(self.travel_m - FOREARM_M * math.sin(slope_rad))
        else:
            arm = READY if low else RAISED
            lift_m = self._lift_at(self.travel_m) if low else self._lift_at(self.travel_m - RISE_M)
        joints = {**arm, "wrist_roll_joint": roll, "arm_lift_joint": lift_m}
        palm = motion.reach.hand({**motion.target, **joints})[:2, 3]
        over = self.in_world(*tip[:2])
        joints["base_x"] = motion.target["base_x"] + float(over[0] - palm[0])
        joints["base_y"] = motion.target["base_y"] + float(over[1] - palm[1])
        ahead_m, _ = into(self.frame, joints["base_x"], joints["base_y"])
        if surface.takes == "on" and ahead_m > self._farthest_m:
            raise Failed("unreachable", f"it lies too far across the {self.work}.")
        if self.memory.held is None:
            joints[GRIPPER] = self.gripper.angle_for(opening_m)
        motion.follow(joints)
        return closing

    def stands_over(self, x: float, y: float) -> bool:
        """Return whether the base, which stands to the right of the hand, keeps off walls and furniture."""
        ahead_m, aside_m, shoulder_m = FOREARM_M, 0.078, 0.141
        return self.room_m([self.in_world(x - shoulder_m - ahead_m, y - aside_m)]) > self.base_m

    def _slope_over_walls(self, tip: Point) -> float:
        """Return how the forearm must slope to go over a container's near wall when the tips are at a point inside.

        The gentlest slope will do, since the steeper it is the nearer the base comes. At 0.63 rad, which once was taken for
        every basket, the base pressed a wall with 635 N.

        Raises:
            Failed: "unreachable" where base or forearm would touch the wall, or the lift does not go so low or so high.
        """
        there, (x, _, z) = self.surface, tip
        wall_m = 0.015 if there.out_m is None else 0.05  # from the opening to the outside of the wall
        forearm_m, over_m = 0.040, 0.040  # half of the arm; room between it and the rim, over which a drawer's front stands
        shoulder_m, base_m, base_high_m, room_m = 0.141, 0.215, 0.28, 0.02  # ahead of the base's axis; its radius and height
        for slope_rad in (0.0, -0.15, -0.3, -0.45, -0.6, -0.75, 0.15, 0.3):
            rise_m, ahead_m = FOREARM_M * math.sin(slope_rad), shoulder_m + FOREARM_M * math.cos(slope_rad)
            lowest_m, highest_m = (height - self._tip_height(0.0) - rise_m for height in (z, self.travel_m))
            to_wall_m = x - there.low[0] + wall_m
            arm_m = z + self.gripper.tip_reach(0.0) + HAND_M - to_wall_m * math.tan(slope_rad) - forearm_m
            clear = arm_m > there.middle[2] + over_m and (there.floor_m > base_high_m or ahead_m > to_wall_m + base_m + room_m)
            if clear and LIFT_RANGE_M[0] <= lowest_m and highest_m <= LIFT_RANGE_M[1]:
                return slope_rad
        raise Failed("unreachable", f"the arm does not come over the walls of the {self.work} to there.")

    def reach_ahead(self, tip: Point, closing: Point, opening_m: float, sight: Point | None = None) -> Point:
        """Unfold the arm ahead, level where the lift allows it, then drive up to the point."""
        motion = self.motion
        yaw = motion.target["base_yaw"]
        back_m = self.folds_m(sight is not None)  # the arm unfolds before it comes near
        x, y, z = sight or (math.cos(yaw), math.sin(yaw), 0.0)
        heading = turned_to((0.0, 0.0, math.atan2(y, x)), yaw)[2]
        joints = {"base_yaw": heading, "wrist_roll_joint": 0.0 if abs(closing[2]) < 0.5 else math.pi / 2}
        rise_m = 0.05  # what is grasped is raised a little where it stands
        for slope_rad in (0.0, -0.2, -0.4, -0.6, -0.8, -0.95, 0.2, 0.4, 0.6):
            joints |= {**pointing(slope_rad, math.asin(z)), "arm_lift_joint": 0.0}
            palm = motion.reach.hand({**motion.target, **joints})
            sight = float(palm[0, 2]), float(palm[1, 2]), float(palm[2, 2])
            pose = self.gripper.pointing(sight, tip, closing, opening_m)
            dx, dy, lift_m = (float(a - b) for a, b in zip(pose[:3, 3], palm[:3, 3], strict=True))
            if LIFT_RANGE_M[0] <= lift_m <= LIFT_RANGE_M[1] - rise_m:
                break
        else:
            raise Failed("unreachable", f"the hand does not point ahead at a height of {tip[2]:.2f} m.")
        closing = closing if np.array(closing) @ palm[:3, 1] > 0 else (-closing[0], -closing[1], -closing[2])
        pose = self.gripper.pointing(sight, tip, closing, opening_m)
        joints["arm_lift_joint"] = lift_m
        joints["base_x"] = motion.target["base_x"] + dx - back_m * math.cos(heading)
        joints["base_y"] = motion.target["base_y"] + dy - back_m * math.sin(heading)
        if self.memory.held is None:
            joints[GRIPPER] = self.gripper.angle_for(opening_m)
        motion.follow(joints)
        motion.move_hand(pose)
        return closing

    def turn_hand(self, tip: Point, tilt_rad: float, opening_m: float, speed: float = 1.0) -> None:
        """Drive, and move the arm, which comes down to the hand as steeply as lift and wrist allow: over what stands before."""
        motion, pose = self.motion, self.tilted(tip, tilt_rad, opening_m)
        highest_m = 0.32 + LIFT_RANGE_M[1]  # the shoulder's height, less the hand's offset
        steepest_rad = max(-2.3, tilt_rad - math.pi - 1.2)  # what the wrist bends back
        rise = (float(pose[2, 3] - HAND_M * pose[2, 2]) - highest_m) / FOREARM_M
        flex = -math.acos(min(max(rise, math.cos(steepest_rad)), math.cos(RAISED["arm_flex_joint"])))
        joints = {**READY, "arm_flex_joint": flex, "wrist_flex_joint": tilt_rad - math.pi - flex}
        joints["wrist_roll_joint"] = math.pi  # the palm's short side down, past which balls fall
        palm = motion.reach.hand({**motion.target, **joints, "arm_lift_joint": 0.0})
        dx, dy, lift_m = (float(a - b) for a, b in zip(pose[:3, 3], palm[:3, 3], strict=True))
        if not LIFT_RANGE_M[0] <= lift_m <= LIFT_RANGE_M[1]:
            raise Failed("unreachable", f"the hand does not get to a height of {tip[2]:.2f} m turned like that.")
        here = {"base_x": motion.target["base_x"] + dx, "base_y": motion.target["base_y"] + dy}
        motion.follow({**joints, **here, "arm_lift_joint": lift_m}, speed)

    def let_go(self, opening_m: float) -> None:
        """Open the fingers with the tips kept at their height: by themselves they rise and could catch on a cap."""
        motion = self.motion
        rise_m = self.gripper.tip_reach(motion.opening()) - self.gripper.tip_reach(opening_m)
        lift_m = max(LIFT_RANGE_M[0], motion.target["arm_lift_joint"] - rise_m)
        motion.follow({GRIPPER: self.gripper.angle_for(opening_m), "arm_lift_joint": lift_m})

    def _tip_height(self, lift_m: float) -> float:
        """Return the height of the closed tips in `READY` at a lift position."""
        palm_over_lift_m = 0.34 - 0.005 - HAND_M
        return lift_m + palm_over_lift_m - self.gripper.tip_reach(0.0)

    def _lift_at(self, tip_m: float) -> float:
        return float(np.clip(tip_m - self._tip_height(0.0), *LIFT_RANGE_M))


def _sunk(arm_rad: float) -> float:
    """Return how much lower than stretched out level an arm that slopes down holds the hand."""
    return FOREARM_M * max(0.0, math.sin(-math.pi / 2 - arm_rad))


def wrist_roll(closing_rad: float) -> tuple[float, float]:
    """Return the wrist roll for a closing direction in `READY`, and that direction, which half a turn may change."""
    roll = (SIDEWAYS_RAD - closing_rad + math.pi / 2) % math.pi - math.pi / 2
    if roll < -1.90:  # the wrist turns no further
        roll += math.pi
    return roll, SIDEWAYS_RAD - roll
