"""Rows of a measurement in a file, a line of JSON each, to which several processes write and one may be killed."""

import json
from collections.abc import Sequence
from pathlib import Path

from vlp.core.files import cannot_write, write_whole
from vlp.evaluation.suites import Row


def rows_in(file: Path) -> list[Row]:
    """Return the rows of a file, without one that is half written; none where there is no file."""
    text = file.read_text() if file.is_file() else ""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def append_rows(file: Path, rows: Sequence[Row]) -> None:
    """Write rows to the end of a file, all at once: other processes write to it too; raises MissingComponent."""
    try:
        with file.open("a") as opened:
            opened.write("".join(json.dumps(row) + "\n" for row in rows))
    except OSError as error:
        raise cannot_write(file, error) from None


def whole_lines(file: Path) -> None:
    """Take away a row that a killed process has written by half."""
    if file.is_file():
        write_whole(file, "".join(json.dumps(row) + "\n" for row in rows_in(file)))
