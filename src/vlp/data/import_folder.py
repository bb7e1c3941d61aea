"""Images and a table of instructions and policies, as a lab with a real robot has them: all rows or none."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlp.core.errors import UsageError, did_you_mean
from vlp.core.images import encode_png, read_image
from vlp.core.messages import Instruction
from vlp.core.observation import RobotState
from vlp.data.own_files import OwnFiles
from vlp.data.policy_cell import policy_text
from vlp.data.sample import SPLITS, make_sample
from vlp.data.store import StoreWriter
from vlp.data.tables import AS_UTF8, INDEX, NEEDED, OPTIONAL, find_table, read_rows
from vlp.policy.checks import check_policy
from vlp.policy.model import State
from vlp.primitives.manifest import Manifest
from vlp.prompt.render import Memory


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
    table, files = find_table(base), OwnFiles(base)
    rows: list[_Row] = []
    faults: list[str] = []
    for number, given in read_rows(table):
        try:
            if isinstance(given, UsageError):
                raise given
            rows.append(_read_row(files, number, given, manifest))
        except UsageError as error:
            faults.append(f"row {number}: {error}")
    if faults:
        raise BadRows(table.name, faults[:50], max(0, len(faults) - 50))
    if not rows:
        raise UsageError(f"{table.name} has no rows.", f"Give one for each image, with {', '.join(NEEDED)}.")
    with StoreWriter(out, {manifest.robot: manifest}) as writer:
        samples = []
        for row in rows:
            image = writer.add_image(encode_png(read_image(row.image)))
            given = row.given
            before = (given["before"],) if given.get("before") else ()
            holding, at = given.get("holding", ""), given.get("at", "")
            memory = Memory((*before, row.instruction), holding=holding, at=at)
            state = RobotState(at, holding)
            source = {"kind": "import", "table": table.name, "row": row.number, "file": row.image.name[:200]}
            source |= {"family": given["family"]} if given.get("family") else {}
            samples.append(
                make_sample(
                    f"import-{row.number:06d}", [image], row.instruction, manifest.robot, state, memory, row.policy,
                    source, given.get("split") or "train",
                )
            )  # fmt: skip
        return writer.add_all(samples)


def _read_row(files: OwnFiles, number: int, given: dict[str, Any], manifest: Manifest) -> _Row:
    cells = {column: _cell(column, value) for column, value in given.items()}
    for column in NEEDED:
        if not cells.get(column):
            raise UsageError(f"{column} is empty.")
    for column in ("at", "holding", "family"):
        if len(cells.get(column, "")) > 60:
            raise UsageError(f"{column} has {len(cells[column])} characters; at most 60.")
    split = cells.get("split") or "train"
    if split not in SPLITS:
        raise UsageError(f"unknown split {split[:40]!r}.", did_you_mean(split, SPLITS))
    at = cells.get("at", "")
    if at and at not in manifest.places:
        raise UsageError(f"at: the robot has no place {at!r}.", did_you_mean(at, manifest.places))
    instruction = _sentence("instruction", cells["instruction"])
    before = _sentence("before", cells["before"]) if cells.get("before") else ""
    image = files.find(cells["image"], "image")
    try:
        read_image(image)
    except UsageError as error:
        raise UsageError(f"image: {error.message}", error.hint) from None
    text = policy_text(cells["policy"], files)
    plan, report = check_policy(text, manifest, State(at=at, holding=cells.get("holding", "")))
    if plan is None:
        raise UsageError(f"policy: {report.issues[0]}")
    texts = {column: value for column, value in cells.items() if column in OPTIONAL and value}
    return _Row(number, image, instruction, plan.policy.to_json(), texts | ({"before": before} if before else {}))


def _cell(column: str, value: Any) -> Any:
    """Return a cell's text, "" for an empty one; a policy may be an object."""
    if column not in (*NEEDED, *OPTIONAL):
        hint = INDEX if column.startswith("Unnamed:") else did_you_mean(column, (*NEEDED, *OPTIONAL))
        raise UsageError(f"unknown column {column[:60]!r}.", hint)
    if value is None or value != value:  # null, and NaN as pandas has it
        return ""
    if column == "policy" and isinstance(value, dict):
        return value
    if not isinstance(value, str):
        what = "one JSON object" if column == "policy" else "text"
        found = {list: "a list", dict: "an object", bool: "true or false"}.get(type(value), "a number")
        raise UsageError(f"{column}: found {found}; expected {what}.")
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise UsageError(f"{column}: found {value[:60]!r}, which is not UTF-8 text.", AS_UTF8)
    if value.strip().lower() in ("nan", "null", "none", "n/a", "<na>", "#n/a", "nat"):
        raise UsageError(f"{column}: found {value.strip()!r}; expected text.", "Leave the cell empty if that is meant.")
    return value


def _sentence(column: str, text: str) -> str:
    try:
        return Instruction.of(text).text
    except UsageError as error:
        raise UsageError(f"{column}: {error.message}", error.hint) from None
