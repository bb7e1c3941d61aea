"""Fine-tune nano-base on a few hundred samples, with both adapters and three seeds each, and measure what came of it.

    vlp data collect --n 800 --out samples
    python recipes/measure_fine_tuning.py --data samples --out runs/fine_tuning > docs/results/fine_tuning.md

Beside each other: nano-base as it is and every tuned model, on prompts (`planning`), in episodes (`static`, `dynamic`; the
last seed of each adapter) and on visual questions (`vlp gate keeps`); and right policies over the number of samples. Each step
is one `vlp` command, shown as it runs. What was measured is kept as rows in `docs/results/fine_tuning` and not measured again:
the recipe goes on where it stopped, on another machine too, where a model is trained again if something of it is still to be
measured. `--precision` is the machine's own matter: what a model was trained in lies with its rows (`training/run.json`). With
`--tell` it prints the tables of what is there, with "-" for the rest; what was written below them by hand is not in its output.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from vlp.data.store import Store
from vlp.evaluation.runner import Rate
from vlp.models.catalogue import find_folder
from vlp.models.folder import sha256
from vlp.prompt.target import policy_text

ADAPTERS, SEEDS, SIZES = ("decoder", "vision+decoder"), (0, 1, 2), (50, 100, 200, 400, 800)
IN_EPISODES = SEEDS[-1]
"""The seed whose models are also measured in episodes: trained last, so it is at hand when all prompts have been asked."""

IN_TRAINING: dict[str, Lock] = defaultdict(Lock)
"""A lock for each model: when only its prompts and its episodes are left, both want it trained at once."""

PROMPTS, EPISODES, QUESTIONS = 150, 100, 200
"""Scenes with a prompt in a phrasing of the training and one kept for test, episodes, and visual questions for each model."""


@dataclass(frozen=True)
class Study:
    """Where everything is, and how it is trained.

    Args:
        base: the model before tuning.
        data: the samples.
        out: folder of all runs.
        rows: folder of what was measured, a folder for each model.
        training: further options of `vlp train sft`.
    """

    base: str
    data: Path
    out: Path
    rows: Path
    training: tuple[str, ...]

    def question(self) -> dict[str, Any]:
        """Return what the rows hang on."""
        weights = sha256(find_folder(self.base) / "model.safetensors")
        training = list(self.training)
        if "--precision" in training:
            at = training.index("--precision")
            del training[at : at + 2]
        return {"base": self.base, "model.safetensors": weights, "samples": self.taught(), "training": training}

    def taught(self) -> str:
        """Return the SHA-256 of what the samples ask and answer; their images differ from renderer to renderer."""
        pairs = [f"{sample.instruction}\n{policy_text(sample.policy)}\n" for sample in Store(self.data)]
        return hashlib.sha256("".join(pairs).encode()).hexdigest()

    def check(self) -> None:
        """Note what the rows hang on; SystemExit when there are rows of another model or training."""
        note = self.rows / "question.json"
        if not note.is_file():
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(json.dumps(self.question(), indent=1) + "\n")
        found = json.loads(note.read_text())
        if found != self.question():
            raise SystemExit(f"{self.rows} is of {found}, not of {self.question()}. Remove it, or name another --rows.")


BASE = "base"
"""What the rows of the model before tuning are called."""


def name_of(adapter: str, seed: int, samples: int) -> str:
    """Return what a tuned model and its folders are called."""
    return f"{adapter.replace('+', '-')}-{seed}-{samples}"


def vlp(*words: object, instead: Path | None = None) -> None:
    """Run one command of `vlp` on one core; exit status 1 is an answer when it left this file."""
    print("vlp " + " ".join(map(str, words)), file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "vlp.cli.main", *map(str, words)]
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    if done.returncode and not (done.returncode == 1 and instead and instead.is_file()):
        raise SystemExit(f"vlp {' '.join(map(str, words))}\n{done.stderr[-2000:]}")


def bench(study: Study, suite: str, name: str, model: Callable[[], str | Path], n: int) -> None:
    """Measure a model, unless that was done, and keep the rows."""
    if (study.rows / name / suite / "summary.json").is_file():
        return
    out = study.out / name / suite
    vlp("bench", "run", suite, "--model", model(), "--workers", 1, "--out", out, "--n", n)
    keep(study, name, [out / "rows.jsonl", out / "summary.json"], suite)


def keep(study: Study, name: str, files: Iterable[Path], part: str) -> None:
    """Copy what was measured to the rows."""
    folder = study.rows / name / part
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copyfile(file, folder / file.name)


def tuned(study: Study, adapter: str, seed: int, samples: int) -> Path:
    """Return the merged model of a run, trained unless that was done."""
    name = name_of(adapter, seed, samples)
    run = study.out / name
    model = run / "merged"
    with IN_TRAINING[name]:
        if model.is_dir():
            return model
        if not (run / "adapter").is_dir():
            resume = ("--resume",) if (run / "run.json").is_file() else ()
            options = ("--adapter", adapter, "--seed", seed, "--samples", samples, *study.training, "--skip-gates", *resume)
            vlp("train", "sft", "--base", study.base, "--data", study.data, "--out", run, *options)
        shutil.rmtree(run / "part", ignore_errors=True)
        vlp("train", "export", run, "--base", study.base, "--out", run / "part")
        shutil.move(run / "part", model)
    return model


def measure_tuned(study: Study, adapter: str, seed: int, samples: int) -> None:
    """Measure one tuned model on prompts and, where it saw all samples, on questions."""
    name = name_of(adapter, seed, samples)
    bench(study, "planning", name, lambda: tuned(study, adapter, seed, samples), PROMPTS)
    run = study.out / name / "run.json"
    if run.is_file():
        keep(study, name, [run], "training")
    if samples == max(SIZES) and not (study.rows / name / "gates" / "keeps.json").is_file():
        gates = study.out / name / "gates"
        model = tuned(study, adapter, seed, samples)
        vlp("gate", "keeps", model, "--base", study.base, "--n", QUESTIONS, "--out", gates, instead=gates / "keeps.json")
        keep(study, name, [gates / "keeps.json"], "gates")


def finish_tasks(study: Study, name: str, model: Callable[[], str | Path]) -> None:
    """Measure a model in episodes."""
    bench(study, "static", name, model, EPISODES)
    bench(study, "dynamic", name, model, EPISODES)


def rate(folder: Path, *path: str) -> str:
    """Return a rate of a summary with its interval; "-" where there is none yet."""
    if not (folder / "summary.json").is_file():
        return "-"
    found: Any = json.loads((folder / "summary.json").read_text())
    for key in path or ("rate",):
        found = found[key]
    return f"{100 * found['rate']:.1f} % ({100 * found['low']:.0f} to {100 * found['high']:.0f}, n = {found['n']})"


def prompts(folders: Iterable[Path], phrasing: str) -> list[dict[str, Any]]:
    """Return the rows that `planning` suites have of models in phrasings, "train", "test" or "all"."""
    files = [folder / "rows.jsonl" for folder in folders if (folder / "summary.json").is_file()]
    rows = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return [row for row in rows if phrasing in ("all", row["phrasing"])]


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
    for name, file in {f"{a}, seed {s}": kept_file(study, a, s) for a in ADAPTERS for s in SEEDS}.items():
        (row,) = json.loads(file.read_text())["rows"] if file.is_file() else ({},)
        print(f"| {name} | {row['kept']} | {row['tuned']} after {row['base']} |" if row else f"| {name} | - | - |")
    print("\n| tasks finished | static | changed midway | changed midway, without re-planning |\n| --- | --- | --- | --- |")
    for name, folder in {"nano-base": BASE, **{a: name_of(a, IN_EPISODES, max(SIZES)) for a in ADAPTERS}}.items():
        folder = study.rows / folder
        midway = (rate(folder / "dynamic", "groups", "replan", replans) for replans in ("True", "False"))
        print(f"| {name} | {rate(folder / 'static')} | {' | '.join(midway)} |")
    print(f"\nRight policies over the number of samples (`decoder`, seed {SEEDS[0]}):\n\n![curve]({picture.name})\n")
    print("| samples | trained phrasings | kept for test |\n| --- | --- | --- |")
    for size in SIZES:
        rates = (Rate.of(prompts([curve_point(study, size)], phrasing)) for phrasing in ("train", "test"))
        print(f"| {size} | {' | '.join(map(shown, rates))} |")
    if prompts([curve_point(study, size) for size in SIZES], "train"):
        draw(study, picture)


def kept_file(study: Study, adapter: str, seed: int) -> Path:
    """Return the file with what a tuned model kept of the base's answers."""
    return study.rows / name_of(adapter, seed, max(SIZES)) / "gates" / "keeps.json"


