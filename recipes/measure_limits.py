"""Write the table of docs/results/limits.md: what a robot declares, and the greatest that was measured under hostile policies.

vlp bench run limits --out runs/limits  # 100 scenes of 10 policies; the same command goes on where it stopped
python recipes/measure_limits.py runs/limits
"""

import json
import sys
from collections import Counter
from pathlib import Path

from vlp.evaluation.stress.limits import LIMITS
from vlp.sim.open import manifest_of


def main(folder: Path) -> None:
    """Print the table of the rows in a folder."""
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    ends = Counter({end: sum(row[end] for row in rows) for end in ("succeeded", "failed", "rejected", "timeout", "stopped")})
    print(f"{len(rows)} policies, {sum(ends.values())} steps in {sum(row['robot_s'] for row in rows):.0f} s of simulated time:")
    print(", ".join(f"{count} {end}" for end, count in ends.items() if count) + ".\n")
    print("| limit | declared | greatest measured | 99 % of policies below | breaches |")
    print("| --- | --- | --- | --- | --- |")
    limits = manifest_of().limits
    for name in LIMITS:
        declared = getattr(limits, name, 0.0)
        values = sorted(row[name] for row in rows)
        over = sum(value > declared for value in values)
        print(f"| `{name}` | {declared:g} | {values[-1]:.3f} | {values[int(0.99 * len(values))]:.3f} | {over} |")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/limits"))
