"""List the failed episodes of suites as a table, one line and one cause each.

vlp bench run static --out runs/static
vlp bench run dynamic --out runs/dynamic
python recipes/list_failures.py runs/static runs/dynamic > docs/results/nano_failures.md
"""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

HEAD = """# Failed episodes of vlp-nano as shipped

Written by `python recipes/list_failures.py` from the rows of `vlp bench run` (test seeds). *claim* is what the last policy
said; *system* is the outcome as the system itself judged it.
"""
COLUMNS = ("seed", "family", "instruction", "change", "claim", "system", "cause")


def table(folder: Path) -> str:
    """Return the failures of one suite as markdown.

    Args:
        folder: with rows.jsonl and summary.json.
    """
    name = json.loads((folder / "summary.json").read_text())["suite"]
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    # Runs without a part are there to be compared with; older rows say whether there was re-planning.
    rows = [row for row in rows if row.get("replan", True) and row.get("without", "nothing") == "nothing"]
    failed = sorted((row for row in rows if not row["success"]), key=lambda row: row["seed"])
    kinds = Counter(row["cause"].partition(":")[0] for row in failed)
    lines = [f"## {name}: {len(failed)} of {len(rows)}", ""]
    lines += [f"By cause: {', '.join(f'{kind} {count}' for kind, count in kinds.most_common())}.", ""] if failed else []
    lines += [f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
    return "\n".join([*lines, *(f"| {' | '.join(cells(row))} |" for row in failed)]) + "\n"


def cells(row: dict[str, Any]) -> list[str]:
    """Return one failure's cells, in the order of `COLUMNS`."""
    change = row["change"] or row["event"]
    texts = (row["seed"], row["family"], row["instruction"], change, row["claim"], row["outcome"], row["cause"])
    return [str(text or "-").replace("|", "/").replace("\n", " ") for text in texts]


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python recipes/list_failures.py FOLDER...")
    print("\n".join([HEAD, *(table(Path(argument)) for argument in sys.argv[1:])]), end="")