def curve_point(study: Study, samples: int) -> Path:
    """Return the rows of the model that saw so many samples."""
    return study.rows / name_of("decoder", SEEDS[0], samples) / "planning"


def tell_prompts(study: Study) -> None:
    """Print how many prompts each model planned right."""
    models = {"nano-base": [study.rows / BASE]}
    for adapter in ADAPTERS:
        runs = {seed: study.rows / name_of(adapter, seed, max(SIZES)) for seed in SEEDS}
        models |= {f"`{adapter}`, seed {seed}": [run] for seed, run in runs.items()}
        there = [run for run in runs.values() if (run / "planning" / "summary.json").is_file()]
        models[f"**`{adapter}`, {len(there)} of {len(SEEDS)} seeds**"] = there
    headings = {"all": "both phrasings", "train": "phrasings of the training", "test": "phrasings kept for test"}
    for phrasing, heading in headings.items():
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
        all_rates = {size: Rate.of(prompts([curve_point(study, size)], phrasing)) for size in SIZES}
        sizes, rates = zip(*((size, rate) for size, rate in all_rates.items() if rate.n), strict=True)
        shares, low, high = ([100 * getattr(rate, part) for rate in rates] for part in ("rate", "low", "high"))
        (line,) = axes.plot(sizes, shares, marker="o", label=label)
        axes.fill_between(sizes, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
        base = Rate.of(prompts([study.rows / BASE / "planning"], phrasing))
        axes.axhline(100 * base.rate, color=line.get_color(), linestyle=":", label=f"nano-base, {label}")
    axes.set(xlabel="samples", ylabel="right policies (%)", ylim=(0, 100), xscale="log", title="nano-base + decoder")
    axes.set_xticks(SIZES, [str(size) for size in SIZES])
    axes.minorticks_off()
    axes.legend(fontsize="small", loc="center right")
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=120)


