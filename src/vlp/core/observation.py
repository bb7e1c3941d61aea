"""What a robot sees: cameras, observations, things found in them with their pose and size, and how large things can be."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vlp.core.errors import MissingComponent

Array = NDArray[np.float64]
Box = tuple[float, float, float, float]
"""(x1, y1, x2, y2) in pixels of the image, right and bottom exclusive."""


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole camera without distortion; lengths in pixels."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    def to_json(self) -> dict[str, float]:
        """Return the fields as plain data."""
        return asdict(self)

    def zoomed(self, times: float) -> "Intrinsics":
        """Return those of the same camera with a view so many times as narrow."""
        return self if times == 1.0 else replace(self, fx=times * self.fx, fy=times * self.fy)


def project(points_in_camera: Array, k: Intrinsics) -> Array:
    """Return the pixels (n, 2) of points (n, 3) in the optical frame (x right, y down, z forward), in metres."""
    p = np.atleast_2d(points_in_camera)
    return np.stack([k.fx * p[:, 0] / p[:, 2] + k.cx, k.fy * p[:, 1] / p[:, 2] + k.cy], axis=1)


def deproject(pixels: Array, depth_m: Array, k: Intrinsics) -> Array:
    """Return points (n, 3) in the optical frame for pixels (n, 2) and depths (n,) along the optical axis, in metres."""
    uv = np.atleast_2d(pixels)
    z = np.asarray(depth_m, dtype=np.float64)
    return np.stack([(uv[:, 0] - k.cx) / k.fx * z, (uv[:, 1] - k.cy) / k.fy * z, z], axis=1)


def transform(points: Array, a_in_b: Array) -> Array:
    """Return points (n, 3) given in frame a, expressed in frame b, for the 4x4 pose of a in b."""
    return np.atleast_2d(points) @ a_in_b[:3, :3].T + a_in_b[:3, 3]


def iou(a: Box, b: Box) -> float:
    """Return the intersection over union of two boxes, 0 when they do not meet."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


Value = str | int | float | bool


