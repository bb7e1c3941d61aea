"""Kill a fine-tuning at random moments until it has died often enough, take it up each time, and compare its loss curve.

    python recipes/kill_training.py --data samples --base nano-base --kills 50 > docs/results/training_kills.md

Each run is the real `vlp train sft` in a process of its own; SIGKILL comes after a time drawn between its start and its usual
end. A run that ends is compared with one that nobody killed: every step's loss and gradient norm, to the last digit, and the
adapter, byte by byte. Then another is begun.
"""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from vlp.training.curve import read_curve

RECIPE = ("--samples", "16", "--batch", "2", "--epochs", "3", "--save-every", "2")


def start(base: str, data: Path, out: Path) -> subprocess.Popen:
    """Start a training, or take it up."""
    command = [sys.executable, "-m", "vlp.cli.main", "train", "sft", "--base", base, "--data", str(data), "--out", str(out)]
    resume = ["--resume"] if (out / "run.json").exists() else []
    options = (*RECIPE, "--skip-gates", "--device", "cpu")
    shutil.rmtree(data / ".replies", ignore_errors=True)  # so that kills meet the reading of samples, too
    with said(out).open("ab") as log:
        return subprocess.Popen([*command, *options, *resume], stdout=subprocess.DEVNULL, stderr=log)


def said(out: Path) -> Path:
    """Return the file of what a run's processes said."""
    return out.with_name(out.name + ".log")


def result(out: Path) -> tuple[list[tuple[int, float, float]], bytes]:
    """Return the curve and the adapter of a run."""
    curve = [(row["step"], row["loss"], row["gradient_norm"]) for row in read_curve(out / "curve.jsonl")]
    return curve, (out / "adapter" / "adapter_model.safetensors").read_bytes()


def steps_done(out: Path) -> int:
    """Return how many steps the curve tells of."""
    file = out / "curve.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


def main() -> None:
    """Train once undisturbed, then kill."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("samples"))
    parser.add_argument("--base", default="nano-base")
    parser.add_argument("--kills", type=int, default=50)
    options = parser.parse_args()
    folder, rng = Path(tempfile.mkdtemp()), random.Random(0)
    data = Path(shutil.copytree(options.data, folder / "samples"))
    began = time.monotonic()
    if start(options.base, data, folder / "whole").wait():
        sys.exit(said(folder / "whole").read_text())
    usual_s = time.monotonic() - began
    expected = result(folder / "whole")
    where = dict.fromkeys(("before the first step", "between", "after the last"), 0)
    ended, equal, failed, out = 0, 0, 0, folder / "0"
    while sum(where.values()) < options.kills or out.exists():
        process = start(options.base, data, out)
        try:
            enough = sum(where.values()) >= options.kills
            status = process.wait(None if enough else rng.uniform(0.1, usual_s))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            done = steps_done(out)
            where["before the first step" if not done else "between" if done < len(expected[0]) else "after the last"] += 1
            print(f"kill {sum(where.values())} at step {done}", file=sys.stderr)
            continue
        ended, failed = ended + 1, failed + (status != 0)
        if status:
            print(said(out).read_text()[-2000:], file=sys.stderr)
        equal += status == 0 and result(out) == expected
        shutil.rmtree(out, ignore_errors=True)
        out = folder / str(ended)
    shutil.rmtree(folder)
    print("# A fine-tuning killed at random moments\n")
    print(f"    python recipes/kill_training.py --base {options.base} --kills {options.kills}\n")
    print(f"{len(expected[0])} steps of {options.base} on a CPU, {usual_s:.0f} s when nobody kills it.\n")
    print("| SIGKILL | times |\n| --- | --- |")
    for moment, times in where.items():
        print(f"| {moment} | {times} |")
    print(f"\nRuns that ended: {ended}; of these failed: {failed}; with curve and adapter equal to the last bit: {equal}.")


if __name__ == "__main__":
    main()
