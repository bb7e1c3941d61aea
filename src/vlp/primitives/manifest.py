"""What a robot says of itself."""

from dataclasses import dataclass, field
from typing import Any

from vlp.primitives.declare import Argument, Primitive


@dataclass(frozen=True)
class Limits:
    """Bounds that come from the embodiment, never from a prompt, a dataset or a request.

    Args:
        workspace_min_m, workspace_max_m: corners of the box, in the base frame at the station, that the hand may enter.
        base_speed_m_s, hand_speed_m_s: highest speeds.
        grip_force_n: highest force of the gripper.
        gripper_opening_m: widest opening.
        payload_kg: heaviest load.
    """

    workspace_min_m: tuple[float, float, float]
    workspace_max_m: tuple[float, float, float]
    base_speed_m_s: float
    hand_speed_m_s: float
    grip_force_n: float
    gripper_opening_m: float
    payload_kg: float


@dataclass(frozen=True)
class Manifest:
    """Primitives, named places and limits of one robot.

    Args:
        robot: the embodiment's name, e.g. "hsr".
        version: changes when anything below does.
        primitives: by name, in the order shown to people and models.
        places: named places that are targets without being seen, e.g. ("table", "bin").
        limits: bounds of the body.
        frames: the frames that poses may be given in.
    """

    robot: str
    version: str
    primitives: dict[str, Primitive]
    places: tuple[str, ...]
    limits: Limits
    frames: tuple[str, ...] = ("base",)
    cameras: dict[str, dict[str, float]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the manifest as plain data."""
        from dataclasses import asdict

        return {**asdict(self), "primitives": {name: p.to_json() for name, p in self.primitives.items()}}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Manifest":
        """Return the manifest that `to_json` wrote; raises KeyError, TypeError or ValueError on anything else."""
        primitives = {}
        for name, p in data["primitives"].items():
            arguments = tuple(Argument(**{**a, "choices": tuple(a.get("choices", ()))}) for a in p.get("arguments", ()))
            fields = {**p, "arguments": arguments, "needs": tuple(p.get("needs", ())), "makes": tuple(p.get("makes", ()))}
            primitives[name] = Primitive(**fields)
        limits: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data["limits"].items()}
        return cls(
            robot=data["robot"],
            version=data["version"],
            primitives=primitives,
            places=tuple(data["places"]),
            limits=Limits(**limits),
            frames=tuple(data["frames"]),
            cameras=dict(data.get("cameras", {})),
        )
