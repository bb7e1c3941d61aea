"""The command line of a stress that counts its faults."""

import argparse
import json
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
