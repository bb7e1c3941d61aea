"""Images and a table of instructions and policies, as a lab with a real robot has them: all rows or none."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlp.core.errors import UsageError, closest, did_you_mean
from vlp.core.images import encode_png, read_image
from vlp.core.observation import RobotState
from vlp.data.sample import SPLITS, make_sample
from vlp.data.store import StoreWriter
from vlp.policy import check_policy
from vlp.policy.parse import MAX_BYTES
from vlp.policy.situation import State
from vlp.primitives.manifest import Manifest
from vlp.prompt.bounds import clean_instruction
from vlp.prompt.memory import Memory

TABLES = ("samples.csv", "samples.jsonl")
NEEDED = ("image", "instruction", "policy")
OPTIONAL = ("split", "at", "holding", "before", "family")
MAX_TABLE_BYTES = 256 * 1024 * 1024
MAX_ROWS = 100_000
MAX_FAULTS = 50
SHOWN_COLUMNS = 20


class BadRows(UsageError):
    """Rows that cannot be imported; nothing was.

    Args:
        faults: one sentence per row at fault, with its number.
        more: how many there are beyond those.
    """

    def __init__(self, table: str, faults: list[str], more: int) -> None:
        rest = f" ({len(faults) - 1 + more} more)" if len(faults) + more > 1 else ""
        super().__init__(f"{table}, {faults[0]}{rest}", "Nothing was imported; mend the rows and run it again.")
        self.faults = faults


@dataclass(frozen=True)
class _Row:
    number: int
    image: Path
    instruction: str
    policy: dict[str, Any]
    given: dict[str, str]


def import_folder(out: str | Path, folder: str | Path, manifest: Manifest) -> int:
    """Import every row of a folder's table, and return how many samples were new.

    The table is `samples.csv` (with a head) or `samples.jsonl`. Each row has `image` (a file in the folder),
    `instruction` and `policy` (JSON text, an object, or a .json file in the folder), and may have `split`, `at`,
    `holding`, `before` (the instruction that this one corrects) and `family`.

    Args:
        out: a store; made when missing.
        folder: with the table and the images.
        manifest: of the robot that the policies are for.

    Raises:
        BadRows: with the number of every row at fault, as a spreadsheet or an editor counts; nothing is imported.
        UsageError: no table, a table that cannot be read, or one without rows.
    """
    base = Path(folder)
    table = _table(base)
    rows: list[_Row] = []
    faults: list[str] = []
    for number, given in _rows(table):
        try:
            rows.append(_read_row(base, number, given, manifest))
        except UsageError as error:
            faults.append(f"row {number}: {error}")
    if faults:
        raise BadRows(table.name, faults[:MAX_FAULTS], max(0, len(faults) - MAX_FAULTS))
    if not rows:
        raise UsageError(f"{table.name} has no rows.", f"Give one for each image, with {', '.join(NEEDED)}.")
    with StoreWriter(out, {manifest.robot: manifest}) as writer:
        samples = []
        for row in rows:
            image = writer.add_image(encode_png(read_image(row.image)))
            given = row.given
            before = (clean_instruction(given["before"]),) if given.get("before") else ()
            holding, at = given.get("holding", ""), given.get("at", "")
            memory = Memory((*before, row.instruction), holding=holding, at=at)
            state = RobotState(at, holding, {}, (0.0, 0.0, 0.0), 0.0, (0.0, 0.0, 0.0))
            source = {"kind": "import", "table": table.name, "row": row.number, "file": row.image.name[:200]}
            source |= {"family": given["family"]} if given.get("family") else {}
            samples.append(
                make_sample(
                    f"import-{row.number:06d}", [image], row.instruction, manifest.robot, state, memory, row.policy,
                    source, given.get("split") or "train",
                )
            )  # fmt: skip
        return writer.add_all(samples)


def _table(base: Path) -> Path:
    if not base.is_dir():
        raise UsageError(f"no folder at {str(base)[:300]!r}.")
    found = [base / name for name in TABLES if (base / name).is_file()]
    if len(found) != 1:
        what = "both samples.csv and samples.jsonl are" if found else "neither samples.csv nor samples.jsonl is"
        raise UsageError(f"{what} in {str(base)[:300]!r}.", "Put one of them there, beside the images.")
    if found[0].stat().st_size > MAX_TABLE_BYTES:
        raise UsageError(f"{found[0].name} is larger than {MAX_TABLE_BYTES:,} bytes.")
    return found[0]


def _rows(table: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (row number, cells by column); a row that is no row of cells comes as {"": why}."""
    try:
        text = table.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{table.name} is not UTF-8 text: {error.reason} at byte {error.start}.") from None
    read = _csv_rows if table.suffix == ".csv" else _jsonl_rows
    for count, row in enumerate(read(text, table.name)):
        if count >= MAX_ROWS:
            raise UsageError(f"{table.name} has more than {MAX_ROWS:,} rows.", "Import it in parts.")
        yield row


