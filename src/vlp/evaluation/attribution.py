"""One cause in one line for every failed episode, from the journal and the true state."""

from typing import Any


def attribute(episode: Any, events: Any, outcome: Any, verdict: Any, truth: Any) -> str:
    return f"{outcome.outcome}: {outcome.reason}"