@dataclass(frozen=True)
class RobotState:
    """What the robot knows of itself, without looking; what a body has not is left out.

    Args:
        at: the named place it stands at, or "" when between places.
        holding: the phrase of the held object as last grasped, "" when the hand is empty or there is none
            ("something" when the fingers are blocked and no grasp is remembered).
        joints_rad_or_m: joint positions by name.
        base_in_world: x [m], y [m], yaw [rad] by the robot's own odometry.
        gripper_m: opening between the finger tips; None without a gripper.
        hand_in_base: x, y, z of the hand in metres; None without a hand.
        own: whatever else it knows of itself, by name: {"battery_percent": 80}.
        facts: which of the facts that its primitives need or make it senses itself, and whether they are so:
            {"open front door": False}. What is sensed stands over what steps have made so.
    """

    at: str = ""
    holding: str = ""
    joints_rad_or_m: dict[str, float] = field(default_factory=dict)
    base_in_world: tuple[float, float, float] = (0.0, 0.0, 0.0)
    gripper_m: float | None = None
    hand_in_base: tuple[float, float, float] | None = None
    own: Mapping[str, Value] = field(default_factory=dict)
    facts: Mapping[str, bool] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the state as plain data, without what the body has not."""
        said = {n: value for n, value in asdict(self).items() if value is not None or n not in ("gripper_m", "hand_in_base")}
        return {name: value for name, value in said.items() if name not in ("own", "facts") or value}


@dataclass(frozen=True)
class Observation:
    """An image with aligned depth where there is any, the camera that took it, and the robot's state.

    Args:
        rgb: (height, width, 3) uint8.
        depth_m: (height, width) float32, metres along the optical axis; 0 where there is no return; None without depth.
        intrinsics: the pinhole camera; None where it is not calibrated, and there is no depth then.
        camera_in_base: 4x4 pose of the optical frame in the base frame, as the robot believes it; None like intrinsics.
        state: proprioception.
        stamp_s: the robot's own monotonic time in seconds.
        scene_text: text read in the scene (signs, labels), shown to the model as quoted data.
    """

    rgb: NDArray[np.uint8]
    depth_m: NDArray[np.float32] | None
    intrinsics: Intrinsics | None
    camera_in_base: NDArray[np.float64] | None
    state: RobotState
    stamp_s: float
    scene_text: tuple[str, ...] = ()

    @classmethod
    def on_demand(
        cls, rgb: Callable[[], NDArray[np.uint8]], depth_m: Callable[[], NDArray[np.float32]], **others: Any
    ) -> "Observation":
        """Return an observation whose images are made when they are first read: who wants the state alone pays for none.

        Args:
            rgb, depth_m: make the images.
            others: the other fields.
        """
        seen = object.__new__(cls)
        vars(seen).update(others, _later={"rgb": rgb, "depth_m": depth_m})
        return seen

    if not TYPE_CHECKING:  # a misspelt name stays an error of types

        def __getattr__(self, name: str) -> Any:
            """Make an image that is not there yet."""
            later = vars(self).get("_later", {})
            if name not in later:
                raise AttributeError(f"an Observation has no {name!r}")
            vars(self)[name] = later[name]()
            return vars(self)[name]

    def geometry(self) -> tuple[NDArray[np.float32], Intrinsics, NDArray[np.float64]]:
        """Return depth, intrinsics and camera pose, from which places in metres follow.

        Raises:
            MissingComponent: one of them is not there.
        """
        if self.depth_m is None or self.intrinsics is None or self.camera_in_base is None:
            raise MissingComponent(
                "this robot's observation has no depth, so nothing in it can be located.", "Give it a depth camera."
            )
        return self.depth_m, self.intrinsics, self.camera_in_base


@dataclass(frozen=True)
class Located:
    """The result of `locate`: what `$name` stands for when a step is sent to the robot.

    Args:
        phrase: what was asked for, e.g. "red cube".
        box: where it is in the image.
        position_in_world: x, y, z of its centre in metres, in the robot's odometry frame (z up, 0 at the floor).
        size_m: length, width and height along its own axes; length >= width.
        yaw_rad: direction of its length about z, in [-pi/2, pi/2); a mug's is its handle's, a person's where they face, both
            in [-pi, pi].
        score: the grounder's confidence, 0 to 1.
        stamp_s: the observation's time.
    """

    phrase: str
    box: Box
    position_in_world: tuple[float, float, float]
    size_m: tuple[float, float, float]
    yaw_rad: float
    score: float
    stamp_s: float

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Located":
        """Return the object that `to_json` wrote; raises KeyError, TypeError or ValueError on anything else."""
        return cls(
            phrase=str(data["phrase"]),
            box=_floats(data["box"], 4),  # type: ignore[arg-type]
            position_in_world=_floats(data["position_in_world"], 3),  # type: ignore[arg-type]
            size_m=_floats(data["size_m"], 3),  # type: ignore[arg-type]
            yaw_rad=float(data["yaw_rad"]),
            score=float(data["score"]),
            stamp_s=float(data["stamp_s"]),
        )


@dataclass(frozen=True)
class Described:
    """What a simulator knows of a thing or a person beside its name.

    Args:
        phrases: what else it may be called by, e.g. "drink", "person waving".
        facing_rad: where a person faces in the world; None for a thing.
    """

    phrases: tuple[str, ...]
    facing_rad: float | None = None


@dataclass(frozen=True)
class SizeBounds:
    """Bounds on the things of one kind, in metres; None where it is not known.

    Args:
        tallest_m: what rises higher is something in, on or in front of the thing.
        shortest_m: a standing thing that shows less is hidden below, it does not stand on something.
        lying_m: a thing that shows nothing above this height lies on its side.
        span_m: its largest extent; pieces farther apart are not one thing.
        wide_m: how wide it is at most across its length, so deep where only one side of it is seen.
    """

    tallest_m: float | None = None
    shortest_m: float | None = None
    lying_m: float | None = None
    span_m: float | None = None
    wide_m: float | None = None


Sizes = Mapping[str, SizeBounds]
"""Bounds by the noun that a phrase ends with."""


def _floats(values: Any, n: int) -> tuple[float, ...]:
    numbers = tuple(float(v) for v in values)
    if len(numbers) != n or not all(abs(v) < 1e6 for v in numbers):
        raise ValueError(f"expected {n} finite numbers, found {values!r}")
    return numbers
