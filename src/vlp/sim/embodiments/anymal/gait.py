"""The gait, abstracted: the base is driven, and the legs step so that standing feet stay where they are on the floor."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from vlp.sim.embodiments.kinematics import load_facts
from vlp.sim.worlds.protocol import Pose2

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Leg:
    """One leg's geometry in metres, from the facts' joint origins.

    Args:
        front, left: 1 for a front or a left leg, -1 for the others.
        hip: the axis that swings the leg sideways, in the base.
        ahead_m: from there to the axis that swings the thigh.
        aside_m: from there to the foot, sideways, over thigh and shank.
        thigh_m: from hip to knee.
        shank: from the knee to the foot, ahead and upwards.
    """

    front: float
    left: float
    hip: Point
    ahead_m: float
    aside_m: float
    thigh_m: float
    shank: tuple[float, float]

    def angles(self, foot: Point) -> tuple[float, float, float]:
        """Return the angles in radians (HAA, HFE, KFE) that bring the foot to a point of the base frame.

        A point out of reach is approached as far as the leg goes.
        """
        x, y, z = (f - h for f, h in zip(foot, self.hip, strict=True))
        down = -math.sqrt(max(y * y + z * z - self.aside_m**2, 1e-6))
        haa = math.atan2(z, y) - math.atan2(down, self.left * self.aside_m)
        x -= self.front * self.ahead_m
        shank_m = math.hypot(*self.shank)
        bent = -math.atan2(self.shank[0], -self.shank[1])  # of the shank in its own frame
        reach = math.hypot(x, down)
        cosine = (reach**2 - self.thigh_m**2 - shank_m**2) / (2 * self.thigh_m * shank_m)
        knee = -self.front * math.acos(min(1.0, max(-1.0, cosine)))
        lean = math.atan2(shank_m * math.sin(knee), self.thigh_m + shank_m * math.cos(knee))
        return math.remainder(haa, 2 * math.pi), math.atan2(-x, -down) - lean, knee - bent


@cache
def legs() -> dict[str, Leg]:
    """Return the four legs by name: LF, RF, LH, RH (left and right, fore and hind)."""
    facts = load_facts("anymal/anymal_kinova.json")
    at: dict[str, Point] = {joint["name"]: tuple(joint["origin_xyz_m"]) for joint in facts["joints"]}

    def leg(name: str) -> Leg:
        front, left = 1.0 if name[1] == "F" else -1.0, 1.0 if name[0] == "L" else -1.0
        hip, thigh, knee = (at[f"{name}_{joint}"] for joint in ("HAA", "HFE", "KFE"))
        ankle, foot = at[f"{name}_SHANK_TO_ADAPTER"], at[f"{name}_ADAPTER_TO_FOOT"]
        aside = sum(point[1] for point in (thigh, knee, ankle, foot))
        return Leg(front, left, hip, abs(thigh[0]), abs(aside), -knee[2], (ankle[0] + foot[0], ankle[2] + foot[2]))

    return {name: leg(name) for name in ("LF", "RF", "LH", "RH")}


@dataclass(frozen=True)
class Stride:
    """How the robot trots.

    Args:
        length_m: way of the base in which one pair of feet swings.
        longest_s: how long a swing takes at most, when the base is slow or at rest.
        height_m: how high feet are lifted.
        foot_m: height of a foot's middle when it stands.
        stance: x and y of a foot under the base, ahead and aside.
        arm_m: lever by which turning counts as way.
        rest_m: a foot nearer than this to its stance stays when the base is at rest.
    """

    length_m: float = 0.14
    longest_s: float = 0.34
    height_m: float = 0.06
    foot_m: float = 0.03
    stance: tuple[float, float] = (0.36, 0.246)
    arm_m: float = 0.43
    rest_m: float = 0.01


@dataclass
class Gait:
    """A trot: two diagonal feet stand while the other two swing to where the base will need them.

    The phase of a swing advances with the way that the base goes, and with time when the base is slow, so that feet come down.

    Args:
        feet: x, y of each foot in the world; of a swinging one, where it left the floor.
        swinging: the pair in the air, 0 or 1; None when all four stand.
        phase: of the swing, 0 to 1.
        base: the base's pose at the last update.
        last: the pair that swung last.
    """

    feet: dict[str, tuple[float, float]] = field(default_factory=dict)
    swinging: int | None = None
    phase: float = 0.0
    base: Pose2 = (0.0, 0.0, 0.0)
    last: int = 1
    stride: Stride = Stride()

    @classmethod
    def standing(cls, base: Pose2) -> "Gait":
        """Return a gait at rest, with all four feet below a base."""
        gait = cls(base=base)
        gait.feet = {name: gait._stance(name, base) for name in legs()}
        return gait

    @property
    def rests(self) -> bool:
        """Whether all four feet stand where they belong."""
        return self.swinging is None and max(self._away(0), self._away(1)) < self.stride.rest_m

    def stands(self, name: str) -> bool:
        """Return whether a foot is on the floor."""
        return self.swinging is None or name not in _pair(self.swinging)

    def advance(self, base: Pose2, dt_s: float) -> None:
        """Move the gait on to where the base is now."""
        dx, dy, turn = (base[0] - self.base[0], base[1] - self.base[1], math.remainder(base[2] - self.base[2], 2 * math.pi))
        speed = (math.hypot(dx, dy) + abs(turn) * self.stride.arm_m) / dt_s
        self.base, self._velocity = base, (dx / dt_s, dy / dt_s, turn / dt_s)
        if self.swinging is None:
            pair = 1 - self.last
            if self._away(pair) < self._away(1 - pair) - 0.02:
                pair = 1 - pair
            if self._away(pair) < (self.stride.rest_m if speed < 1e-4 else 0.0):
                return
            self.swinging, self.phase = pair, 0.0
        self.phase += max(speed / self.stride.length_m, 1 / self.stride.longest_s) * dt_s
        if self.phase >= 1.0:
            for name in _pair(self.swinging):
                self.feet[name] = self._foothold(name)
            self.last, self.swinging, self.phase = self.swinging, None, 0.0

    def foot(self, name: str) -> Point:
        """Return x, y, z of a foot in the world."""
        x, y = self.feet[name]
        if self.stands(name):
            return x, y, self.stride.foot_m
        share = self.phase * self.phase * (3 - 2 * self.phase)
        ahead_x, ahead_y = self._foothold(name)
        lifted = self.stride.height_m * math.sin(math.pi * self.phase)
        return x + share * (ahead_x - x), y + share * (ahead_y - y), self.stride.foot_m + lifted

    def angles(self, height_m: float) -> dict[str, tuple[float, float, float]]:
        """Return the angles of each leg for a base at this height."""
        x, y, yaw = self.base
        c, s = math.cos(yaw), math.sin(yaw)

        def of(name: str) -> tuple[float, float, float]:
            fx, fy, fz = self.foot(name)
            dx, dy = fx - x, fy - y
            return legs()[name].angles((c * dx + s * dy, -s * dx + c * dy, fz - height_m))

        return {name: of(name) for name in legs()}

    def to_json(self) -> dict[str, Any]:
        """Return the gait as plain data."""
        feet = {name: list(at) for name, at in self.feet.items()}
        return {"feet": feet, "swinging": self.swinging, "phase": self.phase, "base": list(self.base), "last": self.last}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Gait":
        """Return the gait that `to_json` wrote; raises KeyError, TypeError or ValueError on anything else."""
        x, y, yaw = (float(value) for value in data["base"])
        feet = {name: (float(data["feet"][name][0]), float(data["feet"][name][1])) for name in legs()}
        swinging = None if data["swinging"] is None else int(data["swinging"])
        return cls(feet, swinging, float(data["phase"]), (x, y, yaw), int(data["last"]))

    def __post_init__(self) -> None:
        self._velocity = (0.0, 0.0, 0.0)

    def _stance(self, name: str, base: Pose2) -> tuple[float, float]:
        leg, (ahead, aside) = legs()[name], self.stride.stance
        dx, dy, (c, s) = leg.front * ahead, leg.left * aside, (math.cos(base[2]), math.sin(base[2]))
        return base[0] + c * dx - s * dy, base[1] + s * dx + c * dy

    def _away(self, pair: int) -> float:
        """Return how far the feet of a pair are from below the base at most."""
        return max(math.dist(self.feet[name], self._stance(name, self.base)) for name in _pair(pair))

    def _foothold(self, name: str) -> tuple[float, float]:
        """Return where a swinging foot comes down: half a stance ahead of where the base is then."""
        vx, vy, turn = self._velocity
        speed = math.hypot(vx, vy) + abs(turn) * self.stride.arm_m
        swing_s = 1 / max(speed / self.stride.length_m, 1 / self.stride.longest_s)
        ahead_s = swing_s * (1 - self.phase) + swing_s / 2
        x, y, yaw = self.base
        return self._stance(name, (x + vx * ahead_s, y + vy * ahead_s, yaw + turn * ahead_s))


def _pair(which: int) -> tuple[str, str]:
    return (("LF", "RH"), ("RF", "LH"))[which]
