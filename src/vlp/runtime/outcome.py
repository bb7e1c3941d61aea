"""How a run ended, and the one sentence that says so."""

from dataclasses import dataclass, field

from vlp.core.errors import VlpError


@dataclass(frozen=True)
class Outcome:
    """How a run ended, as the system itself judges it.

    Args:
        outcome: "success", "failure", "stopped" or "timeout".
        reason: one sentence; "" when all went well.
        claim: what the last policy says of the task: "done", "already", "cannot" or "asks"; "" when there was none.
        checked: how many checks of the last policy held.
        verdict: the true state's own answer, None where nobody knows it.
        error: what ended the run, when it was an error a person can act on.
    """

    outcome: str
    reason: str = ""
    claim: str = ""
    checked: int = 0
    verdict: bool | None = None
    error: VlpError | None = field(default=None, compare=False)

    @property
    def account(self) -> str:
        """What is known, in one sentence: how it ended, what the robot checked, and what the true state says."""
        held = "1 check of the robot held" if self.checked == 1 else f"{self.checked} checks of the robot held"
        checks = held if self.checked else "nothing was checked"
        done = {"done": f"every step succeeded and {checks}", "already": f"it is so already, {checks}"}
        known = done.get(self.claim, checks) if self.outcome == "success" else self.reason.rstrip(".")
        states = {
            None: "",
            True: "; in the true state the task is done" if self.claim != "cannot" else "; the true state agrees",
            False: "; in the true state the task is not done",
        }
        return f"{self.outcome}: {known}{states[self.verdict]}" if known else f"{self.outcome}{states[self.verdict]}"
