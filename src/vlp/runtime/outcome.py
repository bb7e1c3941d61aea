"""How a run ended."""

from dataclasses import dataclass, field

from vlp.core.errors import VlpError


@dataclass(frozen=True)
class Outcome:
    """How a run ended, as the system itself judges it.

    Args:
        outcome: "success", "failure", "stopped" or "timeout".
        reason: one sentence; "" when all went well.
        claim: "done", "already" or "cannot"; "" when there was no policy.
        verdict: the true state's own answer, None where nobody knows it.
        error: what ended the run, when it was an error a person can act on.
    """

    outcome: str
    reason: str = ""
    claim: str = ""
    verdict: bool | None = None
    error: VlpError | None = field(default=None, compare=False)