def main() -> None:
    """Train and measure all, two at a time."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--base", default="nano-base")
    parser.add_argument("--data", type=Path, default=Path("samples"))
    parser.add_argument("--out", type=Path, default=Path("runs/fine_tuning"))
    parser.add_argument("--rows", type=Path, default=Path("docs/results/fine_tuning"), help="what was measured, kept")
    parser.add_argument("--picture", type=Path, default=Path("docs/results/fine_tuning_curve.png"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--tell", action="store_true", help="print what has been measured, and measure nothing")
    options, training = parser.parse_known_args()
    study = Study(options.base, options.data, options.out, options.rows, tuple(training))
    if options.tell:
        tell(study, options.picture)
        return
    study.check()
    first, *others = [(adapter, seed, max(SIZES)) for seed in SEEDS for adapter in ADAPTERS]
    fewer = [(ADAPTERS[0], SEEDS[0], samples) for samples in SIZES[:-1]]
    in_episodes = [(adapter, IN_EPISODES, max(SIZES)) for adapter in ADAPTERS]
    # The first training asks the base about every sample. The next ones, begun later or of fewer samples, find the replies.
    jobs = [
        partial(measure_tuned, study, *first),
        partial(bench, study, "planning", BASE, lambda: study.base, PROMPTS),
        *(partial(measure_tuned, study, *model) for model in (*fewer, *others)),
        *(partial(finish_tasks, study, name_of(*model), partial(tuned, study, *model)) for model in in_episodes),
        partial(finish_tasks, study, BASE, lambda: study.base),
    ]
    with ThreadPoolExecutor(options.workers) as pool:
        running = [pool.submit(job) for job in jobs]
        for done in as_completed(running):
            if done.exception():
                pool.shutdown(wait=False, cancel_futures=True)
            done.result()
    tell(study, options.picture)


if __name__ == "__main__":
    main()
