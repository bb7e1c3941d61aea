"""How a primitive is declared: once, in one place, for manifest, schema, prompt, HTTP route and docs."""

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["action", "perception"]


@dataclass(frozen=True)
class Argument:
    """One typed argument.

    Args:
        name: with its unit where it has one, e.g. "height_m".
        type: one of "phrase" (names something in view), "reference" ($name of a located object), "target" (reference or
            named place), "place" (named place), "choice", "number", "text", "subject" (phrase or named place).
        doc: one sentence.
        required: whether it may be left out.
        choices: the words allowed, for "choice".
        minimum, maximum: bounds, for "number".
    """

    name: str
    type: str
    doc: str
    required: bool = True
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class Primitive:
    """One thing a robot can do.

    Args:
        name: the word after "do".
        kind: an action moves something, a perception looks, asks or reads.
        doc: one sentence for people and models.
        arguments: in the order a policy writes them.
        result: type bound by "as": "object", "objects", "answer"; "" when nothing is bound.
        needs: conditions of the symbolic state before, e.g. ("hand_empty",).
        makes: effects on the symbolic state after, e.g. ("holding target",).
        timeout_s: time limit.
        interruptible: whether it may be interrupted midway (else at its end).
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

    def to_json(self) -> dict[str, Any]:
        """Return the declaration as plain data, without empty fields."""
        from dataclasses import asdict

        return {key: value for key, value in asdict(self).items() if value not in ("", (), None)}
