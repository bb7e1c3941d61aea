"""A table of samples to rows of cells: CSV or JSON lines, each row with the number that a spreadsheet or an editor shows."""

import codecs
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vlp.core.errors import UsageError, closest
from vlp.core.files import nearest
from vlp.core.images import is_pointer

NEEDED = ("image", "instruction", "policy")
OPTIONAL = ("split", "at", "holding", "before", "family")
AS_UTF8 = "Save it as UTF-8 text (a spreadsheet calls it CSV UTF-8)."
INDEX = "Is it the index that pandas writes? Write the table with index=False, or delete that column."

Row = tuple[int, "dict[str, Any] | UsageError"]
"""A row's number, and its cells by column or why it is no row."""


def find_table(base: Path) -> Path:
    """Return the table in a folder; raises UsageError when there is none, or more than one."""
    try:
        names = sorted(path.name for path in base.iterdir())
    except (OSError, ValueError):
        raise UsageError(f"no folder at {str(base)[:300]!r} that can be read.", nearest(base)) from None
    found = [base / name for name in ("samples.csv", "samples.jsonl") if (base / name).is_file()]
    if len(found) != 1:
        what = "both samples.csv and samples.jsonl are" if found else "neither samples.csv nor samples.jsonl is"
        near = next((name for name in names if name.lower().startswith("samples") or name.lower().endswith(".csv")), "")
        hint = f"Is it {near[:80]!r}? Name it samples.csv or samples.jsonl, whichever it is." if near and not found else ""
        raise UsageError(f"{what} in {str(base)[:300]!r}.", hint or "Put one of them there, beside the images.")
    return found[0]


def read_rows(table: Path) -> Iterator[Row]:
    """Yield the rows of a table in order; rows without any content are passed over.

    Raises:
        UsageError: the table as a whole is not one: no text, columns missing, too large.
    """
    try:
        if table.stat().st_size > 256 << 20:
            raise UsageError(f"{table.name} is larger than {256 << 20:,} bytes.", "Import it in parts.")
        text = text_of(table.read_bytes(), table.name)
    except OSError as error:
        raise UsageError(f"{table.name} cannot be read: {error.strerror}.") from None
    read = _csv_rows if table.suffix == ".csv" else _jsonl_rows
    for count, row in enumerate(read(text, table.name)):
        if count >= 100_000:
            raise UsageError(f"{table.name} has more than 100,000 rows.", "Import it in parts.")
        yield row


def text_of(data: bytes, name: str) -> str:
    """Return the text in bytes: UTF-8, or what a byte order mark says; bytes that are no UTF-8 come as lone surrogates.

    Raises:
        UsageError: a file of another kind, or not what its byte order mark says.
    """
    if is_pointer(data):
        raise UsageError(f"{name} is a pointer of git-lfs, not the file itself.", "Fetch it with: git lfs pull")
    others = {
        b"PK\x03\x04": "a workbook (a zip file)",
        b"\xd0\xcf\x11\xe0": "an old Excel workbook",
        b"\x1f\x8b": "compressed (gzip)",
        b"PAR1": "a parquet file",
    }
    for mark, what in others.items():
        if data.startswith(mark):
            raise UsageError(f"{name} is {what}, not text.", "Export it as CSV UTF-8, or as JSON lines.")
    marks = {
        codecs.BOM_UTF8: "utf-8-sig",
        codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
        codecs.BOM_UTF32_BE: "utf-32",
        codecs.BOM_UTF16_LE: "utf-16",
        codecs.BOM_UTF16_BE: "utf-16",
    }
    encoding = next((encoding for mark, encoding in marks.items() if data.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\0" in data[:1000]:
        raise UsageError(f"{name} holds zero bytes: it is binary, or UTF-16 without its mark.", AS_UTF8)
    try:
        return data.decode(encoding, "surrogateescape" if encoding.startswith("utf-8") else "strict")
    except UnicodeDecodeError as error:
        said = f"{name} begins with the mark of {encoding.upper()} and is not: {error.reason} at byte {error.start}."
        raise UsageError(said, AS_UTF8) from None


def _csv_rows(text: str, name: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    head: list[str] = []
    number = 0
    while True:
        number += 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            yield number, _no_row(error, _lines(text)[max(0, reader.line_num - 1)], head)
            return
        if number == 1:
            head = row or []
            _check_head(name, head)
        elif row is None:
            return
        elif not any(cell.strip() for cell in row):
            continue
        elif len(row) > len(head):
            said = f"more cells ({len(row)}) than the head has columns ({len(head)})."
            yield number, UsageError(said, 'A cell with commas in it stands in quotes ("), and quotes in it are doubled.')
        else:
            yield number, dict.fromkeys(head, "") | dict(zip(head, row, strict=False))


def _no_row(error: csv.Error, line: str, head: list[str]) -> UsageError:
    """Return why a line is no row; where quotes are escaped by backslashes, also in which column."""
    if '\\"' not in line:
        return UsageError(f"not a row of a CSV file: {error}.", 'Quotes (") inside a cell are doubled.')
    try:
        cells = next(csv.reader([line], escapechar="\\", doublequote=False), [])
    except csv.Error:
        cells = []
    column = next((column for column, cell in zip(head, cells, strict=False) if '"' in cell), "a cell")
    return UsageError(f'{column[:60]}: a backslash stands before its quotes (\\").', 'In a CSV they are doubled instead: "".')


def _check_head(table: str, head: list[str]) -> None:
    """Refuse a head with a column that is missing, has no name, or appears twice."""
    found = ", ".join(column[:60] for column in head[:20]) or "nothing"
    missing = next((column for column in NEEDED if column not in head), "")
    if missing:
        said = f"{table} has no column {missing!r}. Found: {found}; needed: {', '.join(NEEDED)}."
        if head and head[0].startswith("sep="):
            raise UsageError(said, "Delete the first line, and separate cells by commas.")
        if any(mark in column for column in head for mark in ";\t"):
            raise UsageError(said, "Separate cells by commas.")
        near = closest(missing, [column for column in head if column not in (*NEEDED, *OPTIONAL)])
        raise UsageError(said, f"Rename {near[:60]!r} if that is it." if near else "Add it to the first line.")
    if not all(column.strip() for column in head):
        number = next(i for i, column in enumerate(head, 1) if not column.strip())
        raise UsageError(f"{table}: column {number} has no name. Found: {found}.", INDEX)
    twice = next((column for column, count in Counter(head).items() if count > 1), "")
    if twice:
        raise UsageError(f"{table} has two columns {twice[:60]!r}.", "Keep one.")


def _jsonl_rows(text: str, name: str) -> Iterator[Row]:
    if text.lstrip().startswith("["):
        hint = "pandas writes them by to_json(orient='records', lines=True)."
        raise UsageError(f"{name} is one JSON list; expected one object on each line.", hint)
    for number, line in enumerate(_lines(text), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=_unique)
        except UsageError as error:
            yield number, error
        except (ValueError, RecursionError) as error:
            yield number, UsageError(f"not JSON: {str(error)[:120]}.", "Write one JSON object on each line.")
        else:
            fits = isinstance(row, dict) and row
            yield number, row if fits else UsageError("found no object.", "Write one JSON object on each line.")


def _lines(text: str) -> list[str]:
    """Return the lines as an editor counts them; `splitlines` would also break at characters that stand inside sentences."""
    return re.split(r"\r\n|\n|\r", text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    twice = next((key for key, count in Counter(key for key, _ in pairs).items() if count > 1), None)
    if twice is not None:
        raise UsageError(f"the key {twice[:60]!r} appears twice in one object.", "Keep one.")
    return dict(pairs)
