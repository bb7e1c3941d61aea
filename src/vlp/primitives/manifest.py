"""What a robot says of itself: its primitives with what they need and make true, its places, and its limits."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from importlib.resources import files
from typing import Any, Literal

FORMAT = 2
"""Of a manifest's JSON. Format 1 named its places only; what could be put there stands in `places_of_format_1.json`."""

Kind = Literal["action", "perception"]


@dataclass(frozen=True)
class Argument:
    """One typed argument.

    Args:
        name: with its unit where it has one, e.g. "height_m".
        type: one of "phrase" (names something in view), "reference" ($name of an earlier result), "target" (reference or
            named place), "place" (named place), "subject" (phrase or named place), "choice", "number", "integer", "boolean",
            "text", "list".
        doc: one sentence.
        required: whether it must be given; one with a default may always be left out.
        choices: the words allowed, for "choice".
        minimum, maximum: bounds, for "number" and "integer", and for the numbers of a "list".
        default: what holds where it is left out; None for none.
        items: the type of each entry of a "list": "phrase", "place", "text", "number" or "integer".
        max_items: most entries of a "list".
        result: the type of the result that a "reference" stands for: "object", "answer", or one that the manifest declares;
            "" for any.
        limit: the field of the robot's `Limits` that bounds a "number" too, e.g. "base_speed_m_s"; "" for none.
    """

    name: str
    type: str
    doc: str
    required: bool = True
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    default: Any = None
    items: str = ""
    max_items: int = 16
    result: str = "object"
    limit: str = ""

    @property
    def optional(self) -> bool:
        """Whether it may be left out."""
        return not self.required or self.default is not None

    def to_json(self) -> dict[str, Any]:
        """Return the declaration as plain data, without fields that say what holds anyway."""
        return _without_defaults(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Argument":
        """Return the argument that `to_json` wrote; raises KeyError, TypeError or ValueError on anything else."""
        return cls(**{name: _frozen(value) for name, value in data.items()})


@dataclass(frozen=True)
class Primitive:
    """One thing a robot can do.

    Args:
        name: the word after "do".
        kind: an action moves something, a perception looks, asks or reads.
        doc: one sentence for people and models.
        arguments: in the order a policy writes them.
        result: type bound by "as": "object", "objects", "answer", or one that the manifest declares; "" when nothing is
            bound.
        needs: facts that must hold before, e.g. ("hand_empty",), ("not open door",); see `vlp.primitives.facts`.
        makes: facts that hold after, or no longer hold, e.g. ("holding target",), ("open door",), ("not open door",).
        timeout_s: time limit.
        interruptible: whether it may be interrupted midway (else at its end).
        final: whether what it does cannot be undone.
        example: arguments that are safe to try wherever the robot stands, for `check_robot`; None for none.
    """

    name: str
    kind: Kind
    doc: str
    arguments: tuple[Argument, ...] = ()
    result: str = ""
    needs: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    timeout_s: float = 30.0
    interruptible: bool = True
    example: Mapping[str, Any] | None = None
    final: bool = False

    @property
    def reaches(self) -> bool:
        """Whether it goes to the thing that it is told: an action with conditions or effects, unlike one that only looks."""
        return self.kind == "action" and bool(self.needs or self.makes)

    def to_json(self) -> dict[str, Any]:
        """Return the declaration as plain data, without fields that say what holds anyway."""
        data = _without_defaults(self)
        if self.arguments:
            data["arguments"] = [argument.to_json() for argument in self.arguments]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Primitive":
        """Return the primitive that `to_json` wrote; raises KeyError, TypeError or ValueError on anything else."""
        plain = {name: _frozen(value) for name, value in data.items() if name != "example"}
        plain["arguments"] = tuple(Argument.from_json(a) for a in data.get("arguments", ()))
        return cls(**plain, example=data.get("example"))

    def filled(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return a step's arguments with the defaults of those that were left out."""
        given = {a.name: a.default for a in self.arguments if a.default is not None} | dict(arguments)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}


Point = tuple[float, float, float]


@dataclass(frozen=True)
class Place:
    """A named place, which is a target without being looked for.

    Args:
        name: as policies write it.
        relations: the relations to it that things can be put in, e.g. ("on",); empty for a place that only is driven to.
        visible: whether the robot sees what lies there when it stands there. A `check` then looks; of a place out of view
            it counts only what was put there.
        clearable: whether `check` can tell that nothing is left there that could be taken away; needs `visible`.
        capacity: most things it takes; None when unknown.
        final: whether what is put there, or done there where nothing is put, cannot be taken back.
        surface_height_m: height above the floor of what things stand on there; None where it is measured by looking.
        doc: one sentence for people and models, or "".
        affords: names of primitives that only make sense where something answers to them, as a button does to "press".
    """

    name: str
    relations: tuple[str, ...] = ()
    visible: bool = False
    clearable: bool = False
    capacity: int | None = None
    surface_height_m: float | None = None
    doc: str = ""
    final: bool = False
    affords: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the place as plain data."""
        data = asdict(self)
        return data if self.affords else {name: value for name, value in data.items() if name != "affords"}


@dataclass(frozen=True)
class Limits:
    """Bounds that come from the embodiment, never from a prompt, a dataset or a request; None for what it has not.

    Args:
        workspace_min_m, workspace_max_m: corners of the box, in the base frame at the station, that the hand may enter;
            the space above the robot's own base is exempt, since the hand is carried there wherever the base stands.
        workspace_at: "place" where every place has this box before its own stand, and every person before whom the robot
            stands; None where the world has one station, in whose frame all positions are.
        base_speed_m_s, hand_speed_m_s: highest speeds.
        grip_force_n: highest force of the gripper.
        gripper_opening_m: widest opening.
        payload_kg: heaviest load, as the weight that the arm bears of a thing that nothing else touches.
    """

    workspace_min_m: Point | None = None
    workspace_max_m: Point | None = None
    base_speed_m_s: float | None = None
    hand_speed_m_s: float | None = None
    grip_force_n: float | None = None
    gripper_opening_m: float | None = None
    payload_kg: float | None = None
    workspace_at: Literal["place"] | None = None

    @property
    def workspace(self) -> tuple[Point, Point] | None:
        """The lowest and the highest corner in the world.

        None for a robot without a hand, and for one that has a workspace at each place: that one checks it itself.
        """
        if self.workspace_min_m is None or self.workspace_max_m is None or self.workspace_at is not None:
            return None
        return self.workspace_min_m, self.workspace_max_m

    def declared(self) -> dict[str, Any]:
        """Return the limits that this body has, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}


