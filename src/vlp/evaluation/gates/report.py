"""What a gate found: passed or not, a table, and what failed; kept as JSON and as a short page."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vlp import __version__
from vlp.core.errors import MissingComponent
from vlp.core.files import write_whole


@dataclass(frozen=True)
class GateReport:
    """The outcome of one gate.

    Args:
        gate: its name.
        passed: the verdict.
        said: the verdict in one sentence, with numbers.
        rows: the table, one mapping of column to text per line.
        failures: one line each.
        facts: the numbers behind it, as plain data.
    """

    gate: str
    passed: bool
    said: str
    rows: Sequence[Mapping[str, str]]
    failures: Sequence[str] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    version: str = __version__

    def write(self, folder: Path) -> None:
        """Write GATE.json and GATE.md into a folder, made when missing; raises MissingComponent when it cannot."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MissingComponent(f"cannot make {str(folder)[:300]!r}: {error.strerror}.") from None
        write_whole(folder / f"{self.gate}.json", json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")
        write_whole(folder / f"{self.gate}.md", self.page())

    def page(self) -> str:
        """Return the report as Markdown."""
        verdict = "passed" if self.passed else "failed"
        lines = [f"# {self.gate}: {verdict}", "", self.said, ""]
        if self.rows:
            columns = list(self.rows[0])
            lines += [_line(columns), _line(["---"] * len(columns))]
            lines += [_line([row[column] for column in columns]) for row in self.rows]
        if self.failures:
            lines += ["", f"## What failed ({len(self.failures)})", ""]
            lines += [f"- {_inert(text)}" for text in self.failures[:40]]
            left = len(self.failures) - 40
            lines += [f"- {left} more are in {self.gate}.json"] if left > 0 else []
        return "\n".join([*lines, "", f"vlp {self.version}", ""])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_inert(cell) for cell in cells) + " |"


def _inert(text: str) -> str:
    """Return text on one line that opens no cell and no tag."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