def _csv_rows(text: str, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    head = list(reader.fieldnames or [])
    missing = [column for column in NEEDED if column not in head]
    if missing:
        raise _no_column(name, missing[0], head)
    number = 1
    while True:
        number += 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            yield number, {"": f"not a row of a CSV file: {error}."}
            return
        if row is None:
            return
        if None in row:
            yield number, {"": f"more cells than the head has columns ({len(head)})."}
            continue
        yield number, {column: value or "" for column, value in row.items()}


def _no_column(table: str, missing: str, head: list[str]) -> UsageError:
    found = ", ".join(column[:60] for column in head[:SHOWN_COLUMNS]) or "nothing"
    said = f"{table} has no column {missing!r}. Found: {found}; needed: {', '.join(NEEDED)}."
    if any(mark in column for column in head for mark in ";\t"):
        return UsageError(said, "Separate cells by commas.")
    near = closest(missing, [column for column in head if column not in (*NEEDED, *OPTIONAL)])
    return UsageError(said, f"Rename {near[:60]!r} if that is it." if near else "Add it to the first line.")


def _jsonl_rows(text: str, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    del name
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield number, {"": f"not JSON: {str(error)[:120]}."}
            continue
        yield number, row if isinstance(row, dict) and row else {"": "found no object; expected one per line."}


def _read_row(base: Path, number: int, given: dict[str, Any], manifest: Manifest) -> _Row:
    if "" in given:
        raise UsageError(str(given[""]))
    for column in given:
        if column not in (*NEEDED, *OPTIONAL):
            raise UsageError(f"unknown column {column[:60]!r}.", did_you_mean(column, (*NEEDED, *OPTIONAL)))
    for column in (*NEEDED, *OPTIONAL):
        value = given.get(column, "")
        if not isinstance(value, str) and not (column == "policy" and isinstance(value, dict)):
            raise UsageError(f"{column}: found {type(value).__name__}; expected text.")
        if column in NEEDED and not value:
            raise UsageError(f"{column} is empty.")
        if column in ("at", "holding", "family") and len(value) > 60:
            raise UsageError(f"{column} has {len(value)} characters; at most 60.")
    split = given.get("split") or "train"
    if split not in SPLITS:
        raise UsageError(f"unknown split {split[:40]!r}.", did_you_mean(split, SPLITS))
    at = given.get("at", "")
    if at and at not in manifest.places:
        raise UsageError(f"at: the robot has no place {at!r}.", did_you_mean(at, manifest.places))
    instruction = clean_instruction(given["instruction"])
    if given.get("before"):
        clean_instruction(given["before"])
    image = _inside(base, given["image"], "image")
    read_image(image)
    text = _policy_text(base, given["policy"])
    plan, report = check_policy(text, manifest, State(at=at, holding=given.get("holding", "")))
    if plan is None:
        raise UsageError(f"policy: {report.issues[0]}")
    texts = {column: value for column, value in given.items() if column in OPTIONAL and value}
    return _Row(number, image, instruction, plan.policy.to_json(), texts)


def _inside(base: Path, name: str, what: str) -> Path:
    """Return a file of the folder; nothing outside it, by whatever way, is opened."""
    try:
        path = (base / name).resolve()
        inside = path.is_relative_to(base.resolve())
    except (OSError, ValueError, RuntimeError):
        raise UsageError(f"{what}: {name[:120]!r} is no file name.") from None
    if not inside:
        raise UsageError(f"{what}: {name[:120]!r} lies outside the folder.", "Give a file beside the table.")
    if not path.is_file():
        raise UsageError(f"{what}: no file {name[:120]!r} in the folder.")
    return path


def _policy_text(base: Path, value: str | dict[str, Any]) -> str | bytes:
    if isinstance(value, dict):
        return json.dumps(value)
    if value.lstrip().startswith("{"):
        return value
    path = _inside(base, value, "policy")
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)
