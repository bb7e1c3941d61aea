"""Fine-tune nano-base on a few hundred samples, with both adapters and three seeds each, and measure what came of it.

    vlp data collect --n 800 --out samples
    python recipes/measure_fine_tuning.py --data samples --out runs/fine_tuning > docs/results/fine_tuning.md

Beside each other: nano-base as it is and every tuned model, on prompts (`planning`), in episodes (`static`, `dynamic`; the
first seed of each adapter) and on visual questions (`vlp gate keeps`); and right policies over the number of samples. Each step
is one `vlp` command, shown as it runs; what is there already is not done again, so the recipe goes on where it stopped. With
`--tell` it prints the tables of what is there, with "-" for the rest.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlp.evaluation.runner import Rate

ADAPTERS, SEEDS, SIZES = ("decoder", "vision+decoder"), (0, 1, 2), (50, 100, 200, 400, 800)
PROMPTS, EPISODES, QUESTIONS = 150, 100, 200
"""Scenes with a prompt in a phrasing of the training and one kept for test, episodes, and visual questions for each model."""


@dataclass(frozen=True)
class Study:
    """Where everything is, and how it is trained.

    Args:
        base: the model before tuning.
        data: the samples.
        out: folder of all runs.
        training: further options of `vlp train sft`.
    """

    base: str
    data: Path
    out: Path
    training: tuple[str, ...]

    def run(self, adapter: str, seed: int, samples: int) -> Path:
        """Return the folder of a run."""
        return self.out / f"{adapter.replace('+', '-')}-{seed}-{samples}"


def vlp(*words: object, instead: Path | None = None) -> None:
    """Run one command of `vlp` on one core; exit status 1 is an answer when it left this file."""
    print("vlp " + " ".join(map(str, words)), file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "vlp.cli.main", *map(str, words)]
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    if done.returncode and not (done.returncode == 1 and instead and instead.is_file()):
        raise SystemExit(f"vlp {' '.join(map(str, words))}\n{done.stderr[-2000:]}")


def bench(suite: str, model: str | Path, out: Path, n: int) -> None:
    """Measure a model, unless that was done."""
    if not (out / "summary.json").is_file():
        vlp("bench", "run", suite, "--model", model, "--workers", 1, "--out", out, "--n", n)


def tuned(study: Study, adapter: str, seed: int, samples: int) -> Path:
    """Return the merged model of a run, trained unless that was done."""
    run = study.run(adapter, seed, samples)
    model = run / "merged"
    if not model.is_dir():
        if not (run / "adapter").is_dir():
            resume = ("--resume",) if (run / "run.json").is_file() else ()
            options = ("--adapter", adapter, "--seed", seed, "--samples", samples, *study.training, "--skip-gates", *resume)
            vlp("train", "sft", "--base", study.base, "--data", study.data, "--out", run, *options)
        shutil.rmtree(run / "part", ignore_errors=True)
        vlp("train", "export", run, "--base", study.base, "--out", run / "part")
        shutil.move(run / "part", model)
    return model


def measure_tuned(study: Study, adapter: str, seed: int, samples: int) -> None:
    """Train one model, and measure it on prompts and, where it saw all samples, on questions."""
    model, run = tuned(study, adapter, seed, samples), study.run(adapter, seed, samples)
    bench("planning", model, run / "planning", PROMPTS)
    done = run / "gates" / "keeps.json"
    if samples == max(SIZES) and not done.is_file():
        vlp("gate", "keeps", model, "--base", study.base, "--n", QUESTIONS, "--out", run / "gates", instead=done)


def measure_base(study: Study) -> None:
    """Measure the model before tuning."""
    bench("planning", study.base, study.out / "base" / "planning", PROMPTS)
    finish_tasks(study.base, study.out / "base")


def finish_tasks(model: str | Path, out: Path) -> None:
    """Measure a model in episodes."""
    bench("static", model, out / "static", EPISODES)
    bench("dynamic", model, out / "dynamic", EPISODES)


def rate(folder: Path, *path: str) -> str:
    """Return a rate of a summary with its interval; "-" where there is none yet."""
    if not (folder / "summary.json").is_file():
        return "-"
    found: Any = json.loads((folder / "summary.json").read_text())
    for key in path or ("rate",):
        found = found[key]
    return f"{100 * found['rate']:.1f} % ({100 * found['low']:.0f} to {100 * found['high']:.0f}, n = {found['n']})"


def prompts(folders: Iterable[Path], phrasing: str) -> list[dict[str, Any]]:
    """Return the rows of the `planning` suites of models in a phrasing, "train" or "test"; of those that have been run."""
    files = [folder / "rows.jsonl" for folder in folders if (folder / "summary.json").is_file()]
    rows = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return [row for row in rows if row["phrasing"] == phrasing]


def planned(folders: Iterable[Path], phrasing: str) -> dict[str, Rate]:
    """Return how many prompts models planned right, and how many they answered right in words before (see `prompts`)."""
    rows = prompts(folders, phrasing)
    said = [row for row in rows if row["words"] == "right"]
    return {
        "all prompts": Rate.of(rows),
        "first instruction": Rate.of(row for row in rows if not row["before"]),
        "changed midway": Rate.of(row for row in rows if row["before"]),
        "said right in words": Rate.of({"success": row["words"] == "right"} for row in rows),
        "planned right where said right": Rate.of(said),
    }


def shown(rate: Rate) -> str:
    """Return a rate with its interval; "-" where nothing was measured."""
    return str(rate) if rate.n else "-"


def tell(study: Study, picture: Path) -> None:
    """Print the tables, and draw the curve."""
    print("# nano-base, fine-tuned\n")
    print(f"    python recipes/measure_fine_tuning.py {' '.join(study.training)}\n")
    print("Test seeds; with each rate its count and 95 % interval. All seeds of an adapter are asked the same prompts, so the")
    print("interval of them together tells of these prompts, not of others.\n")
    tell_prompts(study)
    print("\n| visual questions after tuning | of the base's | right |\n| --- | --- | --- |")
    for name, run in {f"{a}, seed {s}": study.run(a, s, max(SIZES)) for a in ADAPTERS for s in SEEDS}.items():
        file = run / "gates" / "keeps.json"
        (row,) = json.loads(file.read_text())["rows"] if file.is_file() else ({"kept": "-", "tuned": "-", "base": "-"},)
        print(f"| {name} | {row['kept']} | {row['tuned']} after {row['base']} |")
    print("\n| tasks finished | static | changed midway | changed midway, without re-planning |\n| --- | --- | --- | --- |")
    for name, folder in (("nano-base", study.out / "base"), *((a, study.run(a, SEEDS[0], max(SIZES))) for a in ADAPTERS)):
        midway = (rate(folder / "dynamic", "groups", "replan", replans) for replans in ("True", "False"))
        print(f"| {name} | {rate(folder / 'static')} | {' | '.join(midway)} |")
    print(f"\nRight policies over the number of samples (`decoder`, seed {SEEDS[0]}):\n\n![curve]({picture.name})\n")
    print("| samples | trained phrasings | kept for test |\n| --- | --- | --- |")
    for size in SIZES:
        folder = study.run("decoder", SEEDS[0], size) / "planning"
        rates = (Rate.of(prompts([folder], phrasing)) for phrasing in ("train", "test"))
        print(f"| {size} | {' | '.join(map(shown, rates))} |")
    if prompts([study.run("decoder", SEEDS[0], size) / "planning" for size in SIZES], "train"):
        draw(study, picture)


def tell_prompts(study: Study) -> None:
    """Print how many prompts each model planned right."""
    models = {"nano-base": [study.out / "base"]}
    for adapter in ADAPTERS:
        runs = {seed: study.run(adapter, seed, max(SIZES)) for seed in SEEDS}
        models |= {f"`{adapter}`, seed {seed}": [run] for seed, run in runs.items()}
        there = [run for run in runs.values() if (run / "planning" / "summary.json").is_file()]
        models[f"**`{adapter}`, {len(there)} of {len(SEEDS)} seeds**"] = there
    for phrasing, heading in (("train", "phrasings of the training"), ("test", "phrasings kept for test")):
        for number, (name, runs) in enumerate(models.items()):
            rates = planned([run / "planning" for run in runs], phrasing)
            if not number:
                print(f"| right policies, {heading} | {' | '.join(rates)} |\n| --- |{' --- |' * len(rates)}")
            print(f"| {name} | {' | '.join(map(shown, rates.values()))} |")
        print()


def draw(study: Study, picture: Path) -> None:
    """Draw right policies over samples."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for phrasing, label in (("train", "phrasings of the training"), ("test", "phrasings kept for test")):
        all_rates = {size: Rate.of(prompts([study.run("decoder", SEEDS[0], size) / "planning"], phrasing)) for size in SIZES}
        sizes, rates = zip(*((size, rate) for size, rate in all_rates.items() if rate.n), strict=True)
        shares, low, high = ([100 * getattr(rate, part) for rate in rates] for part in ("rate", "low", "high"))
        (line,) = axes.plot(sizes, shares, marker="o", label=label)
        axes.fill_between(sizes, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
        base = Rate.of(prompts([study.out / "base" / "planning"], phrasing))
        axes.axhline(100 * base.rate, color=line.get_color(), linestyle=":")
    axes.set(xlabel="samples", ylabel="right policies (%)", ylim=(0, 100), xscale="log", title="nano-base + decoder")
    axes.set_xticks(SIZES, [str(size) for size in SIZES])
    axes.legend()
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=120)


