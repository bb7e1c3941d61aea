"""Who may be at home: spots, poses, gestures, clothes, and the measures of a mannequin's body."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vlp.sim.worlds.home.catalogue import Rgb
from vlp.sim.worlds.home.rooms import Rooms
from vlp.sim.worlds.home.scene import Furniture, HomePerson


@dataclass(frozen=True)
class Build:
    """Measures of a standing mannequin in metres; its x points to its front, y to its left, z up, from between its feet.

    Args:
        hips_m, shoulders_m, head_m: heights of their middles.
        shoulder_y_m: from the middle to a shoulder.
        upper_arm_m, forearm_m: lengths.
        palm_m: from the wrist to the middle of the palm.
        seat_m: height of the hips over what it sits on.
        back_m: height of the spine over what it lies on.
    """

    hips_m: float = 0.80
    shoulders_m: float = 1.23
    head_m: float = 1.43
    shoulder_y_m: float = 0.195
    upper_arm_m: float = 0.26
    forearm_m: float = 0.23
    palm_m: float = 0.055
    seat_m: float = 0.09
    back_m: float = 0.115


@dataclass(frozen=True)
class ArmPose:
    """Angles of an arm in radians from hanging down: forwards, sideways, about itself, and of the elbow."""

    flex: float = 0.05
    abduct: float = 0.14
    twist: float = 0.0
    elbow: float = 0.18

    def angles(self) -> tuple[float, float, float, float]:
        """Return the angles in the order of the joints."""
        return self.flex, self.abduct, self.twist, self.elbow


def gestures() -> dict[str, tuple[ArmPose, ArmPose]]:
    """Return the right and the left arm of each gesture, "" for none; left and right are the mannequin's own."""
    rest, up, aside = ArmPose(), ArmPose(0.0, 2.85, 0.0, 0.10), ArmPose(0.0, 1.50, 0.0, 0.05)
    return {
        "": (rest, rest),
        "waving": (ArmPose(0.0, 1.45, -1.57, 1.80), rest),
        "raising the right arm": (up, rest),
        "raising the left arm": (rest, up),
        "pointing to the right": (aside, rest),
        "pointing to the left": (rest, aside),
        "offering": (ArmPose(0.25, 0.0, 0.0, math.pi / 2 - 0.25), rest),
    }


def standing_spots() -> dict[str, tuple[float, float, float]]:
    """Return x, y and yaw of where persons may stand, the same in every home."""
    return {
        "by the window": (1.25, 1.92, -math.pi / 2),
        "by the plant": (-1.80, -0.65, 0.0),
        "by the kitchen's entrance": (3.40, -1.98, math.pi / 2),
        "by the kitchen's wall": (5.45, -1.95, math.pi / 2),
    }


def free_spot(room: str, others: Sequence[tuple[float, ...]]) -> tuple[float, float, float] | None:
    """Return the first spot in a room at which nobody stands, None where there is none.

    Args:
        room: which.
        others: x, y of people.
    """
    apart_m, up = 0.6, math.pi / 2
    for pose in (*standing_spots().values(), (1.0, -1.8, up), (6.3, -1.8, up)):
        if Rooms().room_of(*pose[:2]) == room and all(math.dist(pose[:2], other) > apart_m for other in others):
            return pose
    return None


def spots(sofa: Furniture) -> dict[str, tuple[float, float, float]]:
    """Return x, y and yaw of where persons may be; on the sofa those of the hips."""
    to_front = sofa.yaw_rad + math.pi
    return {
        **standing_spots(),
        "sofa: left": (*sofa.point(-sofa.depth_m / 2 + 0.34, 0.45), to_front),
        "sofa: right": (*sofa.point(-sofa.depth_m / 2 + 0.34, -0.45), to_front),
        "sofa": (*sofa.point(-sofa.depth_m / 2 + 0.32, 0.0), sofa.yaw_rad + math.pi / 2),
    }


def shirts() -> dict[str, Rgb]:
    """Return the colours of shirts by their words."""
    return {
        "red": (0.76, 0.13, 0.13), "green": (0.16, 0.50, 0.26), "blue": (0.16, 0.32, 0.70), "yellow": (0.93, 0.78, 0.20),
        "orange": (0.92, 0.48, 0.12), "purple": (0.45, 0.22, 0.60), "white": (0.92, 0.92, 0.90), "black": (0.12, 0.12, 0.14),
    }  # fmt: skip


def first_names() -> list[str]:
    """Return the names that people may have."""
    return ["Adel", "Angel", "Axel", "Charlie", "Jane", "Jules", "Morgan", "Paris", "Robin", "Simone"]


def sample_persons(sofa: Furniture, rng: np.random.Generator) -> tuple[HomePerson, ...]:
    """Return one to four persons with names and shirts of their own; the first one stands.

    Args:
        sofa: where they may sit or lie.
        rng: decides.
    """
    n = int(rng.choice([1, 2, 3, 4], p=[0.25, 0.30, 0.25, 0.20]))
    names = rng.permutation(first_names())
    worn = rng.permutation(list(shirts()))
    where, lies = spots(sofa), rng.random() < 0.4
    standing = [str(s) for s in rng.permutation([spot for spot in where if not spot.startswith("sofa")])]
    resting = ["sofa"] if lies else [str(s) for s in rng.permutation(["sofa: left", "sofa: right"])]
    chosen = [standing[0], *(str(s) for s in rng.permutation(standing[1:] + resting)[: n - 1])]
    made = []
    for i, spot in enumerate(chosen):
        pose = "standing" if spot in standing else "lying" if spot == "sofa" else "sitting"
        first = i == 0 and rng.random() < 0.5
        choice = [g for g in gestures() if pose != "lying" or g not in ("offering", "waving")]
        gesture = "offering" if first else str(rng.choice(choice))
        skin = np.array([0.93, 0.76, 0.62]) * rng.uniform(0.45, 1.0)
        hair = np.array(((0.10, 0.07, 0.05), (0.35, 0.20, 0.10), (0.75, 0.58, 0.30), (0.55, 0.55, 0.56)))[rng.integers(4)]
        trousers = np.array(((0.16, 0.18, 0.26), (0.32, 0.30, 0.28), (0.20, 0.26, 0.38)))[rng.integers(3)]
        shirt, colours = str(worn[i]), [_rgb(c) for c in (skin, hair, trousers)]
        made.append(HomePerson(str(names[i]), spot, *where[spot], pose, gesture, shirt, shirts()[shirt], *colours, holds=""))
    return tuple(made)


def _rgb(colour: np.ndarray) -> Rgb:
    r, g, b = (round(float(c), 3) for c in colour)
    return r, g, b


def seat_height_m(person: HomePerson) -> float:
    """Return how high the frame of a mannequin, which is between its feet when it stands, lies over the floor."""
    build, sofa_m = Build(), 0.42
    return {"standing": 0.0, "sitting": sofa_m + build.seat_m - build.hips_m, "lying": sofa_m + build.back_m}[person.pose]


def upturned_hand(person: HomePerson) -> tuple[float, float, float]:
    """Return x, y, z of the middle of the open palm of one who stands or sits and offers."""
    build, (right, _) = Build(), gestures()["offering"]
    ahead = build.upper_arm_m * math.sin(right.flex) + build.forearm_m + build.palm_m
    aside, thick_m = -build.shoulder_y_m, 0.012
    z = build.shoulders_m - build.upper_arm_m * math.cos(right.flex) + thick_m + seat_height_m(person)
    c, s = math.cos(person.yaw_rad), math.sin(person.yaw_rad)
    return person.x_m + c * ahead - s * aside, person.y_m + s * ahead + c * aside, z
