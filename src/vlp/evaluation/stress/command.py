"""The command line of a stress that counts its faults, and rows that are kept, so that a stress goes on where it stopped."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def stress_command(name: str, doc: str | None, run: Callable[[int, int], dict[str, Any]]) -> int:
    """Run a stress from the command line, and write and print its summary; returns 1 when a promise was broken, else 0.

    Args:
        name: its key in summary.json.
        doc: what `--help` says.
        run: cases and seed -> summary with "faults".
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    summary = run(options.n, options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "summary.json").write_text(json.dumps({name: summary}, indent=2) + "\n")
    print(json.dumps(summary, indent=2))
    return 1 if summary["faults"] else 0


def kept_rows(n: int, out: Path, case: Callable[[int], dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of n cases; those in rows.jsonl are known, and each new one is written there at once.

    Args:
        n: cases.
        out: directory; made when it is not there.
        case: number of a case -> its row, plain data.
    """
    out.mkdir(parents=True, exist_ok=True)
    file = out / "rows.jsonl"
    whole = [line for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")] if file.exists() else []
    file.write_text("".join(whole))  # a row that a kill has cut short is measured again
    rows = [json.loads(line) for line in whole][:n]
    with file.open("a") as written:
        for index in range(len(rows), n):
            rows.append(case(index))
            written.write(json.dumps(rows[-1]) + "\n")
            written.flush()
            if index % 20 == 19:
                print(f"{index + 1} of {n}", file=sys.stderr, flush=True)
    return rows


def rows_command(
    name: str,
    doc: str | None,
    case: Callable[[int, int, Path], dict[str, Any]],
    tell: Callable[[list[dict[str, Any]]], dict[str, Any]],
) -> int:
    """Run a stress of rows from the command line, and write and print its summary; returns 1 when a promise was broken, else 0.

    Args:
        name: its key in summary.json.
        doc: what `--help` says.
        case: number, seed and a directory for it -> row with "faults".
        tell: rows -> figures of the summary; its "faults", where it gives some, are of all rows together.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    rows = kept_rows(options.n, options.out, lambda index: case(index, options.seed, options.out))
    told = tell(rows)
    faults = [f"case {index}: {fault}" for index, row in enumerate(rows) for fault in row["faults"]]
    faults += told.pop("faults", [])
    summary = {"n": len(rows), "seed": options.seed, **told, "faults": faults}
    (options.out / "summary.json").write_text(json.dumps({name: summary}, indent=2) + "\n")
    print(json.dumps(summary, indent=2))
    return 1 if faults else 0


def quantiles(values: list[float]) -> dict[str, float]:
    """Return median, 95th percentile and the greatest of values; 99.9 % too where a thousand of them give it a meaning."""
    if not values:
        return {}
    ordered = sorted(values)
    shares = {"p50": 0.5, "p95": 0.95, **({"p99.9": 0.999} if len(ordered) >= 1000 else {})}
    found = {name: ordered[min(len(ordered) - 1, int(share * len(ordered)))] for name, share in shares.items()}
    return {name: round(value, 3) for name, value in {**found, "max": ordered[-1]}.items()}
