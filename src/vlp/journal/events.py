"""The events of a run, and the table of their kinds."""

from dataclasses import dataclass, field
from typing import Any

from vlp.core.errors import UsageError, did_you_mean


@dataclass(frozen=True)
class EventKind:
    """One kind of event.

    Args:
        doc: what it says.
        fields: keys that its data must have.
        durable: whether it must be on the disk before anything else happens.
    """

    doc: str
    fields: tuple[str, ...]
    durable: bool = False


KINDS: dict[str, EventKind] = {
    "run-started": EventKind(
        "The run's identity: with its first instruction, all that is needed to build it again.",
        ("run_id", "robot", "world", "seed", "model", "versions", "options"),
        durable=True,
    ),
    "run-resumed": EventKind("A new process took the run over.", ("in_flight", "how"), durable=True),
    "instruction": EventKind("A sentence from the person.", ("text", "source"), durable=True),
    "observation": EventKind("What the robot saw (blob: JPEG).", ("purpose", "state", "seconds")),
    "reply": EventKind("What the model wrote.", ("text", "attempt", "timings_s", "tokens", "seconds")),
    "report": EventKind("Failed checks of a reply.", ("attempt", "issues")),
    "policy": EventKind("A policy that passed the checks.", ("revision", "policy", "steps", "diff", "claim"), durable=True),
    "understood": EventKind(
        "What a policy takes the instruction to mean, in one line.", ("revision", "text", "final"), durable=True
    ),
    "confirm-asked": EventKind(
        "A policy shown to a person, who is to say yes.", ("revision", "text", "steps", "final"), durable=True
    ),
    "confirm-answered": EventKind(
        'The answer ("yes", "no", "edit", "instruction") and through what it came.', ("revision", "answer", "by"), durable=True
    ),
    "step-started": EventKind("A step about to be sent.", ("revision", "id", "key", "do", "arguments", "epoch"), durable=True),
    "step-finished": EventKind("What a step did.", ("revision", "id", "key", "do", "status", "result"), durable=True),
    "trigger": EventKind("A reason to ask for a new policy.", ("name", "detail"), durable=True),
    "belief": EventKind("Where an object was last seen; null when it was not found.", ("phrase", "located")),
    "world-event": EventKind("A scripted change of the scene.", ("text", "after_steps"), durable=True),
    "snapshot": EventKind("State of a simulated robot (blob), valid after all events before it.", ("after",), durable=True),
    "note": EventKind("A remark for people.", ("text",)),
    "run-finished": EventKind("How the run ended.", ("outcome", "reason", "claim", "verdict"), durable=True),
}


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Args:
        kind: a key of `KINDS`.
        data: plain data with at least the kind's fields.
        blob: bytes that belong to it (an image, a snapshot).
        seq: its place in the order, given by the journal; 0 before that.
        wall_s: seconds since the epoch, for people; order comes from `seq`.
        live: the object itself (an Observation, a Plan) for subscribers in this process; never stored.
    """

    kind: str
    data: dict[str, Any]
    blob: bytes | None = None
    seq: int = 0
    wall_s: float = 0.0
    live: Any = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"unknown event kind {self.kind!r}.", did_you_mean(self.kind, KINDS))
        missing = [name for name in KINDS[self.kind].fields if name not in self.data]
        if missing:
            raise UsageError(f"event {self.kind!r} lacks {', '.join(missing)}.")
