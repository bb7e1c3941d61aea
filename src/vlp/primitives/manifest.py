"""What a robot says of itself: its primitives, places, limits and the types of its results."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from functools import cache
from importlib.resources import files
from math import isfinite
from typing import Any

from vlp.core.errors import did_you_mean
from vlp.core.observation import Located
from vlp.primitives.declare import Primitive

FORMAT = 2
"""Of a manifest's JSON. Format 1 named its places only; what could be put there stands in `places_of_format_1.json`."""

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
        final: whether what is put there cannot be taken back.
        surface_height_m: height above the floor of what things stand on there; None where it is measured by looking.
        doc: one sentence for people and models, or "".
    """

    name: str
    relations: tuple[str, ...] = ()
    visible: bool = False
    clearable: bool = False
    capacity: int | None = None
    surface_height_m: float | None = None
    doc: str = ""
    final: bool = False


@dataclass(frozen=True)
class Limits:
    """Bounds that come from the embodiment, never from a prompt, a dataset or a request; None for what it has not.

    Args:
        workspace_min_m, workspace_max_m: corners of the box, in the base frame at the station, that the hand may enter;
            the space above the robot's own base is exempt, since the hand is carried there wherever the base stands.
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

    @property
    def workspace(self) -> tuple[Point, Point] | None:
        """The lowest and the highest corner, None for a robot without a hand."""
        if self.workspace_min_m is None or self.workspace_max_m is None:
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
            "places": {name: asdict(place) for name, place in self.places.items()},
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
        return _adapter().validate_python(asdict(manifest))


@cache
def _adapter() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(Manifest)


def type_faults(manifest: Manifest) -> Iterator[str]:
    """Yield what in a manifest has not the type that is declared, e.g. "limits.payload_kg is 'heavy': ..."."""
    from pydantic import ValidationError

    data = asdict(manifest)
    try:
        typed = _adapter().validate_python(data)
    except ValidationError as error:
        for fault in error.errors():
            where = ".".join(map(str, fault["loc"]))
            yield f"{where} is {repr(fault['input'])[:60]}: {fault['msg'][0].lower()}{fault['msg'][1:]}"
        return
    odd = not_finite(data, "")
    difference = f"{odd.removeprefix('.')}: expected a finite number" if odd else _difference(manifest, typed, "")
    if difference:
        yield difference


def _difference(given: Any, typed: Any, where: str) -> str:
    """Return where a value is not what its declared type makes of it, "" for nowhere."""
    parts: list[tuple[str, Any, Any]] = []
    if type(given) is type(typed) and is_dataclass(typed):
        parts = [(f.name, getattr(given, f.name), getattr(typed, f.name)) for f in fields(typed)]
    elif isinstance(given, dict) and isinstance(typed, dict) and set(given) == set(typed):
        parts = [(str(name), given[name], typed[name]) for name in typed]
    elif isinstance(given, tuple) and isinstance(typed, tuple) and len(given) == len(typed):
        parts = [(str(i), *pair) for i, pair in enumerate(zip(given, typed, strict=True))]
    elif given != typed or isinstance(given, str) != isinstance(typed, str):
        return f"{where.removeprefix('.')} is {repr(given)[:60]}: expected {repr(typed)[:60]}"
    return next((found for name, a, b in parts if (found := _difference(a, b, f"{where}.{name}"))), "")


def _from_format_1(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return format 1 as format 2: every robot had depth, and what a place takes followed from its name."""
    known = json.loads(files("vlp.primitives").joinpath("places_of_format_1.json").read_text())
    return {
        **data,
        "places": {name: {"name": name, **known.get(name, {})} for name in data["places"]},
        "cameras": {name: {**camera, "depth": True} for name, camera in data.get("cameras", {}).items()},
        "results": {},
    }


def not_finite(value: Any, where: str) -> str:
    """Return the first number in data that is NaN or infinite, with its place, e.g. "done.force_n is nan"; "" for none.

    Args:
        value: plain data, or numpy's.
        where: the name of the data.
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float):
        return "" if isfinite(value) else f"{where} is {value}"
    inside: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        inside = [(f"{where}.{name}", item) for name, item in value.items()]
    elif isinstance(value, list | tuple):
        inside = [(f"{where}[{i}]", item) for i, item in enumerate(value)]
    return next((odd for name, item in inside if (odd := not_finite(item, name))), "")


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 1000


FIELD_TYPES: dict[str, Callable[[Any], bool]] = {
    "text": _text,
    "number": _number,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "texts": lambda value: isinstance(value, list) and len(value) <= 256 and all(map(_text, value)),
    "numbers": lambda value: isinstance(value, list) and len(value) <= 256 and all(map(_number, value)),
}
"""What a field of a result can be."""


def result_fault(primitive: Primitive, value: Any, manifest: Manifest) -> str:
    """Return what is wrong with the value that a primitive gave back after it succeeded, "" when nothing is.

    Args:
        primitive: its `result` names the type.
        value: plain data.
        manifest: declares the robot's own types.
    """
    own = manifest.results.get(primitive.result)
    if own is not None:
        return shape_fault(value, own)
    return BUILT_IN[primitive.result](value) if primitive.result in BUILT_IN else f"unknown result type {primitive.result!r}"


def shape_fault(value: Any, shape: Mapping[str, str]) -> str:
    """Return where a value is not an object with exactly these fields, "" when it is."""
    if not isinstance(value, dict):
        return f"expected an object with {', '.join(shape)}, found a {type(value).__name__}"
    for name, kind in shape.items():
        if name not in value:
            return f"{name!r} is missing"
        if kind not in FIELD_TYPES:
            return f"{name!r} has the unknown type {kind!r}; {did_you_mean(kind, FIELD_TYPES).rstrip('.')}"
        if not FIELD_TYPES[kind](value[name]):
            return f"{name} is {repr(value[name])[:60]}; expected {kind}"
    extra = sorted(set(value) - set(shape))
    return f"unknown field {extra[0][:60]!r}" if extra else ""


def _located(value: Any) -> str:
    try:
        Located.from_json(value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return f"not a located object: {f'{error} is missing' if isinstance(error, KeyError) else str(error)[:120]}"
    return ""


def _all_located(value: Any) -> str:
    if not isinstance(value, list):
        return f"expected a list of located objects, found a {type(value).__name__}"
    return next((fault for item in value if (fault := _located(item))), "")


BUILT_IN: dict[str, Callable[[Any], str]] = {
    "": lambda value: "",
    "object": _located,
    "objects": _all_located,
    "answer": lambda value: "" if _text(value) else f"expected text of at most {1000} characters",
}
"""Result types that every robot has, and "" for a primitive that gives nothing that can be named."""