def main() -> None:
    """Train and measure all, two at a time."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--base", default="nano-base")
    parser.add_argument("--data", type=Path, default=Path("samples"))
    parser.add_argument("--out", type=Path, default=Path("runs/fine_tuning"))
    parser.add_argument("--picture", type=Path, default=Path("docs/results/fine_tuning_curve.png"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--tell", action="store_true", help="print what has been measured, and measure nothing")
    options, training = parser.parse_known_args()
    study = Study(options.base, options.data, options.out, tuple(training))
    if options.tell:
        tell(study, options.picture)
        return
    jobs: list[Callable[[], None]] = [lambda a=a, s=s: measure_tuned(study, a, s, max(SIZES)) for s in SEEDS for a in ADAPTERS]
    jobs += [lambda n=n: measure_tuned(study, "decoder", SEEDS[0], n) for n in SIZES[:-1]]
    # The first training asks the base about every sample; the second, begun later, finds the replies beside the samples.
    jobs.insert(1, lambda: measure_base(study))
    first = [study.run(adapter, SEEDS[0], max(SIZES)) for adapter in ADAPTERS]
    jobs += [lambda run=run: finish_tasks(run / "merged", run) for run in first]
    with ThreadPoolExecutor(options.workers) as pool:
        running = [pool.submit(job) for job in jobs]
        for done in as_completed(running):
            if done.exception():
                pool.shutdown(wait=False, cancel_futures=True)
            done.result()
    tell(study, options.picture)


if __name__ == "__main__":
    main()
