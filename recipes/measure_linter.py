"""Plant every kind of fault in a set of samples, and count which of them `vlp data lint` finds.

    vlp data collect --n 200 --out samples
    vlp data collect --n 40 --out samples --split validation --resume
    vlp data collect --n 60 --out samples --split test --resume
    python recipes/measure_linter.py samples > docs/results/linter.md

One kind at a time goes into 5 in a hundred samples of a copy. A fault counts as found when its sample is named with the code
of its kind; a sample named with that code in which none was planted is a false alarm. The faults are those of the tests, and
two that only the simulator can tell.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "data"))

from test_lint import PLANTS, remade, reseal

from vlp.data.lint import lint
from vlp.data.sample import Sample
from vlp.episodes.right import every_check

SHARE = 0.05


def policy_of_another(folder: Path, line: dict[str, Any], lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give a sample the policy of the next one that wants something else."""
    at = lines.index(line)
    others = (other["policy"] for other in lines[at:] + lines[:at])
    return [{**line, "policy": next(policy for policy in others if policy["goal"] != line["policy"]["goal"])}]


def another_split(folder: Path, line: dict[str, Any], lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Move a sample from the training split to that of validation."""
    return [{**line, "split": "validation"}]


def sentence_of_training(folder: Path, line: dict[str, Any], lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Let a test sample ask in the words of one that is trained on."""
    text = next(other["instruction"] for other in lines if other["split"] == "train")
    return [remade(line, instruction=text, memory=replace(Sample.from_json(line).memory, instructions=(text,)))]


FAULTS = PLANTS | {
    "phrasing leak": (sentence_of_training, "leak-phrasing", "test"),  # that of the tests is no sentence of this set
    "policy of another": (policy_of_another, "wrong-policy", ""),
    "moved to another split": (another_split, "wrong-split", "train"),
}


def planted(folder: Path, kind: str) -> set[str]:
    """Plant one kind of fault in a set, and return the ids of the samples that have it."""
    plant, _, split = FAULTS[kind]
    lines = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    candidates = [line["id"] for line in lines if split in ("", line["split"]) and begins_with_a_grasp(line["policy"])]
    if not candidates:
        raise SystemExit(f"{kind!r} needs a sample of split {split or 'any'!r} that grasps first; collect the set as above.")
    chosen = set(random.Random(kind).sample(candidates, min(round(SHARE * len(lines)), len(candidates))))
    ids, out = set[str](), []
    for line in lines:
        made = plant(folder, line, lines) if line["id"] in chosen else [line]
        if line["id"] in chosen:
            ids.add(made[-1]["id"])
        out += made
    reseal(folder, out)
    return ids


def begins_with_a_grasp(policy: dict[str, Any]) -> bool:
    """Return whether there is what the spoilers of policies spoil: a first subtask whose second step grasps."""
    subtasks = policy.get("subtasks") or [{"steps": []}]
    return [step["do"] for step in subtasks[0]["steps"][1:2]] == ["grasp"]


def main() -> None:
    """Lint the set as it is, then once with each kind of fault."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("samples", type=Path)
    samples: Path = parser.parse_args().samples
    began = time.monotonic()
    clean = lint(samples, every_check())
    seconds = time.monotonic() - began
    print("# What the linter finds\n")
    print("    python recipes/measure_linter.py samples\n")
    print(f"The set as collected, {clean.samples} samples: {len(clean.faults)} faults named ({seconds:.0f} s).")
    print("One kind at a time in 5 of a hundred samples of a copy:\n")
    print("| planted | samples | found | false alarms |\n| --- | --- | --- | --- |")
    for kind, (_, code, _) in FAULTS.items():
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "samples"
            shutil.copytree(samples, folder)
            ids = planted(folder, kind)
            named = {fault.sample for fault in lint(folder, every_check()).faults if fault.code == code}
        print(f"| {kind} (`{code}`) | {len(ids)} | {len(ids & named)} | {len(named - ids)} |", flush=True)


if __name__ == "__main__":
    main()
