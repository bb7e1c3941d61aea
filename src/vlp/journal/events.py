"""What can happen in a run: the kinds of events, and one event."""

from dataclasses import dataclass, field
from typing import Any

from vlp.core.errors import UsageError, did_you_mean

KINDS: dict[str, tuple[str, ...]] = {
    # The run's identity: with its first instruction, all that is needed to build it again.
    "run-started": ("run_id", "robot", "world", "seed", "model", "versions", "options"),
    # A new process took the run over.
    "run-resumed": ("in_flight", "how"),
    # A sentence from the person.
    "instruction": ("text", "source"),
    # What the robot saw (blob: JPEG).
    "observation": ("purpose", "state", "seconds"),
    # What the model wrote.
    "reply": ("text", "attempt", "timings_s", "tokens", "seconds"),
    # Failed checks of a reply.
    "report": ("attempt", "issues"),
    # A policy that passed the checks.
    "policy": ("revision", "policy", "steps", "diff", "claim"),
    # What a policy takes the instruction to mean, in one line.
    "understood": ("revision", "text", "final"),
    # A policy shown to a person, who is to say yes.
    "confirm-asked": ("revision", "text", "steps", "final"),
    # The answer ("yes", "no", "edit", "instruction") and through what it came.
    "confirm-answered": ("revision", "answer", "by"),
    # A step about to be sent.
    "step-started": ("revision", "id", "key", "do", "arguments", "epoch"),
    # What a step did.
    "step-finished": ("revision", "id", "key", "do", "status", "result"),
    # A reason to ask for a new policy.
    "trigger": ("name", "detail"),
    # Where an object was last seen; null when it was not found.
    "belief": ("phrase", "located"),
    # A scripted change of the scene.
    "world-event": ("text", "after_steps"),
    # State of a simulated robot (blob), valid after all events before it. Only the last two keep their blob.
    "snapshot": ("after",),
    # A remark for people.
    "note": ("text",),
    # How the run ended.
    "run-finished": ("outcome", "reason", "claim", "verdict"),
}
"""Kinds of events, each with the keys that its data must have."""


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
        missing = [name for name in KINDS[self.kind] if name not in self.data]
        if missing:
            raise UsageError(f"event {self.kind!r} lacks {', '.join(missing)}.")
