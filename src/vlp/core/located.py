"""A thing that was seen: its box in the image, and its pose and size from depth."""

from dataclasses import asdict, dataclass
from typing import Any

from vlp.core.camera import Box


@dataclass(frozen=True)
class Located:
    """The result of `locate`: what `$name` stands for when a step is sent to the robot.

    Args:
        phrase: what was asked for, e.g. "red cube".
        box: where it is in the image.
        position_in_world: x, y, z of its centre in metres, in the robot's odometry frame (z up, 0 at the floor).
        size_m: length, width and height along its own axes; length >= width.
        yaw_rad: direction of its length about z, in [-pi/2, pi/2); a mug's is its handle's, in [-pi, pi].
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


def _floats(values: Any, n: int) -> tuple[float, ...]:
    numbers = tuple(float(v) for v in values)
    if len(numbers) != n or not all(abs(v) < 1e6 for v in numbers):
        raise ValueError(f"expected {n} finite numbers, found {values!r}")
    return numbers
