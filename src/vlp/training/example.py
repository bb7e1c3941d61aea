"""One sample in tokens, and the file that keeps many: a base reads and answers a sample once, whatever is tuned later."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vlp.prompt.target import IGNORED


@dataclass(frozen=True)
class Example:
    """One sample in tokens.

    Args:
        id: of the sample.
        image: hash of its image.
        ids: prompt, reply and the token that ends the turn.
        labels: the same where the model's own words stand (the reply, and its quote where it makes one), `IGNORED` elsewhere.
        grid: frames, rows and columns of the image's patches.
    """

    id: str
    image: str
    ids: tuple[int, ...]
    labels: tuple[int, ...]
    grid: tuple[int, int, int]

    @property
    def counted_tokens(self) -> int:
        """How many tokens count."""
        return sum(label != IGNORED for label in self.labels)

    @property
    def scored_tokens(self) -> int:
        """How many tokens there are from the first that counts to the end."""
        return len(self.labels) - next(i for i, label in enumerate(self.labels) if label != IGNORED)


class KeptExamples:
    """Examples in a file, by what they were made from; a line that was cut off or changed is made anew.

    Args:
        file: JSON lines, each {"key": ..., "example": {...}}; None keeps nothing.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        lines = file.read_bytes().splitlines() if file and file.is_file() else []
        self._kept = dict(filter(None, map(_parsed, lines)))

    def get(self, source: object, make: Callable[[], Example]) -> Example:
        """Return the example made from a source (plain data), which is made when it is not kept."""
        key = hashlib.sha256(json.dumps(source, sort_keys=True).encode()).hexdigest()
        if key not in self._kept:
            self._kept[key] = made = make()
            if self._file:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                with self._file.open("ab") as file:  # one write a line, begun anew: another may have been cut off by a kill
                    file.write(b"\n" + json.dumps({"key": key, "example": asdict(made)}).encode())
        return self._kept[key]


def _parsed(line: bytes) -> tuple[str, Example] | None:
    try:
        row = json.loads(line)
        kept: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row["example"].items()}
        made = Example(**kept)
        numbers = (*made.ids, *made.labels, *made.grid)
        sound = len(made.ids) == len(made.labels) and len(made.grid) == 3 and all(type(n) is int for n in numbers)
        return (row["key"], made) if sound and made.counted_tokens else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
