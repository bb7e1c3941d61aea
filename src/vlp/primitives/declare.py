"""A primitive, declared once: its arguments, what it needs and what it makes true."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

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
        result: the type of the result that a "reference" stands for: "object", or one that the manifest declares.
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


def _without_defaults(declared: Argument | Primitive) -> dict[str, Any]:
    always = ("name", "type", "kind", "doc")
    given = {field.name: (getattr(declared, field.name), field.default) for field in fields(declared)}
    return {name: value for name, (value, default) in given.items() if name in always or value != default}


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
