"""What the command line said, and a policy that is good."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

GOOD: dict[str, Any] = {
    "goal": "the red cube is in the green bowl",
    "subtasks": [
        {
            "name": "pick up the red cube",
            "steps": [
                {"do": "locate", "object": "red cube", "as": "red_cube"},
                {"do": "grasp", "target": "$red_cube"},
                {"do": "lift", "height_m": 0.1},
            ],
        },
        {
            "name": "put it in the green bowl",
            "steps": [
                {"do": "locate", "object": "green bowl", "as": "green_bowl"},
                {"do": "place", "target": "$green_bowl", "relation": "in"},
                {"do": "check", "relation": "in", "subject": "red cube", "object": "green bowl"},
            ],
        },
    ],
}


@dataclass
class Told:
    """What one command line said: its exit status, standard output and standard error."""

    status: int
    out: str
    err: str

    def refused(self, status: int, *words: str) -> None:
        """Claim that it ended with one clear line on standard error, with these words in it, and no traceback."""
        assert "Traceback" not in self.err + self.out
        assert self.status == status, self.err + self.out
        assert len(self.err.strip().splitlines()) == 1, self.err
        assert self.err.startswith("vlp: ")
        for word in words:
            assert word in self.err, self.err


@contextmanager
def as_in_a_terminal() -> Iterator[None]:
    """Start programs here that signals are to end: what tests under `nohup` or behind `&` ignore, their children ignore."""
    ignored = [number for number in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(number) == signal.SIG_IGN]
    try:
        for number in ignored:
            signal.signal(number, signal.SIG_DFL)
        yield
    finally:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)