@dataclass(frozen=True)
class Manifest:
    """Primitives, named places and limits of one robot.

    Args:
        robot: the embodiment's name.
        version: changes when anything below does.
        primitives: by name, in the order shown to people and models.
        places: named places by name.
        limits: bounds of the body.
        frames: the frames that poses may be given in.
        cameras: by name, their intrinsics where known ("width", "height", "fx", ...), and "depth": whether they measure it.
        results: the robot's own result types: the type of each field by name, by the name of the result ("text", "number",
            "integer", "boolean", "numbers" or "texts"), e.g. {"reading": {"value_c": "number"}}.
    """

    robot: str
    version: str
    primitives: dict[str, Primitive]
    places: dict[str, Place] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    frames: tuple[str, ...] = ("base",)
    cameras: dict[str, dict[str, Any]] = field(default_factory=dict)
    results: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def sees_depth(self) -> bool:
        """Whether it has a camera that measures depth, so that things can be located."""
        return any(camera.get("depth") for camera in self.cameras.values())

    @property
    def looks(self) -> bool:
        """Whether it finds things, checks and asks by itself, so that no perception need be added."""
        return {"locate", "find_all", "check", "ask"} <= set(self.primitives)

    @property
    def has_hand(self) -> bool:
        """Whether a primitive of its takes something into a hand."""
        return any(effect.split()[:1] == ["holding"] for p in self.primitives.values() for effect in p.makes)

    def to_json(self) -> dict[str, Any]:
        """Return the manifest as plain data."""
        return {
            "format": FORMAT,
            "robot": self.robot,
            "version": self.version,
            "primitives": {name: p.to_json() for name, p in self.primitives.items()},
            "places": {name: place.to_json() for name, place in self.places.items()},
            "limits": self.limits.declared(),
            "frames": list(self.frames),
            "cameras": self.cameras,
            "results": self.results,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Manifest":
        """Return the manifest that `to_json` wrote, in this version or in an earlier one.

        Raises:
            KeyError, TypeError, ValueError: anything else; a later format is named.
        """
        written = data.get("format", 1)
        if written not in (1, FORMAT):
            raise ValueError(f"a manifest in format {str(written)[:20]}; this version of vlp reads formats 1 and {FORMAT}")
        data = _from_format_1(data) if written == 1 else data
        manifest = cls(
            robot=data["robot"],
            version=data["version"],
            primitives={name: Primitive.from_json(p) for name, p in data["primitives"].items()},
            places={name: Place(**place) for name, place in data["places"].items()},
            limits=Limits(**data["limits"]),
            frames=tuple(data["frames"]),
            cameras=data["cameras"],
            results=data["results"],
        )
        return manifest_types().validate_python(asdict(manifest))


@cache
def manifest_types() -> Any:
    """Return what reads data as a `Manifest`, by the types that are declared here."""
    from pydantic import TypeAdapter

    return TypeAdapter(Manifest)


def _from_format_1(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return format 1 as format 2: every robot had depth, and what a place takes followed from its name."""
    known = json.loads(files("vlp.primitives").joinpath("places_of_format_1.json").read_text())
    return {
        **data,
        "places": {name: {"name": name, **known.get(name, {})} for name in data["places"]},
        "cameras": {name: {**camera, "depth": True} for name, camera in data.get("cameras", {}).items()},
        "results": {},
    }


def _without_defaults(declared: Argument | Primitive) -> dict[str, Any]:
    always = ("name", "type", "kind", "doc")
    given = {field.name: (getattr(declared, field.name), field.default) for field in fields(declared)}
    return {name: value for name, (value, default) in given.items() if name in always or value != default}


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
